#include "registry/handle/handle.h"

#include "base/error.h"
#include "base/mem.h"
#include "registry/handle/driver_table.h"

/* ---- Ways onto the loop ---- */

static yurpc_status forked(yurpc_error **ret_error)
{
    return yr_error_set(ret_error, YURPC_FORKED, -1,
                        "the registry handle belongs to the parent process: open another");
}

yurpc_status yr_request_run(yurpc_registry *handle, yr_request *request, yr_task_fn *fn,
                            yurpc_error **ret_error)
{
    yurpc_status status = yr_loop_check_wait(handle->loop);
    if (status == YURPC_FORKED) {
        return forked(ret_error);
    }
    if (status != YURPC_OK) {
        return yr_error_set_status(ret_error, status);
    }
    request->handle = handle;
    request->error = NULL;
    yr_task_init(&request->task, fn, request);
    yr_wait_init(&request->wait);
    bool is_host_driven = handle->is_host_driven;
    bool is_posted = yr_io_post(yr_loop_io(handle->loop), &request->task);
    YR_ASSERT(is_posted);
    if (is_host_driven) {
        status = yr_loop_wait(handle->loop, &request->wait);
        YR_ASSERT(status == YURPC_OK);
    } else {
        yr_wait_block(&request->wait); /* another thread may be closing the handle */
    }
    yr_wait_deinit(&request->wait);
    if (ret_error != NULL && request->status != YURPC_OK) {
        *ret_error = request->error;
    } else {
        yurpc_error_free(request->error);
    }
    return request->status;
}

void yr_request_end(yr_request *request, yurpc_status status, const yurpc_error *error)
{
    request->status = status;
    if (status != YURPC_OK) {
        request->error = error != NULL
                             ? yr_error_copy(error)
                             : yr_error_new(status, -1, "%s", yurpc_status_text(status));
    }
    yr_wait_signal(&request->wait);
}

typedef struct run {
    yr_request request;
    yr_task_fn *fn;
    void *context;
} run;

static void on_run(void *context)
{
    run *wanted = YR_CONTAINER_OF(context, run, request);
    wanted->fn(wanted->context);
    yr_request_end(&wanted->request, YURPC_OK, NULL);
}

yurpc_status yr_handle_run(yurpc_registry *handle, yr_task_fn *fn, void *context)
{
    if (yr_loop_is_forked(handle->loop)) {
        return YURPC_FORKED;
    }
    if (yr_loop_is_current(handle->loop)) {
        fn(context);
        return YURPC_OK;
    }
    run wanted = {.fn = fn, .context = context};
    return yr_request_run(handle, &wanted.request, on_run, NULL);
}

typedef struct executing {
    yurpc_registry *handle;
    yr_executor *executor;
    yurpc_status status;
} executing;

static void on_executor(void *context)
{
    executing *wanted = context;
    yurpc_registry *handle = wanted->handle;
    wanted->status = YURPC_OK;
    if (handle->executor == NULL) {
        wanted->status = yr_executor_new(yr_loop_io(handle->loop), !handle->is_host_driven,
                                         &handle->executor);
        if (wanted->status == YURPC_OK && !handle->is_host_driven) {
            yr_overtime_begin(&handle->overtime, handle);
        }
    }
    wanted->executor = handle->executor;
}

yurpc_status yr_handle_executor(yurpc_registry *handle, yr_executor **ret_executor)
{
    executing wanted = {.handle = handle};
    yurpc_status status = yr_handle_run(handle, on_executor, &wanted);
    if (status != YURPC_OK) {
        return status;
    }
    *ret_executor = wanted.executor;
    return wanted.status;
}

/* ---- Opening ---- */

typedef struct opening {
    yr_request request;
    const yr_config *config;
    const yr_driver_ops *ops;
} opening;

static void on_open(void *context)
{
    opening *wanted = YR_CONTAINER_OF(context, opening, request);
    yurpc_registry *handle = wanted->request.handle;
    yurpc_error *error = NULL;
    yurpc_status status = yr_registry_new(yr_loop_io(handle->loop), wanted->config, wanted->ops,
                                          &handle->core, &error);
    yr_request_end(&wanted->request, status, error);
    yurpc_error_free(error);
}

static void on_close(void *context);

/* What is left when the loop is gone, or never was. */
static void handle_free(yurpc_registry *handle)
{
    yr_executor_unref(handle->executor);
    yr_log_relay_free(handle->log_relay, -1);
    yr_free(handle->address);
    yr_free(handle);
}

