#include "base/mem.h"
#include "yr_test.h"

static void an_array_grows_by_doubling_and_keeps_what_is_in_it(void **state)
{
    enum { COUNT = 100 };
    (void)state;
    int *items = NULL;
    size_t cap = 0;
    for (int i = 0; i < COUNT; i++) {
        int *grown = yr_grow(items, (size_t)i, &cap, sizeof *items);
        assert_non_null(grown);
        items = grown;
        items[i] = i;
    }
    assert_int_equal(cap, 8 * YR_GROW_MIN);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(items[i], i);
    }
    yr_free(items);
}

static void an_array_with_room_stays_where_it_is(void **state)
{
    (void)state;
    size_t cap = 0;
    int *items = yr_grow(NULL, 0, &cap, sizeof *items);
    yr_mem_fail_after(0); /* nothing is allocated */
    assert_ptr_equal(yr_grow(items, YR_GROW_MIN - 1, &cap, sizeof *items), items);
    yr_mem_fail_after(-1);
    yr_free(items);
}

static void an_array_that_cannot_grow_is_as_it_was(void **state)
{
    (void)state;
    size_t cap = 0;
    int *items = yr_grow(NULL, 0, &cap, sizeof *items);
    items[0] = 7;
    yr_mem_fail_after(0);
    assert_null(yr_grow(items, cap, &cap, sizeof *items));
    yr_mem_fail_after(-1);
    assert_int_equal(cap, YR_GROW_MIN);
    assert_int_equal(items[0], 7);
    yr_free(items);
}

static void an_array_larger_than_memory_is_refused(void **state)
{
    (void)state;
    size_t cap = SIZE_MAX / 2;
    yr_mem_fail_after(-1);
    assert_null(yr_grow(NULL, cap, &cap, 8));
    assert_int_equal(cap, SIZE_MAX / 2);
    assert_int_equal(yr_mem_attempts(), 0); /* a product that wrapped would have been had */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_grows_by_doubling_and_keeps_what_is_in_it),
        cmocka_unit_test(an_array_with_room_stays_where_it_is),
        cmocka_unit_test(an_array_that_cannot_grow_is_as_it_was),
        cmocka_unit_test(an_array_larger_than_memory_is_refused),
    };
    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
