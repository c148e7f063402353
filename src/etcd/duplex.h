/*
 * A stream in both directions that is opened again whenever it ends, as long as it is wanted.
 *
 * It carries the token, if there is one, and `hasleader: true`, so that a member which is cut
 * off from its cluster ends it instead of staying silent. A stream that ends soon is reopened
 * after a pause (exponential backoff, full jitter); one that was lost with its connection, as
 * soon as there is another. That it ended in order (status 0) is no success, but a reason to
 * reopen it.
 */
#ifndef YR_ETCD_DUPLEX_H
#define YR_ETCD_DUPLEX_H

#include "base/backoff.h"
#include "etcd/etcd.h"
#include "etcd/gather.h"
#include "grpc/channel.h"

enum {
    YR_DUPLEX_BACKOFF_MS = 100,
    YR_DUPLEX_BACKOFF_MAX_MS = 5000,
    YR_DUPLEX_SETTLED_MS = 5000,    /* one that lived as long is reopened without backoff */
    YR_DUPLEX_EXHAUSTED_MS = 30000, /* the pause after a message that was too large */
};

typedef struct yr_duplex_events {
    void (*on_open)(
        void *context); /* send what has to be sent; must not call the owner's user */
    void (*on_message)(void *context, yurpc_bytes message);
    void (*on_cut)(void *context, const yurpc_error *error); /* after on_open; it is closed */
} yr_duplex_events;

typedef struct yr_duplex {
    yr_etcd *client;
    const char *path; /* static */
    yr_duplex_events events;
    void *context;
    bool is_wanted;
    bool is_held;        /* not to be opened yet */
    bool is_broken;      /* sending failed: to be closed */
    bool needs_token;    /* it is not opened while there is none; false: etcd may not ask */
    bool is_exchanged;   /* it was closed because its token is no good, and another one comes */
    yr_grpc_call *grpc;  /* NULL: not open */
    uint64_t generation; /* of the token it was opened with */
    unsigned renewals;   /* times in a row that etcd ended it because of the token */
    const yr_grpc_channel *channel;
    int64_t opened_ms;
    yr_gather answer;
    yr_timer timer; /* until the next attempt */
    yr_backoff backoff;
} yr_duplex;

void yr_duplex_init(yr_duplex *duplex, yr_etcd *client, const char *path,
                    const yr_duplex_events *events, void *context);

/* Closes; silent. */
void yr_duplex_deinit(yr_duplex *duplex);

/* Open it as soon as possible; on_open may run inside. */
void yr_duplex_want(yr_duplex *duplex);

/* Not needed any more: close it, silently. */
void yr_duplex_unwant(yr_duplex *duplex);

/* Keep it from being opened, or allow it again. */
void yr_duplex_hold(yr_duplex *duplex);
void yr_duplex_release(yr_duplex *duplex);

bool yr_duplex_is_open(const yr_duplex *duplex);

/* Send one message; when that fails the stream is opened anew after a pause. */
void yr_duplex_send(yr_duplex *duplex, yurpc_bytes message);

/* Something could not be sent: open it anew, on a later turn. */
void yr_duplex_fail(yr_duplex *duplex);

/* End what is open because of @p error, and open it again. */
void yr_duplex_restart(yr_duplex *duplex, const yurpc_error *error);

/*
 * It was told, for certain or perhaps, that its token is no good. True: it is, or will be,
 * opened again with another one, and on_cut was called. False: that is no use.
 */
bool yr_duplex_exchange(yr_duplex *duplex, bool is_certain, const yurpc_error *error);

/* There is a channel, and a token if one is needed, which the stream may use from now on. */
void yr_duplex_on_up(yr_duplex *duplex);

/* There is no channel any more. */
void yr_duplex_on_down(yr_duplex *duplex, const yurpc_error *error);

/* @p channel was closed, and the calls on it ended silently. */
void yr_duplex_on_closed(yr_duplex *duplex, const yr_grpc_channel *channel);

#endif /* YR_ETCD_DUPLEX_H */
