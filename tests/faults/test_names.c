/* Names of endpoints: that move, that have an address nobody listens on, that nobody resolves.
 */
#include "measure.h"
#include "netns.h"
#include "scene.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLD_ROAD = 5, NEW_ROAD = 6, ROAD = 7 };

static unsigned port_of(const fault_scene *scene)
{
    char endpoint[YR_CLUSTER_TEXT_MAX];
    yr_cluster_endpoint(scene->cluster, ROAD, 1, endpoint);
    return (unsigned)strtoul(strrchr(endpoint, ':') + 1, NULL, 10);
}

static actor_consumer *consumer_at(fault_scene *scene, const char *endpoints)
{
    actor_consumer *consumer = &scene->consumers[scene->consumer_count];
    consumer_start(consumer, endpoints, scene->service);
    scene->consumer_count++;
    return consumer;
}

static void a_name_that_moves_is_resolved_anew(void **state) /* 13 */
{
    fault_scene *scene = *state;
    char endpoints[64];
    (void)snprintf(endpoints, sizeof endpoints, "http://etcd.test:%u", port_of(scene));
    yr_net_pretend("/etc/hosts", "127.0.0.1 localhost\n127.0.5.1 etcd.test\n");
    actor_consumer *consumer = consumer_at(scene, endpoints);
    yr_net_pretend("/etc/hosts", "127.0.0.1 localhost\n127.0.6.1 etcd.test\n");
    int64_t begin_ms = measure_now_ms();
    yr_net_cut(OLD_ROAD, OLD_ROAD, YR_NET_BOTH);
    assert_true(whereabouts_await_loss(&consumer->where, begin_ms, PATIENCE_MS) >= 0);
    measure_note("promise 8: a name that moved: connected to the new address",
                 await(consumer_is_fresh, consumer, PATIENCE_MS), X_MS);
}

static void a_name_with_a_refusing_address_connects_to_the_other(void **state) /* 14 */
{
    fault_scene *scene = *state;
    char endpoints[64];
    (void)snprintf(endpoints, sizeof endpoints, "http://both.test:%u", port_of(scene));
    yr_net_pretend("/etc/hosts", "::1 both.test\n127.0.7.1 both.test\n");
    for (int i = 0; i < 5; i++) {
        int64_t begin_ms = measure_now_ms();
        consumer_at(scene, endpoints);
        measure_note("promise 8: ::1 refuses, 127.0.0.1 does not: the first list",
                     measure_now_ms() - begin_ms, 300);
    }
}

/* The lookup hangs; the connection there is must not care. */
static void a_name_server_that_is_silent_costs_no_lease(void **state) /* 15 */
{
    fault_scene *scene = *state;
    char endpoints[96];
    (void)snprintf(endpoints, sizeof endpoints, "http://nowhere.test:%u,http://127.0.%d.1:%u",
                   port_of(scene), ROAD, port_of(scene));
    yr_net_pretend("/etc/hosts", "127.0.0.1 localhost\n");
    yr_net_pretend("/etc/resolv.conf", "nameserver 127.0.0.53\n");
    yr_net_drop("udp dport 53");
    yr_net_drop("tcp dport 53");
    provider_options options = {.endpoints = endpoints,
                                .service = scene->service,
                                .port = 8080,
                                .count = 1,
                                .ttl_s = scene->is_long ? 30 : 10};
    actor_provider *provider = &scene->providers[scene->provider_count++];
    int64_t begin_ms = measure_now_ms();
    provider_start(provider, &options);
    measure_note("promise 8: one endpoint's name server is silent: registered",
                 measure_now_ms() - begin_ms, 3000);
    int64_t lease = provider_lease(provider);
    for (int i = 0; i < (scene->is_long ? 12 : 3); i++) {
        yr_net_reset(ROAD); /* so that the name is asked for again */
        measure_pause_ms(5000);
        assert_int_equal(provider->lost, 0);
        assert_int_equal(provider_lease(provider), lease);
    }
    begin_ms = measure_now_ms();
    provider_close(provider);
    measure_note("promise 4: closing: returns", measure_now_ms() - begin_ms, 3000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_name_that_moves_is_resolved_anew),
        SCENE_TEST(a_name_with_a_refusing_address_connects_to_the_other),
        SCENE_TEST(a_name_server_that_is_silent_costs_no_lease),
    };
    scene_options options = {.name = "names",
                             .members = 1,
                             .is_isolated = true,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
