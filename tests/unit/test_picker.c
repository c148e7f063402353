#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "registry/snapshot.h"
#include "yr_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PORT_FIRST = 10000, COUNT_MAX = 300 };

/* Ports from PORT_FIRST on; those with a 'd' in @p plan are draining, with an 's' suspect. */
static yurpc_snapshot *snapshot_of(const char *plan)
{
    yr_snapshot_change changes[COUNT_MAX];
    size_t count = strlen(plan);
    assert_true(count <= COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        char node[32];
        char value[200];
        yurpc_instance *instance = NULL;
        (void)snprintf(node, sizeof node, "h:%zu", PORT_FIRST + i);
        (void)snprintf(value, sizeof value, "{\"serviceHost\":\"h\",\"servicePort\":%zu%s}",
                       PORT_FIRST + i, plan[i] == 'd' ? ",\"draining\":true" : "");
        assert_ok(yr_instance_decode(yr_bytes_of_text("s:1"), yr_bytes_of_text(node),
                                     yr_bytes_of_text(value), 1, &instance, NULL));
        if (plan[i] == 's') {
            yurpc_instance *suspect = yr_instance_new_suspect(instance);
            assert_non_null(suspect);
            yr_instance_unref(instance);
            instance = suspect;
        }
        changes[i] =
            (yr_snapshot_change){.node = yr_instance_node(instance), .instance = instance};
    }
    yurpc_snapshot *snapshot = NULL;
    assert_ok(yr_snapshot_apply(NULL, changes, count, false, &snapshot));
    for (size_t i = 0; i < count; i++) {
        yr_instance_unref(changes[i].instance);
    }
    return snapshot;
}

static yurpc_picker *picker_of(yurpc_picker_kind kind)
{
    yurpc_picker *picker = NULL;
    assert_ok(yurpc_picker_new(kind, &picker));
    return picker;
}

static size_t pick(const yurpc_snapshot *snapshot, yurpc_picker *picker)
{
    const yurpc_instance *instance = yurpc_snapshot_pick(snapshot, picker);
    assert_non_null(instance);
    return (size_t)(yurpc_instance_port(instance) - PORT_FIRST);
}

static void an_empty_snapshot_gives_nothing(void **state)
{
    (void)state;
    yurpc_snapshot *none = snapshot_of("");
    for (int kind = YURPC_PICK_ROUND_ROBIN; kind <= YURPC_PICK_RANDOM; kind++) {
        yurpc_picker *picker = picker_of((yurpc_picker_kind)kind);
        assert_null(yurpc_snapshot_pick(none, picker));
        yurpc_picker_free(picker);
    }
    yr_snapshot_unref(none);
}

static void round_robin_takes_each_in_turn(void **state)
{
    (void)state;
    yurpc_snapshot *five = snapshot_of(".....");
    yurpc_picker *picker = picker_of(YURPC_PICK_ROUND_ROBIN);
    size_t last = pick(five, picker);
    for (int i = 0; i < 100; i++) {
        size_t next = pick(five, picker);
        assert_int_equal(next, (last + 1) % 5);
        last = next;
    }
    yurpc_picker_free(picker);
    yr_snapshot_unref(five);
}

static void pickers_do_not_all_begin_with_the_same_instance(void **state)
{
    (void)state;
    yurpc_snapshot *many = snapshot_of("................");
    bool is_first[16] = {false};
    size_t distinct = 0;
    for (int i = 0; i < 200; i++) {
        yurpc_picker *picker = picker_of(YURPC_PICK_ROUND_ROBIN);
        size_t first = pick(many, picker);
        distinct += !is_first[first];
        is_first[first] = true;
        yurpc_picker_free(picker);
    }
    assert_true(distinct >= 12);
    yr_snapshot_unref(many);
}

