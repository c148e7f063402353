#include "base/backoff.h"
#include "yr_test.h"

static void the_bound_doubles_up_to_the_cap(void **state)
{
    (void)state;
    const int64_t bounds[] = {100, 200, 400, 800, 1000, 1000, 1000};
    yr_backoff backoff;
    yr_backoff_init(&backoff, 100, 1000);
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        yr_backoff probe = backoff;
        /* The largest remainder shows the bound, the smallest the floor. */
        assert_int_equal(yr_backoff_next_ms(&probe, (uint64_t)bounds[i]), bounds[i]);
        probe = backoff;
        assert_int_equal(yr_backoff_next_ms(&probe, (uint64_t)bounds[i] + 1), backoff.floor_ms);
        assert_true(yr_backoff_next_ms(&backoff, 0) == backoff.floor_ms);
    }
}

static void a_success_makes_the_next_wait_short_again(void **state)
{
    (void)state;
    yr_backoff backoff;
    yr_backoff_init(&backoff, 100, 5000);
    for (int i = 0; i < 100; i++) {
        int64_t wait_ms = yr_backoff_next_ms(&backoff, UINT64_MAX);
        assert_true(wait_ms >= backoff.floor_ms && wait_ms <= 5000);
    }
    assert_int_equal(yr_backoff_next_ms(&backoff, 5000), 5000);
    yr_backoff_reset(&backoff);
    assert_int_equal(yr_backoff_next_ms(&backoff, 100), 100);
}

static void waits_are_spread_over_the_whole_range(void **state)
{
    (void)state;
    int fifths[5] = {0};
    uint64_t random = 1;
    for (int i = 0; i < 10000; i++) {
        yr_backoff backoff;
        yr_backoff_init(&backoff, 1000, 1000);
        random = random * 6364136223846793005U + 1442695040888963407U;
        int64_t wait_ms = yr_backoff_next_ms(&backoff, random >> 20);
        fifths[wait_ms * 5 / 1001]++;
    }
    for (int i = 0; i < 5; i++) {
        assert_true(fifths[i] > 1800 && fifths[i] < 2200);
    }
}

static void the_largest_cap_does_not_overflow(void **state)
{
    (void)state;
    yr_backoff backoff;
    yr_backoff_init(&backoff, INT64_MAX / 2 + 1, INT64_MAX);
    for (int i = 0; i < 100; i++) {
        assert_true(yr_backoff_next_ms(&backoff, UINT64_MAX / 3) >= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_doubles_up_to_the_cap),
        cmocka_unit_test(a_success_makes_the_next_wait_short_again),
        cmocka_unit_test(waits_are_spread_over_the_whole_range),
        cmocka_unit_test(the_largest_cap_does_not_overflow),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
