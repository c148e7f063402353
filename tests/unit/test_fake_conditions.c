/* The fake etcd's conditions: each can begin and end, and then the server is well. */
#include "fake/conditions.h"
#include "fake_world.h"
#include "yr_test.h"

#include <string.h>

enum { CHANCES = 12, PRIME = 7919, WHILE_MS = 300, WELL_MS = 10000 };

/* A new connection, which a fault of before cannot have spoiled. */
static void assert_well(yr_fake_world *here)
{
    yr_wire *wire = yr_fake_world_connect(here, "etcd");
    yr_wire *before = here->wire;
    here->wire = wire;
    assert_int_equal(yr_fake_world_put(here, "well"), 0);
    here->wire = before;
    yr_wire_free(wire);
}

static void each_condition_ends_and_leaves_the_server_well(void **state)
{
    yr_fake_world *here = *state;
    for (size_t i = 0; i < yr_fake_condition_count; i++) {
        for (uint64_t chance = 0; chance < CHANCES; chance++) {
            assert_false(yr_fake_condition_is_on(here->fake, i));
            yr_fake_condition_begin(here->fake, i, chance * PRIME);
            assert_true(yr_fake_condition_is_on(here->fake, i));
            yr_sim_run_for(here->sim, WHILE_MS);
            yr_fake_condition_end(here->fake, i);
            assert_false(yr_fake_condition_is_on(here->fake, i));
            yr_sim_run_for(here->sim, WELL_MS);
            assert_well(here);
        }
    }
}

static void all_conditions_together_end_as_one(void **state)
{
    yr_fake_world *here = *state;
    for (size_t i = 0; i < yr_fake_condition_count; i++) {
        yr_fake_condition_begin(here->fake, i, i * PRIME);
    }
    yr_fake_condition_begin(here->fake, 0, 1); /* anew */
    yr_sim_run_for(here->sim, WHILE_MS);
    yr_fake_conditions_end_all(here->fake);
    yr_sim_run_for(here->sim, WELL_MS);
    assert_well(here);
}

static void a_condition_takes_away_only_its_own_rules(void **state)
{
    yr_fake_world *here = *state;
    yr_fake_rule rule = {.method = "Put", .action = YR_FAKE_STATUS, .code = 9, .text = "mine"};
    yr_fake_etcd_add_rule(here->fake, &rule);
    size_t overload = yr_fake_condition_find("there are too many requests");
    yr_fake_condition_begin(here->fake, overload, 0);
    yr_fake_condition_end(here->fake, overload);
    assert_int_equal(yr_fake_world_put(here, "a"), 9);
}

static void conditions_have_names_of_their_own(void **state)
{
    (void)state;
    assert_in_range(yr_fake_condition_count, 1, YR_FAKE_CONDITIONS_MAX);
    for (size_t i = 0; i < yr_fake_condition_count; i++) {
        assert_int_equal(yr_fake_condition_find(yr_fake_conditions[i].name), i);
    }
}

#define TEST(test) \
    cmocka_unit_test_setup_teardown(test, yr_fake_world_set_up, yr_fake_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_condition_ends_and_leaves_the_server_well),
        TEST(all_conditions_together_end_as_one),
        TEST(a_condition_takes_away_only_its_own_rules),
        cmocka_unit_test(conditions_have_names_of_their_own),
    };
    return cmocka_run_group_tests_name("fake_conditions", tests, NULL, NULL);
}
