/* What the client makes of an etcd that dies, hangs, forgets, or is not there yet. */
#include "base/bytes.h"
#include "rig.h"
#include "yr_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const char *version;

typedef struct fault_rig {
    yr_engine *engine;
    etcd_rig rig;
} fault_rig;

static fault_rig fault_of_test;

static int set_up(void **state)
{
    fault_of_test.engine = NULL;
    assert_ok(yr_engine_start_etcd(version, NULL, &fault_of_test.engine));
    rig_init(&fault_of_test.rig, yr_engine_address(fault_of_test.engine));
    *state = &fault_of_test;
    return 0;
}

static int tear_down(void **state)
{
    fault_rig *fault = *state;
    rig_deinit(&fault->rig);
    yr_engine_free(fault->engine);
    return 0;
}

static int64_t random_id(etcd_rig *rig)
{
    return (int64_t)(yr_io_random(rig->io) >> 1);
}

static void a_killed_and_restarted_etcd_loses_no_event_and_no_lease(void **state)
{
    fault_rig *fault = *state;
    etcd_rig *rig = &fault->rig;
    etcd_answer answer = {0};
    watch_log watch;
    lease_log keepalive;
    int64_t id = random_id(rig);
    rig_grant(rig, id, 5, &answer);
    rig_keepalive_start(rig, &keepalive, id, answer.reply->ttl_s);
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("k/"), .is_prefix = true};
    rig_watch_start(rig, &watch, &options);
    assert_true(rig_wait_count(rig, &watch.created, 1));
    rig_put(rig, "k/0", "1", id);
    for (int round = 1; round <= 3; round++) {
        char key[16];
        yr_engine_stop(fault->engine, SIGKILL);
        assert_true(rig_wait_count(rig, &watch.stale, round));
        assert_ok(yr_engine_restart(fault->engine, false));
        (void)snprintf(key, sizeof key, "k/%d", round);
        rig_put(rig, key, "1", id);
        assert_true(rig_wait_count(rig, &watch.fresh, round + 1));
        assert_true(rig_wait_count(rig, &watch.events, round + 1));
        assert_string_equal(watch.keys[round], key);
    }
    assert_int_equal(watch.events, 4);
    assert_int_equal(watch.created, 1);
    assert_int_equal(rig->regressions, 0);
    int renewals = keepalive.renewals;
    assert_true(rig_wait_count(rig, &keepalive.renewals, renewals + 2));
    assert_false(keepalive.is_lost);
    etcd_answer_clear(&answer);
}

static void a_wiped_etcd_is_noticed(void **state) /* V13 */
{
    fault_rig *fault = *state;
    etcd_rig *rig = &fault->rig;
    etcd_answer answer = {0};
    watch_log watch;
    lease_log keepalive;
    int64_t id = random_id(rig);
    rig_grant(rig, id, 6, &answer);
    rig_keepalive_start(rig, &keepalive, id, 6);
    for (int i = 0; i < 20; i++) {
        rig_put(rig, "k/a", "1", id);
    }
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("k/"), .is_prefix = true};
    rig_watch_start(rig, &watch, &options);
    assert_true(rig_wait_count(rig, &watch.created, 1));
    assert_ok(yr_engine_restart(fault->engine, true));
    assert_true(rig_wait(rig, &watch.is_canceled));
    assert_int_equal(watch.status, YURPC_COMPACTED);
    assert_int_equal(rig->regressions, 1);
    assert_true(rig_wait(rig, &keepalive.is_lost));
    assert_int_equal(keepalive.status, YURPC_LEASE_LOST);
    options.start_revision = 1;
    rig_watch_start(rig, &watch, &options);
    rig_put(rig, "k/new", "1", 0);
    assert_true(rig_wait_count(rig, &watch.events, 1));
    assert_int_equal(rig->regressions, 1);
    yr_etcd_watch_stop(watch.watch);
    etcd_answer_clear(&answer);
}

/* Stop it and wait until all of its threads stand still: one could still answer. */
static void freeze(yr_engine *engine)
{
    int status = 0;
    yr_engine_signal(engine, SIGSTOP);
    assert_int_equal(waitpid(yr_engine_pid(engine), &status, WUNTRACED), yr_engine_pid(engine));
    assert_true(WIFSTOPPED(status));
}

static void a_hanging_etcd_times_out_and_is_used_again(void **state)
{
    fault_rig *fault = *state;
    etcd_rig *rig = &fault->rig;
    etcd_answer read = {0};
    etcd_answer write = {0};
    lease_log keepalive;
    int64_t id = random_id(rig);
    rig_grant(rig, id, 30, &read);
    rig_keepalive_start(rig, &keepalive, id, 30);
    rig_put(rig, "a", "1", 0);
    freeze(fault->engine);
    int64_t start_ms = yr_io_boot_ms(rig->io);
    etcd_answer_clear(&read);
    yurpc_etcd_op get = {YURPC_ETCD_RANGE, yr_bytes_of_text("a"), {NULL, 0}, NULL};
    yurpc_etcd_op put = {YURPC_ETCD_PUT, yr_bytes_of_text("a"), yr_bytes_of_text("2"), NULL};
    assert_ok(yr_etcd_do(rig->client, &get, etcd_answer_on_reply, &read, NULL));
    assert_ok(yr_etcd_do(rig->client, &put, etcd_answer_on_reply, &write, NULL));
    assert_true(rig_wait(rig, &read.is_done) && rig_wait(rig, &write.is_done));
    assert_in_range(yr_io_boot_ms(rig->io) - start_ms, 2900, 3500);
    assert_int_equal(read.status, YURPC_TIMEOUT);
    assert_int_equal(write.status, YURPC_TIMEOUT);
    rig_run_ms(rig, 2500);
    assert_false(rig->is_connected);
    etcd_answer_clear(&read);
    yr_engine_signal(fault->engine, SIGCONT);
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = 15000;
    rig_do(rig, YURPC_ETCD_RANGE, "a", NULL, &options, &read);
    assert_int_equal(read.status, YURPC_OK);
    assert_false(keepalive.is_lost);
    assert_int_equal(rig->regressions, 0);
    etcd_answer_clear(&read);
    etcd_answer_clear(&write);
}

