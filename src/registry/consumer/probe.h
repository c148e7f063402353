/*
 * Asking hosts whether anybody still listens: TCP connects, paced for a whole handle.
 *
 * Of the answers only one is news: refused, by the host itself. Loop-only.
 */
#ifndef YR_REGISTRY_PROBE_H
#define YR_REGISTRY_PROBE_H

#include "base/pace.h"
#include "net/io.h"

enum {
    YR_PROBE_INTERVAL_MS = 50, /* between the beginnings of two: 20 a second … */
    YR_PROBE_BURST = 4,        /* … after so many at once */
    YR_PROBE_ACTIVE_MAX = 8,   /* under way at once */
    YR_PROBE_TIMEOUT_MS = 2000,
    YR_PROBE_SPREAD_MS = 500, /* many consumers see the same at the same moment */
};

typedef struct yr_prober {
    yr_io *io;
    yr_list waiting;
    size_t active;
    yr_pace pace;
    yr_timer timer;
} yr_prober;

typedef void yr_probe_fn(void *context, bool is_refused);

/* Embedded in its owner, who keeps it until fn ran or it was stopped. */
typedef struct yr_probe {
    yr_list link; /* while it waits */
    yr_prober *prober;
    const char *host; /* borrowed as long */
    uint16_t port;
    yr_stream *stream; /* while it is under way */
    yr_probe_fn *fn;
    void *context;
} yr_probe;

void yr_prober_init(yr_prober *prober, yr_io *io);

/* All probes have ended or were stopped. */
void yr_prober_deinit(yr_prober *prober);

/* For those that never are begun, too: stopping them does nothing. */
void yr_probe_init(yr_probe *probe, yr_prober *prober, yr_probe_fn *fn, void *context);

/* Ask, when it is its turn; fn is called once, never inside this call. */
void yr_probe_begin(yr_probe *probe, const char *host, uint16_t port);

/* No callback follows. */
void yr_probe_stop(yr_probe *probe);

#endif /* YR_REGISTRY_PROBE_H */