static void random_reaches_all_about_equally(void **state)
{
    (void)state;
    yurpc_snapshot *ten = snapshot_of("..........");
    yurpc_picker *picker = picker_of(YURPC_PICK_RANDOM);
    size_t counts[10] = {0};
    for (int i = 0; i < 100000; i++) {
        counts[pick(ten, picker)]++;
    }
    for (size_t i = 0; i < 10; i++) {
        /* Ten standard deviations: never by chance. */
        assert_in_range(counts[i], 10000 - 950, 10000 + 950);
    }
    yurpc_picker_free(picker);
    yr_snapshot_unref(ten);
}

static void draining_instances_are_passed_over_and_the_rest_share(void **state)
{
    (void)state;
    yurpc_snapshot *some = snapshot_of("d..d.d");
    for (int kind = YURPC_PICK_ROUND_ROBIN; kind <= YURPC_PICK_RANDOM; kind++) {
        yurpc_picker *picker = picker_of((yurpc_picker_kind)kind);
        size_t counts[6] = {0};
        for (int i = 0; i < 30000; i++) {
            counts[pick(some, picker)]++;
        }
        assert_int_equal(counts[0] + counts[3] + counts[5], 0);
        for (size_t i = 1; i < 5; i += i == 2 ? 2 : 1) {
            assert_in_range(counts[i], 9000, 11000);
        }
        yurpc_picker_free(picker);
    }
    yr_snapshot_unref(some);
}

static void one_that_stays_is_found_among_many_that_leave(void **state)
{
    (void)state;
    char plan[COUNT_MAX + 1];
    memset(plan, 'd', COUNT_MAX);
    plan[COUNT_MAX] = '\0';
    plan[200] = '.';
    yurpc_snapshot *many = snapshot_of(plan);
    for (int kind = YURPC_PICK_ROUND_ROBIN; kind <= YURPC_PICK_RANDOM; kind++) {
        yurpc_picker *picker = picker_of((yurpc_picker_kind)kind);
        for (int i = 0; i < 1000; i++) {
            assert_int_equal(pick(many, picker), 200);
        }
        yurpc_picker_free(picker);
    }
    yr_snapshot_unref(many);
}

static void when_all_are_draining_any_will_do(void **state)
{
    (void)state;
    yurpc_snapshot *all = snapshot_of("ddd");
    yurpc_picker *picker = picker_of(YURPC_PICK_ROUND_ROBIN);
    size_t first = pick(all, picker);
    assert_int_equal(pick(all, picker), (first + 1) % 3);
    yurpc_picker_free(picker);
    yr_snapshot_unref(all);
}

/* Which of @p plan are ever picked, as text. */
static const char *picked_of(const char *plan)
{
    static char picked[COUNT_MAX + 1];
    yurpc_snapshot *snapshot = snapshot_of(plan);
    yurpc_picker *picker = picker_of(YURPC_PICK_RANDOM);
    memset(picked, '-', strlen(plan));
    picked[strlen(plan)] = '\0';
    for (int i = 0; i < 3000; i++) {
        size_t at = pick(snapshot, picker);
        picked[at] = plan[at];
    }
    yurpc_picker_free(picker);
    yr_snapshot_unref(snapshot);
    return picked;
}

static void suspects_come_last_and_the_draining_before_them(void **state)
{
    (void)state;
    assert_string_equal(picked_of("s.d.s"), "-.-.-");
    assert_string_equal(picked_of("sss."), "---.");
    assert_string_equal(picked_of("sdsd"), "-d-d");
    assert_string_equal(picked_of("sss"), "sss");
}

enum { THREADS = 4, PICKS = 30000 };

typedef struct share {
    const yurpc_snapshot *snapshot;
    yurpc_picker *picker;
    size_t counts[8];
} share;

static void *pick_many(void *context)
{
    share *mine = context;
    for (int i = 0; i < PICKS; i++) {
        const yurpc_instance *instance = yurpc_snapshot_pick(mine->snapshot, mine->picker);
        mine->counts[yurpc_instance_port(instance) - PORT_FIRST]++;
    }
    return NULL;
}

