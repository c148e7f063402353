/* Tokens that etcd does not take, and those of which nobody knows. */
#include "base/bytes.h"
#include "etcd/auth.h"
#include "fake/auth.h"
#include "sim/etcd_rig.h"
#include "support/canary.h"
#include "yr_test.h"

enum {
    LIMIT_MS = 20000,
    HASTE_MS = 20, /* enough for a refusal, and not for another login */
    WHILE_MS = 120000,
};

static const yr_fake_rule never_taken = {.method = "Put",
                                         .action = YR_FAKE_STATUS,
                                         .code = 16,
                                         .text = "etcdserver: invalid auth token"};

/* A rig whose etcd wants users, and whose client is alice. */
static int set_up(void **state)
{
    static const yr_etcd_options as_alice = {.username = "alice",
                                             .password = YR_CANARY_PASSWORD};
    sim_rig_set_up_single(state);
    sim_rig *rig = *state;
    yr_fake_auth_set_user(rig->fake, "alice", YR_CANARY_PASSWORD);
    yr_fake_auth_permit(rig->fake, "alice", "key");
    yr_fake_auth_enable(rig->fake);
    sim_rig_reopen(rig, &as_alice);
    return 0;
}

static size_t logins(sim_rig *rig)
{
    return yr_fake_auth_stats_of(rig->fake)->logins;
}

/* Put, and wait; what came of it. */
static yurpc_status put_within(sim_rig *rig, int64_t timeout_ms)
{
    etcd_answer answer = {0};
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = (uint32_t)timeout_ms;
    sim_rig_put(rig, &options, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS + 1));
    yurpc_status status = answer.status;
    if (answer.reply != NULL) {
        etcd_answer_clear(&answer);
    }
    return status;
}

/* ---- Never taken ---- */

static void tokens_that_are_never_taken_are_not_asked_for_without_end(void **state)
{
    sim_rig *rig = *state;
    yr_fake_etcd_add_rule(rig->fake, &never_taken);
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    while (yr_sim_now_ms(rig->sim) - begun_ms < WHILE_MS) {
        assert_int_equal(put_within(rig, LIMIT_MS), YURPC_UNAUTHENTICATED);
        yr_sim_run_for(rig->sim, 100);
    }
    assert_in_range(logins(rig), 3, 3 * (WHILE_MS / YR_AUTH_REFUSED_MS + 1));
    yr_fake_etcd_clear_rules(rig->fake);
    yr_sim_run_for(rig->sim, YR_AUTH_REFUSED_MAX_MS);
    assert_int_equal(put_within(rig, LIMIT_MS), YURPC_OK);
}

/* Callers that ask seldom, and callers that give up before there is another token. */
static void tokens_that_are_never_taken_cost_a_few_logins_in_ten_seconds(void **state)
{
    sim_rig *rig = *state;
    yr_fake_etcd_add_rule(rig->fake, &never_taken);
    for (int64_t every_ms = 100; every_ms <= 12800; every_ms *= 2) {
        for (int is_hasty = 0; is_hasty <= 1; is_hasty++) {
            size_t before = logins(rig);
            int64_t begun_ms = yr_sim_now_ms(rig->sim);
            while (yr_sim_now_ms(rig->sim) - begun_ms < WHILE_MS) {
                assert_int_not_equal(put_within(rig, is_hasty ? HASTE_MS : LIMIT_MS), YURPC_OK);
                yr_sim_run_for(rig->sim, every_ms);
            }
            assert_in_range(logins(rig) - before, 1, 3 * (WHILE_MS / YR_AUTH_REFUSED_MS + 1));
        }
    }
}

/* ---- Never given ---- */

/* It has no users, it says, and asks for one all the same; then it really has. */
static void who_was_given_no_token_is_not_refused_for_it(void **state)
{
    sim_rig *rig = *state;
    yr_fake_auth_disable(rig->fake);
    yr_fake_etcd_add_rule(rig->fake, &never_taken);
    for (int i = 0; i < 3 * YR_AUTH_UNPROVEN_MAX; i++) {
        assert_int_not_equal(put_within(rig, HASTE_MS), YURPC_OK);
        yr_sim_run_for(rig->sim, YR_AUTH_LOST_MS);
    }
    yr_fake_etcd_clear_rules(rig->fake);
    yr_fake_auth_enable(rig->fake);
    assert_int_equal(put_within(rig, LIMIT_MS), YURPC_OK);
    assert_int_equal(rig->connection_changes, 1);
}

static void who_is_given_no_token_asks_less_and_less_often(void **state)
{
    sim_rig *rig = *state;
    yr_fake_auth_disable(rig->fake);
    yr_fake_etcd_add_rule(rig->fake, &never_taken);
    size_t before = logins(rig);
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    while (yr_sim_now_ms(rig->sim) - begun_ms < WHILE_MS) {
        assert_int_not_equal(put_within(rig, LIMIT_MS), YURPC_OK);
    }
    assert_in_range(logins(rig) - before, 10, 2 * WHILE_MS / YR_AUTH_LOST_MAX_MS + 20);
}

/* ---- Nobody knows ---- */

/* Nothing says that they were good, but nothing that they were not, either. */
static void tokens_that_expired_unused_are_no_reason_to_refuse_a_user(void **state)
{
    sim_rig *rig = *state;
    assert_int_equal(put_within(rig, LIMIT_MS), YURPC_OK);
    for (int i = 0; i < 3 * YR_AUTH_UNPROVEN_MAX; i++) {
        yr_fake_auth_expire_tokens(rig->fake);
        assert_int_not_equal(put_within(rig, HASTE_MS), YURPC_OK);
        yr_sim_run_for(rig->sim, YR_AUTH_REFUSED_MS / 2);
    }
    yr_fake_auth_expire_tokens(rig->fake);
    assert_int_equal(put_within(rig, LIMIT_MS), YURPC_OK);
    assert_int_equal(rig->connection_changes, 1);
}

/* Who only watches has nothing else to show that a token is good. */
static void a_token_that_only_watches_used_was_good(void **state)
{
    sim_rig *rig = *state;
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("key")};
    assert_int_equal(put_within(rig, LIMIT_MS), YURPC_OK);
    for (int i = 0; i < 3 * YR_AUTH_UNPROVEN_MAX; i++) {
        watch_log log;
        yr_fake_auth_expire_tokens(rig->fake);
        watch_log_init(&log, rig->client, &options);
        assert_true(sim_rig_wait_count(rig, &log.created, 1, YR_AUTH_REFUSED_MS - 1));
        yr_etcd_watch_stop(log.watch);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, sim_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tokens_that_are_never_taken_are_not_asked_for_without_end),
        TEST(tokens_that_are_never_taken_cost_a_few_logins_in_ten_seconds),
        TEST(who_was_given_no_token_is_not_refused_for_it),
        TEST(who_is_given_no_token_asks_less_and_less_often),
        TEST(tokens_that_expired_unused_are_no_reason_to_refuse_a_user),
        TEST(a_token_that_only_watches_used_was_good),
    };
    return cmocka_run_group_tests_name("etcd_tokens", tests, NULL, NULL);
}
