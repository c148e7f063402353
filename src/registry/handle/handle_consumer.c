/* The public functions of consumers: thread-safe; those that block do so on the handle's loop.
 */
#include "base/error.h"
#include "base/mem.h"
#include "registry/consumer/subscription.h"
#include "registry/handle/handle.h"
#include "registry/instance.h"
#include "registry/picker.h"
#include "registry/snapshot_reading.h"

/* ---- Discovering ---- */

typedef struct discovering {
    yr_request request;
    const char *name; /* "name:version" */
    bool is_background;
    yurpc_service *service;
    yr_entry_waiter waiter;
} discovering;

void yr_service_free(yurpc_service *service)
{
    yurpc_registry *handle = service->handle;
    while (!yr_list_is_empty(&service->watches)) {
        yurpc_watch *watch = YR_CONTAINER_OF(service->watches.next, yurpc_watch, link);
        yr_subscription_detach(watch);
        if (yr_executor_is_inline(watch->executor)) {
            yr_subscription_free(watch);
        } else {
            yr_subscription_free_later(watch, NULL);
        }
    }
    yr_list_remove(&service->link);
    if (service->entry != NULL) {
        yr_directory_close(&handle->core->directory, service->entry);
    }
    yr_free(service);
}

static void on_found(void *context, yurpc_status status, const yurpc_error *error)
{
    discovering *wanted = context;
    yurpc_service *service = wanted->service;
    if (status == YURPC_OK) {
        yr_list_append(&service->handle->services, &service->link);
    } else {
        yr_service_free(service);
    }
    yr_request_end(&wanted->request, status, error);
}

static void on_discover(void *context)
{
    discovering *wanted = YR_CONTAINER_OF(context, discovering, request);
    yurpc_registry *handle = wanted->request.handle;
    yurpc_service *service = wanted->service;
    yurpc_status status =
        yr_directory_open(&handle->core->directory, wanted->name, &service->entry);
    if (status != YURPC_OK) {
        on_found(wanted, status, NULL);
        return;
    }
    service->cell = service->entry->cell;
    if (wanted->is_background) {
        on_found(wanted, YURPC_OK, NULL);
        return;
    }
    wanted->waiter.done = on_found;
    wanted->waiter.context = wanted;
    yr_entry_wait(service->entry, &wanted->waiter, handle->timeout_ms);
}

