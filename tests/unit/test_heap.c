#include "base/heap.h"
#include "yr_test.h"

#include <stdlib.h>

enum { NODES = 400, OPERATIONS = 100 * 1000 };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

static void an_empty_heap_has_no_first(void **state)
{
    (void)state;
    yr_heap heap;
    yr_heap_node node = {0};
    yr_heap_init(&heap);
    assert_null(yr_heap_first(&heap));
    yr_heap_remove(&heap, &node); /* was never in: nothing happens */
    assert_null(yr_heap_first(&heap));
}

static void equal_keys_come_out_in_the_order_in_which_they_went_in(void **state)
{
    (void)state;
    yr_heap heap;
    yr_heap_node nodes[NODES] = {{0}};
    yr_heap_init(&heap);
    for (int i = 0; i < NODES; i++) {
        yr_heap_insert(&heap, &nodes[i], i % 3);
    }
    for (int key = 0; key < 3; key++) {
        for (int i = key; i < NODES; i += 3) {
            assert_ptr_equal(yr_heap_first(&heap), &nodes[i]);
            yr_heap_remove(&heap, &nodes[i]);
        }
    }
    assert_null(yr_heap_first(&heap));
}

/* The model: an array, searched. */
static yr_heap_node *first_of(yr_heap_node *nodes)
{
    yr_heap_node *first = NULL;
    for (int i = 0; i < NODES; i++) {
        yr_heap_node *node = &nodes[i];
        if (node->is_in && (first == NULL || node->key < first->key ||
                            (node->key == first->key && node->order < first->order))) {
            first = node;
        }
    }
    return first;
}

/* Count the nodes of a tree, and check its links and its order. */
static int check_tree(const yr_heap_node *node)
{
    int count = 1;
    const yr_heap_node *before = node;
    for (const yr_heap_node *child = node->child; child != NULL; child = child->next) {
        assert_true(child->is_in);
        assert_ptr_equal(child->prev, before);
        assert_true(child->key > node->key ||
                    (child->key == node->key && child->order > node->order));
        count += check_tree(child);
        before = child;
    }
    return count;
}

static void random_operations_agree_with_a_searched_array(void **state)
{
    (void)state;
    static yr_heap_node nodes[NODES];
    yr_heap heap;
    uint64_t random = 1;
    int count = 0;
    yr_heap_init(&heap);
    for (int i = 0; i < OPERATIONS; i++) {
        /* Now mostly filling, now mostly emptying. */
        bool is_filling = i / 1000 % 2 == 0;
        yr_heap_node *node = &nodes[next_random(&random) % NODES];
        uint64_t dice = next_random(&random) % 4;
        if (dice == 0 && heap.root != NULL) {
            node = yr_heap_first(&heap);
        }
        if (node->is_in && (dice == 0 || !is_filling)) {
            yr_heap_remove(&heap, node);
            assert_false(node->is_in);
            count--;
        } else if (!node->is_in && (dice != 1 || is_filling)) {
            yr_heap_insert(&heap, node, (int64_t)(next_random(&random) % 50) - 25);
            count++;
        }
        assert_ptr_equal(yr_heap_first(&heap), first_of(nodes));
        if (i % 100 == 0 && heap.root != NULL) {
            assert_null(heap.root->prev);
            assert_null(heap.root->next);
            assert_int_equal(check_tree(heap.root), count);
        }
    }
    while (heap.root != NULL) {
        assert_ptr_equal(yr_heap_first(&heap), first_of(nodes));
        yr_heap_remove(&heap, heap.root);
    }
    assert_null(first_of(nodes));
}

static void extreme_keys_keep_their_order(void **state)
{
    (void)state;
    yr_heap heap;
    yr_heap_node nodes[4] = {{0}};
    const int64_t keys[] = {INT64_MAX, INT64_MIN, 0, INT64_MIN};
    const int order[] = {1, 3, 2, 0};
    yr_heap_init(&heap);
    for (int i = 0; i < 4; i++) {
        yr_heap_insert(&heap, &nodes[i], keys[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(yr_heap_first(&heap), &nodes[order[i]]);
        yr_heap_remove(&heap, yr_heap_first(&heap));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_no_first),
        cmocka_unit_test(equal_keys_come_out_in_the_order_in_which_they_went_in),
        cmocka_unit_test(random_operations_agree_with_a_searched_array),
        cmocka_unit_test(extreme_keys_keep_their_order),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
