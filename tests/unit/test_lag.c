#include "drivers/etcd/lag.h"
#include "yr_test.h"

enum { REVISIONS = 1000, FAR = 100000 };

/* What etcd sends a watcher that has fallen behind: so many revisions of ours. */
typedef struct message {
    yurpc_etcd_event events[REVISIONS];
    yurpc_etcd_changes changes;
    int64_t from;
} message;

/* @p count revisions of ours behind @p from, every @p step th of the store's. */
static const message *make(int64_t from, size_t count, int64_t step, int64_t store_revision)
{
    static message made;
    for (size_t i = 0; i < count; i++) {
        made.events[i].kv.mod_revision = from + (int64_t)(i + 1) * step;
    }
    made.from = from;
    made.changes = (yurpc_etcd_changes){.revision = made.events[count - 1].kv.mod_revision,
                                        .store_revision = store_revision,
                                        .events = made.events,
                                        .count = count};
    return &made;
}

static bool take(yr_lag *lag, const message *came, int64_t now_ms)
{
    return yr_lag_take(lag, came->from, &came->changes, now_ms);
}

static void changes_from_before_what_was_named_are_a_lag(void **state)
{
    (void)state;
    yr_lag lag = {0};
    assert_false(take(&lag, make(0, REVISIONS, 1, FAR), 0));
    assert_true(take(&lag, make(REVISIONS, REVISIONS, 1, FAR), 0));
}

static void a_watch_that_keeps_up_does_not_lag(void **state)
{
    (void)state;
    yr_lag lag = {0};
    for (int64_t revision = 0; revision < FAR; revision += 10) {
        assert_false(take(&lag, make(revision, 10, 1, revision + 10), 0));
    }
}

/* In a busy store the header is far ahead of what a quiet service was just brought up to. */
static void a_quiet_service_in_a_busy_store_does_not_lag(void **state)
{
    (void)state;
    yr_lag lag = {0};
    assert_false(take(&lag, make(0, 5, 1, FAR), 0));
    for (int64_t revision = FAR; revision < 10 * FAR; revision += FAR) {
        assert_false(take(&lag, make(revision, 1, FAR, 2 * FAR + revision), 0));
    }
}

/* It is late, and the store is far ahead; but next to nothing of that is ours. */
static void a_late_service_that_is_a_hundredth_of_its_store_does_not_lag(void **state)
{
    (void)state;
    yr_lag lag = {0};
    assert_false(take(&lag, make(0, REVISIONS, 100, 4 * FAR), 0));
    assert_false(take(&lag, make(FAR, REVISIONS, 100, 4 * FAR), 0));
}

static void a_late_service_that_is_a_tenth_of_its_store_lags(void **state)
{
    (void)state;
    yr_lag lag = {0};
    assert_false(take(&lag, make(0, REVISIONS, 10, 2 * FAR), 0));
    assert_true(take(&lag, make(10000, REVISIONS, 10, 2 * FAR), 0));
}

static void what_takes_less_than_a_second_is_waited_for(void **state)
{
    (void)state;
    yr_lag lag = {0};
    assert_false(take(&lag, make(0, REVISIONS, 1, 6500), 0));
    assert_false(take(&lag, make(1000, REVISIONS, 1, 6500), 0));
    assert_false(take(&lag, make(2000, REVISIONS, 1, 7999), 0));
    assert_true(take(&lag, make(3000, REVISIONS, 1, 9000), 0));
}

static void a_list_that_takes_longer_than_the_rest_is_not_worth_it(void **state)
{
    (void)state;
    enum { KEYS = 1000000, REST_FOR_THEM = 50000 };
    yr_lag lag = {0};
    yr_lag_listed(&lag, KEYS);
    assert_false(take(&lag, make(0, REVISIONS, 1, FAR), 0));
    assert_false(take(&lag, make(FAR - REST_FOR_THEM, REVISIONS, 1, FAR), 0));
    assert_true(take(&lag, make(1000, REVISIONS, 1, FAR), 0));
}

