#include "base/mem.h"
#include "registry/consumer/finder.h"
#include "registry/reclaimer.h"
#include "registry/snapshot_reading.h"
#include "yr_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { NAMES = 500, NAME_LEN = 40, ROUNDS = 20000 };

static const uint64_t seed[2] = {1, 2};

static yr_snapshot_cell *cell_of(void)
{
    yr_snapshot_cell *cell = NULL;
    assert_ok(yr_snapshot_cell_new(&cell));
    return cell;
}

/* Of the length of @p number's last digits, so that hashing takes each of its ways. */
static const char *name_of(unsigned number, char name[NAME_LEN])
{
    (void)snprintf(name, NAME_LEN, "%.*s%u:1", (int)(number % 30),
                   "abcdefghijklmnopqrstuvwxyzabcd", number);
    return name;
}

static void a_name_finds_its_cell_and_no_other_does(void **state)
{
    (void)state;
    yr_finder finder;
    yr_finder_init(&finder, seed);
    assert_null(yr_finder_find(&finder, "a:1.0"));
    yr_finder_item *one = NULL;
    yr_finder_item *two = NULL;
    yr_snapshot_cell *first = cell_of();
    yr_snapshot_cell *second = cell_of();
    assert_ok(yr_finder_add(&finder, "a:1.0", first, &one));
    assert_ok(yr_finder_add(&finder, "a:2.0", second, &two));
    assert_ptr_equal(yr_finder_find(&finder, "a:1.0"), first);
    assert_ptr_equal(yr_finder_find(&finder, "a"), first);
    assert_ptr_equal(yr_finder_find(&finder, "a:2.0"), second);
    const char *strangers[] = {"", ":", "a:", "a:1", "a:1.00", "b", "a:1.0:1.0", ":1.0"};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        assert_null(yr_finder_find(&finder, strangers[i]));
    }
    yr_finder_remove(&finder, one);
    assert_null(yr_finder_find(&finder, "a"));
    assert_null(yr_finder_find(&finder, "a:1.0"));
    assert_ptr_equal(yr_finder_find(&finder, "a:2.0"), second);
    yr_finder_remove(&finder, two);
    yr_finder_remove(&finder, NULL);
    yr_finder_deinit(&finder);
    yr_snapshot_cell_retire(first);
    yr_snapshot_cell_retire(second);
    yr_snapshot_cell_retire(NULL);
    yr_reclaimer_wait();
}

static void a_name_of_any_length_is_looked_for(void **state)
{
    (void)state;
    char name[2000];
    yr_finder finder;
    yr_finder_init(&finder, seed);
    yr_finder_item *item = NULL;
    yr_snapshot_cell *cell = cell_of();
    assert_ok(yr_finder_add(&finder, "a:1.0", cell, &item));
    memset(name, 'a', sizeof name);
    for (size_t len = 0; len < sizeof name; len++) {
        name[len] = '\0';
        assert_ptr_equal(yr_finder_find(&finder, name), len == 1 ? cell : NULL);
        name[len] = 'a';
    }
    yr_finder_remove(&finder, item);
    yr_finder_deinit(&finder);
    yr_snapshot_cell_free(cell);
    yr_reclaimer_wait();
}

static void many_come_and_go_and_the_table_stays_small(void **state)
{
    (void)state;
    char name[NAME_LEN];
    yr_finder finder;
    yr_finder_init(&finder, seed);
    yr_finder_item *items[NAMES] = {NULL};
    yr_snapshot_cell *cell = cell_of();
    yr_mem_count_blocks();
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned at = i * 7919 % NAMES;
        if (items[at] == NULL) {
            assert_ok(yr_finder_add(&finder, name_of(at, name), cell, &items[at]));
        } else {
            yr_finder_remove(&finder, items[at]);
            items[at] = NULL;
        }
        assert_int_equal(yr_finder_find(&finder, name_of(at, name)) == cell, items[at] != NULL);
    }
    for (unsigned at = 0; at < NAMES; at++) {
        assert_int_equal(yr_finder_find(&finder, name_of(at, name)) == cell, items[at] != NULL);
        yr_finder_remove(&finder, items[at]);
        assert_null(yr_finder_find(&finder, name));
    }
    yr_finder_deinit(&finder);
    yr_snapshot_cell_free(cell);
    yr_reclaimer_wait();
    assert_int_equal(yr_mem_blocks(), -2); /* the cell and its snapshot, made before */
}

