#include "etcd/encode.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "etcdserverpb.pb-c.h"

#include <string.h>

enum { ARENA_MAX = 2 * YR_ETCD_REQUEST_MAX };

static const yurpc_etcd_op_options default_options = YURPC_ETCD_OP_OPTIONS_INIT;

/* protobuf-c has no const; packing only reads. */
static ProtobufCBinaryData binary(yurpc_bytes bytes)
{
    union {
        const void *in;
        uint8_t *out;
    } data = {.in = bytes.data};
    return (ProtobufCBinaryData){bytes.len, data.out};
}

static yurpc_status pack(const ProtobufCMessage *message, yr_buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    yurpc_status status = yr_buf_reserve(out, size);
    if (status == YURPC_OK) {
        out->len += protobuf_c_message_pack(message, out->data + out->len);
    }
    return status;
}

/* The same for texts. */
static char *text(const char *borrowed)
{
    union {
        const char *in;
        char *out;
    } text = {.in = borrowed};
    return text.out;
}

yurpc_status yr_encode_authenticate(const char *username, const char *password, yr_buf *out)
{
    Etcdserverpb__AuthenticateRequest message;
    /* Its _INIT drops a const, which clang minds. */
    etcdserverpb__authenticate_request__init(&message);
    message.name = text(username);
    message.password = text(password);
    return pack(&message.base, out);
}

/* ---- Which keys ---- */

typedef struct key_span {
    ProtobufCBinaryData key;
    ProtobufCBinaryData end;
} key_span;

/* The first key that does not begin with @p prefix: its last byte that can grow, grown. */
static yurpc_status end_of_prefix(yurpc_bytes prefix, yr_arena *arena, ProtobufCBinaryData *ret)
{
    size_t len = prefix.len;
    while (len > 0 && ((const uint8_t *)prefix.data)[len - 1] == 0xff) {
        len--;
    }
    uint8_t *end = yr_arena_alloc(arena, len + 1);
    if (end == NULL) {
        return arena->failure;
    }
    if (len > 0) {
        memcpy(end, prefix.data, len);
        end[len - 1]++;
    }
    *ret = (ProtobufCBinaryData){len == 0 ? 1 : len, end}; /* a zero byte: to the last key */
    return YURPC_OK;
}

static yurpc_status span_init(key_span *span, yurpc_bytes key, yurpc_bytes range_end,
                              bool is_prefix, yr_arena *arena)
{
    static const uint8_t first_key[1] = {0};

    if (is_prefix ? range_end.len > 0 : key.len == 0) {
        return YURPC_INVALID;
    }
    span->key = binary(key.len == 0 ? yr_bytes(first_key, 1) : key);
    span->end = binary(range_end);
    return is_prefix ? end_of_prefix(key, arena, &span->end) : YURPC_OK;
}

/* ---- KV ---- */

/* An operation in the form of protobuf-c: one of the three. */
typedef struct op_message {
    Etcdserverpb__RequestOp op;
    Etcdserverpb__RangeRequest range;
    Etcdserverpb__PutRequest put;
    Etcdserverpb__DeleteRangeRequest deletion;
} op_message;

static void op_message_init_range(op_message *message, const key_span *span,
                                  const yurpc_etcd_op_options *options)
{
    etcdserverpb__range_request__init(&message->range);
    message->range.key = span->key;
    message->range.range_end = span->end;
    message->range.limit = options->limit;
    message->range.revision = options->revision;
    message->range.serializable = options->is_serializable;
    message->range.keys_only = options->is_keys_only;
    message->range.count_only = options->is_count_only;
    message->op.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
    message->op.request_range = &message->range;
}

static void op_message_init_put(op_message *message, const yurpc_etcd_op *op,
                                const yurpc_etcd_op_options *options)
{
    etcdserverpb__put_request__init(&message->put);
    message->put.key = binary(op->key);
    message->put.value = binary(op->value);
    message->put.lease = options->lease;
    message->put.prev_kv = options->has_prev_kv;
    message->op.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
    message->op.request_put = &message->put;
}

static void op_message_init_deletion(op_message *message, const key_span *span,
                                     const yurpc_etcd_op_options *options)
{
    etcdserverpb__delete_range_request__init(&message->deletion);
    message->deletion.key = span->key;
    message->deletion.range_end = span->end;
    message->deletion.prev_kv = options->has_prev_kv;
    message->op.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
    message->op.request_delete_range = &message->deletion;
}

