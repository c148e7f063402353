#include "registry/consumer/protection.h"
#include "yr_test.h"

enum { TTL_MS = 30000 };

static yr_protection fresh(void)
{
    yr_protection made;
    yr_protection_init(&made, TTL_MS);
    return made;
}

static void three_and_more_than_half_are_a_mass(void **state)
{
    (void)state;
    static const struct {
        size_t vanished;
        size_t present;
        bool is_mass;
    } cases[] = {
        {1, 0, false}, {2, 0, false}, {2, 1, false}, {3, 0, true},      {3, 2, true},
        {3, 3, false}, {4, 3, true},  {5, 3, true},  {500, 500, false}, {501, 500, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yr_protection made = fresh();
        yr_protection_vanished(&made, 1000, cases[i].vanished);
        assert_int_equal(yr_protection_is_mass(&made, 1000, cases[i].present),
                         cases[i].is_mass);
    }
}

static void one_after_the_other_adds_up_within_a_ttl(void **state)
{
    (void)state;
    yr_protection made = fresh();
    size_t present = 5;
    for (int64_t now = 1000; present > 2; now += TTL_MS / 4) {
        assert_false(yr_protection_is_mass(&made, now, present));
        yr_protection_vanished(&made, now, 1);
        present--;
    }
    assert_true(yr_protection_is_mass(&made, 1000 + TTL_MS / 2, present));
}

static void what_is_longer_ago_than_a_ttl_is_forgotten(void **state)
{
    (void)state;
    for (int64_t begin = 0; begin < TTL_MS; begin += 777) {
        yr_protection made = fresh();
        yr_protection_vanished(&made, begin, 4);
        assert_true(yr_protection_is_mass(&made, begin + TTL_MS * 9 / 10, 0));
        assert_false(yr_protection_is_mass(&made, begin + TTL_MS * 11 / 10, 0));
    }
}

static void a_long_quiet_forgets_everything(void **state)
{
    (void)state;
    yr_protection made = fresh();
    yr_protection_vanished(&made, 5, 100);
    assert_false(yr_protection_is_mass(&made, INT64_C(1) << 50, 0));
    yr_protection_vanished(&made, INT64_C(1) << 50, 3);
    assert_true(yr_protection_is_mass(&made, INT64_C(1) << 50, 0));
}

static void a_flapping_instance_never_adds_up(void **state)
{
    (void)state;
    yr_protection made = fresh();
    for (int64_t now = 0; now < 2 * TTL_MS; now += 100) {
        yr_protection_vanished(&made, now, 1);
        assert_false(yr_protection_is_mass(&made, now, 2));
        yr_protection_came(&made, now + 50, 1);
    }
}

static void whoever_comes_stands_for_the_oldest_that_vanished(void **state)
{
    (void)state;
    yr_protection made = fresh();
    yr_protection_vanished(&made, 0, 3);
    yr_protection_vanished(&made, TTL_MS / 2, 3);
    yr_protection_came(&made, TTL_MS / 2, 3);
    /* What vanished last still counts when the first would have been forgotten. */
    assert_true(yr_protection_is_mass(&made, TTL_MS * 5 / 4, 0));
    yr_protection_came(&made, TTL_MS * 5 / 4, 100);
    assert_false(yr_protection_is_mass(&made, TTL_MS * 5 / 4, 0));
    yr_protection_vanished(&made, TTL_MS * 5 / 4, 3); /* none was kept for later */
    assert_true(yr_protection_is_mass(&made, TTL_MS * 5 / 4, 0));
}

static void whether_it_may_become_a_mass_counts_who_is_there(void **state)
{
    (void)state;
    yr_protection made = fresh();
    assert_false(yr_protection_may_be_mass(&made, 0, 2));
    assert_true(yr_protection_may_be_mass(&made, 0, 3));
    yr_protection_vanished(&made, 0, 2);
    assert_false(yr_protection_may_be_mass(&made, 0, 0));
    assert_true(yr_protection_may_be_mass(&made, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_and_more_than_half_are_a_mass),
        cmocka_unit_test(one_after_the_other_adds_up_within_a_ttl),
        cmocka_unit_test(what_is_longer_ago_than_a_ttl_is_forgotten),
        cmocka_unit_test(a_long_quiet_forgets_everything),
        cmocka_unit_test(a_flapping_instance_never_adds_up),
        cmocka_unit_test(whoever_comes_stands_for_the_oldest_that_vanished),
        cmocka_unit_test(whether_it_may_become_a_mass_counts_who_is_there),
    };
    return cmocka_run_group_tests_name("protection", tests, NULL, NULL);
}
