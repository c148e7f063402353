/* Three members that stop one after the other, or freeze while they lead. */
#include "measure.h"
#include "scene.h"
#include "yr_test.h"

#include <signal.h>

enum { ROAD = 1, PROVIDERS = 4, INSTANCES = 5, FROZEN_MS = 8000 };

static yr_engine *member_of(fault_scene *scene, int member)
{
    return yr_cluster_member(scene->cluster, member);
}

static void restart_each(fault_scene *scene)
{
    for (int member = 1; member <= YR_CLUSTER_MEMBERS; member++) {
        yr_engine_stop(member_of(scene, member), SIGTERM);
        assert_ok(yr_engine_restart(member_of(scene, member), false));
        measure_pause_ms(5000);
    }
}

static void expect_a_whole_list(actor_consumer *consumer)
{
    consumer_told told = consumer_ask(consumer);
    assert_int_equal(told.downs + told.ups, 0);
    assert_int_equal(told.least, PROVIDERS * INSTANCES);
    assert_true(consumer_is_fresh(consumer));
    if (told.stales > 0) {
        measure_note("promise 8: a member that stops: served by another", told.stale_longest_ms,
                     2000);
    }
}

static void a_rolling_restart_takes_no_instance_off_any_list(void **state) /* 8, 9 */
{
    fault_scene *scene = *state;
    operator_key before[PROVIDERS * INSTANCES];
    int64_t leases[PROVIDERS];
    int ttl_s = scene->is_long ? 30 : 10;
    for (int i = 0; i < PROVIDERS; i++) {
        uint16_t port = (uint16_t)(8000 + i * INSTANCES);
        leases[i] = provider_lease(scene_provider(scene, ROAD, port, INSTANCES, ttl_s));
    }
    for (int i = 0; i < PROVIDERS * INSTANCES; i++) {
        before[i] = operator_look(scene->etcd, scene->service, (uint16_t)(8000 + i));
    }
    for (int i = 0; i < 3; i++) {
        consumer_begin(scene_consumer(scene, ROAD));
    }
    restart_each(scene);
    for (int i = 0; i < scene->consumer_count; i++) {
        expect_a_whole_list(&scene->consumers[i]);
    }
    for (int i = 0; i < PROVIDERS; i++) {
        assert_int_equal(provider_lease(&scene->providers[i]), leases[i]);
        assert_int_equal(scene->providers[i].lost, 0);
    }
    for (int i = 0; i < PROVIDERS * INSTANCES; i++) {
        operator_key after = operator_look(scene->etcd, scene->service, (uint16_t)(8000 + i));
        assert_int_equal(after.create_revision, before[i].create_revision);
        assert_int_equal(after.mod_revision, before[i].mod_revision);
    }
}

/*
 * A keepalive through a follower waits for the leader, for as long as 7 s. The TTL is such that
 * no lease is older than its time for the leader that thaws: some etcds (3.5.16 is one) then
 * revoke what the new leader has renewed.
 */
static void a_frozen_leader_costs_no_lease(void **state) /* 38 */
{
    fault_scene *scene = *state;
    int64_t leases[PROVIDERS];
    for (int i = 0; i < PROVIDERS; i++) { /* some on the leader, some not */
        leases[i] = provider_lease(scene_provider(scene, ROAD, (uint16_t)(8000 + i), 1, 15));
    }
    actor_consumer *consumer = scene_consumer(scene, ROAD);
    consumer_begin(consumer);
    for (int failover = 0; failover < 3; failover++) {
        int leader = yr_cluster_leader(scene->cluster, 0);
        assert_int_not_equal(leader, 0);
        scene_freeze(scene, leader);
        measure_pause_ms(FROZEN_MS);
        scene_thaw(scene, leader);
        measure_pause_ms(1500);
    }
    assert_true(await(consumer_is_fresh, consumer, PATIENCE_MS) >= 0);
    measure_pause_ms(3000);
    consumer_told told = consumer_ask(consumer);
    assert_int_equal(told.downs + told.ups, 0);
    for (int i = 0; i < PROVIDERS; i++) {
        operator_key key = operator_look(scene->etcd, scene->service, (uint16_t)(8000 + i));
        assert_int_equal(scene->providers[i].lost, 0);
        assert_int_equal(provider_lease(&scene->providers[i]), leases[i]);
        assert_int_equal(key.lease, leases[i]);
        assert_int_equal(key.version, 1);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_rolling_restart_takes_no_instance_off_any_list),
        SCENE_TEST(a_frozen_leader_costs_no_lease),
    };
    scene_options options = {.name = "cluster",
                             .members = 3,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