static yurpc_status op_message_init(op_message *message, const yurpc_etcd_op *op,
                                    yr_arena *arena)
{
    const yurpc_etcd_op_options *options = op->options == NULL ? &default_options : op->options;
    if (options->size < sizeof *options || options->limit < 0 || options->revision < 0) {
        return YURPC_INVALID;
    }
    bool is_put = op->kind == YURPC_ETCD_PUT;
    key_span span;
    yurpc_status status =
        span_init(&span, op->key, is_put ? yr_bytes(NULL, 0) : options->range_end,
                  !is_put && options->is_prefix, arena);
    if (status != YURPC_OK) {
        return status;
    }
    etcdserverpb__request_op__init(&message->op);
    switch (op->kind) {
    case YURPC_ETCD_RANGE:
        op_message_init_range(message, &span, options);
        return YURPC_OK;
    case YURPC_ETCD_PUT:
        op_message_init_put(message, op, options);
        return YURPC_OK;
    case YURPC_ETCD_DELETE:
        op_message_init_deletion(message, &span, options);
        return YURPC_OK;
    }
    return YURPC_INVALID;
}

yurpc_status yr_encode_op(const yurpc_etcd_op *op, yr_buf *out)
{
    yr_arena arena;
    yr_arena_init(&arena, ARENA_MAX);
    op_message message;
    yurpc_status status = op_message_init(&message, op, &arena);
    if (status == YURPC_OK) {
        /* All members of the union are pointers to messages, which begin with their base. */
        status = pack(&message.op.request_range->base, out);
    }
    yr_arena_deinit(&arena);
    return status;
}

/* ---- Transactions ---- */

static yurpc_status compare_init(Etcdserverpb__Compare *message,
                                 const yurpc_etcd_compare *compare)
{
    if (compare->key.len == 0 || compare->relation < YURPC_ETCD_EQUAL ||
        compare->relation > YURPC_ETCD_NOT_EQUAL) {
        return YURPC_INVALID;
    }
    etcdserverpb__compare__init(message);
    message->key = binary(compare->key);
    message->result = (Etcdserverpb__Compare__Relation)compare->relation;
    message->target = (Etcdserverpb__Compare__Target)compare->target;
    switch (compare->target) {
    case YURPC_ETCD_VERSION:
        message->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_VERSION;
        message->version = compare->number;
        return YURPC_OK;
    case YURPC_ETCD_CREATE_REVISION:
        message->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_CREATE_REVISION;
        message->create_revision = compare->number;
        return YURPC_OK;
    case YURPC_ETCD_MOD_REVISION:
        message->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_MOD_REVISION;
        message->mod_revision = compare->number;
        return YURPC_OK;
    case YURPC_ETCD_VALUE:
        message->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_VALUE;
        message->value = binary(compare->value);
        return YURPC_OK;
    case YURPC_ETCD_LEASE:
        message->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_LEASE;
        message->lease = compare->number;
        return YURPC_OK;
    }
    return YURPC_INVALID;
}

static yurpc_status compares_init(const yurpc_etcd_txn_request *txn, yr_arena *arena,
                                  Etcdserverpb__TxnRequest *message)
{
    size_t count = txn->compare_count;
    Etcdserverpb__Compare *compares = yr_arena_alloc_array(arena, count, sizeof *compares);
    Etcdserverpb__Compare **pointers = yr_arena_alloc_array(arena, count, sizeof(void *));
    if (compares == NULL || pointers == NULL) {
        return arena->failure;
    }
    for (size_t i = 0; i < count; i++) {
        yurpc_status status = compare_init(&compares[i], &txn->compares[i]);
        if (status != YURPC_OK) {
            return status;
        }
        pointers[i] = &compares[i];
    }
    message->compare = pointers;
    message->n_compare = count;
    return YURPC_OK;
}

static yurpc_status ops_init(const yurpc_etcd_op *ops, size_t count, yr_arena *arena,
                             Etcdserverpb__RequestOp ***ret_ops)
{
    op_message *messages = yr_arena_alloc_array(arena, count, sizeof *messages);
    Etcdserverpb__RequestOp **pointers = yr_arena_alloc_array(arena, count, sizeof(void *));
    if (messages == NULL || pointers == NULL) {
        return arena->failure;
    }
    for (size_t i = 0; i < count; i++) {
        yurpc_status status = op_message_init(&messages[i], &ops[i], arena);
        if (status != YURPC_OK) {
            return status;
        }
        pointers[i] = &messages[i].op;
    }
    *ret_ops = pointers;
    return YURPC_OK;
}

