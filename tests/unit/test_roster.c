#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "registry/roster.h"
#include "yr_test.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { NODE_MAX = 20000, NODE_LEN = 20 };

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % bound);
}

static yurpc_instance *instance_of(unsigned index)
{
    char node[NODE_LEN];
    char value[100];
    (void)snprintf(node, sizeof node, "h%06u:80", index);
    (void)snprintf(value, sizeof value,
                   "{\"serviceHost\":\"h%06u\",\"servicePort\":80,\"weight\":%u}", index,
                   1 + random_below(1000));
    yurpc_instance *instance = NULL;
    assert_ok(yr_instance_decode(yr_bytes_of_text("s:1"), yr_bytes_of_text(node),
                                 yr_bytes_of_text(value), 1, &instance, NULL));
    if (random_below(4) == 0) {
        yurpc_instance *suspect = yr_instance_new_suspect(instance);
        assert_non_null(suspect);
        yr_instance_unref(instance);
        return suspect;
    }
    return instance;
}

/* One change, which replaces *@p roster. */
static void change_one(const yr_roster **roster, unsigned index, bool is_up)
{
    char node[NODE_LEN];
    (void)snprintf(node, sizeof node, "h%06u:80", index);
    yurpc_instance *instance = is_up ? instance_of(index) : NULL;
    yr_snapshot_change change = {.node = yr_bytes_of_text(node), .instance = instance};
    const yr_roster *next = NULL;
    assert_ok(yr_roster_apply(*roster, &change, 1, &next));
    yr_roster_unref(*roster);
    yr_instance_unref(instance);
    *roster = next;
}

/* All of NODE_MAX at once. */
static const yr_roster *full_roster(void)
{
    yr_snapshot_change *changes = yr_calloc(NODE_MAX, sizeof *changes);
    for (unsigned i = 0; i < NODE_MAX; i++) {
        yurpc_instance *instance = instance_of(i);
        changes[i] =
            (yr_snapshot_change){.node = yr_instance_node(instance), .instance = instance};
    }
    const yr_roster *roster = NULL;
    assert_ok(yr_roster_apply(NULL, changes, NODE_MAX, &roster));
    for (unsigned i = 0; i < NODE_MAX; i++) {
        yr_instance_unref(changes[i].instance);
    }
    yr_free(changes);
    assert_true(yr_roster_check(roster));
    assert_int_equal(yr_roster_count(roster), NODE_MAX);
    return roster;
}

static void shuffle(unsigned *order, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned k = random_below(i + 1);
        order[i] = order[k];
        order[k] = i;
    }
}

static void one_by_one_it_grows_and_shrinks_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    static unsigned order[COUNT];
    const yr_roster *roster = NULL;
    shuffle(order, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        change_one(&roster, order[i], true);
        assert_int_equal(yr_roster_count(roster), i + 1);
        assert_true(i % 97 != 0 || yr_roster_check(roster));
    }
    assert_true(yr_roster_check(roster));
    shuffle(order, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        change_one(&roster, order[i], false);
        assert_int_equal(yr_roster_count(roster), COUNT - i - 1);
        assert_true(i % 97 != 0 || yr_roster_check(roster));
    }
    assert_null(roster);
}

static void in_order_and_from_either_end_it_stays_in_order(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    const yr_roster *roster = NULL;
    for (unsigned i = 0; i < COUNT; i++) {
        change_one(&roster, i, true);
    }
    assert_true(yr_roster_check(roster));
    for (unsigned i = 0; i < COUNT / 2; i++) {
        change_one(&roster, i, false);
    }
    assert_true(yr_roster_check(roster));
    for (unsigned i = 0; i < COUNT / 2; i++) {
        change_one(&roster, COUNT / 2 - 1 - i, true);
    }
    assert_true(yr_roster_check(roster));
    assert_int_equal(yr_roster_count(roster), COUNT);
    for (unsigned i = COUNT; i > 0; i--) {
        change_one(&roster, i - 1, false);
    }
    assert_null(roster);
}

static void every_place_and_every_node_is_found(void **state)
{
    (void)state;
    const yr_roster *roster = full_roster();
    for (unsigned i = 0; i < NODE_MAX; i++) {
        const yurpc_instance *instance = yr_roster_at(roster, i);
        char node[NODE_LEN];
        (void)snprintf(node, sizeof node, "h%06u:80", i);
        assert_true(yr_bytes_equal(yr_instance_node(instance), yr_bytes_of_text(node)));
        assert_ptr_equal(yr_roster_find(roster, yr_bytes_of_text(node)), instance);
    }
    assert_null(yr_roster_find(roster, yr_bytes_of_text("")));
    assert_null(yr_roster_find(roster, yr_bytes_of_text("h000000:8")));
    assert_null(yr_roster_find(roster, yr_bytes_of_text("h010000:800")));
    assert_null(yr_roster_find(roster, yr_bytes_of_text("i")));
    assert_null(yr_roster_find(NULL, yr_bytes_of_text("i")));
    yr_roster_unref(roster);
}

