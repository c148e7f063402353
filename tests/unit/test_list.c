#include "base/list.h"
#include "yr_test.h"

typedef struct item {
    yr_list link;
    int value;
} item;

static void assert_holds(yr_list *head, const int *values, size_t count)
{
    yr_list *link = head->next;
    for (size_t i = 0; i < count; i++) {
        assert_ptr_not_equal(link, head);
        assert_int_equal(YR_CONTAINER_OF(link, item, link)->value, values[i]);
        assert_ptr_equal(link->next->prev, link);
        link = link->next;
    }
    assert_ptr_equal(link, head);
}

static void items_keep_their_order(void **state)
{
    (void)state;
    yr_list head;
    item items[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
    yr_list_init(&head);
    assert_true(yr_list_is_empty(&head));
    for (size_t i = 0; i < 3; i++) {
        yr_list_append(&head, &items[i].link);
    }
    assert_false(yr_list_is_empty(&head));
    assert_holds(&head, (const int[]){0, 1, 2}, 3);
    yr_list_remove(&items[1].link);
    assert_holds(&head, (const int[]){0, 2}, 2);
    yr_list_remove(&items[1].link); /* is alone: nothing happens */
    assert_holds(&head, (const int[]){0, 2}, 2);
    assert_ptr_equal(yr_list_take_first(&head), &items[0].link);
    assert_true(yr_list_is_empty(&items[0].link));
    assert_ptr_equal(yr_list_take_first(&head), &items[2].link);
    assert_null(yr_list_take_first(&head));
}

static void all_move_to_the_end_of_another_list(void **state)
{
    (void)state;
    yr_list from;
    yr_list to;
    item items[4] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    yr_list_init(&from);
    yr_list_init(&to);
    yr_list_move_all(&to, &from);
    assert_true(yr_list_is_empty(&to));
    yr_list_append(&to, &items[0].link);
    yr_list_move_all(&to, &from);
    assert_holds(&to, (const int[]){0}, 1);
    for (size_t i = 1; i < 4; i++) {
        yr_list_append(&from, &items[i].link);
    }
    yr_list_move_all(&to, &from);
    assert_true(yr_list_is_empty(&from));
    assert_holds(&to, (const int[]){0, 1, 2, 3}, 4);
    yr_list_remove(&items[3].link);
    yr_list_move_all(&from, &to);
    assert_holds(&from, (const int[]){0, 1, 2}, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_keep_their_order),
        cmocka_unit_test(all_move_to_the_end_of_another_list),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
