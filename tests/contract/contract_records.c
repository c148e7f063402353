/* Announcing, withdrawing, removing records; listing services. */
#include "base/bytes.h"
#include "base/mem.h"
#include "contract.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 1000 };

/* Two drivers, each with a session. */
typedef struct yr_pair {
    yr_subject ours;
    yr_subject theirs;
} yr_pair;

static void open_pair(yr_pair *pair, yr_stage *stage)
{
    yr_subject_open(&pair->ours, stage);
    yr_subject_open(&pair->theirs, stage);
    assert_ok(yr_subject_open_session(&pair->ours));
    assert_ok(yr_subject_open_session(&pair->theirs));
}

static void close_pair(yr_pair *pair)
{
    yr_subject_close(&pair->ours);
    yr_subject_close(&pair->theirs);
}

static yurpc_status put(yr_subject *subject, yr_announce_mode mode, const char *value)
{
    return yr_subject_announce(subject, mode, "svc:1.0", "a:1", value);
}

static void assert_services(yr_subject *subject, const char *expected)
{
    char services[512];
    assert_ok(yr_subject_services(subject, services, sizeof services));
    assert_string_equal(services, expected);
}

static void without_a_session_nothing_is_announced(void **state)
{
    yr_subject subject;
    yr_subject_open(&subject, *state);
    assert_int_equal(put(&subject, YR_ANNOUNCE_TAKE, "{}"), YURPC_LEASE_LOST);
    assert_services(&subject, "");
    yr_subject_close(&subject);
}

static void taking_a_node_takes_it_from_anybody(void **state)
{
    yr_pair pair;
    yr_watcher watcher;
    open_pair(&pair, *state);
    yr_watcher_begin(&watcher, &pair.ours, "svc:1.0");
    assert_ok(put(&pair.ours, YR_ANNOUNCE_TAKE, "mine"));
    yr_watcher_await_value(&watcher, "a:1", "mine");
    assert_int_equal(yr_watcher_find(&watcher, "a:1")->owner, pair.ours.session.id);
    assert_ok(put(&pair.theirs, YR_ANNOUNCE_TAKE, "theirs"));
    yr_watcher_await_value(&watcher, "a:1", "theirs");
    assert_int_equal(yr_watcher_find(&watcher, "a:1")->owner, pair.theirs.session.id);
    yr_watcher_end(&watcher);
    close_pair(&pair);
}

static void a_free_node_is_absent_or_ours(void **state)
{
    yr_pair pair;
    open_pair(&pair, *state);
    assert_ok(put(&pair.ours, YR_ANNOUNCE_IF_FREE, "1"));
    assert_ok(put(&pair.ours, YR_ANNOUNCE_IF_FREE, "2"));
    assert_int_equal(put(&pair.theirs, YR_ANNOUNCE_IF_FREE, "3"), YURPC_CONFLICT);
    yr_watcher watcher;
    yr_watcher_begin(&watcher, &pair.theirs, "svc:1.0");
    assert_string_equal(yr_watcher_find(&watcher, "a:1")->value, "2");
    yr_watcher_end(&watcher);
    close_pair(&pair);
}

static void a_node_is_ours_only_when_we_put_it(void **state)
{
    yr_pair pair;
    open_pair(&pair, *state);
    assert_int_equal(put(&pair.ours, YR_ANNOUNCE_IF_OURS, "0"), YURPC_NOT_FOUND);
    assert_ok(put(&pair.ours, YR_ANNOUNCE_TAKE, "1"));
    assert_ok(put(&pair.ours, YR_ANNOUNCE_IF_OURS, "2"));
    assert_int_equal(put(&pair.theirs, YR_ANNOUNCE_IF_OURS, "3"), YURPC_CONFLICT);
    assert_ok(put(&pair.theirs, YR_ANNOUNCE_TAKE, "4"));
    assert_int_equal(put(&pair.ours, YR_ANNOUNCE_IF_OURS, "5"), YURPC_CONFLICT);
    close_pair(&pair);
}

static void one_bad_record_fails_alone(void **state)
{
    enum { HUGE_LEN = 2 * 1024 * 1024 };
    yr_subject subject;
    yr_subject_open(&subject, *state);
    assert_ok(yr_subject_open_session(&subject));
    char *huge = yr_calloc(1, HUGE_LEN);
    assert_non_null(huge);
    memset(huge, 'x', HUGE_LEN);
    const yurpc_bytes service = yr_bytes_of_text("svc:1.0");
    const yr_announcement items[] = {
        {service, yr_bytes_of_text("a:1"), yr_bytes_of_text("{}")},
        {service, yr_bytes_of_text("b:1"), yr_bytes(huge, HUGE_LEN)},
        {service, yr_bytes_of_text("c:1"), yr_bytes_of_text("{}")},
    };
    yurpc_status statuses[3];
    yr_subject_announce_all(&subject, YR_ANNOUNCE_TAKE, items, 3, statuses);
    yr_free(huge);
    assert_ok(statuses[0]);
    assert_int_not_equal(statuses[1], YURPC_OK);
    assert_ok(statuses[2]);
    assert_services(&subject, "svc:1.0=2");
    yr_subject_close(&subject);
}