static bool is_of_kind(const yurpc_instance *instance, yr_roster_kind kind)
{
    bool is_suspect = yurpc_instance_is_suspect(instance);
    return kind == YR_ROSTER_ALL || is_suspect == (kind == YR_ROSTER_SUSPECT);
}

static void those_of_a_kind_are_found_by_their_number(void **state)
{
    (void)state;
    const yr_roster *roster = full_roster();
    const yr_roster_kind kinds[] = {YR_ROSTER_ALL, YR_ROSTER_ORDINARY, YR_ROSTER_SUSPECT};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        size_t number = 0;
        for (size_t i = 0; i < NODE_MAX; i++) {
            const yurpc_instance *instance = yr_roster_at(roster, i);
            if (is_of_kind(instance, kinds[k])) {
                yr_roster_run run = yr_roster_seek(roster, kinds[k], number++);
                assert_ptr_equal(run.next[0], instance);
                assert_ptr_equal(run.end[-1],
                                 yr_roster_at(roster, i + (size_t)(run.end - run.next) - 1));
            }
        }
        assert_true(number > 0);
    }
    yr_roster_unref(roster);
}

/* The bytes of new nodes cannot be seen from here, but their number can. */
static void a_change_makes_few_new_nodes(void **state)
{
    (void)state;
    const yr_roster *roster = full_roster();
    for (int i = 0; i < 500; i++) {
        yurpc_instance *instance = instance_of(random_below(NODE_MAX));
        yr_snapshot_change change = {.node = yr_instance_node(instance),
                                     .instance = random_below(2) == 0 ? instance : NULL};
        const yr_roster *next = NULL;
        yr_mem_fail_after(LONG_MAX);
        assert_ok(yr_roster_apply(roster, &change, 1, &next));
        long allocations = yr_mem_attempts();
        yr_mem_fail_after(-1);
        assert_true(allocations <= 20);
        yr_roster_unref(roster);
        yr_instance_unref(instance);
        roster = next;
    }
    assert_true(yr_roster_check(roster));
    yr_roster_unref(roster);
}

typedef struct tally {
    size_t ups;
    size_t downs;
    size_t changes;
} tally;

static void count_up(void *context, const yurpc_instance *instance)
{
    assert_non_null(instance);
    ((tally *)context)->ups++;
}

static void count_down(void *context, const yurpc_instance *instance)
{
    assert_non_null(instance);
    ((tally *)context)->downs++;
}

static void count_changed(void *context, const yurpc_instance *instance)
{
    assert_non_null(instance);
    ((tally *)context)->changes++;
}

static void assert_differs(const yr_roster *old, const yr_roster *now, tally expected)
{
    static const yr_snapshot_visitor visitor = {count_up, count_down, count_changed};
    tally actual = {0, 0, 0};
    yr_roster_diff(old, now, &visitor, &actual);
    assert_int_equal(actual.ups, expected.ups);
    assert_int_equal(actual.downs, expected.downs);
    assert_int_equal(actual.changes, expected.changes);
}

static void differences_are_told_between_trees_of_any_shape(void **state)
{
    (void)state;
    const yr_roster *full = full_roster();
    assert_differs(full, full, (tally){0, 0, 0});
    assert_differs(NULL, NULL, (tally){0, 0, 0});
    assert_differs(NULL, full, (tally){NODE_MAX, 0, 0});
    assert_differs(full, NULL, (tally){0, NODE_MAX, 0});

    /* Of another height, sharing leaves or nothing. */
    const yr_roster *few = NULL;
    change_one(&few, 7, true);
    assert_differs(few, full, (tally){NODE_MAX - 1, 0, 1});
    assert_differs(full, few, (tally){0, NODE_MAX - 1, 1});
    const yr_roster *less = yr_roster_ref(full);
    for (unsigned i = 0; i < NODE_MAX - 10; i++) {
        change_one(&less, i, false);
    }
    assert_int_equal(yr_roster_count(less), 10);
    assert_differs(full, less, (tally){0, NODE_MAX - 10, 0});
    assert_differs(less, full, (tally){NODE_MAX - 10, 0, 0});
    yr_roster_unref(few);
    yr_roster_unref(less);
    yr_roster_unref(full);
}

static void no_changes_give_the_same_roster(void **state)
{
    (void)state;
    const yr_roster *roster = NULL;
    change_one(&roster, 1, true);
    const yr_roster *same = NULL;
    assert_ok(yr_roster_apply(roster, NULL, 0, &same));
    assert_ptr_equal(same, roster);
    yr_roster_unref(roster);
    assert_int_equal(yr_roster_count(same), 1);
    yr_roster_unref(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_by_one_it_grows_and_shrinks_in_any_order),
        cmocka_unit_test(in_order_and_from_either_end_it_stays_in_order),
        cmocka_unit_test(every_place_and_every_node_is_found),
        cmocka_unit_test(those_of_a_kind_are_found_by_their_number),
        cmocka_unit_test(a_change_makes_few_new_nodes),
        cmocka_unit_test(differences_are_told_between_trees_of_any_shape),
        cmocka_unit_test(no_changes_give_the_same_roster),
    };
    return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
