/* Each allocation of the etcd client fails in turn, with all that follow for a while. */
#include "base/bytes.h"
#include "base/mem.h"
#include "fake/auth.h"
#include "sim/etcd_rig.h"
#include "support/canary.h"
#include "yr_test.h"

enum { LIMIT_MS = 60000, LEASE = 77, TTL_S = 30, SHORT_MS = 2000 };

typedef struct memory_case {
    etcd_answer put;
    etcd_answer txn;
    watch_log watch;
    lease_log lease;
    bool has_put;
    bool has_txn;
} memory_case;

static bool begin_txn(sim_rig *rig, etcd_answer *answer)
{
    yurpc_etcd_op op = {YURPC_ETCD_PUT, yr_bytes_of_text("k/1"), {NULL, 0}, NULL};
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.then_ops = &op;
    txn.then_count = 1;
    return yr_etcd_txn(rig->client, &txn, etcd_answer_on_reply, answer, NULL) == YURPC_OK;
}

static void begin_all(sim_rig *rig, memory_case *it)
{
    yurpc_etcd_op op = {YURPC_ETCD_PUT, yr_bytes_of_text("k/0"), {NULL, 0}, NULL};
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("k/"), .is_prefix = true};
    yr_etcd_lease lease = {LEASE, TTL_S, yr_io_now_ms(rig->io) - 10000};
    it->has_put =
        yr_etcd_do(rig->client, &op, etcd_answer_on_reply, &it->put, NULL) == YURPC_OK;
    it->has_txn = begin_txn(rig, &it->txn);
    if (watch_log_try(&it->watch, rig->client, &options) != YURPC_OK) {
        assert_null(it->watch.watch);
    }
    if (lease_log_try(&it->lease, rig->client, &lease) != YURPC_OK) {
        assert_null(it->lease.keepalive);
    }
}

/* With memory again, all that was begun must have ended or be alive. */
static void check_all(sim_rig *rig, memory_case *it)
{
    etcd_answer answer = {0};
    assert_true(!it->has_put || sim_rig_wait(rig, &it->put.is_done, LIMIT_MS));
    assert_true(!it->has_txn || sim_rig_wait(rig, &it->txn.is_done, LIMIT_MS));
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = 15000;
    options.is_idempotent = true;
    sim_rig_put(rig, &options, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_OK);
    if (it->watch.watch != NULL) {
        assert_true(sim_rig_wait_count(rig, &it->watch.fresh, it->watch.stale + 1, LIMIT_MS));
        yr_fake_etcd_put(rig->fake, "k/2", "v", 0);
        assert_true(sim_rig_wait_count(rig, &it->watch.events, it->watch.events + 1, LIMIT_MS));
    }
    if (it->lease.keepalive != NULL) {
        assert_true(
            sim_rig_wait_count(rig, &it->lease.renewals, it->lease.renewals + 1, LIMIT_MS));
    }
    etcd_answer_clear(&answer);
    etcd_answer_clear(&it->put);
    etcd_answer_clear(&it->txn);
}

/* The client is a user whose token has just expired. */
static void become_user(sim_rig *rig)
{
    static const yr_etcd_options as_alice = {.username = "alice",
                                             .password = YR_CANARY_PASSWORD};
    yr_fake_auth_set_user(rig->fake, "alice", YR_CANARY_PASSWORD);
    yr_fake_auth_permit(rig->fake, "alice", "k");
    yr_fake_auth_enable(rig->fake);
    sim_rig_reopen(rig, &as_alice);
    assert_true(sim_rig_wait(rig, &rig->is_connected, LIMIT_MS));
    yr_fake_auth_expire_tokens(rig->fake);
}

static void recover_from_every_lack_of_memory(bool is_user)
{
    bool is_through = false;
    for (long n = 0; !is_through; n++) {
        void *rig_state = NULL;
        memory_case it = {.has_put = false};
        assert_int_equal(sim_rig_set_up_single(&rig_state), 0);
        sim_rig *rig = rig_state;
        if (is_user) {
            become_user(rig);
        }
        yr_sim_run_for(rig->sim, n % 3 == 0 ? 0 : 100); /* while connecting, too */
        yr_fake_etcd_put(rig->fake, "k/0", "v", 0);
        yr_fake_rule no_rule = {
            .method = "LeaseKeepAlive", .action = YR_FAKE_TTL, .number = 30};
        yr_fake_etcd_add_rule(rig->fake, &no_rule);
        yr_mem_fail_after(n);
        begin_all(rig, &it);
        yr_sim_run_for(rig->sim, SHORT_MS);
        is_through = yr_mem_attempts() < n;
        yr_mem_fail_after(-1);
        check_all(rig, &it);
        assert_int_equal(sim_rig_tear_down(&rig_state), 0);
    }
}

static void the_client_recovers_from_every_lack_of_memory(void **state)
{
    (void)state;
    recover_from_every_lack_of_memory(false);
}

static void a_user_recovers_from_every_lack_of_memory(void **state)
{
    (void)state;
    recover_from_every_lack_of_memory(true);
}

static void a_client_is_opened_whole_or_not_at_all(void **state)
{
    (void)state;
    yurpc_status status = YURPC_NO_MEMORY;
    yr_sim *sim = yr_sim_new(1);
    yr_io *io = yr_sim_host_io(yr_sim_host_new(sim, "client"));
    for (long n = 0; status == YURPC_NO_MEMORY; n++) {
        yr_etcd *client = NULL;
        yurpc_error *error = NULL;
        yr_etcd_options options = {
            .endpoints = "a:1,b:2", .username = "a", .password = YR_CANARY_PASSWORD};
        yr_etcd_events events = {NULL, NULL};
        yr_mem_fail_after(n);
        status = yr_etcd_new(io, &options, &events, NULL, &client, &error);
        yr_mem_fail_after(-1);
        assert_int_equal(yurpc_error_status(error), status);
        yurpc_error_free(error);
        assert_true((status == YURPC_OK) == (client != NULL));
        if (client != NULL) {
            yr_etcd_close(client, NULL, NULL);
            yr_sim_run_for(sim, 1);
        }
    }
    assert_ok(status);
    yr_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_opened_whole_or_not_at_all),
        cmocka_unit_test(the_client_recovers_from_every_lack_of_memory),
        cmocka_unit_test(a_user_recovers_from_every_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
