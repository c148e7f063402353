/*
 * A client on a loop of its own that the test itself runs, and what its callbacks told.
 */
#ifndef RIG_H
#define RIG_H

#include "engine.h"
#include "etcd_witness.h"
#include "net/loop.h"

enum { RIG_WAIT_MS = 20000 };

struct CMUnitTest;

/* Start the etcd that the command line asks for; else what main() has to return. */
int rig_start_engine(int argc, char **argv, yr_engine **ret_engine);

/* Run the tests against that etcd: what main() has to return. */
int rig_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count);

/* The etcd of rig_main(). */
const char *rig_address(void);

/* cmocka's setup and teardown; the state is an etcd_rig on that etcd. */
int rig_set_up(void **state);
int rig_tear_down(void **state);

typedef struct etcd_rig {
    yr_loop *loop;
    yr_io *io;
    yr_etcd *client;
    bool is_connected;
    int connection_changes;
    char connection_error[WITNESS_TEXT_MAX];
    int regressions;
    bool is_closed;
} etcd_rig;

void rig_init(etcd_rig *rig, const char *endpoints);
void rig_init_with(etcd_rig *rig, const yr_etcd_options *options); /* its log is the rig's */
void rig_deinit(etcd_rig *rig);

/* Run the loop until *@p flag, at most RIG_WAIT_MS; whether it came true. */
bool rig_wait(etcd_rig *rig, const bool *flag);

/* Run the loop until *@p counter >= @p count. */
bool rig_wait_count(etcd_rig *rig, const int *counter, int count);

/* Run the loop for that long. */
void rig_run_ms(etcd_rig *rig, int64_t ms);

/* Do one thing and wait for its answer. Options may be NULL. */
void rig_do(etcd_rig *rig, yurpc_etcd_op_kind kind, const char *key, const char *value,
            const yurpc_etcd_op_options *options, etcd_answer *answer);
void rig_put(etcd_rig *rig, const char *key, const char *value, int64_t lease);
void rig_grant(etcd_rig *rig, int64_t id, int64_t ttl_s, etcd_answer *answer);

void rig_watch_start(etcd_rig *rig, watch_log *watch, const yr_etcd_watch_options *options);
void rig_keepalive_start(etcd_rig *rig, lease_log *keepalive, int64_t id, int64_t ttl_s);

#endif /* RIG_H */