static void a_lease_that_cannot_be_renewed_is_lost_after_its_ttl(void **state)
{
    fault_rig *fault = *state;
    etcd_rig *rig = &fault->rig;
    etcd_answer answer = {0};
    lease_log keepalive;
    int64_t id = random_id(rig);
    rig_grant(rig, id, 4, &answer);
    rig_keepalive_start(rig, &keepalive, id, 4);
    assert_true(rig_wait_count(rig, &keepalive.renewals, 1));
    int64_t deadline_ms = yr_etcd_keepalive_deadline_ms(keepalive.keepalive);
    yr_engine_stop(fault->engine, SIGKILL);
    assert_true(rig_wait(rig, &keepalive.is_lost));
    assert_int_equal(keepalive.status, YURPC_TIMEOUT);
    assert_in_range(yr_io_now_ms(rig->io) - deadline_ms, 0, 300);
    assert_ok(yr_engine_restart(fault->engine, false));
    etcd_answer_clear(&answer);
}

static void a_call_waits_for_an_etcd_that_comes_later(void **state)
{
    fault_rig *fault = *state;
    etcd_rig *rig = &fault->rig;
    etcd_answer answer = {0};
    rig_put(rig, "a", "1", 0);
    yr_engine_stop(fault->engine, SIGTERM);
    rig_run_ms(rig, 200);
    assert_false(rig->is_connected);
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = 15000;
    yurpc_etcd_op put = {YURPC_ETCD_PUT, yr_bytes_of_text("a"), yr_bytes_of_text("2"),
                         &options};
    assert_ok(yr_etcd_do(rig->client, &put, etcd_answer_on_reply, &answer, NULL));
    rig_run_ms(rig, 500);
    assert_false(answer.is_done);
    assert_ok(yr_engine_restart(fault->engine, false));
    assert_true(rig_wait(rig, &answer.is_done));
    assert_int_equal(answer.status, YURPC_OK);
    etcd_answer_clear(&answer);
}

static void a_dead_endpoint_in_the_list_costs_little(void **state)
{
    fault_rig *fault = *state;
    char endpoints[128];
    (void)snprintf(endpoints, sizeof endpoints, "127.0.0.1:1,%s,127.0.0.1:2",
                   yr_engine_address(fault->engine));
    for (int i = 0; i < 6; i++) { /* the order starts at random */
        etcd_rig rig;
        rig_init(&rig, endpoints);
        int64_t start_ms = yr_io_boot_ms(rig.io);
        rig_put(&rig, "a", "1", 0);
        assert_true(yr_io_boot_ms(rig.io) - start_ms < 1000);
        rig_deinit(&rig);
    }
}

static void another_cluster_is_refused(void **state)
{
    fault_rig *fault = *state;
    yr_engine *other = NULL;
    const char *const arguments[] = {"--initial-cluster-token", "another", NULL};
    yr_engine_options options = {.arguments = arguments};
    assert_ok(yr_engine_start_etcd(version, &options, &other));
    char endpoints[128];
    (void)snprintf(endpoints, sizeof endpoints, "%s,%s", yr_engine_address(fault->engine),
                   yr_engine_address(other));
    etcd_rig rig;
    etcd_answer answer = {0};
    rig_init(&rig, endpoints);
    rig_put(&rig, "mine", "1", 0);
    const char *first = yr_etcd_endpoint(rig.client);
    bool is_mine = strstr(yr_engine_address(fault->engine), first) != NULL;
    yr_engine_stop(is_mine ? fault->engine : other, SIGKILL);
    rig_do(&rig, YURPC_ETCD_RANGE, "mine", NULL, NULL, &answer);
    rig_do(&rig, YURPC_ETCD_RANGE, "mine", NULL, NULL, &answer);
    assert_int_equal(answer.status, YURPC_UNAVAILABLE);
    etcd_answer_clear(&answer);
    rig_deinit(&rig);
    yr_engine_free(other);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_killed_and_restarted_etcd_loses_no_event_and_no_lease,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wiped_etcd_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hanging_etcd_times_out_and_is_used_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lease_that_cannot_be_renewed_is_lost_after_its_ttl,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_waits_for_an_etcd_that_comes_later, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_dead_endpoint_in_the_list_costs_little, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_cluster_is_refused, set_up, tear_down),
    };
    version = argc > 1 ? argv[1] : "3.4";
    if (yr_engine_find_etcd(version) == NULL) {
        return yr_engine_skip(version);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
