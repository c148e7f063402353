/*
 * What a consumer has while the registry does not answer: the list from disk, in place of the
 * first one from the registry, and until that comes.
 *
 * It is used when the registry was not there for GRACE_MS since following began, or, when the
 * driver says that it cannot connect, a moment later (another member may answer at once); and
 * at the deadline of whoever waits for the first list. While there is a connection the list is
 * on its way, and that is waited for.
 *
 * Part of a directory's entry. Loop-only.
 */
#ifndef YR_REGISTRY_FALLBACK_H
#define YR_REGISTRY_FALLBACK_H

#include "registry/cache/disk_cache.h"
#include "registry/core.h"

typedef struct yr_fallback_events {
    yurpc_status (*publish)(void *context,
                            const yr_cached_list *list); /* failed: again later */
    void (*on_published)(void *context); /* may free the fallback with its owner */
} yr_fallback_events;

typedef struct yr_fallback {
    const yr_core *core;
    yr_cached *cached; /* NULL: no cache, or not begun */
    yr_timer timer;
    bool is_loaded;
    bool is_due; /* there is no connection, for long enough */
    bool is_over;
    const yr_fallback_events *events;
    void *context;
} yr_fallback;

/* @p events live as long as the program. */
void yr_fallback_init(yr_fallback *fallback, const yr_core *core,
                      const yr_fallback_events *events, void *context);

/* Begin, as following begins; does nothing when the handle has no cache. YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_fallback_begin(yr_fallback *fallback, const char *service,
                                               const yr_snapshot_cell *cell);

/* Ends it, and saves what is not saved yet. Before the cell is freed. */
void yr_fallback_deinit(yr_fallback *fallback);

/* The connection was lost, or could not be made. */
void yr_fallback_on_disconnected(yr_fallback *fallback);

/* Somebody cannot wait any longer. True: the list was used, and the fallback may be gone. */
YURPC_NODISCARD bool yr_fallback_force(yr_fallback *fallback);

/* The current snapshot is just what the registry says: keep it for bad days. */
void yr_fallback_confirm(yr_fallback *fallback);

#endif /* YR_REGISTRY_FALLBACK_H */
