#include "etcd/methods.h"

#include "base/assert.h"
#include "etcd/client.h"
#include "etcd/encode.h"

#include <string.h>

/* path, decoder, whether it is a read, whether its answer is linearizable */
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
const yr_method yr_method_lease_ttl = {"/etcdserverpb.Lease/LeaseTimeToLive",
                                       yr_decode_lease_ttl, true, false};
static const yr_method status_method = {"/etcdserverpb.Maintenance/Status", yr_decode_status,
                                        true, false};

/* ---- Requests ---- */

void yr_call_request_init(yr_call_request *request, const yr_method *method)
{
    memset(request, 0, sizeof *request);
    request->method = method;
    yr_buf_init(&request->message, YR_ETCD_REQUEST_MAX);
}

void yr_call_request_deinit(yr_call_request *request)
{
    yr_buf_deinit(&request->message);
}

static void set_options(yr_call_request *request, const yr_etcd_call_options *options)
{
    if (options != NULL) {
        request->timeout_ms = options->timeout_ms;
        request->is_idempotent = options->is_idempotent;
    }
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

yurpc_status yr_call_request_op(yr_call_request *request, const yurpc_etcd_op *op)
{
    yr_call_request_init(request, method_of(op));
    if (op->options != NULL) {
        request->timeout_ms = op->options->timeout_ms;
        request->is_idempotent = op->options->is_idempotent;
    }
    return yr_encode_op(op, &request->message);
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

yurpc_status yr_call_request_txn(yr_call_request *request, const yurpc_etcd_txn_request *txn)
{
    yr_call_request_init(request, &txn_method);
    yurpc_status status = yr_encode_txn(txn, &request->message);
    if (status == YURPC_OK) {
        request->timeout_ms = txn->timeout_ms;
        request->is_idempotent = txn->is_idempotent;
        if (ops_are_serializable(txn->then_ops, txn->then_count) &&
            ops_are_serializable(txn->else_ops, txn->else_count)) {
            request->method = &serializable_txn_method;
        }
    }
    return status;
}

yurpc_status yr_call_request_compact(yr_call_request *request, int64_t revision,
                                     const yr_etcd_call_options *options)
{
    yr_call_request_init(request, &compact_method);
    set_options(request, options);
    return yr_encode_compact(revision, &request->message);
}

yurpc_status yr_call_request_grant(yr_call_request *request, const yr_etcd_grant *grant)
{
    yr_call_request_init(request, &grant_method);
    request->timeout_ms = grant->timeout_ms;
    request->is_idempotent = grant->is_idempotent && grant->id != 0;
    request->granted_id = request->is_idempotent ? grant->id : 0;
    return yr_encode_lease_grant(grant->id, grant->ttl_s, &request->message);
}

yurpc_status yr_call_request_revoke(yr_call_request *request, int64_t id,
                                    const yr_etcd_call_options *options)
{
    yr_call_request_init(request, &revoke_method);
    set_options(request, options);
    return yr_encode_lease_revoke(id, &request->message);
}

yurpc_status yr_call_request_ttl(yr_call_request *request, const yr_etcd_lease_query *query)
{
    yr_call_request_init(request, &yr_method_lease_ttl);
    request->timeout_ms = query->timeout_ms;
    return yr_encode_lease_ttl(query->id, query->has_keys, &request->message);
}

void yr_call_request_status(yr_call_request *request, const yr_etcd_call_options *options)
{
    yr_call_request_init(request, &status_method);
    set_options(request, options);
}

/* ---- The calls of etcd.h ---- */

/* Where the answer goes. */
typedef struct reply_receiver {
    yurpc_etcd_reply_fn *fn;
    void *context;
    yr_etcd_call **ret_call;
} reply_receiver;

/* Begin @p request, which was made with @p status. Takes it. */
static yurpc_status begin(yr_etcd *client, yurpc_status status, yr_call_request *request,
                          reply_receiver to)
{
    if (status == YURPC_OK) {
        status = yr_call_begin(client, request, to.fn, to.context, to.ret_call);
    }
    yr_call_request_deinit(request);
    return status;
}

yurpc_status yr_etcd_do(yr_etcd *client, const yurpc_etcd_op *op, yurpc_etcd_reply_fn *fn,
                        void *context, yr_etcd_call **ret_call)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_op(&request, op);
    return begin(client, status, &request, (reply_receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_range(yr_etcd *client, const yurpc_etcd_op *range, yr_etcd_kvs_fn *on_kvs,
                           yurpc_etcd_reply_fn *fn, void *context, yr_etcd_call **ret_call)
{
    YR_ASSERT(range->kind == YURPC_ETCD_RANGE);
    yr_call_request request;
    yurpc_status status = yr_call_request_op(&request, range);
    request.on_kvs = on_kvs;
    return begin(client, status, &request, (reply_receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_txn(yr_etcd *client, const yurpc_etcd_txn_request *txn,
                         yurpc_etcd_reply_fn *fn, void *context, yr_etcd_call **ret_call)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_txn(&request, txn);
    return begin(client, status, &request, (reply_receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_compact(yr_etcd *client, int64_t revision,
                             const yr_etcd_call_options *options, yurpc_etcd_reply_fn *fn,
                             void *context, yr_etcd_call **ret_call)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_compact(&request, revision, options);
    return begin(client, status, &request, (reply_receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_lease_grant(yr_etcd *client, const yr_etcd_grant *grant,
                                 yurpc_etcd_reply_fn *fn, void *context,
                                 yr_etcd_call **ret_call)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_grant(&request, grant);
    return begin(client, status, &request, (reply_receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_lease_revoke(yr_etcd *client, int64_t id,
                                  const yr_etcd_call_options *options, yurpc_etcd_reply_fn *fn,
                                  void *context, yr_etcd_call **ret_call)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_revoke(&request, id, options);
    return begin(client, status, &request, (reply_receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_lease_ttl(yr_etcd *client, const yr_etcd_lease_query *query,
                               yurpc_etcd_reply_fn *fn, void *context, yr_etcd_call **ret_call)
{
    yr_call_request request;
    yurpc_status status = yr_call_request_ttl(&request, query);
    return begin(client, status, &request, (reply_receiver){fn, context, ret_call});
}

yurpc_status yr_etcd_status(yr_etcd *client, const yr_etcd_call_options *options,
                            yurpc_etcd_reply_fn *fn, void *context, yr_etcd_call **ret_call)
{
    yr_call_request request;
    yr_call_request_status(&request, options);
    return begin(client, YURPC_OK, &request, (reply_receiver){fn, context, ret_call});
}
