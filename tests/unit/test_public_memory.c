/*
 * What no other sweep reaches: each allocation fails in turn while a program uses the etcd
 * client, reads its settings from a file, lists, removes and picks. What fails says so and
 * leaves nothing behind; what was accepted ends with one callback.
 */
#include "base/mem.h"
#include "scratch.h"
#include "support/canary.h"
#include "yr_test.h"

#include <yurpc/etcd.h>
#include <yurpc/service.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { CALLS = 9, TIMEOUT_MS = 5000, SWEEP_MAX = 2000 };

static yr_scratch directory;
static char path[128];
static char properties[128];

static int make_directory(void **state)
{
    (void)state;
    if (yr_scratch_init(&directory, "yurpc-memory.") != YURPC_OK) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/registry.db", directory.path);
    (void)snprintf(properties, sizeof properties, "%s/application.properties", directory.path);
    FILE *file = fopen(properties, "we");
    if (file == NULL) {
        return -1;
    }
    (void)fprintf(file,
                  "rpc.registryConfig.registry=local\nrpc.registryConfig.address=%s\n"
                  "rpc.registryConfig.username=somebody\nrpc.registryConfig.password=S3cr3t\n"
                  "rpc.registryConfig.adress=misspelt\nrpc.registryConfig.timeout=5000\n",
                  path);
    return fclose(file);
}

static int remove_directory(void **state)
{
    (void)state;
    yr_scratch_deinit(&directory);
    return 0;
}

/* The sweep goes on until nothing was refused: fewer were asked for than were allowed. */
static bool end_of_scarcity(long n)
{
    bool is_through = yr_mem_attempts() < n;
    yr_mem_fail_after(-1);
    return is_through;
}

static bool is_told(yurpc_status status)
{
    assert_true(status == YURPC_OK || status == YURPC_NO_MEMORY);
    return status == YURPC_OK;
}

/* ---- The etcd client ---- */

static atomic_int answers;

static void on_reply(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    (void)context;
    if (reply == NULL && error != NULL) {
        atomic_fetch_add(&answers, 1);
    }
}

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    (void)context;
    (void)changes;
}

static int begin_transaction(yurpc_etcd *client)
{
    const yurpc_bytes key = {"key", 3};
    const yurpc_etcd_compare compare = {.key = key, .target = YURPC_ETCD_VERSION};
    const yurpc_etcd_op then_op = {.kind = YURPC_ETCD_PUT, .key = key, .value = key};
    const yurpc_etcd_op else_op = {.kind = YURPC_ETCD_RANGE, .key = key};
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.compares = &compare;
    txn.compare_count = 1;
    txn.then_ops = &then_op;
    txn.then_count = 1;
    txn.else_ops = &else_op;
    txn.else_count = 1;
    return is_told(yurpc_etcd_txn_async(client, &txn, on_reply, NULL));
}

/* Begin everything; how many calls were accepted. */
static int begin_calls(yurpc_etcd *client)
{
    const yurpc_bytes key = {"key", 3};
    yurpc_etcd_keepalive *keepalive = NULL;
    yurpc_etcd_watch *watch = NULL;
    const yurpc_etcd_keepalive_events beats = {.size = sizeof beats};
    const yurpc_etcd_watch_events events = {.size = sizeof events, .on_changes = on_changes};
    yurpc_etcd_watch_options options = YURPC_ETCD_WATCH_OPTIONS_INIT;
    options.key = key;
    options.is_prefix = true;
    int accepted = begin_transaction(client);
    accepted += is_told(yurpc_etcd_range_async(client, key, NULL, on_reply, NULL));
    accepted += is_told(yurpc_etcd_put_async(client, key, key, NULL, on_reply, NULL));
    accepted += is_told(yurpc_etcd_delete_async(client, key, NULL, on_reply, NULL));
    accepted += is_told(yurpc_etcd_compact_async(client, 1, on_reply, NULL));
    accepted += is_told(yurpc_etcd_lease_grant_async(client, 1, 30, on_reply, NULL));
    accepted += is_told(yurpc_etcd_lease_revoke_async(client, 1, on_reply, NULL));
    accepted += is_told(yurpc_etcd_lease_time_to_live_async(client, 1, true, on_reply, NULL));
    accepted += is_told(yurpc_etcd_status_async(client, on_reply, NULL));
    (void)is_told(yurpc_etcd_keepalive_start(client, 1, 30, &beats, NULL, &keepalive));
    (void)is_told(yurpc_etcd_watch_start(client, &options, &events, NULL, &watch));
    yurpc_etcd_request_progress(client);
    yurpc_etcd_watch_stop(watch);
    yurpc_etcd_keepalive_stop(keepalive);
    return accepted;
}

