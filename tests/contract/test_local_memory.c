/* The embedded registry when memory is short: each allocation fails in turn. */
#include "base/mem.h"
#include "local_backend.h"
#include "yr_test.h"

enum { SWEEP_MAX = 400 };

static yr_watcher watcher;

static bool is_connected(const void *context)
{
    return ((const yr_subject *)context)->is_connected;
}

/* Whether the sweep has come to its end: everything worked. */
static bool has_worked(yurpc_status status)
{
    bool is_short = status == YURPC_NO_MEMORY;
    bool is_fine = status == YURPC_OK;
    yr_mem_fail_after(-1);
    if (!is_short && !is_fine) {
        fail_msg("%s when memory was short", yurpc_status_name(status));
    }
    return is_fine;
}

static void opening_survives_or_says_so(void **state)
{
    yr_stage *stage = *state;
    const yr_driver_config config = {.address = stage->address,
                                     .timeout_ms = YR_STAGE_LIMIT_MS,
                                     .ttl_ms = yr_backend_now->ttl_ms};
    int successes = 0;
    for (long n = 0; n < SWEEP_MAX && successes < 5; n++) {
        yr_subject subject;
        yr_mem_fail_after(n);
        if (has_worked(yr_subject_begin(&subject, stage, &config))) {
            yr_mem_fail_after(successes); /* what comes now, too */
            yr_stage_linger(stage, 5);
            yr_mem_fail_after(-1);
            yr_stage_await(stage, is_connected, &subject, YR_STAGE_LIMIT_MS, "a connection");
            yr_subject_close(&subject);
            successes++;
        }
    }
    assert_int_equal(successes, 5);
}

static void sessions_survive_or_say_so(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    yr_subject_open(&subject, stage);
    bool is_over = false;
    for (long n = 0; n < SWEEP_MAX && !is_over; n++) {
        yr_mem_fail_after(n);
        is_over = has_worked(yr_subject_open_session(&subject));
    }
    assert_true(is_over);
    assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", "{}"));
    yr_subject_close(&subject);
}

static void records_survive_or_say_so(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    char services[64];
    yr_subject_open(&subject, stage);
    assert_ok(yr_subject_open_session(&subject));
    bool is_over = false;
    for (long n = 0; n < SWEEP_MAX && !is_over; n++) {
        yr_mem_fail_after(n);
        is_over = has_worked(
            yr_subject_announce(&subject, YR_ANNOUNCE_IF_FREE, "svc:1.0", "a:1", "{}"));
    }
    assert_true(is_over);
    is_over = false;
    for (long n = 0; n < SWEEP_MAX && !is_over; n++) {
        yr_mem_fail_after(n);
        is_over = has_worked(yr_subject_services(&subject, services, sizeof services));
    }
    assert_string_equal(services, "svc:1.0=1");
    is_over = false;
    for (long n = 0; n < SWEEP_MAX && !is_over; n++) {
        yr_mem_fail_after(n);
        is_over = has_worked(yr_subject_remove(&subject, "svc:1.0", "a:1"));
    }
    assert_true(is_over);
    assert_ok(yr_subject_withdraw(&subject, "svc:1.0", "a:1"));
    assert_int_equal(subject.sessions_lost, 0);
    yr_subject_close(&subject);
}

/* What could not be told at once is told when there is memory again. */
static void follows_catch_up(void **state)
{
    yr_stage *stage = *state;
    yr_subject provider;
    yr_subject consumer;
    yr_subject_open(&provider, stage);
    yr_subject_open(&consumer, stage);
    assert_ok(yr_subject_open_session(&provider));
    assert_ok(yr_subject_announce(&provider, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", "0"));
    yr_watcher_begin(&watcher, &consumer, "svc:1.0");
    for (long n = 0; n < 12; n++) {
        char value[16] = {(char)('a' + n)};
        assert_ok(yr_subject_announce(&provider, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", value));
        yr_mem_fail_after(n);
        yr_stage_linger(stage, 20);
        yr_mem_fail_after(-1);
        yr_watcher_await_value(&watcher, "a:1", value);
    }
    yr_watcher_end(&watcher);
    yr_subject_close(&provider);
    yr_subject_close(&consumer);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, yr_stage_setup, yr_stage_teardown)

int main(void)
{
    yr_backend_now = &yr_local_backend;
    const struct CMUnitTest tests[] = {
        ON_STAGE(opening_survives_or_says_so),
        ON_STAGE(sessions_survive_or_say_so),
        ON_STAGE(records_survive_or_say_so),
        ON_STAGE(follows_catch_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
