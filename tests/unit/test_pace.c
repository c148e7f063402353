#include "base/pace.h"
#include "yr_test.h"

static void a_burst_is_free_and_then_one_per_interval(void **state)
{
    (void)state;
    yr_pace pace;
    yr_pace_init(&pace, 3, 100);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(yr_pace_take(&pace, 1000), 0);
    }
    assert_int_equal(yr_pace_take(&pace, 1000), 100);
    assert_int_equal(yr_pace_take(&pace, 1040), 60);
    assert_int_equal(yr_pace_take(&pace, 1100), 0);
    assert_int_equal(yr_pace_take(&pace, 1100), 100);
}

static void what_is_refused_costs_nothing(void **state)
{
    (void)state;
    yr_pace pace;
    yr_pace_init(&pace, 1, 50);
    assert_int_equal(yr_pace_take(&pace, 0), 0);
    for (int64_t now = 0; now < 50; now++) {
        assert_int_equal(yr_pace_take(&pace, now), 50 - now);
    }
    assert_int_equal(yr_pace_take(&pace, 50), 0);
}

static void quiet_fills_it_again_but_never_beyond_the_burst(void **state)
{
    (void)state;
    yr_pace pace;
    yr_pace_init(&pace, 2, 10);
    assert_int_equal(yr_pace_take(&pace, 0), 0);
    assert_int_equal(yr_pace_take(&pace, 1000000), 0);
    assert_int_equal(yr_pace_take(&pace, 1000000), 0);
    assert_int_equal(yr_pace_take(&pace, 1000000), 10);
}

static void over_a_long_time_the_rate_is_exact(void **state)
{
    (void)state;
    yr_pace pace;
    yr_pace_init(&pace, 5, 200);
    int done = 0;
    for (int64_t now = 0; now < 60000; now++) {
        done += yr_pace_take(&pace, now) == 0;
    }
    assert_int_equal(done, 5 + 299);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_free_and_then_one_per_interval),
        cmocka_unit_test(what_is_refused_costs_nothing),
        cmocka_unit_test(quiet_fills_it_again_but_never_beyond_the_burst),
        cmocka_unit_test(over_a_long_time_the_rate_is_exact),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