static void every_call_of_the_etcd_client_ends_once(void **state)
{
    (void)state;
    bool is_through = false;
    int accepted = 0;
    for (long n = 0; !is_through && n < SWEEP_MAX; n++) {
        yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
        yurpc_etcd *client = NULL;
        yurpc_error *error = NULL;
        config.endpoints = "http://127.0.0.1:1,http://[::1]:1";
        atomic_store(&answers, 0);
        yr_mem_fail_after(n);
        bool is_open = is_told(yurpc_etcd_open(&config, &client, &error));
        assert_true(is_open == (client != NULL) && is_open == (error == NULL));
        yurpc_error_free(error);
        accepted = is_open ? begin_calls(client) : 0;
        is_through = end_of_scarcity(n);
        yurpc_etcd_close(client);
        assert_int_equal(atomic_load(&answers), accepted);
    }
    assert_true(is_through);
    assert_int_equal(accepted, CALLS);
}

/* ---- The registry ---- */

static void on_service(void *context, const char *service, uint64_t count)
{
    int *services = context;
    *services += service != NULL && count > 0;
}

static void on_log(void *context, yurpc_log_level level, const char *component,
                   const char *text)
{
    (void)context;
    (void)level;
    (void)component;
    yr_canary_check(text);
}

static void settings_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    bool is_through = false;
    for (long n = 0; !is_through && n < SWEEP_MAX; n++) {
        yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
        yurpc_registry *registry = NULL;
        yurpc_error *error = NULL;
        config.file = properties;
        config.log = on_log;
        config.log_level = YURPC_LOG_DEBUG;
        yr_mem_fail_after(n);
        bool is_open = is_told(yurpc_registry_open(&config, &registry, &error));
        is_through = end_of_scarcity(n);
        if (is_open != (registry != NULL) || is_open != (error == NULL)) {
            fail_msg("allowance %ld: open %d, handle %p, error %s", n, is_open,
                     (void *)registry, error != NULL ? yurpc_error_text(error) : "none");
        }
        assert_true(!is_open || strcmp(yurpc_registry_kind(registry), "local") == 0);
        assert_true(!is_open || strcmp(yurpc_registry_address(registry), path) == 0);
        yurpc_error_free(error);
        yurpc_registry_close(registry);
    }
    assert_true(is_through);
}

static void operate(yurpc_registry *registry)
{
    int services = 0;
    yurpc_registration *registration = NULL;
    yurpc_picker *picker = NULL;
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    spec.service = "svc";
    spec.host = "10.0.0.5";
    spec.port = 8080;
    options.is_background = true;
    if (is_told(yurpc_registry_list_services(registry, on_service, &services, NULL))) {
        assert_true(services == 0 || services == 1);
    }
    yurpc_status removed = yurpc_registry_remove(registry, "nobody", "h", 1, NULL);
    assert_true(removed == YURPC_NOT_FOUND || removed == YURPC_NO_MEMORY);
    if (is_told(yurpc_registry_register(registry, &spec, &options, &registration, NULL))) {
        yurpc_registration_unregister_async(registration);
    }
    (void)is_told(yurpc_picker_new(YURPC_PICK_RANDOM, &picker));
    yurpc_picker_free(picker);
}

static void operators_and_background_calls_say_so(void **state)
{
    (void)state;
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    yurpc_registry *registry = NULL;
    yurpc_service *service = NULL;
    bool is_through = false;
    config.registry = "local";
    config.address = path;
    config.timeout_ms = TIMEOUT_MS;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    assert_ok(yurpc_registry_discover(registry, "svc", NULL, &service, NULL)); /* connected */
    for (long n = 0; !is_through && n < SWEEP_MAX; n++) {
        yr_mem_fail_after(n);
        operate(registry);
        is_through = end_of_scarcity(n);
    }
    assert_true(is_through);
    yurpc_registry_close(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_the_etcd_client_ends_once),
        cmocka_unit_test(settings_are_read_whole_or_not_at_all),
        cmocka_unit_test(operators_and_background_calls_say_so),
    };
    return cmocka_run_group_tests_name("public_memory", tests, make_directory,
                                       remove_directory);
}