static yurpc_status open_with(const yr_config *config, yurpc_registry **ret_registry,
                              yurpc_error **ret_error)
{
    yurpc_status status = YURPC_OK;
    yr_config settled = *config;
    opening wanted = {.config = &settled, .ops = yr_driver_find(config->registry)};
    if (wanted.ops == NULL) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "'%s' is not a registry: use one of %s", config->registry,
                            yr_driver_names());
    }
    yurpc_registry *handle = yr_calloc(1, sizeof *handle);
    if (handle == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    if (config->address != NULL) {
        handle->address = yr_strdup(config->address);
        if (handle->address == NULL) {
            yr_free(handle);
            return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
        }
    }
    handle->kind = wanted.ops->name;
    handle->timeout_ms = config->timeout_ms;
    handle->is_host_driven = config->is_host_driven;
    yr_list_init(&handle->services);
    yr_task_init(&handle->close_task, on_close, handle);
    if (settled.log.fn != NULL && !settled.is_host_driven) {
        status = yr_log_relay_new(&settled.log, &handle->log_relay);
        if (status != YURPC_OK) {
            status = yr_error_set_status(ret_error, status);
            goto fail;
        }
        settled.log = yr_log_relay_log(handle->log_relay);
    }
    status = yr_loop_new(!config->is_host_driven, &handle->loop, ret_error);
    if (status != YURPC_OK) {
        goto fail;
    }
    status = yr_request_run(handle, &wanted.request, on_open, ret_error);
    if (status != YURPC_OK) {
        goto fail;
    }
    *ret_registry = handle;
    return YURPC_OK;
fail:
    yr_loop_free(handle->loop);
    handle_free(handle);
    return status;
}