static void one_conflict_does_not_stop_the_others(void **state)
{
    yr_pair pair;
    open_pair(&pair, *state);
    assert_ok(put(&pair.theirs, YR_ANNOUNCE_TAKE, "theirs"));
    const yurpc_bytes service = yr_bytes_of_text("svc:1.0");
    const yr_announcement items[] = {
        {service, yr_bytes_of_text("a:0"), yr_bytes_of_text("{}")},
        {service, yr_bytes_of_text("a:1"), yr_bytes_of_text("{}")},
        {service, yr_bytes_of_text("a:2"), yr_bytes_of_text("{}")},
    };
    yurpc_status statuses[3];
    yr_subject_announce_all(&pair.ours, YR_ANNOUNCE_IF_FREE, items, 3, statuses);
    assert_ok(statuses[0]);
    assert_int_equal(statuses[1], YURPC_CONFLICT);
    assert_ok(statuses[2]);
    assert_services(&pair.ours, "svc:1.0=3");
    close_pair(&pair);
}

static void a_thousand_records_go_in_one_call(void **state)
{
    static yr_announcement items[MANY];
    static char nodes[MANY][32];
    static yurpc_status statuses[MANY];
    yr_pair pair;
    yr_watcher *watcher = yr_calloc(1, sizeof *watcher);
    assert_non_null(watcher);
    open_pair(&pair, *state);
    yr_watcher_begin(watcher, &pair.theirs, "svc:1.0");
    for (size_t i = 0; i < MANY; i++) {
        snprintf(nodes[i], sizeof nodes[i], "host-%zu:80", i);
        items[i] = (yr_announcement){yr_bytes_of_text("svc:1.0"), yr_bytes_of_text(nodes[i]),
                                     yr_bytes_of_text("{}")};
    }
    yr_subject_announce_all(&pair.ours, YR_ANNOUNCE_TAKE, items, MANY, statuses);
    for (size_t i = 0; i < MANY; i++) {
        assert_ok(statuses[i]);
    }
    yr_watcher_await_count(watcher, MANY, YR_STAGE_LIMIT_MS);
    assert_services(&pair.theirs, "svc:1.0=1000");
    yr_watcher_end(watcher);
    yr_free(watcher);
    close_pair(&pair);
}

static void withdrawing_removes_only_what_is_ours(void **state)
{
    yr_pair pair;
    open_pair(&pair, *state);
    assert_ok(put(&pair.ours, YR_ANNOUNCE_TAKE, "{}"));
    assert_int_equal(yr_subject_withdraw(&pair.theirs, "svc:1.0", "a:1"), YURPC_CONFLICT);
    assert_services(&pair.ours, "svc:1.0=1");
    assert_ok(yr_subject_withdraw(&pair.ours, "svc:1.0", "a:1"));
    assert_services(&pair.ours, "");
    assert_ok(yr_subject_withdraw(&pair.ours, "svc:1.0", "a:1")); /* absent already */
    close_pair(&pair);
}

static void removing_removes_whoever_owns_it(void **state)
{
    yr_pair pair;
    open_pair(&pair, *state);
    assert_int_equal(yr_subject_remove(&pair.theirs, "svc:1.0", "a:1"), YURPC_NOT_FOUND);
    assert_ok(put(&pair.ours, YR_ANNOUNCE_TAKE, "{}"));
    assert_ok(yr_subject_remove(&pair.theirs, "svc:1.0", "a:1"));
    assert_int_equal(yr_subject_remove(&pair.theirs, "svc:1.0", "a:1"), YURPC_NOT_FOUND);
    assert_services(&pair.ours, "");
    close_pair(&pair);
}

static void services_are_counted_in_byte_order(void **state)
{
    yr_subject subject;
    yr_subject_open(&subject, *state);
    assert_ok(yr_subject_open_session(&subject));
    assert_services(&subject, "");
    const char *const names[] = {"svc:1.0", "a.b:1.0", "svc:1.0.1", "a:1.0", "a-b:1.0"};
    for (size_t i = 0; i < 5; i++) {
        assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_TAKE, names[i], "h:1", "{}"));
    }
    assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_TAKE, "svc:1.0", "h:2", "{}"));
    assert_services(&subject, "a-b:1.0=1,a.b:1.0=1,a:1.0=1,svc:1.0=2,svc:1.0.1=1");
    yr_subject_close(&subject);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, yr_stage_setup, yr_stage_teardown)

int yr_contract_run_records(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(without_a_session_nothing_is_announced),
        ON_STAGE(taking_a_node_takes_it_from_anybody),
        ON_STAGE(a_free_node_is_absent_or_ours),
        ON_STAGE(a_node_is_ours_only_when_we_put_it),
        ON_STAGE(one_bad_record_fails_alone),
        ON_STAGE(one_conflict_does_not_stop_the_others),
        ON_STAGE(a_thousand_records_go_in_one_call),
        ON_STAGE(withdrawing_removes_only_what_is_ours),
        ON_STAGE(removing_removes_whoever_owns_it),
        ON_STAGE(services_are_counted_in_byte_order),
    };
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
