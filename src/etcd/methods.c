/* The calls of etcd.h: each makes its request and begins. */
#include "base/bytes.h"
#include "etcd/client.h"
#include "etcd/encode.h"

static const yr_method range_method = {"/etcdserverpb.KV/Range", yr_decode_range, true, true};
static const yr_method serializable_range_method = {"/etcdserverpb.KV/Range", yr_decode_range,
                                                    true, false};
static const yr_method put_method = {"/etcdserverpb.KV/Put", yr_decode_put, false, true};
static const yr_method delete_method = {"/etcdserverpb.KV/DeleteRange", yr_decode_delete, false,
                                        true};
static const yr_method txn_method = {"/etcdserverpb.KV/Txn", yr_decode_txn, false, true};
static const yr_method serializable_txn_method = {"/etcdserverpb.KV/Txn", yr_decode_txn, false,
                                                  false};
static const yr_method compact_method = {"/etcdserverpb.KV/Compact", yr_decode_compact, false,
                                         false};
static const yr_method grant_method = {"/etcdserverpb.Lease/LeaseGrant", yr_decode_lease_grant,
                                       false, false};
static const yr_method revoke_method = {"/etcdserverpb.Lease/LeaseRevoke",
                                        yr_decode_lease_revoke, false, false};
static const yr_method ttl_method = {"/etcdserverpb.Lease/LeaseTimeToLive", yr_decode_lease_ttl,
                                     true, false};
static const yr_method status_method = {"/etcdserverpb.Maintenance/Status", yr_decode_status,
                                        true, false};

typedef struct receiver {
    yurpc_etcd_reply_fn *fn;
    void *context;
    yr_etcd_call **ret_call;
} receiver;

/* Begin with what was encoded with @p status. Takes @p request's message. */
static yurpc_status begin(yr_etcd *client, yurpc_status status, const yr_call_request *request,
                          receiver to)
{
    if (status == YURPC_OK) {
        status = yr_call_begin(client, request, to.fn, to.context, to.ret_call);
    }
    yr_buf_deinit(request->message);
    return status;
}

static const yr_method *method_of(const yurpc_etcd_op *op)
{
    switch (op->kind) {
    case YURPC_ETCD_RANGE:
        return op->options != NULL && op->options->is_serializable ? &serializable_range_method
                                                                   : &range_method;
    case YURPC_ETCD_PUT:
        return &put_method;
    case YURPC_ETCD_DELETE:
        return &delete_method;
    }
    return &range_method; /* encoding it fails */
}

yurpc_status yr_etcd_do(yr_etcd *client, const yurpc_etcd_op *op, yurpc_etcd_reply_fn *fn,
                        void *context, yr_etcd_call **ret_call)
{
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yr_call_request request = {.method = method_of(op), .message = &message};
    if (op->options != NULL) {
        request.timeout_ms = op->options->timeout_ms;
        request.is_idempotent = op->options->is_idempotent;
    }
    yurpc_status status = yr_encode_op(op, &message);
    return begin(client, status, &request, (receiver){fn, context, ret_call});
}

/* A transaction of serializable reads only is answered by one member, from what it knows. */
static bool ops_are_serializable(const yurpc_etcd_op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind != YURPC_ETCD_RANGE || ops[i].options == NULL ||
            !ops[i].options->is_serializable) {
            return false;
        }
    }
    return true;
}

yurpc_status yr_etcd_txn(yr_etcd *client, const yurpc_etcd_txn_request *txn,
                         yurpc_etcd_reply_fn *fn, void *context, yr_etcd_call **ret_call)
{
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yurpc_status status = yr_encode_txn(txn, &message);
    bool is_serializable = status == YURPC_OK &&
                           ops_are_serializable(txn->then_ops, txn->then_count) &&
                           ops_are_serializable(txn->else_ops, txn->else_count);
    yr_call_request request = {.method =
                                   is_serializable ? &serializable_txn_method : &txn_method,
                               .message = &message,
                               .timeout_ms = txn->timeout_ms,
                               .is_idempotent = txn->is_idempotent};
    return begin(client, status, &request, (receiver){fn, context, ret_call});
}

static const yr_etcd_call_options default_options;

yurpc_status yr_etcd_compact(yr_etcd *client, int64_t revision,
                             const yr_etcd_call_options *options, yurpc_etcd_reply_fn *fn,
                             void *context, yr_etcd_call **ret_call)
{
    const yr_etcd_call_options *how = options == NULL ? &default_options : options;
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yr_call_request request = {.method = &compact_method,
                               .message = &message,
                               .timeout_ms = how->timeout_ms,
                               .is_idempotent = how->is_idempotent};
    yurpc_status status = yr_encode_compact(revision, &message);
    return begin(client, status, &request, (receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_lease_grant(yr_etcd *client, const yr_etcd_grant *grant,
                                 yurpc_etcd_reply_fn *fn, void *context,
                                 yr_etcd_call **ret_call)
{
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    bool is_repeatable = grant->is_idempotent && grant->id != 0;
    yr_call_request request = {.method = &grant_method,
                               .message = &message,
                               .timeout_ms = grant->timeout_ms,
                               .is_idempotent = is_repeatable,
                               .granted_id = is_repeatable ? grant->id : 0};
    yurpc_status status = yr_encode_lease_grant(grant->id, grant->ttl_s, &message);
    return begin(client, status, &request, (receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_lease_revoke(yr_etcd *client, int64_t id,
                                  const yr_etcd_call_options *options, yurpc_etcd_reply_fn *fn,
                                  void *context, yr_etcd_call **ret_call)
{
    const yr_etcd_call_options *how = options == NULL ? &default_options : options;
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yr_call_request request = {.method = &revoke_method,
                               .message = &message,
                               .timeout_ms = how->timeout_ms,
                               .is_idempotent = how->is_idempotent};
    yurpc_status status = yr_encode_lease_revoke(id, &message);
    return begin(client, status, &request, (receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_lease_ttl(yr_etcd *client, const yr_etcd_lease_query *query,
                               yurpc_etcd_reply_fn *fn, void *context, yr_etcd_call **ret_call)
{
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yr_call_request request = {
        .method = &ttl_method, .message = &message, .timeout_ms = query->timeout_ms};
    yurpc_status status = yr_encode_lease_ttl(query->id, query->has_keys, &message);
    return begin(client, status, &request, (receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_status(yr_etcd *client, const yr_etcd_call_options *options,
                            yurpc_etcd_reply_fn *fn, void *context, yr_etcd_call **ret_call)
{
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yr_call_request request = {.method = &status_method,
                               .message = &message,
                               .timeout_ms = options == NULL ? 0 : options->timeout_ms};
    return begin(client, YURPC_OK, &request, (receiver){fn, context, ret_call});
}
