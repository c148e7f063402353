#include "etcd/api.h"

yurpc_status yurpc_etcd_range(yurpc_etcd *client, yurpc_bytes key,
                              const yurpc_etcd_op_options *options,
                              yurpc_etcd_reply **ret_reply, yurpc_error **ret_error)
{
    yr_call_request request;
    yurpc_etcd_op op = {YURPC_ETCD_RANGE, key, {NULL, 0}, options};
    yurpc_status status = yr_call_request_op(&request, &op);
    return yr_api_call(client, status, &request, ret_reply, ret_error);
}

yurpc_status yurpc_etcd_range_async(yurpc_etcd *client, yurpc_bytes key,
                                    const yurpc_etcd_op_options *options,
                                    yurpc_etcd_reply_fn *callback, void *context)
{
    yr_call_request request;
    yurpc_etcd_op op = {YURPC_ETCD_RANGE, key, {NULL, 0}, options};
    yurpc_status status = yr_call_request_op(&request, &op);
    return yr_api_call_async(client, status, &request, callback, context);
}

yurpc_status yurpc_etcd_put(yurpc_etcd *client, yurpc_bytes key, yurpc_bytes value,
                            const yurpc_etcd_op_options *options, yurpc_etcd_reply **ret_reply,
                            yurpc_error **ret_error)
{
    yr_call_request request;
    yurpc_etcd_op op = {YURPC_ETCD_PUT, key, value, options};
    yurpc_status status = yr_call_request_op(&request, &op);
    return yr_api_call(client, status, &request, ret_reply, ret_error);
}

yurpc_status yurpc_etcd_put_async(yurpc_etcd *client, yurpc_bytes key, yurpc_bytes value,
                                  const yurpc_etcd_op_options *options,
                                  yurpc_etcd_reply_fn *callback, void *context)
{
    yr_call_request request;
    yurpc_etcd_op op = {YURPC_ETCD_PUT, key, value, options};
    yurpc_status status = yr_call_request_op(&request, &op);
    return yr_api_call_async(client, status, &request, callback, context);
}

yurpc_status yurpc_etcd_delete(yurpc_etcd *client, yurpc_bytes key,
                               const yurpc_etcd_op_options *options,
                               yurpc_etcd_reply **ret_reply, yurpc_error **ret_error)
{
    yr_call_request request;
    yurpc_etcd_op op = {YURPC_ETCD_DELETE, key, {NULL, 0}, options};
    yurpc_status status = yr_call_request_op(&request, &op);
    return yr_api_call(client, status, &request, ret_reply, ret_error);
}

yurpc_status yurpc_etcd_delete_async(yurpc_etcd *client, yurpc_bytes key,
                                     const yurpc_etcd_op_options *options,
                                     yurpc_etcd_reply_fn *callback, void *context)
{
    yr_call_request request;
    yurpc_etcd_op op = {YURPC_ETCD_DELETE, key, {NULL, 0}, options};
    yurpc_status status = yr_call_request_op(&request, &op);
    return yr_api_call_async(client, status, &request, callback, context);
}

static yurpc_status request_txn(yr_call_request *request, const yurpc_etcd_txn_request *txn)
{
    static const yurpc_etcd_txn_request nothing = {.size = 0};
    return yr_call_request_txn(request, txn == NULL ? &nothing : txn);
}

yurpc_status yurpc_etcd_txn(yurpc_etcd *client, const yurpc_etcd_txn_request *txn,
                            yurpc_etcd_reply **ret_reply, yurpc_error **ret_error)
{
    yr_call_request request;
    yurpc_status status = request_txn(&request, txn);
    return yr_api_call(client, status, &request, ret_reply, ret_error);
}

yurpc_status yurpc_etcd_txn_async(yurpc_etcd *client, const yurpc_etcd_txn_request *txn,
                                  yurpc_etcd_reply_fn *callback, void *context)
{
    yr_call_request request;
    yurpc_status status = request_txn(&request, txn);
    return yr_api_call_async(client, status, &request, callback, context);
}

yurpc_status yurpc_etcd_compact(yurpc_etcd *client, int64_t revision, yurpc_error **ret_error)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_compact(&request, revision, NULL);
    return yr_api_call(client, status, &request, NULL, ret_error);
}

yurpc_status yurpc_etcd_compact_async(yurpc_etcd *client, int64_t revision,
                                      yurpc_etcd_reply_fn *callback, void *context)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_compact(&request, revision, NULL);
    return yr_api_call_async(client, status, &request, callback, context);
}
