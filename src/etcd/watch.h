/*
 * One watch: the revision it needs next, and what it makes of etcd's messages about it.
 */
#ifndef YR_ETCD_WATCH_H
#define YR_ETCD_WATCH_H

#include "etcd/watch_hub.h"
#include "etcd/watch_parts.h"
#include "etcd/watch_scan.h"

/* A create request on the stream whose answer has not come. Outlives a watch that is stopped.
 */
typedef struct yr_watch_creation {
    yr_list node;
    int64_t id; /* that was asked for */
    int64_t asked_at;
    yr_etcd_watch *watch; /* NULL: stopped */
} yr_watch_creation;

struct yr_etcd_watch {
    yr_list node;
    yr_watch_hub *hub;
    uint64_t serial;
    int64_t id; /* on the stream, if it is there */
    yr_map_node by_id;
    bool is_on_stream;
    yr_etcd_watch_options options; /* with copies of the bytes */
    char *key;
    char *range_end;
    yr_etcd_watch_events events;
    void *context;
    yr_watch_creation
        *creation;           /* on the stream while it is not NULL and its node is in a list */
    int64_t next_revision;   /* the first that is missing; 0: from now, not known yet */
    int64_t target_revision; /* once beyond it, it has caught up */
    bool is_created;         /* and that was reported */
    bool is_open;            /* etcd has it, on this stream */
    bool is_stale;
    bool is_ending;
    unsigned renewals;    /* times in a row that it was refused because of the token */
    yr_watch_parts parts; /* of a fragmented revision */
};

/* Not yet in its hub; NULL: out of memory. */
yr_etcd_watch *yr_watch_new(yr_watch_hub *hub, const yr_etcd_watch_options *options);

/* It must not be in its hub any more. */
void yr_watch_free(yr_etcd_watch *watch);

/* Leave the hub, give the last callback, and free. Takes @p error. */
void yr_watch_end(yr_etcd_watch *watch, int64_t compact_revision, yurpc_error *error);

/* Report it if it is news. The watch may be gone afterwards; so after all that follow. */
void yr_watch_report_stale(yr_etcd_watch *watch, bool is_stale, const yurpc_error *error);

/* etcd has accepted it. */
void yr_watch_created(yr_etcd_watch *watch, const yr_watch_message *message);

/* etcd will not do it, or not any more. */
void yr_watch_refused(yr_etcd_watch *watch, const yr_watch_message *message);

/* Changes, or a part of them. Takes @p message. */
void yr_watch_take_events(yr_etcd_watch *watch, yr_watch_message *message);

/* The same of a message that was read where it lies; the watch has no parts. */
void yr_watch_take_scanned(yr_etcd_watch *watch, yr_watch_scanned *scanned);

typedef struct yr_progress_mark {
    int64_t revision;
    bool is_synced; /* all before it was delivered */
} yr_progress_mark;

void yr_watch_take_progress(yr_etcd_watch *watch, const yr_progress_mark *mark);

/* The history it follows is gone; the store is at @p revision. */
void yr_watch_regressed(yr_etcd_watch *watch, int64_t revision);

#endif /* YR_ETCD_WATCH_H */
