/* Links to three members that break again and again, and one that stays broken at the end. */
#include "measure.h"
#include "netns.h"
#include "scene.h"
#include "yr_test.h"

#include <dirent.h>

enum { PROVIDER_ROAD = 1, CONSUMER_ROAD = 2 };

static int count_entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        count++;
    }
    (void)closedir(dir);
    return count;
}

/* What a torture of the link leaves behind must be what was there before. */
typedef struct footprint {
    int threads;
    int descriptors;
} footprint;

static footprint footprint_now(void)
{
    return (footprint){count_entries("/proc/self/task"), count_entries("/proc/self/fd")};
}

static void a_link_that_flaps_costs_no_more_than_it_must(void **state) /* 29 */
{
    fault_scene *scene = *state;
    int flaps = scene->is_long ? 30 : 5;
    actor_provider *provider = scene_provider(scene, PROVIDER_ROAD, 8080, 1, 5);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    footprint before = footprint_now();
    for (int i = 0; i < flaps; i++) {
        yr_net_cut(PROVIDER_ROAD, CONSUMER_ROAD, YR_NET_BOTH);
        measure_pause_ms(2000);
        yr_net_heal();
        measure_pause_ms(2000);
    }
    int64_t begin_ms = measure_now_ms();
    assert_true(await(provider_is_registered, provider, PATIENCE_MS) >= 0);
    assert_true(consumer_await(consumer, 1, PATIENCE_MS) >= 0);
    assert_true(await(consumer_is_fresh, consumer, PATIENCE_MS) >= 0);
    measure_note("promise 1: a flapping link: all is right", measure_now_ms() - begin_ms, X_MS);
    assert_int_equal(operator_count(scene->etcd, scene->service), 1);
    assert_true(await(provider_was_told, provider, PATIENCE_MS) >= 0);
    footprint after = footprint_now();
    assert_true(after.threads <= before.threads + 2); /* a lookup may be under way */
    assert_true(after.descriptors <= before.descriptors + 4);
}

static void connections_that_are_reset_all_the_time_lose_nothing(void **state) /* 27 */
{
    fault_scene *scene = *state;
    int resets = scene->is_long ? 300 : 50;
    int ttl_s = scene->is_long ? 30 : 10; /* longer than the longest pause between attempts */
    actor_provider *provider = scene_provider(scene, PROVIDER_ROAD, 8000, 5, ttl_s);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    int64_t lease = provider_lease(provider);
    consumer_begin(consumer);
    footprint before = footprint_now();
    for (int i = 0; i < resets; i++) {
        yr_net_reset(PROVIDER_ROAD);
        yr_net_reset(CONSUMER_ROAD);
        measure_pause_ms(200);
    }
    measure_note("promise 5: connections reset five times a second: fresh again",
                 await(consumer_is_fresh, consumer, PATIENCE_MS), X_MS);
    measure_pause_ms(6000);
    consumer_told told = consumer_ask(consumer);
    assert_true(told.stales > 1);
    assert_int_equal(told.ups + told.downs, 0);
    assert_int_equal(provider->lost, 0);
    assert_int_equal(provider_lease(provider), lease);
    assert_int_equal(operator_count(scene->etcd, scene->service), 5);
    footprint after = footprint_now();
    assert_true(after.threads <= before.threads + 2);
    assert_true(after.descriptors <= before.descriptors + 4);
}

static void closing_while_cut_off_is_bounded_and_the_lease_does_the_rest(void **state) /* 51 */
{
    fault_scene *scene = *state;
    actor_provider *provider = scene_provider(scene, PROVIDER_ROAD, 8080, 2, 5);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    assert_true(consumer_await(consumer, 2, PATIENCE_MS) >= 0);
    yr_net_cut(PROVIDER_ROAD, PROVIDER_ROAD, YR_NET_BOTH);
    int64_t begin_ms = measure_now_ms();
    provider_close(provider);
    measure_note("promise 4: closing while the registry cannot be reached: returns",
                 measure_now_ms() - begin_ms, 3000);
    assert_true(consumer_await(consumer, 0, PATIENCE_MS) >= 0);
    measure_note("promise 3: closed while cut off: gone", measure_now_ms() - begin_ms, 6000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_link_that_flaps_costs_no_more_than_it_must),
        SCENE_TEST(connections_that_are_reset_all_the_time_lose_nothing),
        SCENE_TEST(closing_while_cut_off_is_bounded_and_the_lease_does_the_rest),
    };
    scene_options options = {.name = "flaps",
                             .members = 3,
                             .is_isolated = true,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