static void each_thread_takes_each_in_turn(void **state)
{
    (void)state;
    yurpc_snapshot *eight = snapshot_of("........");
    yurpc_picker *picker = picker_of(YURPC_PICK_ROUND_ROBIN);
    share shares[THREADS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        shares[i] = (share){.snapshot = eight, .picker = picker};
        assert_int_equal(pthread_create(&threads[i], NULL, pick_many, &shares[i]), 0);
    }
    size_t totals[8] = {0};
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (size_t k = 0; k < 8; k++) {
            totals[k] += shares[i].counts[k];
        }
    }
    for (size_t k = 0; k < 8; k++) {
        assert_int_equal(totals[k], THREADS * PICKS / 8);
    }
    yurpc_picker_free(picker);
    yr_snapshot_unref(eight);
}

/* @p count snapshots of different services. */
static void make_services(yurpc_snapshot **services, size_t count, const char *plan)
{
    for (size_t i = 0; i < count; i++) {
        services[i] = snapshot_of(plan);
    }
}

static void free_services(yurpc_snapshot **services, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        yr_snapshot_unref(services[i]);
    }
}

static void a_picker_has_a_turn_in_each_service(void **state)
{
    (void)state;
    enum { SERVICES = 40, ROUNDS = 12 };
    yurpc_snapshot *services[SERVICES];
    size_t counts[SERVICES][4] = {{0}};
    make_services(services, SERVICES, "....");
    yurpc_picker *picker = picker_of(YURPC_PICK_ROUND_ROBIN);
    for (size_t i = 0; i < (size_t)ROUNDS * SERVICES; i++) {
        counts[i % SERVICES][pick(services[i % SERVICES], picker)]++;
    }
    for (size_t i = 0; i < (size_t)4 * SERVICES; i++) {
        assert_int_equal(counts[i / 4][i % 4], ROUNDS / 4);
    }
    yurpc_picker_free(picker);
    free_services(services, SERVICES);
}

static void two_pickers_do_not_take_each_others_turns(void **state)
{
    (void)state;
    yurpc_snapshot *three = snapshot_of("...");
    yurpc_picker *one = picker_of(YURPC_PICK_ROUND_ROBIN);
    yurpc_picker *other = picker_of(YURPC_PICK_ROUND_ROBIN);
    size_t last = pick(three, one);
    for (int i = 0; i < 100; i++) {
        (void)pick(three, other);
        size_t next = pick(three, one);
        assert_int_equal(next, (last + 1) % 3);
        last = next;
    }
    yurpc_picker_free(other);
    yurpc_picker_free(one);
    yr_snapshot_unref(three);
}

static void the_turn_goes_on_when_the_list_changes(void **state)
{
    (void)state;
    yurpc_snapshot *now = snapshot_of("........");
    yurpc_picker *picker = picker_of(YURPC_PICK_ROUND_ROBIN);
    size_t last = pick(now, picker);
    for (int i = 0; i < 100; i++) {
        yurpc_snapshot *next = NULL; /* the same list, published again */
        assert_ok(yr_snapshot_apply(now, NULL, 0, i % 2 == 0, &next));
        yr_snapshot_unref(now);
        now = next;
        size_t picked = pick(now, picker);
        assert_int_equal(picked, (last + 1) % 8);
        last = picked;
    }
    yurpc_picker_free(picker);
    yr_snapshot_unref(now);
}

/* More services than a thread remembers: then no turn is kept, and each instance still has its
 * chance. */
static void among_many_services_shares_are_even_on_average(void **state)
{
    (void)state;
    enum { SERVICES = 1000 };
    static yurpc_snapshot *services[SERVICES];
    size_t counts[4] = {0};
    make_services(services, SERVICES, "....");
    yurpc_picker *picker = picker_of(YURPC_PICK_ROUND_ROBIN);
    for (size_t i = 0; i < (size_t)40 * SERVICES; i++) {
        counts[pick(services[i % SERVICES], picker)]++;
    }
    for (size_t i = 0; i < 4; i++) {
        assert_in_range(counts[i], 10000 - 950, 10000 + 950);
    }
    yurpc_picker_free(picker);
    free_services(services, SERVICES);
}