static yurpc_status discover(yurpc_registry *registry, const char *name, bool is_background,
                             yurpc_service **ret_service, yurpc_error **ret_error)
{
    yurpc_status status = yr_loop_check_wait(registry->loop);
    if (status != YURPC_OK) {
        return yr_error_set_status(ret_error, status);
    }
    yurpc_service *service = yr_calloc(1, sizeof *service);
    if (service == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    service->handle = registry;
    yr_list_init(&service->link);
    yr_list_init(&service->watches);
    discovering wanted = {.name = name, .is_background = is_background, .service = service};
    status = yr_request_run(registry, &wanted.request, on_discover, ret_error);
    if (status == YURPC_OK) {
        *ret_service = service;
    }
    return status;
}

yurpc_status yurpc_registry_discover(yurpc_registry *registry, const char *service,
                                     const yurpc_discover_options *options,
                                     yurpc_service **ret_service, yurpc_error **ret_error)
{
    if (registry == NULL || service == NULL || ret_service == NULL) {
        return yr_error_set_status(ret_error, YURPC_INVALID);
    }
    char *name = NULL;
    yurpc_status status = yr_service_parse(service, &name, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    bool is_background = options != NULL && options->is_background;
    status = discover(registry, name, is_background, ret_service, ret_error);
    yr_free(name);
    return status;
}

static void on_service_close(void *context)
{
    yr_service_free(context);
}

void yurpc_service_close(yurpc_service *service)
{
    if (service == NULL) {
        return;
    }
    if (yr_handle_run(service->handle, on_service_close, service) != YURPC_OK) {
        return; /* a forked child: nothing may be touched */
    }
}

/* ---- Reading ---- */

const yurpc_snapshot *yurpc_service_acquire(const yurpc_service *service)
{
    return yr_snapshot_cell_acquire(service->cell);
}

void yurpc_service_release(const yurpc_service *service, const yurpc_snapshot *snapshot)
{
    (void)service;
    (void)snapshot;
    yr_snapshot_cell_release();
}

void yurpc_snapshot_release(const yurpc_snapshot *snapshot)
{
    if (snapshot != NULL) {
        yr_snapshot_cell_release();
    }
}

const yurpc_snapshot *yurpc_registry_acquire(const yurpc_registry *registry,
                                             const char *service)
{
    yr_snapshot_enter();
    const yr_snapshot_cell *cell = yr_finder_find(&registry->core->directory.finder, service);
    if (cell == NULL) {
        yr_snapshot_cell_release();
        return NULL;
    }
    return yr_snapshot_cell_read(cell);
}

const yurpc_instance *yurpc_service_pick(const yurpc_service *service, yurpc_picker *picker,
                                         const yurpc_snapshot **ret_snapshot)
{
    const yurpc_snapshot *snapshot = yr_snapshot_cell_acquire(service->cell);
    *ret_snapshot = snapshot;
    return yr_picker_pick(picker, snapshot);
}

/* ---- Watching ---- */

typedef struct watching {
    yurpc_service *service;
    yurpc_event_fn *on_event;
    void *context;
    yurpc_watch *watch;
    yurpc_status status;
} watching;

static void on_watch(void *context)
{
    watching *wanted = context;
    yurpc_service *service = wanted->service;
    yr_executor *executor = NULL;
    wanted->status = yr_handle_executor(service->handle, &executor);
    if (wanted->status == YURPC_OK) {
        wanted->status = yr_subscription_new(service->entry, executor, wanted->on_event,
                                             wanted->context, &wanted->watch);
    }
    if (wanted->status == YURPC_OK) {
        wanted->watch->service = service;
        yr_list_append(&service->watches, &wanted->watch->link);
    }
}

yurpc_status yurpc_service_watch(yurpc_service *service, yurpc_event_fn *on_event,
                                 void *context, yurpc_watch **ret_watch)
{
    if (service == NULL || on_event == NULL || ret_watch == NULL) {
        return YURPC_INVALID;
    }
    watching wanted = {.service = service, .on_event = on_event, .context = context};
    yurpc_status status = yr_handle_run(service->handle, on_watch, &wanted);
    if (status != YURPC_OK) {
        return status;
    }
    if (wanted.status == YURPC_OK) {
        *ret_watch = wanted.watch;
    }
    return wanted.status;
}

static void on_stop(void *context)
{
    yurpc_watch *watch = context;
    yr_subscription_detach(watch);
    if (yr_executor_is_inline(watch->executor)) {
        yr_subscription_free(watch);
    }
}

void yurpc_watch_stop(yurpc_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    yr_executor *executor = watch->executor;
    yr_loop *loop = watch->service->handle->loop;
    bool is_inline = yr_executor_is_inline(executor);
    if (yr_handle_run(watch->service->handle, on_stop, watch) != YURPC_OK || is_inline) {
        return; /* freed on the loop; or a forked child, where nothing may be touched */
    }
    if (yr_executor_is_current(executor)) {
        yr_subscription_free(watch);
        return;
    }
    if (yr_loop_is_current(loop)) {
        yr_subscription_free_later(watch, NULL); /* the loop never waits for a callback */
        return;
    }
    yr_wait freed;
    yr_wait_init(&freed);
    yr_subscription_free_later(watch, &freed);
    if (yr_loop_wait(loop, &freed) != YURPC_OK) {
        /* Only on the loop or in a child, which were excluded. */
    }
    yr_wait_deinit(&freed);
}