static void a_new_watch_has_to_prove_its_lag_anew(void **state)
{
    (void)state;
    yr_lag lag = {0};
    assert_false(take(&lag, make(0, REVISIONS, 1, FAR), 0));
    yr_lag_listed(&lag, 1);
    assert_false(take(&lag, make(1000, REVISIONS, 1, FAR), 0));
    assert_true(take(&lag, make(2000, REVISIONS, 1, FAR), 0));
}

/* How long no list is allowed after one at @p now_ms. */
static int64_t pause_after(yr_lag *lag, int64_t now_ms, uint64_t random)
{
    int64_t at_ms = now_ms;
    yr_lag_pause(lag, now_ms, random);
    while (at_ms - now_ms < FAR && !take(lag, make(1000, REVISIONS, 1, FAR), at_ms)) {
        at_ms++;
    }
    return at_ms - now_ms;
}

static void lists_that_do_not_help_come_less_and_less_often(void **state)
{
    (void)state;
    static const int64_t pauses_ms[] = {1000, 2000, 4000, 8000, 16000, 16000};
    yr_lag lag = {0};
    int64_t now_ms = 5;
    assert_false(take(&lag, make(0, REVISIONS, 1, FAR), now_ms));
    for (size_t i = 0; i < sizeof pauses_ms / sizeof pauses_ms[0]; i++) {
        int64_t pause_ms = pause_after(&lag, now_ms, 0);
        assert_int_equal(pause_ms, pauses_ms[i]);
        now_ms += pause_ms;
    }
    assert_int_equal(pause_after(&lag, now_ms + 20000, 0), 1000); /* another burst */
}

static void clients_do_not_list_at_the_same_time_again(void **state)
{
    (void)state;
    for (uint64_t random = 0; random <= 500; random += 100) {
        yr_lag lag = {0};
        assert_false(take(&lag, make(0, REVISIONS, 1, FAR), 0));
        assert_int_equal(pause_after(&lag, 0, random), 1000 + (int64_t)random);
    }
}

static void a_large_service_is_listed_a_fifth_of_the_time_at_most(void **state)
{
    (void)state;
    yr_lag lag = {0};
    yr_lag_listed(&lag, 200000);
    assert_false(take(&lag, make(0, REVISIONS, 1, FAR), 0));
    assert_int_equal(pause_after(&lag, 0, 0), 8000);
}

static void absurd_revisions_do_no_harm(void **state)
{
    (void)state;
    yr_lag lag = {0};
    assert_false(take(&lag, make(INT64_MAX - 2 * REVISIONS, REVISIONS, 1, 0), 0));
    assert_false(take(&lag, make(0, REVISIONS, 1, INT64_MAX), 0));
    assert_true(take(&lag, make(1000, REVISIONS, 1, INT64_MAX), 0));
    assert_false(take(&lag, make(5000, REVISIONS, 0, INT64_MAX), 2000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_from_before_what_was_named_are_a_lag),
        cmocka_unit_test(a_watch_that_keeps_up_does_not_lag),
        cmocka_unit_test(a_quiet_service_in_a_busy_store_does_not_lag),
        cmocka_unit_test(a_late_service_that_is_a_hundredth_of_its_store_does_not_lag),
        cmocka_unit_test(a_late_service_that_is_a_tenth_of_its_store_lags),
        cmocka_unit_test(what_takes_less_than_a_second_is_waited_for),
        cmocka_unit_test(a_list_that_takes_longer_than_the_rest_is_not_worth_it),
        cmocka_unit_test(a_new_watch_has_to_prove_its_lag_anew),
        cmocka_unit_test(lists_that_do_not_help_come_less_and_less_often),
        cmocka_unit_test(clients_do_not_list_at_the_same_time_again),
        cmocka_unit_test(a_large_service_is_listed_a_fifth_of_the_time_at_most),
        cmocka_unit_test(absurd_revisions_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
