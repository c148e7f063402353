/* A thousand instances of one process, ten thousand of a service, and five thousand that go at
 * once. */
#include "measure.h"
#include "scene.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROAD = 1, TTL_S = 6, BATCH = 100 };

static yr_engine *etcd_of(const fault_scene *scene)
{
    return yr_cluster_member(scene->cluster, 1);
}

static int64_t resident_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    int got = fscanf(file, "%*s %ld", &pages); /* NOLINT(cert-err34-c): the kernel wrote it */
    (void)fclose(file);
    assert_int_equal(got, 1);
    return (int64_t)pages * 4;
}

static yurpc_registry *open_registry(const fault_scene *scene)
{
    char endpoints[YR_CLUSTER_TEXT_MAX];
    yurpc_registry *registry = NULL;
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    yr_cluster_endpoints(scene->cluster, ROAD, endpoints);
    config.registry = "etcd";
    config.address = endpoints;
    config.timeout_ms = PATIENCE_MS;
    config.ttl_s = TTL_S;
    config.cache_dir = "none";
    config.is_unprotected = true;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    return registry;
}

static void a_thousand_instances_have_one_lease_and_one_beat(void **state) /* 41 */
{
    enum { COUNT = 1000, BEATS = 4 };
    static yurpc_instance_spec specs[COUNT];
    static yurpc_registration *registrations[COUNT];
    static const char leases[] = "etcd_debugging_lease_granted_total ";
    static const char beats[] = "grpc_server_msg_received_total{grpc_method=\"LeaseKeepAlive\"";
    fault_scene *scene = *state;
    for (int i = 0; i < COUNT; i++) {
        specs[i] = (yurpc_instance_spec)YURPC_INSTANCE_SPEC_INIT;
        specs[i].service = scene->service;
        specs[i].host = ACTORS_HOST;
        specs[i].port = (uint16_t)(10000 + i);
    }
    double leases_before = yr_engine_metric(etcd_of(scene), leases);
    yurpc_registry *registry = open_registry(scene);
    int64_t begin_ms = measure_now_ms();
    assert_ok(yurpc_registry_register_many(registry, specs, COUNT, NULL, registrations, NULL));
    measure_note("1000 instances of one process: registered", measure_now_ms() - begin_ms,
                 3000);
    assert_int_equal(operator_count(scene->etcd, scene->service), COUNT);
    double beats_before = yr_engine_metric(etcd_of(scene), beats);
    measure_pause_ms(BEATS * TTL_S * 1000 / 3);
    double beats_after = yr_engine_metric(etcd_of(scene), beats);
    assert_in_range((int)(beats_after - beats_before), BEATS - 1, BEATS + 1);
    assert_int_equal((int)(yr_engine_metric(etcd_of(scene), leases) - leases_before), 1);
    print_message("MEASURED promise 12: keepalives of 1000 instances in %d thirds of the TTL: "
                  "%d\n",
                  BEATS, (int)(beats_after - beats_before));
    yurpc_registry_close(registry);
    assert_int_equal(operator_count(scene->etcd, scene->service), 0);
}

/* Write @p count instances as Yu-RPC does, each of about @p size bytes. */
static void fill(fault_scene *scene, int count, int size, int64_t lease)
{
    static char keys[BATCH][96];
    static char values[BATCH][2048];
    char pad[1536];
    assert_true((size_t)size < sizeof pad);
    memset(pad, 'x', (size_t)size);
    pad[size] = '\0';
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = lease;
    for (int done = 0; done < count; done += BATCH) {
        yurpc_etcd_op ops[BATCH];
        for (int i = 0; i < BATCH; i++) {
            int port = 10000 + done + i;
            (void)snprintf(keys[i], sizeof keys[i], "/rpc/%s/%s:%d", scene->service,
                           ACTORS_HOST, port);
            (void)snprintf(values[i], sizeof values[i],
                           "{\"serviceName\":\"%.*s\",\"serviceVersion\":\"1.0\","
                           "\"serviceHost\":\"%s\",\"servicePort\":%d,"
                           "\"serviceGroup\":\"default\",\"metadata\":{\"pad\":\"%s\"}}",
                           (int)strcspn(scene->service, ":"), scene->service, ACTORS_HOST, port,
                           pad);
            ops[i] = (yurpc_etcd_op){.kind = YURPC_ETCD_PUT,
                                     .key = {keys[i], strlen(keys[i])},
                                     .value = {values[i], strlen(values[i])},
                                     .options = &options};
        }
        yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
        txn.then_ops = ops;
        txn.then_count = BATCH;
        txn.is_idempotent = true;
        txn.timeout_ms = PATIENCE_MS;
        assert_ok(yurpc_etcd_txn(scene->etcd, &txn, NULL, NULL));
    }
}

