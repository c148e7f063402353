#include "sim/etcd_rig.h"

#include "base/bytes.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

static sim_rig rig_of_test;

static void on_connection(void *context, bool is_connected, const yurpc_error *error)
{
    sim_rig *rig = context;
    bool is_refusal = yurpc_error_status(error) == YURPC_UNAUTHENTICATED;
    assert_true(rig->is_connected != is_connected || rig->connection_changes == 0 ||
                is_refusal);
    rig->is_connected = is_connected;
    rig->connection_changes++;
    (void)snprintf(rig->connection_error, WITNESS_TEXT_MAX, "%s", yurpc_error_text(error));
}

static void on_regressed(void *context, int64_t was, int64_t is)
{
    sim_rig *rig = context;
    assert_true(was > 0 && is > 0);
    rig->regressions++;
}

static void on_closed(void *context)
{
    ((sim_rig *)context)->is_closed = true;
}

static void open_client(sim_rig *rig, const yr_etcd_options *like)
{
    yr_etcd_options options = *like;
    options.endpoints = yr_fake_etcd_address(rig->fake);
    yr_etcd_events events = {on_connection, on_regressed};
    assert_ok(yr_etcd_new(rig->io, &options, &events, rig, &rig->client, NULL));
}

static int set_up(void **state, size_t members)
{
    sim_rig *rig = &rig_of_test;
    memset(rig, 0, sizeof *rig);
    rig->sim = yr_sim_new(1);
    rig->etcd_host = yr_sim_host_new(rig->sim, "etcd");
    rig->other_host = yr_sim_host_new(rig->sim, "other");
    rig->client_host = yr_sim_host_new(rig->sim, "client");
    rig->io = yr_sim_host_io(rig->client_host);
    assert_ok(yr_fake_etcd_new(yr_sim_host_io(rig->etcd_host), "etcd", 2379, NULL, &rig->fake));
    if (members > 1) {
        yr_io *other_io = yr_sim_host_io(rig->other_host);
        assert_ok(yr_fake_etcd_add_member(rig->fake, other_io, "other", 2379));
    }
    if (members > 2) {
        yr_io *third_io = yr_sim_host_io(yr_sim_host_new(rig->sim, "third"));
        assert_ok(yr_fake_etcd_add_member(rig->fake, third_io, "third", 2379));
    }
    open_client(rig, &(yr_etcd_options){.endpoints = NULL});
    *state = rig;
    return 0;
}

int sim_rig_set_up(void **state)
{
    return set_up(state, 2);
}

int sim_rig_set_up_three(void **state)
{
    return set_up(state, 3);
}

int sim_rig_set_up_single(void **state)
{
    return set_up(state, 1);
}

int sim_rig_tear_down(void **state)
{
    sim_rig *rig = *state;
    yr_etcd_close(rig->client, on_closed, rig);
    assert_true(sim_rig_wait(rig, &rig->is_closed, 1000));
    yr_fake_etcd_free(rig->fake);
    yr_sim_free(rig->sim);
    return 0;
}

void sim_rig_reopen(sim_rig *rig, const yr_etcd_options *options)
{
    yr_etcd_close(rig->client, on_closed, rig);
    assert_true(sim_rig_wait(rig, &rig->is_closed, 1000));
    rig->is_closed = false;
    rig->is_connected = false;
    rig->connection_changes = 0;
    open_client(rig, options);
}

static bool is_true(void *context)
{
    return *(const bool *)context;
}

bool sim_rig_wait(sim_rig *rig, const bool *flag, int64_t limit_ms)
{
    union {
        const bool *in;
        void *out;
    } context = {.in = flag};
    return yr_sim_run_until(rig->sim, is_true, context.out, limit_ms);
}

typedef struct goal {
    const int *counter;
    int count;
} sim_goal;

static bool is_reached(void *context)
{
    const sim_goal *goal = context;
    return *goal->counter >= goal->count;
}

bool sim_rig_wait_count(sim_rig *rig, const int *counter, int count, int64_t limit_ms)
{
    sim_goal goal = {counter, count};
    return yr_sim_run_until(rig->sim, is_reached, &goal, limit_ms);
}

void sim_rig_put(sim_rig *rig, const yurpc_etcd_op_options *options, etcd_answer *answer)
{
    yurpc_etcd_op op = {YURPC_ETCD_PUT, yr_bytes_of_text("key"), yr_bytes_of_text("value"),
                        options};
    etcd_answer_clear(answer);
    assert_ok(yr_etcd_do(rig->client, &op, etcd_answer_on_reply, answer, NULL));
    assert_false(answer->is_done);
}

int64_t sim_rig_hold(sim_rig *rig, int count)
{
    int64_t lease = yr_fake_etcd_grant(rig->fake, 1000);
    for (int i = 0; i < count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k/%d", i);
        yr_fake_etcd_put(rig->fake, key, "v", lease);
    }
    return lease;
}

void sim_rig_once(sim_rig *rig, const char *method, yr_fake_action action, int code,
                  const char *text)
{
    yr_fake_rule rule = {
        .method = method, .times = 1, .action = action, .code = code, .text = text};
    yr_fake_etcd_add_rule(rig->fake, &rule);
}
