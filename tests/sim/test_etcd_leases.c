/* Leases of the etcd client when the cluster or its answers are not well, on a virtual clock.
 */
#include "base/bytes.h"
#include "sim/etcd_rig.h"
#include "yr_test.h"

enum { LIMIT_MS = 20000, TTL_S = 10, TTL_MS = 10000, LEASE = 77, ELECTION_MS = 1500 };

static void keep_for(sim_rig *rig, lease_log *log, int64_t ttl_s)
{
    etcd_answer answer = {0};
    yr_etcd_grant grant = {.id = LEASE, .ttl_s = ttl_s, .timeout_ms = 10000};
    yr_etcd_lease lease = {LEASE, ttl_s, yr_io_now_ms(rig->io)};
    assert_ok(yr_etcd_lease_grant(rig->client, &grant, etcd_answer_on_reply, &answer, NULL));
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_OK);
    etcd_answer_clear(&answer);
    lease_log_init(log, rig->client, &lease);
}

static void keep(sim_rig *rig, lease_log *log)
{
    keep_for(rig, log, TTL_S);
}

static const yr_fake_lease *lease_of(sim_rig *rig)
{
    return yr_fake_lease_find(yr_fake_etcd_leases(rig->fake), LEASE);
}

/* C37: whatever is answered and whenever, the client never believes longer than the server. */
static void the_client_never_believes_in_a_lease_longer_than_the_server(void **state)
{
    enum { ROUNDS = 400, STEP_MS = 500, PRIME = 7919 };
    static const yr_fake_rule faults[] = {
        {.action = YR_FAKE_DUP_ANSWER},
        {.action = YR_FAKE_FOREIGN_ANSWER, .number = 0},
        {.action = YR_FAKE_FOREIGN_ANSWER, .number = 1000},
        {.action = YR_FAKE_FOREIGN_ANSWER, .number = -7},
        {.action = YR_FAKE_DELAY_ANSWER, .number = 2900},
        {.action = YR_FAKE_DELAY_ANSWER, .number = 5000},
        {.action = YR_FAKE_DELAY, .number = 1000},
        {.action = YR_FAKE_SILENT},
        {.action = YR_FAKE_DROP_BEFORE_APPLY},
        {.action = YR_FAKE_DROP_AFTER_APPLY},
        {.action = YR_FAKE_DROP_IN_ANSWER, .number = 9},
        {.action = YR_FAKE_RAW_MESSAGE, .bytes = {"\xff", 1}},
        {.action = YR_FAKE_RESET, .code = 2},
    };
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    for (size_t i = 0; i < ROUNDS; i++) {
        yr_fake_rule fault = faults[i * PRIME % (sizeof faults / sizeof *faults)];
        fault.method = "LeaseKeepAlive";
        fault.times = 1;
        yr_fake_etcd_clear_rules(rig->fake);
        yr_fake_etcd_add_rule(rig->fake, &fault);
        for (int k = 0; k < 16 + (int)(i % 13); k++) {
            yr_sim_run_for(rig->sim, STEP_MS);
            assert_false(log.is_lost);
            assert_non_null(lease_of(rig));
            assert_true(yr_etcd_keepalive_deadline_ms(log.keepalive) <=
                        lease_of(rig)->expires_at_ms);
        }
    }
    yr_etcd_keepalive_stop(log.keepalive);
}

/* B27: five times a second, for ten minutes, with the TTL that is usual. */
static void connections_that_break_all_the_time_lose_no_lease(void **state)
{
    enum { BREAKS = 3000, EVERY_MS = 200, USUAL_TTL_S = 30 };
    sim_rig *rig = *state;
    lease_log log;
    keep_for(rig, &log, USUAL_TTL_S);
    for (int i = 0; i < BREAKS; i++) {
        yr_sim_reset_connections(rig->client_host);
        yr_sim_run_for(rig->sim, EVERY_MS);
        assert_false(log.is_lost);
        assert_non_null(lease_of(rig));
    }
    yr_etcd_keepalive_stop(log.keepalive);
}

/* C37: a TTL above the granted one, or none, in every answer. */
static void a_time_above_the_granted_one_is_not_believed(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    yr_fake_rule lie = {
        .method = "LeaseKeepAlive", .action = YR_FAKE_TTL, .number = 1000 * TTL_S};
    yr_fake_etcd_add_rule(rig->fake, &lie);
    assert_true(sim_rig_wait_count(rig, &log.renewals, 2, LIMIT_MS));
    int64_t left_ms = yr_etcd_keepalive_deadline_ms(log.keepalive) - yr_sim_now_ms(rig->sim);
    assert_in_range(left_ms, 0, TTL_MS);
    yr_etcd_keepalive_stop(log.keepalive);
}

/* C38, V8: three times the leader freezes, and the keepalive on its way through it with it. */
static void a_frozen_leader_costs_no_lease(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    for (int i = 0; i < 3; i++) {
        assert_true(sim_rig_wait_count(rig, &log.renewals, log.renewals + 1, LIMIT_MS));
        yr_sim_run_for(rig->sim, TTL_MS / 3 - 100 * (i + 1)); /* the next beat gets stuck */
        int renewals = log.renewals;
        size_t leader = yr_fake_etcd_leader(rig->fake);
        yr_fake_etcd_set_member_silent(rig->fake, leader, true);
        yr_sim_run_for(rig->sim, 2 * TTL_MS);
        assert_false(log.is_lost);
        assert_non_null(lease_of(rig));
        assert_true(log.renewals > renewals + 2);
        yr_fake_etcd_set_member_silent(rig->fake, leader, false);
    }
    yr_etcd_keepalive_stop(log.keepalive);
}

