/* Calls of the etcd client when things go wrong, on a virtual clock. */
#include "base/bytes.h"
#include "etcd/auth.h"
#include "sim/etcd_rig.h"
#include "yr_test.h"

#include <string.h>

enum { LIMIT_MS = 20000 };

static const yurpc_etcd_op_options *idempotent(void)
{
    static yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.is_idempotent = true;
    options.timeout_ms = 10000;
    return &options;
}

static size_t put_count(sim_rig *rig)
{
    return yr_fake_etcd_count_requests(rig->fake, "Put", 0);
}

static void a_write_whose_answer_is_lost_has_an_unknown_outcome(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    sim_rig_once(rig, "Put", YR_FAKE_DROP_AFTER_APPLY, 0, NULL);
    sim_rig_put(rig, NULL, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_UNKNOWN_OUTCOME);
    assert_int_equal(put_count(rig), 1);
}

static void an_idempotent_write_is_repeated_until_it_is_answered(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    yr_fake_rule rules[] = {
        {.method = "Put", .nth = 1, .times = 1, .action = YR_FAKE_DROP_BEFORE_APPLY},
        {.method = "Put", .nth = 2, .times = 1, .action = YR_FAKE_DROP_AFTER_APPLY},
        {.method = "Put",
         .nth = 3,
         .times = 1,
         .action = YR_FAKE_STATUS,
         .code = 14,
         .text = "etcdserver: request timed out"}};
    for (size_t i = 0; i < 3; i++) {
        yr_fake_etcd_add_rule(rig->fake, &rules[i]);
    }
    sim_rig_put(rig, idempotent(), &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_OK);
    assert_int_equal(put_count(rig), 4);
    etcd_answer_clear(&answer);
}

static void what_was_certainly_not_done_is_repeated(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    sim_rig_once(rig, "Put", YR_FAKE_STATUS, 14, "etcdserver: no leader");
    sim_rig_put(rig, NULL, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_OK);
    assert_int_equal(put_count(rig), 2);
    const yr_fake_request *first = yr_fake_etcd_request(rig->fake, 0);
    size_t first_member = first->member;
    assert_int_not_equal(yr_fake_etcd_last_request(rig->fake, "Put")->member, first_member);
    etcd_answer_clear(&answer);
}

static void an_overloaded_server_is_left_alone(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    sim_rig_once(rig, "Put", YR_FAKE_STATUS, 8, "etcdserver: too many requests");
    sim_rig_put(rig, idempotent(), &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_EXHAUSTED);
    assert_int_equal(put_count(rig), 1);
}

static void every_code_ends_the_call_within_its_time(void **state)
{
    sim_rig *rig = *state;
    for (int code = 0; code <= 17; code++) {
        etcd_answer answer = {0};
        yr_fake_rule rule = {
            .method = "Put", .action = YR_FAKE_STATUS, .code = code, .text = "x"};
        yr_fake_etcd_clear_rules(rig->fake);
        yr_fake_etcd_add_rule(rig->fake, &rule);
        sim_rig_put(rig, idempotent(), &answer);
        assert_true(sim_rig_wait(rig, &answer.is_done, 10100));
        assert_int_not_equal(answer.status, YURPC_OK);
        yr_fake_etcd_clear_rules(rig->fake);
        if (code == YR_GRPC_UNAUTHENTICATED) {
            yr_sim_run_for(rig->sim, YR_AUTH_NOBODY_MS); /* until one is let through again */
        }
        sim_rig_put(rig, idempotent(), &answer);
        assert_true(sim_rig_wait(rig, &answer.is_done, 10100));
        assert_int_equal(answer.status, YURPC_OK);
        etcd_answer_clear(&answer);
    }
    assert_true(put_count(rig) < 150);
}

