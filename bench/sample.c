#include "sample.h"

#include "names.h"
#include "work.h"

#include <stdio.h>

void yr_report(const char *figure, double value)
{
    (void)printf("%s %.9g\n", figure, value);
    (void)fflush(stdout);
}

bool yr_fail(const yr_sample *self, const char *what, yurpc_error *error)
{
    (void)fprintf(stderr, "%s: %s%s%s\n", self->work->name, what, error != NULL ? ": " : "",
                  error != NULL ? yurpc_error_text(error) : "");
    yurpc_error_free(error);
    return false;
}

yurpc_registry *yr_sample_open(const yr_sample *self, uint32_t ttl_s)
{
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.registry = self->work->backend == YR_BACKEND_LOCAL ? "local" : "etcd";
    config.address = self->address;
    config.timeout_ms = YR_SAMPLE_TIMEOUT_MS;
    config.ttl_s = ttl_s;
    config.cache_dir = self->cache_dir != NULL ? self->cache_dir : "none";
    yurpc_registry *registry = NULL;
    yurpc_error *error = NULL;
    if (yurpc_registry_open(&config, &registry, &error) != YURPC_OK) {
        (void)yr_fail(self, "cannot open the registry", error);
    }
    return registry;
}

yurpc_service *yr_sample_discover(const yr_sample *self, yurpc_registry *registry, size_t count)
{
    yurpc_service *service = NULL;
    yurpc_error *error = NULL;
    if (yurpc_registry_discover(registry, YR_SERVICE, NULL, &service, &error) != YURPC_OK) {
        (void)yr_fail(self, "cannot discover", error);
        return NULL;
    }
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    size_t found = yurpc_snapshot_count(now);
    yurpc_service_release(service, now);
    if (found != count) {
        (void)fprintf(stderr, "%s: found %zu instances of %zu\n", self->work->name, found,
                      count);
        yurpc_service_close(service);
        return NULL;
    }
    return service;
}
