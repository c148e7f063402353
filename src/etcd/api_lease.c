#include "base/mem.h"
#include "etcd/api.h"

#include <stddef.h>

/* ---- Calls ---- */

yurpc_status yurpc_etcd_lease_grant(yurpc_etcd *client, int64_t id, int64_t ttl_s,
                                    yurpc_etcd_reply **ret_reply, yurpc_error **ret_error)
{
    yr_call_request request;
    yr_etcd_grant grant = {.id = id, .ttl_s = ttl_s, .is_idempotent = true};
    yurpc_status status = yr_call_request_grant(&request, &grant);
    return yr_api_call(client, status, &request, ret_reply, ret_error);
}

yurpc_status yurpc_etcd_lease_grant_async(yurpc_etcd *client, int64_t id, int64_t ttl_s,
                                          yurpc_etcd_reply_fn *callback, void *context)
{
    yr_call_request request;
    yr_etcd_grant grant = {.id = id, .ttl_s = ttl_s, .is_idempotent = true};
    yurpc_status status = yr_call_request_grant(&request, &grant);
    return yr_api_call_async(client, status, &request, callback, context);
}

/* A lease that was revoked twice is revoked. */
static const yr_etcd_call_options revoke_options = {.is_idempotent = true};

yurpc_status yurpc_etcd_lease_revoke(yurpc_etcd *client, int64_t id, yurpc_error **ret_error)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_revoke(&request, id, &revoke_options);
    return yr_api_call(client, status, &request, NULL, ret_error);
}

yurpc_status yurpc_etcd_lease_revoke_async(yurpc_etcd *client, int64_t id,
                                           yurpc_etcd_reply_fn *callback, void *context)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_revoke(&request, id, &revoke_options);
    return yr_api_call_async(client, status, &request, callback, context);
}

yurpc_status yurpc_etcd_lease_time_to_live(yurpc_etcd *client, int64_t id, bool has_keys,
                                           yurpc_etcd_reply **ret_reply,
                                           yurpc_error **ret_error)
{
    yr_call_request request;
    yr_etcd_lease_query query = {.id = id, .has_keys = has_keys};
    yurpc_status status = yr_call_request_ttl(&request, &query);
    return yr_api_call(client, status, &request, ret_reply, ret_error);
}

yurpc_status yurpc_etcd_lease_time_to_live_async(yurpc_etcd *client, int64_t id, bool has_keys,
                                                 yurpc_etcd_reply_fn *callback, void *context)
{
    yr_call_request request;
    yr_etcd_lease_query query = {.id = id, .has_keys = has_keys};
    yurpc_status status = yr_call_request_ttl(&request, &query);
    return yr_api_call_async(client, status, &request, callback, context);
}

/* ---- Keepalives ---- */

struct yurpc_etcd_keepalive {
    yr_api_handle handle;
    yr_etcd_keepalive *inner; /* NULL: lost */
    yurpc_etcd_keepalive_events events;
    void *context;
};

static void on_renewed(void *context, int64_t ttl_s)
{
    yurpc_etcd_keepalive *keepalive = context;
    if (keepalive->events.on_renewed != NULL) {
        keepalive->events.on_renewed(keepalive->context, ttl_s);
    }
}

static void on_lost(void *context, const yurpc_error *error)
{
    yurpc_etcd_keepalive *keepalive = context;
    keepalive->inner = NULL;
    if (keepalive->events.on_lost != NULL) {
        keepalive->events.on_lost(keepalive->context, error);
    }
}

static void keepalive_stop(yr_api_handle *handle)
{
    yurpc_etcd_keepalive *keepalive = YR_CONTAINER_OF(handle, yurpc_etcd_keepalive, handle);
    yr_etcd_keepalive_stop(keepalive->inner);
    yr_free(keepalive);
}

typedef struct keepalive_opening {
    yurpc_etcd_keepalive *keepalive;
    int64_t id;
    int64_t ttl_s;
    yurpc_status status;
} keepalive_opening;

static void keepalive_start_on_loop(void *context)
{
    static const yr_etcd_keepalive_events events = {on_renewed, on_lost};
    keepalive_opening *opening = context;
    yurpc_etcd_keepalive *keepalive = opening->keepalive;
    yurpc_etcd *client = keepalive->handle.client;
    /*
     * When the grant was asked for is not known here: a third of the TTL ago at most, which
     * makes the first renewal due now.
     */
    int64_t third_ms = opening->ttl_s > INT32_MAX ? 0 : opening->ttl_s * 1000 / 3;
    yr_etcd_lease lease = {opening->id, opening->ttl_s,
                           yr_io_now_ms(yr_loop_io(client->loop)) - third_ms};
    opening->status =
        yr_etcd_keepalive_start(client->etcd, &lease, &events, keepalive, &keepalive->inner);
    if (opening->status == YURPC_OK) {
        yr_list_append(&client->handles, &keepalive->handle.node);
    }
}

yurpc_status yurpc_etcd_keepalive_start(yurpc_etcd *client, int64_t id, int64_t ttl_s,
                                        const yurpc_etcd_keepalive_events *events,
                                        void *context, yurpc_etcd_keepalive **ret_keepalive)
{
    if (client == NULL || events == NULL || events->size < sizeof *events ||
        ret_keepalive == NULL) {
        return YURPC_INVALID;
    }
    yurpc_etcd_keepalive *keepalive = yr_calloc(1, sizeof *keepalive);
    if (keepalive == NULL) {
        return YURPC_NO_MEMORY;
    }
    keepalive->handle.client = client;
    keepalive->handle.stop = keepalive_stop;
    keepalive->events = *events;
    keepalive->context = context;
    keepalive_opening opening = {keepalive, id, ttl_s, YURPC_OK};
    yurpc_status status = yr_api_run(client, keepalive_start_on_loop, &opening);
    status = status == YURPC_OK ? opening.status : status;
    if (status != YURPC_OK) {
        yr_free(keepalive);
        return status;
    }
    *ret_keepalive = keepalive;
    return YURPC_OK;
}

void yurpc_etcd_keepalive_stop(yurpc_etcd_keepalive *keepalive)
{
    yr_api_handle_stop(keepalive == NULL ? NULL : &keepalive->handle);
}
