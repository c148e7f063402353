/*
 * A client on a loop of its own that the test itself runs, and what its callbacks told.
 */
#ifndef RIG_H
#define RIG_H

#include "engine.h"
#include "etcd/decode.h"
#include "etcd/etcd.h"
#include "net/loop.h"

enum { RIG_WAIT_MS = 20000, RIG_EVENTS_MAX = 256 };

/* Start the etcd that the command line asks for; else what main() has to return. */
int rig_start_engine(int argc, char **argv, yr_engine **ret_engine);

/* What a call came to. */
typedef struct rig_answer {
    bool is_done;
    yurpc_status status;
    char text[256];
    yurpc_etcd_reply *reply; /* detached; freed by rig_answer_clear() */
} rig_answer;

void rig_answer_clear(rig_answer *answer);
yurpc_etcd_reply_fn rig_on_reply; /* the context is a rig_answer */

typedef struct etcd_rig {
    yr_loop *loop;
    yr_io *io;
    yr_etcd *client;
    bool is_connected;
    int connection_changes;
    char connection_error[256];
    int regressions;
    bool is_closed;
} etcd_rig;

void rig_init(etcd_rig *rig, const char *endpoints);
void rig_deinit(etcd_rig *rig);

/* Run the loop until *@p flag, at most RIG_WAIT_MS; whether it came true. */
bool rig_wait(etcd_rig *rig, const bool *flag);

/* Run the loop until *@p counter >= @p count. */
bool rig_wait_count(etcd_rig *rig, const int *counter, int count);

/* Run the loop for that long. */
void rig_run_ms(etcd_rig *rig, int64_t ms);

/* Do one thing and wait for its answer. Options may be NULL. */
void rig_do(etcd_rig *rig, yurpc_etcd_op_kind kind, const char *key, const char *value,
            const yurpc_etcd_op_options *options, rig_answer *answer);
void rig_put(etcd_rig *rig, const char *key, const char *value, int64_t lease);
void rig_grant(etcd_rig *rig, int64_t id, int64_t ttl_s, rig_answer *answer);

/* What a watch told. */
typedef struct rig_watch {
    yr_etcd_watch *watch;
    int created;
    int64_t created_revision;
    int changes;   /* callbacks */
    int events;    /* in them */
    int deletions; /* of them */
    int64_t last_revision;
    char keys[RIG_EVENTS_MAX][32]; /* of the first events */
    int progress;
    int64_t progress_revision;
    int stale; /* reports of it */
    int fresh;
    bool is_canceled;
    yurpc_status status;
    char text[256];
    int64_t compact_revision;
} rig_watch;

void rig_watch_start(etcd_rig *rig, rig_watch *watch, const yr_etcd_watch_options *options);

/* What a keepalive told. */
typedef struct rig_keepalive {
    yr_etcd_keepalive *keepalive;
    int renewals;
    bool is_lost;
    yurpc_status status;
    char text[256];
} rig_keepalive;

void rig_keepalive_start(etcd_rig *rig, rig_keepalive *keepalive, int64_t id, int64_t ttl_s);

#endif /* RIG_H */