static void ten_thousand_instances_are_listed_in_time_and_memory(void **state) /* 65 */
{
    enum { COUNT = 10000, SIZE = 900 };
    fault_scene *scene = *state;
    fill(scene, COUNT, SIZE, 0);
    yurpc_registry *registry = open_registry(scene);
    yurpc_service *service = NULL;
    int64_t before_kb = resident_kb();
    int64_t begin_ms = measure_now_ms();
    assert_ok(yurpc_registry_discover(registry, scene->service, NULL, &service, NULL));
    measure_note("10000 instances of 1 KB: the first list", measure_now_ms() - begin_ms, 3000);
    int64_t used_kb = resident_kb() - before_kb;
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    assert_int_equal(yurpc_snapshot_count(now), COUNT);
    yurpc_service_release(service, now);
    print_message("MEASURED 10000 instances of 1 KB: %lld MB more memory (bound 60 MB)\n",
                  (long long)used_kb / 1024);
#ifndef __SANITIZE_ADDRESS__
    assert_true(used_kb < 60 * 1024);
#endif
    yurpc_service_close(service);
    yurpc_registry_close(registry);
}

typedef struct tally {
    pthread_mutex_t mutex;
    int calls;
    size_t gone;
    int64_t last_ms;
} tally;

static void on_event(void *context, const yurpc_event *event)
{
    tally *self = context;
    pthread_mutex_lock(&self->mutex);
    if (event->kind == YURPC_EVENT_DOWN) {
        self->calls++;
        self->gone += event->count;
        self->last_ms = measure_now_ms();
    }
    pthread_mutex_unlock(&self->mutex);
}

static size_t gone(tally *self)
{
    pthread_mutex_lock(&self->mutex);
    size_t gone = self->gone;
    pthread_mutex_unlock(&self->mutex);
    return gone;
}

enum { LEAVING = 5000 };

static bool are_all_gone(void *context)
{
    return gone(context) >= LEAVING;
}

static void five_thousand_that_go_at_once_are_one_event(void **state) /* 67 */
{
    fault_scene *scene = *state;
    tally told = {.calls = 0};
    yurpc_etcd_reply *reply = NULL;
    pthread_mutex_init(&told.mutex, NULL);
    assert_ok(yurpc_etcd_lease_grant(scene->etcd, 0, 600, &reply, NULL));
    int64_t lease = reply->lease;
    yurpc_etcd_reply_free(reply);
    fill(scene, LEAVING, 700, lease);
    yurpc_registry *registry = open_registry(scene);
    yurpc_service *service = NULL;
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_registry_discover(registry, scene->service, NULL, &service, NULL));
    assert_ok(yurpc_service_watch(service, on_event, &told, &watch));
    int64_t before_kb = resident_kb();
    int64_t begin_ms = measure_now_ms();
    operator_revoke(scene->etcd, lease);
    assert_true(await(are_all_gone, &told, PATIENCE_MS) >= 0);
    measure_note("promise 5: 5000 instances go in one revision: told", told.last_ms - begin_ms,
                 500);
    print_message("MEASURED 5000 instances go in one revision: %d callbacks, %lld MB more "
                  "memory (bound 10 MB)\n",
                  told.calls, (long long)(resident_kb() - before_kb) / 1024);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.gone, LEAVING);
    yurpc_watch_stop(watch);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_thousand_instances_have_one_lease_and_one_beat),
        SCENE_TEST(ten_thousand_instances_are_listed_in_time_and_memory),
        SCENE_TEST(five_thousand_that_go_at_once_are_one_event),
    };
    scene_options options = {.name = "many",
                             .members = 1,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
