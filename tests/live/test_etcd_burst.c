/*
 * A burst of changes on a real etcd, and a consumer that could not keep up: it lists again.
 *
 *   test_live_etcd_burst VERSION
 */
#include "base/bytes.h"
#include "clock.h"
#include "engine.h"
#include "yr_test.h"

#include <yurpc/etcd.h>
#include <yurpc/yurpc.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME    "com.acme.UserService"
#define SERVICE NAME ":1.0"

enum {
    PORTS = 500,
    BURST = 12000,    /* revisions */
    PADDING = 6000,   /* bytes of a value: more than what etcd may send unasked for */
    WRITES_MAX = 200, /* under way: of no port twice, for they may overtake each other */
    PATIENCE_MS = 30000,
};

static yr_engine *engine;

/* ---- Who writes ---- */

typedef struct writer {
    yurpc_etcd *client;
    atomic_int answers;
    atomic_int failures;
} writer;

static void on_put(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    writer *self = context;
    (void)reply;
    atomic_fetch_add(&self->failures, error != NULL);
    atomic_fetch_add(&self->answers, 1);
}

static void await_answers(writer *self, int count)
{
    int64_t end = yr_test_now_ms() + PATIENCE_MS;
    while (atomic_load(&self->answers) < count && yr_test_now_ms() < end) {
        (void)poll(NULL, 0, 1);
    }
    assert_true(atomic_load(&self->answers) >= count);
}

/* One instance after the other, round and round; the weight says which write it was. */
static void put_nth(writer *self, int number)
{
    static char padding[PADDING + 1];
    char key[96];
    char value[PADDING + 256];
    int port = 1 + number % PORTS;
    memset(padding, 'x', PADDING);
    (void)snprintf(key, sizeof key, "/rpc/" SERVICE "/10.0.0.9:%d", port);
    (void)snprintf(value, sizeof value,
                   "{\"serviceName\":\"" NAME "\",\"serviceVersion\":\"1.0\","
                   "\"serviceHost\":\"10.0.0.9\",\"servicePort\":%d,\"serviceGroup\":"
                   "\"default\",\"weight\":%d,\"metadata\":{\"padding\":\"%s\"}}",
                   port, 1 + number / PORTS % 1000, padding);
    assert_ok(yurpc_etcd_put_async(self->client, yr_bytes_of_text(key), yr_bytes_of_text(value),
                                   NULL, on_put, self));
}

static void write_burst(writer *self, int count)
{
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    memset(self, 0, sizeof *self);
    config.endpoints = yr_engine_address(engine);
    assert_ok(yurpc_etcd_open(&config, &self->client, NULL));
    for (int i = 0; i < count; i++) {
        await_answers(self, i - WRITES_MAX);
        put_nth(self, i);
    }
    await_answers(self, count);
    assert_int_equal(atomic_load(&self->failures), 0);
    yurpc_etcd_close(self->client);
}

/* ---- Who watches ---- */

static size_t count_newest(const yurpc_service *service)
{
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    size_t newest = 0;
    for (size_t i = 0; i < yurpc_snapshot_count(now); i++) {
        newest +=
            yurpc_instance_weight(yurpc_snapshot_at(now, i)) == 1 + (BURST / PORTS - 1) % 1000;
    }
    yurpc_service_release(service, now);
    return newest;
}

static yurpc_registry_stats stats_of(const yurpc_registry *registry)
{
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    return stats;
}

static void step(yurpc_registry *registry)
{
    struct pollfd ready = {.fd = yurpc_registry_fd(registry), .events = POLLIN};
    int timeout_ms = yurpc_registry_timeout_ms(registry);
    (void)poll(&ready, 1, timeout_ms < 0 || timeout_ms > 10 ? 10 : timeout_ms);
    assert_ok(yurpc_registry_step(registry));
}

/* It is not stepped while the burst lasts, so etcd has to let it fall behind. */
static void a_consumer_that_fell_behind_lists_again(void **state)
{
    (void)state;
    static writer other;
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    yurpc_discover_options options = YURPC_DISCOVER_OPTIONS_INIT;
    yurpc_registry *registry = NULL;
    yurpc_service *service = NULL;
    config.registry = "etcd";
    config.address = yr_engine_address(engine);
    config.cache_dir = "none";
    config.is_host_driven = true;
    options.is_background = true;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    assert_ok(yurpc_registry_discover(registry, SERVICE, &options, &service, NULL));
    int64_t end = yr_test_now_ms() + PATIENCE_MS;
    while (stats_of(registry).lists == 0 && yr_test_now_ms() < end) {
        step(registry);
    }
    write_burst(&other, 1);
    while (stats_of(registry).changes == 0 && yr_test_now_ms() < end) {
        step(registry); /* until the watch has been taken up */
    }
    assert_int_equal(stats_of(registry).lists, 1);
    write_burst(&other, BURST);
    int64_t began = yr_test_now_ms();
    while (count_newest(service) < PORTS && yr_test_now_ms() < began + PATIENCE_MS) {
        step(registry);
    }
    yurpc_registry_stats stats = stats_of(registry);
    printf("%d revisions: true %d ms later, by %d changes and %d lists\n", BURST,
           (int)(yr_test_now_ms() - began), (int)stats.changes, (int)stats.lists);
    assert_int_equal(count_newest(service), PORTS);
    assert_int_equal(stats.lists, 2);
    assert_true(stats.changes < BURST / 2);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_consumer_that_fell_behind_lists_again),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s VERSION\n", argv[0]);
        return EXIT_FAILURE;
    }
    yurpc_status status = yr_engine_start_etcd(argv[1], NULL, &engine);
    if (status == YURPC_NOT_FOUND) {
        return yr_engine_skip(argv[1]);
    }
    if (status != YURPC_OK) {
        return EXIT_FAILURE;
    }
    int failed = cmocka_run_group_tests_name("burst", tests, NULL, NULL);
    yr_engine_free(engine);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
