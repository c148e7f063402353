#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "registry/snapshot_reading.h"
#include "yr_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NODE_MAX = 700, CHANGE_MAX = NODE_MAX };

/* What a snapshot should hold, in the simplest form: an instance or NULL for each port. */
typedef struct fleet {
    yurpc_instance *instances[NODE_MAX];
} fleet;

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % bound);
}

static yurpc_instance *instance_of(unsigned index, unsigned weight, bool is_draining)
{
    char node[32];
    char value[256];
    (void)snprintf(node, sizeof node, "10.0.0.5:%u", 10000 + index);
    (void)snprintf(value, sizeof value,
                   "{\"serviceHost\":\"10.0.0.5\",\"servicePort\":%u,\"weight\":%u%s}",
                   10000 + index, weight, is_draining ? ",\"draining\":true" : "");
    yurpc_instance *instance = NULL;
    assert_ok(yr_instance_decode(yr_bytes_of_text("svc:1.0"), yr_bytes_of_text(node),
                                 yr_bytes_of_text(value), 1, &instance, NULL));
    return instance;
}

static void model_clear(fleet *model)
{
    for (unsigned i = 0; i < NODE_MAX; i++) {
        yr_instance_unref(model->instances[i]);
        model->instances[i] = NULL;
    }
}

/* Snapshot and model hold the very same objects, in the same order, and find agrees. */
static void assert_same(const yurpc_snapshot *snapshot, const fleet *model)
{
    size_t at = 0;
    size_t draining = 0;
    for (unsigned i = 0; i < NODE_MAX; i++) {
        const yurpc_instance *wanted = model->instances[i];
        char node[32];
        (void)snprintf(node, sizeof node, "10.0.0.5:%u", 10000 + i);
        assert_ptr_equal(yr_snapshot_find(snapshot, yr_bytes_of_text(node)), wanted);
        if (wanted != NULL) {
            assert_ptr_equal(yurpc_snapshot_at(snapshot, at), wanted);
            draining += yurpc_instance_is_draining(wanted);
            at++;
        }
    }
    assert_int_equal(yurpc_snapshot_count(snapshot), at);
    assert_int_equal(yr_snapshot_count_draining(snapshot), draining);
    assert_null(yurpc_snapshot_at(snapshot, at));
}

/* What the differences told, replayed on the old model, must give the new one. */
typedef struct retelling {
    fleet *model;
    unsigned last; /* the greatest index seen: order is checked */
    size_t calls;
} retelling;

static unsigned replay_index(retelling *replay, const yurpc_instance *instance)
{
    unsigned index = yurpc_instance_port(instance) - 10000u;
    assert_true(replay->calls == 0 || index > replay->last);
    replay->last = index;
    replay->calls++;
    return index;
}

static void replay_up(void *context, const yurpc_instance *instance)
{
    retelling *replay = context;
    unsigned i = replay_index(replay, instance);
    assert_null(replay->model->instances[i]);
    replay->model->instances[i] = yr_instance_ref(instance);
}

static void replay_down(void *context, const yurpc_instance *instance)
{
    retelling *replay = context;
    unsigned i = replay_index(replay, instance);
    assert_ptr_equal(replay->model->instances[i], instance);
    yr_instance_unref(instance);
    replay->model->instances[i] = NULL;
}

static void replay_changed(void *context, const yurpc_instance *instance)
{
    retelling *replay = context;
    unsigned i = replay_index(replay, instance);
    assert_non_null(replay->model->instances[i]);
    assert_false(yr_instance_is_equal(replay->model->instances[i], instance));
    yr_instance_unref(replay->model->instances[i]);
    replay->model->instances[i] = yr_instance_ref(instance);
}

static const yr_snapshot_visitor replayer = {replay_up, replay_down, replay_changed};

typedef struct change_set {
    yr_snapshot_change items[CHANGE_MAX];
    char nodes[CHANGE_MAX][32];
    size_t count;
} change_set;

/* Random changes of about one node in @p rarity, made in @p model too. */
static void change_at_random(fleet *model, change_set *set, uint32_t rarity,
                             uint32_t down_percent)
{
    set->count = 0;
    for (unsigned i = 0; i < NODE_MAX; i++) {
        if (random_below(rarity) != 0) {
            continue;
        }
        yr_instance_unref(model->instances[i]);
        model->instances[i] =
            random_below(100) < down_percent
                ? NULL
                : instance_of(i, 1 + random_below(1000), random_below(9) == 0);
        (void)snprintf(set->nodes[set->count], sizeof set->nodes[0], "10.0.0.5:%u", 10000 + i);
        set->items[set->count] = (yr_snapshot_change){
            .node = yr_bytes_of_text(set->nodes[set->count]), .instance = model->instances[i]};
        set->count++;
    }
}

