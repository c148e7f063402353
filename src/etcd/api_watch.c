#include "base/mem.h"
#include "etcd/api.h"

#include <stddef.h>

struct yurpc_etcd_watch {
    yr_api_handle handle;
    yr_etcd_watch *inner; /* NULL: ended */
    yurpc_etcd_watch_events events;
    void *context;
};

static void on_created(void *context, int64_t revision)
{
    yurpc_etcd_watch *watch = context;
    if (watch->events.on_created != NULL) {
        watch->events.on_created(watch->context, revision);
    }
}

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    yurpc_etcd_watch *watch = context;
    watch->events.on_changes(watch->context, changes);
}

static void on_progress(void *context, int64_t revision)
{
    yurpc_etcd_watch *watch = context;
    if (watch->events.on_progress != NULL) {
        watch->events.on_progress(watch->context, revision);
    }
}

static void on_stale(void *context, bool is_stale, const yurpc_error *error)
{
    yurpc_etcd_watch *watch = context;
    if (watch->events.on_stale != NULL) {
        watch->events.on_stale(watch->context, is_stale, error);
    }
}

static void on_canceled(void *context, const yurpc_error *error, int64_t compact_revision)
{
    yurpc_etcd_watch *watch = context;
    watch->inner = NULL;
    if (watch->events.on_canceled != NULL) {
        watch->events.on_canceled(watch->context, error, compact_revision);
    }
}

static void watch_stop(yr_api_handle *handle)
{
    yurpc_etcd_watch *watch = YR_CONTAINER_OF(handle, yurpc_etcd_watch, handle);
    yr_etcd_watch_stop(watch->inner);
    yr_free(watch);
}

typedef struct watch_opening {
    yurpc_etcd_watch *watch;
    const yurpc_etcd_watch_options *options;
    yurpc_status status;
} watch_opening;

static void watch_start_on_loop(void *context)
{
    static const yr_etcd_watch_events events = {on_created, on_changes, on_progress, on_stale,
                                                on_canceled};
    watch_opening *opening = context;
    yurpc_etcd_watch *watch = opening->watch;
    yurpc_etcd *client = watch->handle.client;
    const yurpc_etcd_watch_options *in = opening->options;
    yr_etcd_watch_options options = {.key = in->key,
                                     .range_end = in->range_end,
                                     .is_prefix = in->is_prefix,
                                     .start_revision = in->start_revision,
                                     .has_prev_kv = in->has_prev_kv,
                                     .is_put_ignored = in->is_put_ignored,
                                     .is_delete_ignored = in->is_delete_ignored};
    opening->status =
        yr_etcd_watch_start(client->etcd, &options, &events, watch, &watch->inner);
    if (opening->status == YURPC_OK) {
        yr_list_append(&client->handles, &watch->handle.node);
    }
}

yurpc_status yurpc_etcd_watch_start(yurpc_etcd *client, const yurpc_etcd_watch_options *options,
                                    const yurpc_etcd_watch_events *events, void *context,
                                    yurpc_etcd_watch **ret_watch)
{
    if (client == NULL || options == NULL || options->size < sizeof *options ||
        events == NULL || events->size < sizeof *events || events->on_changes == NULL ||
        ret_watch == NULL) {
        return YURPC_INVALID;
    }
    yurpc_etcd_watch *watch = yr_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return YURPC_NO_MEMORY;
    }
    watch->handle.client = client;
    watch->handle.stop = watch_stop;
    watch->events = *events;
    watch->context = context;
    watch_opening opening = {watch, options, YURPC_OK};
    yurpc_status status = yr_api_run(client, watch_start_on_loop, &opening);
    status = status == YURPC_OK ? opening.status : status;
    if (status != YURPC_OK) {
        yr_free(watch);
        return status;
    }
    *ret_watch = watch;
    return YURPC_OK;
}

void yurpc_etcd_watch_stop(yurpc_etcd_watch *watch)
{
    yr_api_handle_stop(watch == NULL ? NULL : &watch->handle);
}

static void request_progress_on_loop(void *context)
{
    yr_etcd_watch_request_progress(context);
}

void yurpc_etcd_request_progress(yurpc_etcd *client)
{
    if (client != NULL &&
        yr_api_run(client, request_progress_on_loop, client->etcd) != YURPC_OK) {
        return; /* closing, or a forked child: there is nobody to ask for */
    }
}