yurpc_status yurpc_registry_open(const yurpc_registry_config *config,
                                 yurpc_registry **ret_registry, yurpc_error **ret_error)
{
    if (ret_registry == NULL) {
        return yr_error_set_status(ret_error, YURPC_INVALID);
    }
    yr_config *settled = NULL;
    yurpc_status status = yr_config_load(config, &settled, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    status = open_with(settled, ret_registry, ret_error);
    yr_config_free(settled);
    return status;
}

/* ---- Closing ---- */

static void on_closed(void *context)
{
    yurpc_registry *handle = context;
    yr_overtime_end(&handle->overtime);
    yr_wait *closed = handle->closed;
    if (closed != NULL) {
        yr_wait_signal(closed); /* who waits frees the rest */
        return;
    }
    yr_loop *loop = handle->loop;
    if (handle->is_gone != NULL) {
        *handle->is_gone = true;
    }
    handle_free(handle);
    yr_loop_free(loop); /* we are on it: it goes when this callback has returned */
}

static void on_close(void *context)
{
    yurpc_registry *handle = context;
    while (!yr_list_is_empty(&handle->services)) {
        yr_service_free(YR_CONTAINER_OF(handle->services.next, yurpc_service, link));
    }
    yr_registry_close(handle->core, on_closed, handle);
}

static int64_t left_ms(int64_t end_ms)
{
    int64_t left = end_ms - yr_loop_clock_ms();
    return left > 0 ? left : 0;
}

void yurpc_registry_close(yurpc_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    if (yr_loop_is_forked(registry->loop)) {
        yr_loop_free(registry->loop); /* frees only what is safe in a child */
        registry->executor = NULL;    /* it may be locked for ever, as the parent left it */
        registry->log_relay = NULL;
        handle_free(registry);
        return;
    }
    yr_loop *loop = registry->loop;
    bool is_callback = yr_loop_is_current(loop) || (registry->executor != NULL &&
                                                    yr_executor_is_current(registry->executor));
    int64_t begun_ms = yr_loop_clock_ms();
    yr_wait closed;
    yr_wait_init(&closed);
    registry->closed = is_callback ? NULL : &closed;
    bool is_posted = yr_io_post(yr_loop_io(loop), &registry->close_task);
    if (is_callback) {
        yr_wait_deinit(&closed);
        return;
    }
    if (is_posted && yr_loop_wait(loop, &closed) == YURPC_OK) {
        int64_t end_ms = begun_ms + YR_CLOSE_MS;
        if (registry->executor != NULL && !registry->is_host_driven) {
            yr_executor_finish(registry->executor, left_ms(end_ms));
        }
        yr_loop_free(loop);
        yr_log_relay_free(registry->log_relay, left_ms(end_ms));
        registry->log_relay = NULL;
        handle_free(registry);
    }
    yr_wait_deinit(&closed);
}

/* ---- The rest ---- */

const char *yurpc_registry_kind(const yurpc_registry *registry)
{
    return registry->kind;
}

const char *yurpc_registry_address(const yurpc_registry *registry)
{
    return registry->address;
}

typedef struct asking {
    const yr_core *core;
    yurpc_status status;
    yurpc_error *error;
} asking;

static void on_ask(void *context)
{
    asking *wanted = context;
    if (!atomic_load(&wanted->core->counters.is_connected)) {
        const yurpc_error *last = wanted->core->last_error;
        wanted->error = last != NULL ? yr_error_copy(last)
                                     : yr_error_new(YURPC_UNAVAILABLE, -1,
                                                    "there is no connection to the registry");
        wanted->status = yurpc_error_status(wanted->error);
    }
}

yurpc_status yurpc_registry_get_connection(yurpc_registry *registry, yurpc_error **ret_error)
{
    if (registry == NULL) {
        return yr_error_set_status(ret_error, YURPC_INVALID);
    }
    asking wanted = {.core = &registry->core->core, .status = YURPC_OK};
    yurpc_status status = yr_handle_run(registry, on_ask, &wanted);
    if (status != YURPC_OK) {
        return yr_error_set_status(ret_error, status);
    }
    if (ret_error != NULL && wanted.error != NULL) {
        *ret_error = wanted.error;
    } else {
        yurpc_error_free(wanted.error);
    }
    return wanted.status;
}

static int64_t staleness_ms(const yurpc_registry *registry)
{
    const yr_core *core = &registry->core->core;
    int64_t since_ms = atomic_load(&core->counters.stale_since_ms);
    int64_t ms = since_ms == INT64_MAX ? 0 : yr_io_boot_ms(core->io) - since_ms;
    return ms > 0 ? ms : 0;
}

yurpc_status yurpc_registry_get_stats(const yurpc_registry *registry,
                                      yurpc_registry_stats *stats)
{
    if (registry == NULL || stats == NULL || stats->size < sizeof *stats) {
        return YURPC_INVALID;
    }
    yr_counters *counters = &registry->core->core.counters;
    *stats = (yurpc_registry_stats){
        .size = stats->size,
        .is_connected = atomic_load(&counters->is_connected),
        .lease_id = atomic_load(&counters->lease_id),
        .registrations = atomic_load(&counters->registrations),
        .registered = atomic_load(&counters->registered),
        .services = atomic_load(&counters->services),
        .connections = atomic_load(&counters->connections),
        .leases = atomic_load(&counters->leases),
        .leases_lost = atomic_load(&counters->leases_lost),
        .announcements = atomic_load(&counters->announcements),
        .repairs = atomic_load(&counters->repairs),
        .conflicts = atomic_load(&counters->conflicts),
        .changes = atomic_load(&counters->changes),
        .unchanged = atomic_load(&counters->unchanged),
        .skipped = atomic_load(&counters->skipped),
        .mismatches = atomic_load(&counters->mismatches),
        .lists = atomic_load(&counters->lists),
        .reconcile_repairs = atomic_load(&counters->reconcile_repairs),
        .suspects = atomic_load(&counters->suspects),
        .suspected = atomic_load(&counters->suspected),
        .cached_lists = atomic_load(&counters->cached_lists),
        .disallowed = atomic_load(&counters->disallowed),
        .staleness_ms = staleness_ms(registry),
    };
    return YURPC_OK;
}

int yurpc_registry_fd(const yurpc_registry *registry)
{
    return registry != NULL && registry->is_host_driven ? yr_loop_fd(registry->loop) : -1;
}

int yurpc_registry_timeout_ms(const yurpc_registry *registry)
{
    return registry != NULL && registry->is_host_driven ? yr_loop_timeout_ms(registry->loop)
                                                        : -1;
}

yurpc_status yurpc_registry_step(yurpc_registry *registry)
{
    if (registry == NULL || !registry->is_host_driven) {
        return YURPC_INVALID;
    }
    yurpc_status status = yr_loop_check_wait(registry->loop);
    if (status != YURPC_OK) {
        return status;
    }
    bool is_gone = false;
    registry->is_gone = &is_gone;
    yr_loop_step(registry->loop);
    if (is_gone) {
        return YURPC_CLOSED;
    }
    registry->is_gone = NULL;
    return YURPC_OK;
}