static void random_changes_give_what_a_plain_array_holds(void **state)
{
    (void)state;
    static fleet now;
    static fleet told;
    static change_set set;
    random_state = 1;
    yurpc_snapshot *snapshot = NULL;
    for (int round = 0; round < 600; round++) {
        /* Now dense, now sparse; now a single change, now nearly all. */
        uint32_t rarity = (uint32_t[]){1, 2, 30, NODE_MAX}[random_below(4)];
        change_at_random(&now, &set, rarity, round % 100 < 50 ? 20 : 80);
        yurpc_snapshot *next = NULL;
        assert_ok(yr_snapshot_apply(snapshot, set.items, set.count, round % 2 == 0, &next));
        assert_same(next, &now);
        assert_int_equal(yurpc_snapshot_is_stale(next), round % 2 == 0);

        retelling replay = {.model = &told};
        yr_snapshot_diff(snapshot, next, &replayer, &replay);
        assert_true(replay.calls <= set.count);
        for (unsigned i = 0; i < NODE_MAX; i++) {
            assert_int_equal(told.instances[i] != NULL, now.instances[i] != NULL);
            assert_true(now.instances[i] == NULL ||
                        yr_instance_is_equal(told.instances[i], now.instances[i]));
            yr_instance_unref(told.instances[i]);
            told.instances[i] =
                now.instances[i] == NULL ? NULL : yr_instance_ref(now.instances[i]);
        }
        yr_snapshot_unref(snapshot);
        snapshot = next;
    }
    yr_snapshot_unref(snapshot);
    model_clear(&now);
    model_clear(&told);
}

static void a_change_leaves_the_old_snapshot_alone(void **state)
{
    (void)state;
    yurpc_instance *one = instance_of(1, 1, false);
    yurpc_instance *two = instance_of(2, 1, false);
    yr_snapshot_change up[] = {{.node = yr_instance_node(one), .instance = one},
                               {.node = yr_instance_node(two), .instance = two}};
    yr_snapshot_change down[] = {{.node = yr_instance_node(one), .instance = NULL}};
    yurpc_snapshot *old = NULL;
    yurpc_snapshot *now = NULL;
    assert_ok(yr_snapshot_apply(NULL, up, 2, false, &old));
    assert_ok(yr_snapshot_apply(old, down, 1, true, &now));
    assert_int_equal(yurpc_snapshot_count(old), 2);
    assert_ptr_equal(yurpc_snapshot_at(old, 0), one);
    assert_false(yurpc_snapshot_is_stale(old));
    assert_int_equal(yurpc_snapshot_count(now), 1);
    assert_ptr_equal(yurpc_snapshot_at(now, 0), two);
    yr_snapshot_unref(old);
    assert_string_equal(yurpc_instance_host(yurpc_snapshot_at(now, 0)), "10.0.0.5");
    yr_snapshot_unref(now);
    yr_instance_unref(one);
    yr_instance_unref(two);
}

static void no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    static fleet now;
    static change_set set;
    random_state = 2;
    yurpc_snapshot *old = NULL;
    change_at_random(&now, &set, 1, 0);
    assert_ok(yr_snapshot_apply(NULL, set.items, set.count, false, &old));
    change_at_random(&now, &set, 3, 50);
    yurpc_status status = YURPC_NO_MEMORY;
    for (long allowed = 0; status != YURPC_OK; allowed++) {
        yurpc_snapshot *next = NULL;
        yr_mem_fail_after(allowed);
        status = yr_snapshot_apply(old, set.items, set.count, false, &next);
        yr_mem_fail_after(-1);
        if (status != YURPC_OK) {
            assert_int_equal(status, YURPC_NO_MEMORY);
            assert_null(next);
        }
        yr_snapshot_unref(next);
    }
    yr_snapshot_unref(old);
    model_clear(&now);
    status = YURPC_NO_MEMORY;
    for (long allowed = 0; status != YURPC_OK; allowed++) {
        yr_snapshot_cell *cell = NULL;
        yr_mem_fail_after(allowed);
        status = yr_snapshot_cell_new(&cell);
        yr_mem_fail_after(-1);
        yr_snapshot_cell_free(cell);
    }
}

/* ---- Publication ---- */

static void a_new_cell_is_empty_and_stale(void **state)
{
    (void)state;
    yr_snapshot_cell *cell = NULL;
    assert_ok(yr_snapshot_cell_new(&cell));
    const yurpc_snapshot *snapshot = yr_snapshot_cell_acquire(cell);
    assert_int_equal(yurpc_snapshot_count(snapshot), 0);
    assert_true(yurpc_snapshot_is_stale(snapshot));
    assert_ptr_equal(snapshot, yr_snapshot_cell_current(cell));
    yr_snapshot_cell_release();
    yr_snapshot_cell_free(cell);
}

