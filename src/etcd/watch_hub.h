/*
 * Watching: all watches of a client on one stream.
 *
 * A watch knows the next revision it needs, and is taken up again from there on each new
 * stream. That revision moves on only past revisions that were reported whole (the parts of a
 * fragmented one are put together first) or that etcd has, for this watch, declared to be
 * empty. Older events than that are dropped: servers are known to send some twice, or again
 * after a partition.
 *
 * When the token of the stream is no good any more, it is opened again with another one. Its
 * watches are not called stale for that, unless it takes YR_WATCH_CREATE_MS.
 *
 * Before a stream is opened on a new connection, a linearizable read shows whether the store
 * is still the one we know (see history.h): etcd accepts a watch from a revision that is to
 * come, and stays silent.
 */
#ifndef YR_ETCD_WATCH_HUB_H
#define YR_ETCD_WATCH_HUB_H

#include "base/map.h"
#include "etcd/duplex.h"

enum {
    YR_WATCHES_MAX = 10000,
    YR_WATCH_FRAGMENTS_MAX = 256 * 1024 * 1024, /* bytes of one revision's parts, decoded */
    YR_WATCH_PROGRESS_MS = 1000, /* how often to ask while a watch has to catch up */
    YR_WATCH_CREATE_MS = 5000,   /* then a stream on which no create is answered is given up */
    YR_WATCH_SYNC_MS = 250,      /* how long a server may need that cannot be asked */
    YR_WATCH_UNHEARD_MAX = 3,    /* so often asked in vain: it knows nothing of progress */
};

typedef struct yr_watch_hub {
    yr_etcd *client;
    yr_duplex stream;
    yr_list watches; /* in the order of their serial numbers */
    size_t watch_count;
    uint64_t last_serial;
    yr_map by_id;     /* those on the stream */
    int64_t next_id;  /* on the stream */
    yr_list creating; /* in the order in which they were asked for */
    yr_timer progress_timer;
    unsigned unheard;        /* progress requests since anything was heard on the stream */
    bool has_no_progress;    /* the server refused such a request, and the stream with it */
    yr_timer creation_timer; /* while a create request is not answered, or a token comes */
    yr_list *cursor;         /* the next watch to be visited; NULL: none are */
    const yr_etcd_watch
        *delivering; /* whose callback runs; NULL when it was stopped in there */
} yr_watch_hub;

void yr_watch_hub_init(yr_watch_hub *hub, yr_etcd *client);

/* Stops all; silent. */
void yr_watch_hub_deinit(yr_watch_hub *hub);

/* The store went back: every watch that knows a revision ends. */
void yr_watch_hub_on_regressed(yr_watch_hub *hub, int64_t revision);

/* The store is known to be at @p revision: watches from later on wait for what was lost. */
void yr_watch_hub_on_checked(yr_watch_hub *hub, int64_t revision);

/* The user is refused: watches that waited for another token are cut off. */
void yr_watch_hub_on_refused(yr_watch_hub *hub, const yurpc_error *error);

/* A key that is watched; borrowed; empty: there is none. */
yurpc_bytes yr_watch_hub_some_key(const yr_watch_hub *hub);

/* ---- For watch.c ---- */

/* The watch ends: forget it, and the stream if it was the last. */
void yr_watch_hub_forget(yr_etcd_watch *watch);

/* Whether an answer to a progress request proves that all before it was delivered. */
bool yr_watch_hub_progress_is_synced(const yr_watch_hub *hub);

#endif /* YR_ETCD_WATCH_HUB_H */
