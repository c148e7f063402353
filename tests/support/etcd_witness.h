/*
 * What the callbacks of the etcd client told, for tests to look at.
 */
#ifndef ETCD_WITNESS_H
#define ETCD_WITNESS_H

#include "etcd/decode.h"
#include "etcd/etcd.h"

enum { WATCH_LOG_MAX = 256, WITNESS_TEXT_MAX = 512 };

/* What a call came to. */
typedef struct etcd_answer {
    bool is_done;
    yurpc_status status;
    char text[WITNESS_TEXT_MAX];
    yurpc_etcd_reply *reply; /* detached; freed by etcd_answer_clear() */
} etcd_answer;

void etcd_answer_clear(etcd_answer *answer);
yurpc_etcd_reply_fn etcd_answer_on_reply; /* the context is an etcd_answer */

/* What a watch told. */
typedef struct watch_log {
    yr_etcd_watch *watch;
    int created;
    int64_t created_revision;
    int changes;   /* callbacks */
    int events;    /* in them */
    int deletions; /* of them */
    int64_t last_revision;
    char keys[WATCH_LOG_MAX][32]; /* of the first events */
    int progress;
    int64_t progress_revision;
    int stale; /* reports of it */
    int fresh;
    bool is_canceled;
    yurpc_status status;
    char text[WITNESS_TEXT_MAX];
    int64_t compact_revision;
} watch_log;

/* Start a watch that is logged; the first may fail as yr_etcd_watch_start(). */
yurpc_status watch_log_try(watch_log *watch, yr_etcd *client,
                           const yr_etcd_watch_options *options);
void watch_log_init(watch_log *watch, yr_etcd *client, const yr_etcd_watch_options *options);

/* What a keepalive told. */
typedef struct lease_log {
    yr_etcd_keepalive *keepalive;
    int renewals;
    bool is_lost;
    yurpc_status status;
    char text[WITNESS_TEXT_MAX];
} lease_log;

/* Keep a lease, logged; the first may fail as yr_etcd_keepalive_start(). */
yurpc_status lease_log_try(lease_log *keepalive, yr_etcd *client, const yr_etcd_lease *lease);
void lease_log_init(lease_log *keepalive, yr_etcd *client, const yr_etcd_lease *lease);

#endif /* ETCD_WITNESS_H */
