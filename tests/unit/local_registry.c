#include "local_registry.h"

#include "clock.h"
#include "scratch.h"
#include "yr_test.h"

#include <poll.h>
#include <stdio.h>

static yr_scratch directory;
static char path[128];

int local_registry_make(void **state)
{
    (void)state;
    if (yr_scratch_init(&directory, "yurpc-registry.") != YURPC_OK) {
        return -1;
    }
    return snprintf(path, sizeof path, "%s/registry.db", directory.path) > 0 ? 0 : -1;
}

int local_registry_remove(void **state)
{
    (void)state;
    yr_scratch_deinit(&directory);
    return 0;
}

const char *local_registry_path(void)
{
    return path;
}

yurpc_registry_config local_registry_config(void)
{
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.registry = "local";
    config.address = path;
    config.timeout_ms = PATIENCE_MS;
    return config;
}

yurpc_registry *local_registry_open(bool is_host_driven)
{
    yurpc_registry_config config = local_registry_config();
    config.is_host_driven = is_host_driven;
    yurpc_registry *registry = NULL;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    return registry;
}

yurpc_instance_spec spec_of(uint16_t port)
{
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = SERVICE;
    spec.host = "10.0.0.5";
    spec.port = port;
    return spec;
}

void await_count(atomic_int *counter, int wanted)
{
    int64_t end = yr_test_now_ms() + PATIENCE_MS;
    while (atomic_load(counter) < wanted && yr_test_now_ms() < end) {
        poll(NULL, 0, 1);
    }
    assert_int_equal(atomic_load(counter), wanted);
}
