/* Three members, of which one freezes, one dies, or two do. */
#include "measure.h"
#include "scene.h"
#include "yr_test.h"

#include <signal.h>

enum { ROAD = 1, P_MS = 8000 };

static yr_engine *member_of(fault_scene *scene, int member)
{
    return yr_cluster_member(scene->cluster, member);
}

static void a_frozen_member_is_noticed_and_left(void **state) /* 3 */
{
    fault_scene *scene = *state;
    scene_provider(scene, ROAD, 8080, 1, 30);
    actor_consumer *consumer = scene_consumer(scene, ROAD);
    consumer_begin(consumer);
    int leader = yr_cluster_leader(scene->cluster, 0);
    for (int i = 0; i < 10 && scene_member_of(scene, &consumer->where) == leader; i++) {
        consumer = scene_consumer(scene, ROAD); /* begins with an endpoint at random */
        consumer_begin(consumer);
    }
    int member = scene_member_of(scene, &consumer->where);
    assert_int_not_equal(member, leader);
    int64_t frozen_ms = measure_now_ms();
    scene_freeze(scene, member);
    measure_note("promise 8: a frozen member: noticed",
                 whereabouts_await_loss(&consumer->where, frozen_ms, PATIENCE_MS), P_MS);
    measure_note("promise 8: a frozen member: served by another",
                 await(consumer_is_fresh, consumer, PATIENCE_MS), X_MS);
    scene_provider(scene, ROAD, 9090, 1, 30); /* it may meet the frozen one first */
    measure_note("promise 5: a frozen member: a change is told",
                 consumer_await(consumer, 2, PATIENCE_MS), 1000);
}

static void a_call_to_a_frozen_member_ends_at_its_deadline(void **state) /* 3, promise 8 */
{
    enum { CALL_MS = 3000 };
    fault_scene *scene = *state;
    char endpoint[YR_CLUSTER_TEXT_MAX];
    int leader = yr_cluster_leader(scene->cluster, 0);
    int member = leader == 1 ? 2 : 1;
    yurpc_etcd *client = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    yr_cluster_endpoint(scene->cluster, ROAD, member, endpoint);
    config.endpoints = endpoint;
    assert_ok(yurpc_etcd_open(&config, &client, NULL));
    assert_ok(yurpc_etcd_status(client, NULL, NULL));
    scene_freeze(scene, member);
    for (int i = 0; i < 3; i++) { /* on the dead connection, then while connecting */
        int64_t begin_ms = measure_now_ms();
        assert_int_equal(yurpc_etcd_put(client, (yurpc_bytes){"/tests/a", 8},
                                        (yurpc_bytes){"1", 1}, NULL, NULL, NULL),
                         i == 0 ? YURPC_TIMEOUT : YURPC_UNAVAILABLE);
        measure_note("promise 8: a call to a frozen member: ends", measure_now_ms() - begin_ms,
                     CALL_MS + 200);
    }
    yurpc_etcd_close(client);
}

/* Kill all members but one, or start them again. */
static void take_quorum(fault_scene *scene, int survivor, bool is_taken)
{
    for (int member = 1; member <= YR_CLUSTER_MEMBERS; member++) {
        if (member != survivor && is_taken) {
            yr_engine_stop(member_of(scene, member), SIGKILL);
        } else if (member != survivor) {
            assert_ok(yr_engine_spawn(member_of(scene, member)));
        }
    }
}

/* What clients ask a member for, a second. */
static double request_rate(fault_scene *scene, int member, int64_t ms)
{
    static const char requests[] = "grpc_server_started_total{";
    double before = yr_engine_metric(member_of(scene, member), requests);
    measure_pause_ms(ms);
    double after = yr_engine_metric(member_of(scene, member), requests);
    assert_true(before >= 0 && after >= before);
    return (after - before) * 1000 / (double)ms;
}

static void a_lost_quorum_is_waited_out(void **state) /* 24 */
{
    enum { CLIENTS = 4 };
    fault_scene *scene = *state;
    int64_t away_ms = scene->is_long ? 40000 : 12000;
    for (int i = 0; i < CLIENTS; i++) {
        scene_provider(scene, ROAD, (uint16_t)(8000 + i), 1, 10);
    }
    actor_consumer *consumer = scene_consumer(scene, ROAD);
    int survivor = yr_cluster_leader(scene->cluster, 0);
    take_quorum(scene, survivor, true);
    double rate = request_rate(scene, survivor, away_ms) / (CLIENTS + 2);
    print_message("MEASURED requests while the quorum is lost: %.2f a second and client "
                  "(bound 2)\n",
                  rate);
    assert_true(rate <= 2);
    assert_int_equal(consumer_count(consumer), CLIENTS);
    take_quorum(scene, survivor, false);
    assert_ok(yr_cluster_wait_ready(scene->cluster));
    int64_t begin_ms = measure_now_ms();
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(await(provider_is_registered, &scene->providers[i], PATIENCE_MS) >= 0);
    }
    assert_true(operator_await(scene->etcd, scene->service, CLIENTS, PATIENCE_MS) >= 0);
    assert_true(consumer_await(consumer, CLIENTS, PATIENCE_MS) >= 0);
    assert_true(await(consumer_is_fresh, consumer, PATIENCE_MS) >= 0);
    measure_note("promise 1: a quorum lost and found: all is right",
                 measure_now_ms() - begin_ms, X_MS);
    assert_int_equal(consumer_ask(consumer).backward, 0);
}

static void a_leader_killed_while_registering_leaves_one_key(void **state) /* 35 */
{
    fault_scene *scene = *state;
    int leader = yr_cluster_leader(scene->cluster, 0);
    char endpoints[YR_CLUSTER_TEXT_MAX];
    yr_cluster_endpoints(scene->cluster, ROAD, endpoints);
    provider_options options = {.endpoints = endpoints,
                                .service = scene->service,
                                .port = 8000,
                                .count = PROVIDER_MAX,
                                .ttl_s = 10,
                                .is_background = true};
    actor_provider *provider = &scene->providers[scene->provider_count++];
    provider_start(provider, &options);
    yr_engine_stop(member_of(scene, leader), SIGKILL);
    measure_note("promise 1: a leader killed while registering: registered",
                 await(provider_is_registered, provider, PATIENCE_MS), X_MS);
    assert_int_equal(operator_count(scene->etcd, scene->service), PROVIDER_MAX);
    for (int i = 0; i < PROVIDER_MAX; i++) {
        operator_key key = operator_look(scene->etcd, scene->service, (uint16_t)(8000 + i));
        assert_int_equal(key.lease, provider_lease(provider));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_frozen_member_is_noticed_and_left),
        SCENE_TEST(a_call_to_a_frozen_member_ends_at_its_deadline),
        SCENE_TEST(a_lost_quorum_is_waited_out),
        SCENE_TEST(a_leader_killed_while_registering_leaves_one_key),
    };
    scene_options options = {.name = "quorum",
                             .members = 3,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
