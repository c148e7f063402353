/*
 * An etcd client and a scripted etcd of one to three members, on a virtual clock.
 */
#ifndef ETCD_RIG_H
#define ETCD_RIG_H

#include "etcd_witness.h"
#include "fake/etcd.h"
#include "sim/sim_io.h"

typedef struct sim_rig {
    yr_sim *sim;
    yr_sim_host *etcd_host;
    yr_sim_host *other_host;
    yr_sim_host *client_host;
    yr_fake_etcd *fake;
    yr_io *io; /* the client's */
    yr_etcd *client;
    bool is_connected;
    int connection_changes;
    char connection_error[WITNESS_TEXT_MAX];
    int regressions;
    bool is_closed;
} sim_rig;

/* cmocka's setup and teardown; the state is a sim_rig. */
int sim_rig_set_up(void **state);
int sim_rig_set_up_single(void **state); /* one member only */
int sim_rig_set_up_three(void **state);
int sim_rig_tear_down(void **state);

/* Close the client and open another one like @p options (the endpoints are the fake's). */
void sim_rig_reopen(sim_rig *rig, const yr_etcd_options *options);

/* Run until *@p flag, at most @p limit_ms. */
bool sim_rig_wait(sim_rig *rig, const bool *flag, int64_t limit_ms);

/* Until *@p counter >= @p count. */
bool sim_rig_wait_count(sim_rig *rig, const int *counter, int count, int64_t limit_ms);

/* Put "key" = "value"; the answer comes later. */
void sim_rig_put(sim_rig *rig, const yurpc_etcd_op_options *options, etcd_answer *answer);

/* Have "k/0" … "k/COUNT-1" in etcd, under a lease of their own: its id. */
int64_t sim_rig_hold(sim_rig *rig, int count);

/* Add a rule that hits once. */
void sim_rig_once(sim_rig *rig, const char *method, yr_fake_action action, int code,
                  const char *text);

#endif /* ETCD_RIG_H */
