/* Opening a driver, and its session. */
#include "contract.h"
#include "yr_test.h"

#include <string.h>

static const yr_driver_config *config_of(const yr_stage *stage, const char *address)
{
    static yr_driver_config config;
    (void)stage;
    config = (yr_driver_config){
        .address = address, .timeout_ms = YR_STAGE_LIMIT_MS, .ttl_ms = yr_backend_now->ttl_ms};
    return &config;
}

static void a_bad_address_is_refused_with_words(void **state)
{
    yr_stage *stage = *state;
    for (const char *const *address = yr_backend_now->bad_addresses; *address != NULL;
         address++) {
        yr_subject subject;
        assert_int_equal(yr_subject_begin(&subject, stage, config_of(stage, *address)),
                         YURPC_INVALID);
        assert_true(strlen(subject.text) > 20);
    }
}

static void opening_connects_and_reports_it_once(void **state)
{
    yr_subject subject;
    yr_subject_open(&subject, *state);
    yr_stage_linger(*state, 100);
    assert_int_equal(subject.connections, 1);
    yr_subject_close(&subject);
}

static void a_session_has_an_id_and_the_ttl_asked_for(void **state)
{
    yr_subject subject;
    yr_subject_open(&subject, *state);
    assert_ok(yr_subject_open_session(&subject));
    assert_int_equal(subject.session.ttl_ms, yr_backend_now->ttl_ms);
    yr_subject_close(&subject);
}

static void a_second_session_is_refused(void **state)
{
    yr_subject subject;
    yr_subject_open(&subject, *state);
    assert_ok(yr_subject_open_session(&subject));
    assert_int_equal(yr_subject_open_session(&subject), YURPC_EXISTS);
    assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", "{}"));
    yr_subject_close(&subject);
}

static void two_drivers_have_different_sessions(void **state)
{
    yr_subject one;
    yr_subject other;
    yr_subject_open(&one, *state);
    yr_subject_open(&other, *state);
    assert_ok(yr_subject_open_session(&one));
    assert_ok(yr_subject_open_session(&other));
    assert_int_not_equal(one.session.id, other.session.id);
    yr_subject_close(&one);
    yr_subject_close(&other);
}

static void a_session_lives_longer_than_its_ttl(void **state)
{
    yr_subject subject;
    yr_watcher watcher;
    yr_subject_open(&subject, *state);
    assert_ok(yr_subject_open_session(&subject));
    assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", "{}"));
    yr_watcher_begin(&watcher, &subject, "svc:1.0");
    yr_stage_linger(*state, yr_backend_now->ttl_ms * 3 / 2);
    assert_int_equal(subject.sessions_lost, 0);
    assert_int_equal(watcher.count, 1);
    assert_int_equal(watcher.puts + watcher.deletes, 0); /* a renewal is no change */
    yr_watcher_end(&watcher);
    yr_subject_close(&subject);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, yr_stage_setup, yr_stage_teardown)

int yr_contract_run_sessions(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_bad_address_is_refused_with_words),
        ON_STAGE(opening_connects_and_reports_it_once),
        ON_STAGE(a_session_has_an_id_and_the_ttl_asked_for),
        ON_STAGE(a_second_session_is_refused),
        ON_STAGE(two_drivers_have_different_sessions),
        ON_STAGE(a_session_lives_longer_than_its_ttl),
    };
    return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