static void an_acquired_snapshot_outlives_its_successor(void **state)
{
    (void)state;
    yurpc_instance *one = instance_of(1, 1, false);
    yr_snapshot_change up = {.node = yr_instance_node(one), .instance = one};
    yr_snapshot_cell *cell = NULL;
    assert_ok(yr_snapshot_cell_new(&cell));
    yurpc_snapshot *full = NULL;
    assert_ok(yr_snapshot_apply(NULL, &up, 1, false, &full));
    yr_snapshot_cell_take(cell, full);

    const yurpc_snapshot *outer = yr_snapshot_cell_acquire(cell);
    yurpc_snapshot *empty = NULL;
    assert_ok(yr_snapshot_apply(NULL, NULL, 0, false, &empty));
    yr_snapshot_cell_take(cell, empty);
    const yurpc_snapshot *inner = yr_snapshot_cell_acquire(cell);
    assert_int_equal(yurpc_snapshot_count(inner), 0);
    yr_snapshot_cell_release();
    assert_ptr_equal(yurpc_snapshot_at(outer, 0), one);
    yr_snapshot_cell_release();

    yr_snapshot_cell_free(cell);
    yr_instance_unref(one);
}

static void a_forked_child_can_read(void **state)
{
    (void)state;
    yurpc_instance *one = instance_of(1, 1, false);
    yr_snapshot_change up = {.node = yr_instance_node(one), .instance = one};
    yr_snapshot_cell *cell = NULL;
    yurpc_snapshot *full = NULL;
    assert_ok(yr_snapshot_cell_new(&cell));
    assert_ok(yr_snapshot_apply(NULL, &up, 1, false, &full));
    yr_snapshot_cell_take(cell, full); /* a snapshot is on its way to being released */
    const yurpc_snapshot *held = yr_snapshot_cell_acquire(cell);

    pid_t child = fork();
    if (child == 0) {
        const yurpc_snapshot *seen = yr_snapshot_cell_acquire(cell);
        bool is_right = seen == held && yurpc_snapshot_at(seen, 0) == one;
        yr_snapshot_cell_release();
        _exit(is_right ? 0 : 1);
    }
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    yr_snapshot_cell_release();
    yr_snapshot_cell_free(cell);
    yr_instance_unref(one);
}

enum { READERS = 3, PUBLICATIONS = 3000 };

typedef struct race {
    yr_snapshot_cell *cell;
    _Atomic bool is_over;
    _Atomic size_t reads;
    _Atomic size_t faults;
} race;

/* The writer publishes n instances all of weight n, so a torn or freed snapshot shows. */
static size_t count_faults(const yurpc_snapshot *snapshot)
{
    size_t count = yurpc_snapshot_count(snapshot);
    size_t faults = 0;
    for (size_t i = 0; i < count; i++) {
        faults += yurpc_instance_weight(yurpc_snapshot_at(snapshot, i)) != count;
    }
    return faults;
}

static void *read_until_over(void *context)
{
    race *reading = context;
    while (!atomic_load(&reading->is_over)) {
        const yurpc_snapshot *snapshot = yr_snapshot_cell_acquire(reading->cell);
        atomic_fetch_add(&reading->faults, count_faults(snapshot));
        yr_snapshot_cell_release();
        atomic_fetch_add(&reading->reads, 1);
    }
    return NULL;
}

static void publish_one_weight(yr_snapshot_cell *cell, unsigned count)
{
    yr_snapshot_change changes[20];
    char nodes[20][32];
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(nodes[i], sizeof nodes[i], "10.0.0.5:%u", 10000 + i);
        changes[i] =
            (yr_snapshot_change){.node = yr_bytes_of_text(nodes[i]),
                                 .instance = i < count ? instance_of(i, count, false) : NULL};
    }
    yurpc_snapshot *next = NULL;
    assert_ok(yr_snapshot_apply(yr_snapshot_cell_current(cell), changes, 20, false, &next));
    for (unsigned i = 0; i < 20; i++) {
        yr_instance_unref(changes[i].instance);
    }
    yr_snapshot_cell_take(cell, next);
}

static void readers_on_other_threads_see_whole_snapshots(void **state)
{
    (void)state;
    race reading = {.cell = NULL};
    assert_ok(yr_snapshot_cell_new(&reading.cell));
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_over, &reading), 0);
    }
    for (unsigned i = 0; i < PUBLICATIONS; i++) {
        publish_one_weight(reading.cell, i % 20);
    }
    while (atomic_load(&reading.reads) < READERS) {
        publish_one_weight(reading.cell, 5);
    }
    atomic_store(&reading.is_over, true);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&reading.faults), 0);
    yr_snapshot_cell_free(reading.cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_give_what_a_plain_array_holds),
        cmocka_unit_test(a_change_leaves_the_old_snapshot_alone),
        cmocka_unit_test(no_memory_leaves_nothing_behind),
        cmocka_unit_test(a_new_cell_is_empty_and_stale),
        cmocka_unit_test(an_acquired_snapshot_outlives_its_successor),
        cmocka_unit_test(a_forked_child_can_read),
        cmocka_unit_test(readers_on_other_threads_see_whole_snapshots),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