static void *pick_without_memory(void *context)
{
    share *mine = context;
    yr_mem_fail_after(0);
    (void)pick_many(mine);
    yr_mem_fail_after(-1);
    return NULL;
}

static void a_thread_without_memory_takes_turns_with_others(void **state)
{
    (void)state;
    yurpc_snapshot *eight = snapshot_of("........");
    share mine = {.snapshot = eight, .picker = picker_of(YURPC_PICK_ROUND_ROBIN)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, pick_without_memory, &mine), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (size_t k = 0; k < 8; k++) {
        assert_int_equal(mine.counts[k], PICKS / 8);
    }
    yurpc_picker_free(mine.picker);
    yr_snapshot_unref(eight);
}

static void a_thread_that_ends_leaves_nothing(void **state)
{
    (void)state;
    share mine = {.snapshot = snapshot_of("........"),
                  .picker = picker_of(YURPC_PICK_ROUND_ROBIN)};
    yr_mem_count_blocks();
    long before = yr_mem_blocks();
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, pick_many, &mine), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_int_equal(yr_mem_blocks(), before);
    yurpc_picker_free(mine.picker);
    yr_snapshot_unref(mine.snapshot);
}

static void a_bad_kind_or_no_memory_is_refused(void **state)
{
    (void)state;
    yurpc_picker *picker = NULL;
    assert_int_equal(yurpc_picker_new((yurpc_picker_kind)2, &picker), YURPC_INVALID);
    assert_int_equal(yurpc_picker_new(YURPC_PICK_RANDOM, NULL), YURPC_INVALID);
    yr_mem_fail_after(0);
    assert_int_equal(yurpc_picker_new(YURPC_PICK_RANDOM, &picker), YURPC_NO_MEMORY);
    yr_mem_fail_after(-1);
    assert_null(picker);
    yurpc_picker_free(NULL);
}

static void kinds_of_events_have_names(void **state)
{
    (void)state;
    assert_string_equal(yurpc_event_kind_name(YURPC_EVENT_UP), "up");
    assert_string_equal(yurpc_event_kind_name(YURPC_EVENT_DOWN), "down");
    assert_string_equal(yurpc_event_kind_name(YURPC_EVENT_CHANGED), "changed");
    assert_string_equal(yurpc_event_kind_name(YURPC_EVENT_STALE), "stale");
    assert_string_equal(yurpc_event_kind_name(YURPC_EVENT_FRESH), "fresh");
    assert_string_equal(yurpc_event_kind_name((yurpc_event_kind)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_snapshot_gives_nothing),
        cmocka_unit_test(round_robin_takes_each_in_turn),
        cmocka_unit_test(pickers_do_not_all_begin_with_the_same_instance),
        cmocka_unit_test(random_reaches_all_about_equally),
        cmocka_unit_test(draining_instances_are_passed_over_and_the_rest_share),
        cmocka_unit_test(one_that_stays_is_found_among_many_that_leave),
        cmocka_unit_test(when_all_are_draining_any_will_do),
        cmocka_unit_test(suspects_come_last_and_the_draining_before_them),
        cmocka_unit_test(each_thread_takes_each_in_turn),
        cmocka_unit_test(a_picker_has_a_turn_in_each_service),
        cmocka_unit_test(two_pickers_do_not_take_each_others_turns),
        cmocka_unit_test(the_turn_goes_on_when_the_list_changes),
        cmocka_unit_test(among_many_services_shares_are_even_on_average),
        cmocka_unit_test(a_thread_without_memory_takes_turns_with_others),
        cmocka_unit_test(a_thread_that_ends_leaves_nothing),
        cmocka_unit_test(a_bad_kind_or_no_memory_is_refused),
        cmocka_unit_test(kinds_of_events_have_names),
    };
    return cmocka_run_group_tests_name("picker", tests, NULL, NULL);
}
