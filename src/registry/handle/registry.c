#include "registry/handle/registry.h"

#include "base/error.h"
#include "base/mem.h"
#include "registry/consumer/allow_list.h"

enum { LAST_STEPS_MS = 200 }; /* of closing: threads end, memory goes */

static void on_connection(void *context, bool is_connected, const yurpc_error *error)
{
    yr_registry *registry = context;
    yr_core *core = &registry->core;
    atomic_store(&core->counters.is_connected, is_connected);
    yurpc_error_free(core->last_error);
    core->last_error = NULL;
    if (is_connected) {
        yr_count(&core->counters.connections, 1);
        yr_log_write(&core->log, YURPC_LOG_INFO, "registry", "connected");
        yr_provider_on_connected(&registry->provider);
        return;
    }
    core->last_error = yr_error_copy(error);
    yr_log_write(&core->log, YURPC_LOG_WARN, "registry", "no connection: %s",
                 yurpc_error_text(error));
    yr_directory_on_disconnected(&registry->directory);
}

static void on_session_lost(void *context, const yurpc_error *error)
{
    yr_registry *registry = context;
    yr_provider_on_session_lost(&registry->provider, error);
}

/* The cache of what @p config names; none where that is not wanted. */
static yurpc_status open_cache(yr_core *core, const yr_config *config,
                               const yr_driver_config *driver_config)
{
    enum { IDENTITY_LEN_MAX = 64 * 1024 };
    if (config->cache_dir == NULL || core->ops->identify == NULL) {
        return YURPC_OK;
    }
    yr_buf identity;
    yr_buf_init(&identity, IDENTITY_LEN_MAX);
    yurpc_status status = yr_buf_append_format(&identity, "%s ", core->ops->name);
    if (status == YURPC_OK) {
        status = core->ops->identify(driver_config, &identity);
    }
    if (status == YURPC_OK && config->allowed_hosts != NULL) {
        /* Its lists are other ones: they lack whom others see, and theirs hold whom it must
         * not. */
        status = yr_buf_append_format(&identity, " only %s", config->allowed_hosts);
    }
    const char *text = status == YURPC_OK ? yr_buf_text(&identity) : NULL;
    yr_disk_cache_options options = {
        .io = core->io, .log = core->log, .dir = config->cache_dir, .registry = text};
    if (status == YURPC_OK) {
        status = text != NULL ? yr_disk_cache_new(&options, &core->cache) : YURPC_NO_MEMORY;
    }
    yr_buf_deinit(&identity);
    return status;
}

static void on_cache_closed(void *context)
{
    (void)context; /* it was never used */
}

/* Whoever calls this frees what was opened. */
static yurpc_status open_parts(yr_registry *registry, const yr_config *config,
                               const yr_driver_config *driver_config, yurpc_error **ret_error)
{
    static const yr_driver_events events = {.on_connection = on_connection,
                                            .on_session_lost = on_session_lost};
    yr_core *core = &registry->core;
    if (config->allowed_hosts != NULL) {
        yurpc_status status =
            yr_allow_list_new(config->allowed_hosts, &core->allow_list, ret_error);
        if (status != YURPC_OK) {
            return status;
        }
    }
    if (open_cache(core, config, driver_config) == YURPC_NO_MEMORY) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    /* What is wrong with an address the driver says better. */
    return core->ops->open(core->io, driver_config, &events, registry, &core->driver,
                           ret_error);
}

yurpc_status yr_registry_new(yr_io *io, const yr_config *config, const yr_driver_ops *ops,
                             yr_registry **ret_registry, yurpc_error **ret_error)
{
    YR_ASSERT(ops->version == YR_DRIVER_VERSION);
    yr_registry *registry = yr_calloc(1, sizeof *registry);
    if (registry == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    yr_core *core = &registry->core;
    core->io = io;
    core->ops = ops;
    core->log = config->log;
    core->timeout_ms = config->timeout_ms;
    core->ttl_ms = config->ttl_ms > ops->ttl_min_ms ? config->ttl_ms : ops->ttl_min_ms;
    core->reconcile_ms = YR_RECONCILE_MS;
    core->is_unprotected = config->is_unprotected;
    core->map_seed[0] = yr_io_random(io);
    core->map_seed[1] = yr_io_random(io);
    yr_provider_init(&registry->provider, core);
    yr_directory_init(&registry->directory, core);
    const yr_driver_config driver_config = {
        .address = config->address,
        .username = config->username,
        .password = config->password,
        .password_file = config->password_file,
        .tls = config->tls,
        .timeout_ms = config->timeout_ms,
        .ttl_ms = core->ttl_ms,
        .log = config->log,
    };
    yurpc_status status = open_parts(registry, config, &driver_config, ret_error);
    if (status != YURPC_OK) {
        yr_disk_cache_close(core->cache, on_cache_closed, NULL);
        yr_provider_deinit(&registry->provider);
        yr_directory_deinit(&registry->directory);
        yr_allow_list_free(core->allow_list);
        yr_free(registry);
        return status;
    }
    *ret_registry = registry;
    return YURPC_OK;
}

static void on_saved(void *context)
{
    yr_registry *registry = context;
    yr_provider_deinit(&registry->provider);
    yurpc_error_free(registry->core.last_error);
    yr_allow_list_free(registry->core.allow_list);
    void (*on_closed)(void *) = registry->on_closed;
    void *closed_context = registry->closed_context;
    yr_free(registry);
    on_closed(closed_context);
}

static void on_driver_closed(void *context)
{
    yr_registry *registry = context;
    registry->core.driver = NULL;
    yr_disk_cache_close(registry->core.cache, on_saved, registry);
}

static void on_drained(void *context, yurpc_status status, const yurpc_error *error)
{
    (void)status; /* a courtesy: the end of the session removes the records in any case */
    (void)error;
    yr_registry *registry = context;
    yr_core *core = &registry->core;
    int64_t left = registry->close_deadline_ms - yr_io_now_ms(core->io);
    core->ops->close(core->driver, left > 0 ? left : 0, on_driver_closed, registry);
}

void yr_registry_close(yr_registry *registry, void (*on_closed)(void *context), void *context)
{
    registry->on_closed = on_closed;
    registry->closed_context = context;
    int64_t most_ms = YR_CLOSE_MS - LAST_STEPS_MS - registry->provider.vain_ms;
    registry->close_deadline_ms = yr_io_now_ms(registry->core.io) + most_ms;
    yr_directory_deinit(&registry->directory);
    /* The other half is for ending the session. */
    yr_provider_drain(&registry->provider, most_ms / 2, on_drained, registry);
}

void yr_registry_set_reconcile_ms(yr_registry *registry, int64_t mean_ms)
{
    registry->core.reconcile_ms = mean_ms;
}