yurpc_status yr_encode_txn(const yurpc_etcd_txn_request *txn, yr_buf *out)
{
    if (txn->size < sizeof *txn) {
        return YURPC_INVALID;
    }
    yr_arena arena;
    yr_arena_init(&arena, ARENA_MAX);
    Etcdserverpb__TxnRequest message = ETCDSERVERPB__TXN_REQUEST__INIT;
    message.n_success = txn->then_count;
    message.n_failure = txn->else_count;
    yurpc_status status = compares_init(txn, &arena, &message);
    if (status == YURPC_OK) {
        status = ops_init(txn->then_ops, txn->then_count, &arena, &message.success);
    }
    if (status == YURPC_OK) {
        status = ops_init(txn->else_ops, txn->else_count, &arena, &message.failure);
    }
    if (status == YURPC_OK) {
        status = pack(&message.base, out);
    }
    yr_arena_deinit(&arena);
    return status;
}

yurpc_status yr_encode_compact(int64_t revision, yr_buf *out)
{
    Etcdserverpb__CompactionRequest message = ETCDSERVERPB__COMPACTION_REQUEST__INIT;
    message.revision = revision;
    return pack(&message.base, out);
}

/* ---- Lease ---- */

yurpc_status yr_encode_lease_grant(int64_t id, int64_t ttl_s, yr_buf *out)
{
    Etcdserverpb__LeaseGrantRequest message = ETCDSERVERPB__LEASE_GRANT_REQUEST__INIT;
    message.id = id;
    message.ttl = ttl_s;
    return id < 0 || ttl_s <= 0 ? YURPC_INVALID : pack(&message.base, out);
}

yurpc_status yr_encode_lease_revoke(int64_t id, yr_buf *out)
{
    Etcdserverpb__LeaseRevokeRequest message = ETCDSERVERPB__LEASE_REVOKE_REQUEST__INIT;
    message.id = id;
    return pack(&message.base, out);
}

yurpc_status yr_encode_lease_ttl(int64_t id, bool has_keys, yr_buf *out)
{
    Etcdserverpb__LeaseTimeToLiveRequest message =
        ETCDSERVERPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
    message.id = id;
    message.keys = has_keys;
    return pack(&message.base, out);
}

yurpc_status yr_encode_lease_keepalive(int64_t id, yr_buf *out)
{
    Etcdserverpb__LeaseKeepAliveRequest message = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
    message.id = id;
    return pack(&message.base, out);
}

/* ---- Watch ---- */

yurpc_status yr_encode_watch_create(int64_t watch_id, int64_t start_revision,
                                    const yr_etcd_watch_options *options, yr_buf *out)
{
    yr_arena arena;
    yr_arena_init(&arena, ARENA_MAX);
    key_span span;
    yurpc_status status =
        span_init(&span, options->key, options->range_end, options->is_prefix, &arena);
    if (status == YURPC_OK) {
        Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
        Etcdserverpb__WatchCreateRequest__Filter filters[2];
        create.filters = filters;
        if (options->is_put_ignored) {
            filters[create.n_filters++] = ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER__NOPUT;
        }
        if (options->is_delete_ignored) {
            filters[create.n_filters++] = ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER__NODELETE;
        }
        create.watch_id = watch_id;
        create.start_revision = start_revision;
        create.key = span.key;
        create.range_end = span.end;
        create.prev_kv = options->has_prev_kv;
        create.progress_notify = true;
        create.fragment = true;
        Etcdserverpb__WatchRequest message = ETCDSERVERPB__WATCH_REQUEST__INIT;
        message.request_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST;
        message.create_request = &create;
        status = pack(&message.base, out);
    }
    yr_arena_deinit(&arena);
    return status;
}

yurpc_status yr_encode_watch_cancel(int64_t watch_id, yr_buf *out)
{
    Etcdserverpb__WatchCancelRequest cancel = ETCDSERVERPB__WATCH_CANCEL_REQUEST__INIT;
    cancel.watch_id = watch_id;
    Etcdserverpb__WatchRequest message = ETCDSERVERPB__WATCH_REQUEST__INIT;
    message.request_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_CANCEL_REQUEST;
    message.cancel_request = &cancel;
    return pack(&message.base, out);
}

yurpc_status yr_encode_watch_progress(yr_buf *out)
{
    Etcdserverpb__WatchProgressRequest progress = ETCDSERVERPB__WATCH_PROGRESS_REQUEST__INIT;
    Etcdserverpb__WatchRequest message = ETCDSERVERPB__WATCH_REQUEST__INIT;
    message.request_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_PROGRESS_REQUEST;
    message.progress_request = &progress;
    return pack(&message.base, out);
}
