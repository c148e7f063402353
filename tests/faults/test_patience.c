/* Links on which nothing happens for long, and links that take long for everything. */
#include "measure.h"
#include "netns.h"
#include "scene.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { PROVIDER_ROAD = 1, CONSUMER_ROAD = 2, TTL_S = 10 };

static uint64_t connections_of(const actor_consumer *consumer)
{
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(consumer->registry, &stats));
    return stats.connections;
}

/* etcd sends those away who ask four times in less than 5 s each whether it is alive. */
static void a_quiet_consumer_is_never_sent_away(void **state) /* 19 */
{
    fault_scene *scene = *state;
    scene_provider(scene, PROVIDER_ROAD, 8080, 1, 60);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    consumer_begin(consumer);
    int64_t quiet_ms = scene->is_long ? 150000 : 30000;
    measure_pause_ms(quiet_ms);
    assert_int_equal(connections_of(consumer), 1);
    assert_int_equal(consumer_ask(consumer).events, 0);
    print_message("MEASURED promise 8: a consumer idle for %d s: sent away 0 times\n",
                  (int)(quiet_ms / 1000));
}

static void fill(fault_scene *scene, int others)
{
    for (int i = 0; i < others; i++) {
        char key[96];
        char value[512];
        (void)snprintf(key, sizeof key, "/rpc/%s/%s:%d", scene->service, ACTORS_HOST,
                       20000 + i);
        (void)snprintf(
            value, sizeof value,
            "{\"serviceName\":\"%.*s\",\"serviceVersion\":\"1.0\",\"serviceHost\":\"%s\","
            "\"servicePort\":%d,\"metadata\":{\"pad\":\"%0200d\"}}",
            (int)strcspn(scene->service, ":"), scene->service, ACTORS_HOST, 20000 + i, i);
        operator_put(scene->etcd, key, value);
    }
}

static const char *const wide[] = {"tc", "qdisc", "del", "dev", "lo", "root", NULL};

/* Whether this kernel can make the link narrow: 64 kbit/s, and a queue of 0.4 s. */
static bool make_narrow(void)
{
    static const char *const mtu[] = {"ip", "link", "set", "lo", "mtu", "1500", NULL};
    static const char *const narrow[] = {"tc",   "qdisc",   "add",   "dev",    "lo",
                                         "root", "tbf",     "rate",  "64kbit", "burst",
                                         "4kb",  "latency", "400ms", NULL};
    return yr_net_run(mtu) && yr_net_run(narrow);
}

/* Wait until a list is whole; how many there are in the end. */
static size_t await_list(const yurpc_service *service, size_t wanted, int64_t limit_ms)
{
    size_t count = 0;
    for (int64_t end_ms = measure_now_ms() + limit_ms;
         count < wanted && measure_now_ms() < end_ms;) {
        measure_pause_ms(100);
        const yurpc_snapshot *now = yurpc_service_acquire(service);
        count = yurpc_snapshot_count(now);
        yurpc_service_release(service, now);
    }
    return count;
}

static void a_narrow_link_costs_no_lease(void **state) /* 25 */
{
    fault_scene *scene = *state;
    int others = scene->is_long ? 2000 : 150;
    int64_t limit_ms = scene->is_long ? 600000 : 60000;
    fill(scene, others);
    actor_provider *provider = scene_provider(scene, PROVIDER_ROAD, 8080, 1, TTL_S);
    int64_t lease = provider_lease(provider);
    if (!make_narrow()) {
        yr_skip("this kernel has no narrow links (tc qdisc tbf)");
    }
    int64_t begin_ms = measure_now_ms();
    yurpc_registry *registry =
        provider->registry; /* the list and the beat share a connection */
    yurpc_service *service = NULL;
    yurpc_discover_options options = YURPC_DISCOVER_OPTIONS_INIT;
    options.is_background = true;
    assert_ok(yurpc_registry_discover(registry, scene->service, &options, &service, NULL));
    size_t count = await_list(service, (size_t)others + 1, limit_ms);
    print_message("MEASURED a list of %d instances over 64 kbit/s: %.1f s\n", others,
                  (double)(measure_now_ms() - begin_ms) / 1000);
    measure_pause_ms(TTL_S * 1000);
    bool is_wide = yr_net_run(wide);
    yurpc_service_close(service);
    assert_true(is_wide);
    assert_int_equal(count, others + 1);
    assert_int_equal(provider->lost, 0);
    assert_int_equal(provider_lease(provider), lease);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_quiet_consumer_is_never_sent_away),
        SCENE_TEST(a_narrow_link_costs_no_lease),
    };
    scene_options options = {.name = "patience",
                             .members = 1,
                             .is_isolated = true,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