static void a_silent_member_is_left_for_the_other(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    sim_rig_put(rig, NULL, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    size_t member = yr_fake_etcd_last_request(rig->fake, "Put")->member;
    yr_sim_freeze(member == 0 ? rig->etcd_host : rig->other_host);
    int64_t start_ms = yr_sim_now_ms(rig->sim);
    sim_rig_put(rig, idempotent(), &answer);
    if (member == 0) { /* the fake's data lives on the first host, so only its other can help */
        assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
        assert_true(yr_sim_now_ms(rig->sim) - start_ms < 4000);
        assert_int_equal(answer.status, YURPC_OK);
        assert_int_not_equal(yr_fake_etcd_last_request(rig->fake, "Put")->member, member);
    } else {
        assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
        assert_int_equal(answer.status, YURPC_OK);
    }
    etcd_answer_clear(&answer);
}

static void a_call_without_a_server_names_the_last_failure(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    yr_sim_set_refusing(rig->etcd_host, true);
    yr_sim_set_refusing(rig->other_host, true);
    sim_rig_put(rig, NULL, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, 3100));
    assert_int_equal(answer.status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(answer.text, "cannot connect to "));
    assert_non_null(strstr(answer.text, "connection refused"));
    assert_int_equal(rig->connection_changes, 1);
    assert_false(rig->is_connected);
    yr_sim_run_for(rig->sim, 600000); /* the pause grows, but not past 5 s */
    yr_sim_set_refusing(rig->etcd_host, false);
    assert_true(sim_rig_wait(rig, &rig->is_connected, 5100));
}

static void grant(sim_rig *rig, const yr_etcd_grant *grant, etcd_answer *answer)
{
    etcd_answer_clear(answer);
    assert_ok(yr_etcd_lease_grant(rig->client, grant, etcd_answer_on_reply, answer, NULL));
    assert_true(sim_rig_wait(rig, &answer->is_done, LIMIT_MS));
}

static void a_repeated_grant_grants_one_lease(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    yr_etcd_grant request = {.id = 77, .ttl_s = 30, .timeout_ms = 10000, .is_idempotent = true};
    sim_rig_once(rig, "LeaseGrant", YR_FAKE_DROP_AFTER_APPLY, 0, NULL);
    grant(rig, &request, &answer);
    assert_int_equal(answer.status, YURPC_OK);
    assert_int_equal(answer.reply->lease, 77);
    assert_int_equal(answer.reply->ttl_s, 30);
    assert_int_equal(answer.reply->granted_ttl_s, 0);
    assert_int_equal(yr_fake_etcd_count_requests(rig->fake, "LeaseGrant", 0), 2);
    grant(rig, &request, &answer); /* nothing was repeated: somebody else's */
    assert_int_equal(answer.status, YURPC_EXISTS);
    request.id = 0;
    sim_rig_once(rig, "LeaseGrant", YR_FAKE_DROP_AFTER_APPLY, 0, NULL);
    grant(rig, &request, &answer);
    assert_int_equal(answer.status, YURPC_UNKNOWN_OUTCOME);
    etcd_answer_clear(&answer);
}

static void a_wiped_store_is_noticed_by_the_next_answer(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    for (int i = 0; i < 5; i++) {
        sim_rig_put(rig, NULL, &answer);
        assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    }
    assert_ok(yr_fake_etcd_restart(rig->fake, true));
    yr_sim_run_for(rig->sim, 1000);
    sim_rig_put(rig, idempotent(), &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_OK);
    assert_int_equal(rig->regressions, 1);
    etcd_answer_clear(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_write_whose_answer_is_lost_has_an_unknown_outcome,
                                        sim_rig_set_up, sim_rig_tear_down),
        cmocka_unit_test_setup_teardown(an_idempotent_write_is_repeated_until_it_is_answered,
                                        sim_rig_set_up, sim_rig_tear_down),
        cmocka_unit_test_setup_teardown(what_was_certainly_not_done_is_repeated, sim_rig_set_up,
                                        sim_rig_tear_down),
        cmocka_unit_test_setup_teardown(an_overloaded_server_is_left_alone, sim_rig_set_up,
                                        sim_rig_tear_down),
        cmocka_unit_test_setup_teardown(every_code_ends_the_call_within_its_time,
                                        sim_rig_set_up, sim_rig_tear_down),
        cmocka_unit_test_setup_teardown(a_silent_member_is_left_for_the_other, sim_rig_set_up,
                                        sim_rig_tear_down),
        cmocka_unit_test_setup_teardown(a_call_without_a_server_names_the_last_failure,
                                        sim_rig_set_up, sim_rig_tear_down),
        cmocka_unit_test_setup_teardown(a_repeated_grant_grants_one_lease, sim_rig_set_up,
                                        sim_rig_tear_down),
        cmocka_unit_test_setup_teardown(a_wiped_store_is_noticed_by_the_next_answer,
                                        sim_rig_set_up_single, sim_rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
