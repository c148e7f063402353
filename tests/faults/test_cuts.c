/* Providers and consumers that are cut off from three members, for long or for a moment. */
#include "measure.h"
#include "netns.h"
#include "scene.h"
#include "yr_test.h"

#include <stdio.h>

enum { PROVIDER_ROAD = 1, CONSUMER_ROAD = 2, CROWD_ROAD = 10, CROWD = 20 };

static int ttl_of(const fault_scene *scene, int usual)
{
    return scene->is_long ? 30 : usual;
}

static void a_provider_cut_off_for_longer_than_its_ttl_is_back_by_itself(void **state)
{
    fault_scene *scene = *state;
    int ttl_s = ttl_of(scene, 5);
    actor_provider *provider = scene_provider(scene, PROVIDER_ROAD, 8080, 1, ttl_s);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    int64_t lease = provider_lease(provider);

    yr_net_cut(PROVIDER_ROAD, PROVIDER_ROAD, YR_NET_BOTH);
    int64_t gone_ms = consumer_await(consumer, 0, PATIENCE_MS + ttl_s * 2000);
    measure_note("promise 3: a provider that fell silent: gone", gone_ms, ttl_s * 1000 + 1000);
    measure_pause_ms(ttl_s * 500);
    assert_int_equal(provider->lost, 1);

    yr_net_heal();
    measure_note("promise 1: a provider cut off longer than its TTL: back",
                 consumer_await(consumer, 1, PATIENCE_MS), X_MS);
    assert_true(await(provider_is_registered, provider, PATIENCE_MS) >= 0);
    operator_key key = operator_look(scene->etcd, scene->service, 8080);
    assert_int_equal(operator_count(scene->etcd, scene->service), 1);
    assert_int_not_equal(key.lease, lease);
    assert_int_equal(key.lease, provider_lease(provider));
    assert_int_equal(key.version, 1);
    provider_expect_losses(provider, 1);
}

/* A crowd, so that one cut meets every phase of the beat. */
static void a_cut_of_a_third_of_the_ttl_is_seen_by_nobody(void **state)
{
    fault_scene *scene = *state;
    int ttl_s = ttl_of(scene, 6);
    int cuts = scene->is_long ? 10 : 3;
    int64_t leases[CROWD];
    for (int i = 0; i < CROWD; i++) {
        actor_provider *one =
            scene_provider(scene, CROWD_ROAD + i, (uint16_t)(8000 + i), 1, ttl_s);
        leases[i] = provider_lease(one);
        measure_pause_ms(ttl_s * 1000 / 3 / CROWD);
    }
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    consumer_begin(consumer);
    for (int cut = 0; cut < cuts; cut++) {
        yr_net_cut(CROWD_ROAD, CROWD_ROAD + CROWD - 1, YR_NET_BOTH);
        measure_pause_ms(ttl_s * 1000 / 3);
        yr_net_heal();
        measure_pause_ms(ttl_s * 1000 * 2 / 3 + 1000 * cut / cuts);
    }
    measure_pause_ms(ttl_s * 1000);
    assert_int_equal(consumer_ask(consumer).events, 0);
    for (int i = 0; i < CROWD; i++) {
        actor_provider *one = &scene->providers[i];
        assert_int_equal(one->lost, 0);
        assert_int_equal(provider_lease(one), leases[i]);
        assert_int_equal(
            operator_look(scene->etcd, scene->service, (uint16_t)(8000 + i)).version, 1);
    }
    (void)printf(
        "MEASURED promise 2: %d cuts of a third of the TTL (%d s) at different phases of "
        "the beat: 0 events\n",
        cuts * CROWD, ttl_s);
}

enum { STAYING = 4, LEAVING = 5 };

/* A consumer that is cut off, and then some of those that it sees leave. */
static actor_consumer *miss_departures(fault_scene *scene)
{
    scene_provider(scene, PROVIDER_ROAD, 7000, STAYING, 30);
    actor_provider *leaving = scene_provider(scene, PROVIDER_ROAD, 8000, LEAVING, 30);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    assert_true(consumer_await(consumer, STAYING + LEAVING, PATIENCE_MS) >= 0);
    consumer_begin(consumer);
    yr_net_cut(CONSUMER_ROAD, CONSUMER_ROAD, YR_NET_BOTH);
    provider_close(leaving);
    return consumer;
}

static void a_consumer_that_was_cut_off_learns_what_changed(void **state) /* 22 */
{
    enum { JOINING = 3 };
    fault_scene *scene = *state;
    int64_t away_ms = scene->is_long ? 60000 : 15000;
    actor_consumer *consumer = miss_departures(scene);
    scene_provider(scene, PROVIDER_ROAD, 9000, JOINING, 30);
    measure_pause_ms(away_ms);
    assert_true(consumer_is_stale(consumer));
    assert_int_equal(consumer_count(consumer), STAYING + LEAVING);
    assert_int_equal(consumer_ask(consumer).downs + consumer_ask(consumer).ups, 0);
    yr_net_heal();
    measure_note("promise 5: a consumer cut off while instances came and went: right",
                 consumer_await(consumer, STAYING + JOINING, PATIENCE_MS), X_MS);
    consumer_told told = consumer_ask(consumer);
    assert_int_equal(told.downs, LEAVING);
    assert_int_equal(told.ups, JOINING);
    assert_true(told.least >= STAYING);
    assert_int_equal(told.backward, 0);
}

static void changes_during_a_cut_and_a_compaction_are_all_told(void **state) /* 56 */
{
    fault_scene *scene = *state;
    actor_consumer *consumer = miss_departures(scene);
    for (int i = 0; i < 20; i++) {
        operator_put(scene->etcd, "/tests/noise", "x");
    }
    operator_compact(scene->etcd);
    assert_true(await(consumer_is_stale, consumer, PATIENCE_MS) >= 0);
    yr_net_heal();
    measure_note("promise 5: cut off, and history compacted: right",
                 consumer_await(consumer, STAYING, PATIENCE_MS), X_MS);
    assert_int_equal(consumer_ask(consumer).downs, LEAVING);
    assert_int_equal(consumer_ask(consumer).ups, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_provider_cut_off_for_longer_than_its_ttl_is_back_by_itself),
        SCENE_TEST(a_cut_of_a_third_of_the_ttl_is_seen_by_nobody),
        SCENE_TEST(a_consumer_that_was_cut_off_learns_what_changed),
        SCENE_TEST(changes_during_a_cut_and_a_compaction_are_all_told),
    };
    scene_options options = {.name = "cuts",
                             .members = 3,
                             .is_isolated = true,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
