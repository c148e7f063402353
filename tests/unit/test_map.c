#include "base/bytes.h"
#include "base/map.h"
#include "base/mem.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { OBJECTS = 2000, OPERATIONS = 50 * 1000 };

static const uint64_t seed[2] = {1, 2};

typedef struct object {
    yr_map_node node;
    char key[16];
    bool is_in;
    int walked;
} object;

static object objects[OBJECTS];

static void reset_objects(void)
{
    memset(objects, 0, sizeof objects);
    for (int i = 0; i < OBJECTS; i++) {
        snprintf(objects[i].key, sizeof objects[i].key, "key-%d", i);
    }
}

static void insert(yr_map *map, object *one)
{
    yr_map_insert(map, &one->node, yr_bytes_of_text(one->key));
    one->is_in = true;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

static void a_key_is_found_by_its_bytes(void **state)
{
    (void)state;
    yr_map map;
    yr_map_node a;
    yr_map_node b;
    yr_map_node empty;
    yr_map_init(&map, seed);
    assert_null(yr_map_find(&map, yr_bytes("", 0)));
    yr_map_insert(&map, &a, yr_bytes("a\0b", 3));
    yr_map_insert(&map, &b, yr_bytes("a", 1));
    yr_map_insert(&map, &empty, yr_bytes(NULL, 0));
    assert_ptr_equal(yr_map_find(&map, yr_bytes("a\0b", 3)), &a);
    assert_ptr_equal(yr_map_find(&map, yr_bytes("abc", 1)), &b);
    assert_ptr_equal(yr_map_find(&map, yr_bytes("", 0)), &empty);
    assert_null(yr_map_find(&map, yr_bytes("a\0c", 3)));
    assert_int_equal(map.count, 3);
    yr_map_deinit(&map);
}

static void check_walk(const yr_map *map)
{
    size_t count = 0;
    for (yr_map_node *node = yr_map_next(map, NULL); node != NULL;
         node = yr_map_next(map, node)) {
        object *one = (object *)(void *)node;
        assert_true(one->is_in);
        one->walked++;
        count++;
    }
    assert_int_equal(count, map->count);
    for (int i = 0; i < OBJECTS; i++) {
        assert_int_equal(objects[i].walked, objects[i].is_in ? 1 : 0);
        objects[i].walked = 0;
    }
}

static void random_operations_agree_with_a_flag_in_each_object(void **state)
{
    (void)state;
    yr_map map;
    uint64_t random = 1;
    reset_objects();
    yr_map_init(&map, seed);
    for (int i = 0; i < OPERATIONS; i++) {
        object *one = &objects[next_random(&random) % OBJECTS];
        yr_map_node *found = yr_map_find(&map, yr_bytes_of_text(one->key));
        assert_ptr_equal(found, one->is_in ? &one->node : NULL);
        if (one->is_in) {
            yr_map_remove(&map, &one->node);
            one->is_in = false;
        } else {
            insert(&map, one);
        }
        if (i % 1000 == 0) {
            check_walk(&map);
        }
    }
    yr_map_deinit(&map);
    assert_null(yr_map_next(&map, NULL));
}

static void nodes_may_be_removed_on_a_walk(void **state)
{
    (void)state;
    yr_map map;
    reset_objects();
    yr_map_init(&map, seed);
    for (int i = 0; i < OBJECTS; i++) {
        insert(&map, &objects[i]);
    }
    yr_map_node *node = yr_map_next(&map, NULL);
    while (node != NULL) {
        yr_map_node *next = yr_map_next(&map, node);
        yr_map_remove(&map, node);
        node = next;
    }
    assert_int_equal(map.count, 0);
    yr_map_deinit(&map);
}

static void without_memory_it_is_only_slower(void **state)
{
    (void)state;
    yr_map map;
    reset_objects();
    yr_map_init(&map, seed);
    yr_mem_fail_after(0);
    for (int i = 0; i < OBJECTS; i++) {
        insert(&map, &objects[i]);
    }
    yr_mem_fail_after(-1);
    assert_int_equal(map.bucket_count, YR_MAP_BUCKETS_MIN);
    check_walk(&map);
    for (int i = 0; i < OBJECTS; i++) {
        assert_ptr_equal(yr_map_find(&map, yr_bytes_of_text(objects[i].key)), &objects[i].node);
    }
    yr_map_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_by_its_bytes),
        cmocka_unit_test(random_operations_agree_with_a_flag_in_each_object),
        cmocka_unit_test(nodes_may_be_removed_on_a_walk),
        cmocka_unit_test(without_memory_it_is_only_slower),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