typedef struct race {
    yr_finder finder;
    yr_snapshot_cell *stays;
    _Atomic bool is_over;
    _Atomic size_t faults;
} race;

static void *look_until_over(void *context)
{
    race *reading = context;
    char name[NAME_LEN];
    for (unsigned i = 0; !atomic_load(&reading->is_over); i++) {
        yr_snapshot_enter();
        const yr_snapshot_cell *cell = yr_finder_find(&reading->finder, "stays");
        size_t faults = cell != reading->stays;
        cell = yr_finder_find(&reading->finder, name_of(i % 50, name));
        faults += cell != NULL && yurpc_snapshot_count(yr_snapshot_cell_read(cell)) != 0;
        yr_snapshot_cell_release();
        atomic_fetch_add(&reading->faults, faults);
    }
    return NULL;
}

static void readers_find_what_stays_while_others_come_and_go(void **state)
{
    (void)state;
    race reading = {.stays = cell_of()};
    yr_finder_item *stays = NULL;
    yr_finder_init(&reading.finder, seed);
    assert_ok(yr_finder_add(&reading.finder, "stays:1.0", reading.stays, &stays));
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, look_until_over, &reading), 0);
    }
    for (unsigned round = 0; round < 30; round++) {
        yr_finder_item *items[50];
        yr_snapshot_cell *cells[50];
        char name[NAME_LEN];
        for (unsigned i = 0; i < 50; i++) {
            cells[i] = cell_of();
            assert_ok(yr_finder_add(&reading.finder, name_of(i, name), cells[i], &items[i]));
        }
        for (unsigned i = 0; i < 50; i++) {
            yr_finder_remove(&reading.finder, items[i]);
            yr_snapshot_cell_retire(cells[i]);
        }
    }
    atomic_store(&reading.is_over, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&reading.faults), 0);
    yr_finder_remove(&reading.finder, stays);
    yr_finder_deinit(&reading.finder);
    yr_snapshot_cell_retire(reading.stays);
    yr_reclaimer_wait();
}

static void what_there_is_no_memory_for_is_refused(void **state)
{
    (void)state;
    yr_finder finder;
    yr_snapshot_cell *cell = cell_of();
    yr_finder_item *items[20] = {NULL};
    char name[NAME_LEN];
    yr_finder_init(&finder, seed);
    for (unsigned i = 0; i < 20; i++) {
        yurpc_status status = YURPC_NO_MEMORY;
        for (long allowed = 0; status != YURPC_OK; allowed++) {
            yr_mem_fail_after(allowed);
            status = yr_finder_add(&finder, name_of(i, name), cell, &items[i]);
            yr_mem_fail_after(-1);
            assert_int_equal(yr_finder_find(&finder, name) == cell, status == YURPC_OK);
        }
    }
    for (unsigned i = 0; i < 20; i++) {
        yr_finder_remove(&finder, items[i]);
    }
    yr_finder_deinit(&finder);
    yr_snapshot_cell_free(cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_finds_its_cell_and_no_other_does),
        cmocka_unit_test(a_name_of_any_length_is_looked_for),
        cmocka_unit_test(many_come_and_go_and_the_table_stays_small),
        cmocka_unit_test(readers_find_what_stays_while_others_come_and_go),
        cmocka_unit_test(what_there_is_no_memory_for_is_refused),
    };
    return cmocka_run_group_tests_name("finder", tests, NULL, NULL);
}