/* The same when it dies; without a pause, each heir of the one before. */
static void a_dead_leader_costs_no_lease(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    for (int i = 0; i < 6; i++) {
        size_t leader = yr_fake_etcd_leader(rig->fake);
        yr_fake_etcd_set_member_down(rig->fake, leader, true);
        yr_sim_run_for(rig->sim, 2 * ELECTION_MS);
        yr_fake_etcd_set_member_down(rig->fake, leader, false);
        yr_sim_run_for(rig->sim, 2 * ELECTION_MS);
        assert_false(log.is_lost);
        assert_non_null(lease_of(rig));
    }
    yr_etcd_keepalive_stop(log.keepalive);
}

/* V9, V10: without a majority nobody renews; the client gives it up when its time is over. */
static void a_lease_without_a_majority_is_given_up_at_its_deadline(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    assert_true(sim_rig_wait_count(rig, &log.renewals, 1, LIMIT_MS));
    yr_fake_etcd_set_quorum(rig->fake, false);
    int64_t deadline_ms = yr_etcd_keepalive_deadline_ms(log.keepalive);
    size_t before = yr_fake_etcd_request_count(rig->fake);
    assert_true(sim_rig_wait(rig, &log.is_lost, 2 * TTL_MS));
    assert_int_equal(yr_sim_now_ms(rig->sim), deadline_ms);
    assert_int_equal(log.status, YURPC_TIMEOUT);
    assert_non_null(lease_of(rig)); /* and the server keeps it */
    assert_in_range(yr_fake_etcd_request_count(rig->fake) - before, 1, 2 * TTL_S * 2);
}

/* V9: what has to be decided has no answer for 7 s; the call does not wait so long. */
static void a_call_without_a_majority_ends_at_its_deadline(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    sim_rig_put(rig, NULL, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    yr_fake_etcd_set_quorum(rig->fake, false);
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    sim_rig_put(rig, NULL, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(yr_sim_now_ms(rig->sim) - begun_ms, YR_ETCD_TIMEOUT_MS);
    assert_int_equal(answer.status, YURPC_TIMEOUT);
    yr_fake_etcd_set_quorum(rig->fake, true);
    yr_sim_run_for(rig->sim, LIMIT_MS);
    sim_rig_put(rig, NULL, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_OK);
    etcd_answer_clear(&answer);
}

/* C35, V7: lost with the leader, the write is not repeated, and nobody says that it failed. */
static void a_write_that_went_through_a_dead_leader_is_not_repeated(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    yurpc_etcd_op_options patient = YURPC_ETCD_OP_OPTIONS_INIT;
    patient.timeout_ms = LIMIT_MS;
    for (int i = 0; i < 4; i++) {
        sim_rig_put(rig, NULL, &answer);
        assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
        size_t member = yr_fake_etcd_last_request(rig->fake, "Put")->member;
        size_t leader = yr_fake_etcd_leader(rig->fake);
        size_t puts = yr_fake_etcd_count_requests(rig->fake, "Put", 0);
        yr_fake_etcd_set_member_down(rig->fake, leader, true);
        if (member != leader) {
            sim_rig_put(rig, &patient, &answer);
            assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
            assert_int_equal(answer.status, YURPC_UNKNOWN_OUTCOME);
            assert_int_equal(yr_fake_etcd_count_requests(rig->fake, "Put", 0), puts + 1);
        }
        yr_fake_etcd_set_member_down(rig->fake, leader, false);
        yr_sim_run_for(rig->sim, LIMIT_MS);
    }
    etcd_answer_clear(&answer);
}

/* The beat of a lease of 3 s is as long as the answer to a renewal may take. */
static void an_unanswered_renewal_of_a_short_lease_is_tried_elsewhere(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep_for(rig, &log, 3);
    assert_true(sim_rig_wait_count(rig, &log.renewals, 1, LIMIT_MS));
    sim_rig_once(rig, "LeaseKeepAlive", YR_FAKE_SILENT, 0, NULL);
    int changes = rig->connection_changes;
    assert_true(sim_rig_wait_count(rig, &rig->connection_changes, changes + 2, 4000));
    assert_true(rig->is_connected);
    yr_sim_run_for(rig->sim, TTL_MS);
    assert_false(log.is_lost);
    yr_etcd_keepalive_stop(log.keepalive);
}

int main(void)
{
#define ON_THREE(test) \
    cmocka_unit_test_setup_teardown(test, sim_rig_set_up_three, sim_rig_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_client_never_believes_in_a_lease_longer_than_the_server, sim_rig_set_up_single,
            sim_rig_tear_down),
        ON_THREE(connections_that_break_all_the_time_lose_no_lease),
        ON_THREE(a_time_above_the_granted_one_is_not_believed),
        ON_THREE(an_unanswered_renewal_of_a_short_lease_is_tried_elsewhere),
        ON_THREE(a_frozen_leader_costs_no_lease),
        ON_THREE(a_dead_leader_costs_no_lease),
        ON_THREE(a_lease_without_a_majority_is_given_up_at_its_deadline),
        ON_THREE(a_call_without_a_majority_ends_at_its_deadline),
        ON_THREE(a_write_that_went_through_a_dead_leader_is_not_repeated),
    };
#undef ON_THREE
    return cmocka_run_group_tests_name("etcd_leases", tests, NULL, NULL);
}
