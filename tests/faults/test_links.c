/* Consumers, and links to three members that break in every way. */
#include "measure.h"
#include "netns.h"
#include "scene.h"
#include "yr_test.h"

enum { PROVIDER_ROAD = 1, CONSUMER_ROAD = 2, P_MS = 8000, IDLE_MS = 3000 };

static void count_service(void *context, const char *service, uint64_t count)
{
    (void)service;
    *(uint64_t *)context += count;
}

/* Frozen for its clients, so to speak: they have connections, and hear nothing on them. */
static void a_dead_connection_is_noticed_and_what_was_missed_is_told(fault_scene *scene,
                                                                     yr_net_loss loss)
{
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    measure_pause_ms(IDLE_MS);
    yr_net_cut(CONSUMER_ROAD, CONSUMER_ROAD, loss);
    scene_provider(scene, PROVIDER_ROAD, 8080, 1, 30);
    measure_note("promise 8: a connection whose peer vanished: noticed",
                 await(consumer_is_stale, consumer, PATIENCE_MS), P_MS);
    measure_pause_ms(2000);
    yr_net_heal();
    measure_note("promise 5: after a cut connection: the list is right",
                 consumer_await(consumer, 1, PATIENCE_MS), X_MS);
    measure_note("promise 5: after a cut connection: the list is called fresh",
                 await(consumer_is_fresh, consumer, PATIENCE_MS), X_MS);
    assert_int_equal(consumer_ask(consumer).stales, 1);
}

static void an_idle_watch_on_a_black_holed_connection_is_noticed(void **state) /* 17 */
{
    a_dead_connection_is_noticed_and_what_was_missed_is_told(*state, YR_NET_BOTH);
}

static void an_idle_watch_that_hears_nothing_is_noticed(void **state) /* 18 */
{
    a_dead_connection_is_noticed_and_what_was_missed_is_told(*state, YR_NET_FROM_SERVER);
}

/* As a load balancer does that forgets an idle flow: new connections are welcome. */
static void a_forgotten_connection_is_replaced(void **state) /* 28 */
{
    fault_scene *scene = *state;
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    yr_net_forget(CONSUMER_ROAD);
    scene_provider(scene, PROVIDER_ROAD, 8080, 1, 30);
    measure_note("promise 5: a forgotten connection: the missed change is told",
                 consumer_await(consumer, 1, PATIENCE_MS), P_MS + X_MS);
    assert_true(await(consumer_is_fresh, consumer, PATIENCE_MS) >= 0);
}

static void an_endpoint_that_swallows_connections_costs_little(void **state) /* 2 */
{
    enum { HANDLES = 9, CALLS = 30 };
    fault_scene *scene = *state;
    yr_net_cut_endpoint(2, YR_NET_NEW);
    for (int i = 0; i < HANDLES; i++) { /* the order of endpoints begins at random */
        int64_t begin_ms = measure_now_ms();
        actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
        measure_note("promise 8: one endpoint black-holed: the first list",
                     measure_now_ms() - begin_ms, 2500);
        for (int call = 0; call < CALLS; call++) {
            begin_ms = measure_now_ms();
            uint64_t count = 0;
            assert_ok(
                yurpc_registry_list_services(consumer->registry, count_service, &count, NULL));
            measure_note("promise 8: one endpoint black-holed: a call",
                         measure_now_ms() - begin_ms, 1000);
        }
    }
}

static void a_member_without_quorum_is_left_for_another(void **state) /* 23 */
{
    fault_scene *scene = *state;
    actor_provider *provider = scene_provider(scene, PROVIDER_ROAD, 8080, 1, 10);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    int64_t lease = provider_lease(provider);
    int member = scene_member_of(scene, &consumer->where);
    assert_int_not_equal(member, 0);
    consumer_begin(consumer);
    int64_t begin_ms = measure_now_ms();
    yr_net_cut_member(member);
    assert_true(whereabouts_await_loss(&consumer->where, begin_ms, PATIENCE_MS) >= 0);
    assert_true(await(consumer_is_fresh, consumer, PATIENCE_MS) >= 0);
    measure_note("promise 8: a member without quorum: left, and served by another",
                 measure_now_ms() - begin_ms, 3700 + X_MS);
    assert_int_not_equal(scene_member_of(scene, &consumer->where), member);
    measure_pause_ms(10000);
    assert_int_equal(consumer_ask(consumer).downs + consumer_ask(consumer).ups, 0);
    assert_int_equal(provider->lost, 0);
    assert_int_equal(provider_lease(provider), lease);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_idle_watch_on_a_black_holed_connection_is_noticed),
        SCENE_TEST(an_idle_watch_that_hears_nothing_is_noticed),
        SCENE_TEST(a_forgotten_connection_is_replaced),
        SCENE_TEST(an_endpoint_that_swallows_connections_costs_little),
        SCENE_TEST(a_member_without_quorum_is_left_for_another),
    };
    scene_options options = {.name = "links",
                             .members = 3,
                             .is_isolated = true,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
