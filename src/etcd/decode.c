#include "etcd/decode.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "base/secret.h"
#include "etcdserverpb.pb-c.h"

#include <stddef.h>
#include <string.h>

/*
 * The ceiling of an arena. A key without a value is 10 bytes on the wire and 240 here
 * (protobuf-c's struct, its bookkeeping, and ours), so 32 times suffices for what is real.
 */
enum { ARENA_MIN = 64 * 1024, ARENA_PER_BYTE = 32, ARENA_MAX = 1024 * 1024 * 1024 };

static size_t arena_max(yurpc_bytes message)
{
    size_t room = ARENA_MAX - ARENA_MIN;
    return ARENA_MIN +
           (message.len > room / ARENA_PER_BYTE ? room : message.len * ARENA_PER_BYTE);
}

/* ---- protobuf-c on an arena ---- */

static void *allocate(void *context, size_t size)
{
    return yr_arena_alloc(context, size);
}

static void keep(void *context, void *pointer)
{
    (void)context; /* what an arena gave goes with the arena */
    (void)pointer;
}

static void *unpack(const ProtobufCMessageDescriptor *descriptor, yurpc_bytes bytes,
                    yr_arena *arena)
{
    ProtobufCAllocator allocator = {allocate, keep, arena};
    return protobuf_c_message_unpack(descriptor, &allocator, bytes.len, bytes.data);
}

static yurpc_status arena_status(const yr_arena *arena)
{
    return arena->failure == YURPC_OK ? YURPC_PROTOCOL : arena->failure;
}

static yurpc_bytes view(ProtobufCBinaryData data)
{
    return (yurpc_bytes){data.data, data.len};
}

static yr_header read_header(const Etcdserverpb__ResponseHeader *header)
{
    if (header == NULL) {
        return (yr_header){0};
    }
    return (yr_header){header->cluster_id, header->member_id, header->revision,
                       header->raft_term};
}

static void read_kv(const Mvccpb__KeyValue *in, yurpc_etcd_kv *out)
{
    *out = (yurpc_etcd_kv){.key = view(in->key),
                           .value = view(in->value),
                           .create_revision = in->create_revision,
                           .mod_revision = in->mod_revision,
                           .version = in->version,
                           .lease = in->lease};
}

/* ---- Replies ---- */

static void set_header(yurpc_etcd_reply *reply, const Etcdserverpb__ResponseHeader *message)
{
    yr_header header = read_header(message);
    reply->revision = header.revision;
    reply->cluster_id = header.cluster_id;
    reply->member_id = header.member_id;
    reply->raft_term = header.raft_term;
}

yr_header yr_reply_header(const yurpc_etcd_reply *reply)
{
    return (yr_header){reply->cluster_id, reply->member_id, reply->revision, reply->raft_term};
}

static yurpc_status set_kvs(yurpc_etcd_reply *reply, Mvccpb__KeyValue *const *kvs, size_t count,
                            yr_arena *arena)
{
    yurpc_etcd_kv *out = yr_arena_alloc_array(arena, count, sizeof *out);
    if (out == NULL) {
        return arena->failure;
    }
    for (size_t i = 0; i < count; i++) {
        read_kv(kvs[i], &out[i]);
    }
    reply->kvs = out;
    reply->kv_count = count;
    return YURPC_OK;
}

static yurpc_status set_range(yurpc_etcd_reply *reply, const Etcdserverpb__RangeResponse *in,
                              yr_arena *arena)
{
    set_header(reply, in->header);
    reply->count = in->count;
    reply->has_more = in->more;
    return set_kvs(reply, in->kvs, in->n_kvs, arena);
}

static yurpc_status set_put(yurpc_etcd_reply *reply, const Etcdserverpb__PutResponse *in,
                            yr_arena *arena)
{
    set_header(reply, in->header);
    return set_kvs(reply, &in->prev_kv, in->prev_kv == NULL ? 0 : 1, arena);
}

static yurpc_status set_delete(yurpc_etcd_reply *reply,
                               const Etcdserverpb__DeleteRangeResponse *in, yr_arena *arena)
{
    set_header(reply, in->header);
    reply->count = in->deleted;
    return set_kvs(reply, in->prev_kvs, in->n_prev_kvs, arena);
}

static yurpc_status set_response_op(yurpc_etcd_reply *reply, const Etcdserverpb__ResponseOp *in,
                                    yr_arena *arena)
{
    switch (in->response_case) {
    case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE:
        return set_range(reply, in->response_range, arena);
    case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT:
        return set_put(reply, in->response_put, arena);
    case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE:
        return set_delete(reply, in->response_delete_range, arena);
    case ETCDSERVERPB__RESPONSE_OP__RESPONSE__NOT_SET:
    case _ETCDSERVERPB__RESPONSE_OP__RESPONSE__CASE_IS_INT_SIZE:
        break;
    }
    return YURPC_PROTOCOL;
}

static yurpc_status set_txn(yurpc_etcd_reply *reply, const Etcdserverpb__TxnResponse *in,
                            yr_arena *arena)
{
    set_header(reply, in->header);
    size_t count = in->n_responses;
    yurpc_etcd_reply *replies = yr_arena_alloc_array(arena, count, sizeof *replies);
    const yurpc_etcd_reply **pointers = yr_arena_alloc_array(arena, count, sizeof(void *));
    if (replies == NULL || pointers == NULL) {
        return arena->failure;
    }
    for (size_t i = 0; i < count; i++) {
        yurpc_status status = set_response_op(&replies[i], in->responses[i], arena);
        if (status != YURPC_OK) {
            return status;
        }
        pointers[i] = &replies[i];
    }
    reply->is_succeeded = in->succeeded;
    reply->replies = pointers;
    reply->reply_count = count;
    return YURPC_OK;
}

static yurpc_status set_compact(yurpc_etcd_reply *reply,
                                const Etcdserverpb__CompactionResponse *in, yr_arena *arena)
{
    (void)arena;
    set_header(reply, in->header);
    return YURPC_OK;
}

static yurpc_status set_lease_grant(yurpc_etcd_reply *reply,
                                    const Etcdserverpb__LeaseGrantResponse *in, yr_arena *arena)
{
    (void)arena;
    set_header(reply, in->header);
    reply->lease = in->id;
    reply->ttl_s = in->ttl;
    return in->id != 0 && in->ttl > 0 ? YURPC_OK : YURPC_PROTOCOL;
}

static yurpc_status set_lease_revoke(yurpc_etcd_reply *reply,
                                     const Etcdserverpb__LeaseRevokeResponse *in,
                                     yr_arena *arena)
{
    (void)arena;
    set_header(reply, in->header);
    return YURPC_OK;
}

static yurpc_status set_lease_ttl(yurpc_etcd_reply *reply,
                                  const Etcdserverpb__LeaseTimeToLiveResponse *in,
                                  yr_arena *arena)
{
    set_header(reply, in->header);
    yurpc_bytes *keys = yr_arena_alloc_array(arena, in->n_keys, sizeof *keys);
    if (keys == NULL) {
        return arena->failure;
    }
    for (size_t i = 0; i < in->n_keys; i++) {
        keys[i] = view(in->keys[i]);
    }
    reply->keys = keys;
    reply->key_count = in->n_keys;
    reply->lease = in->id;
    reply->ttl_s = in->ttl;
    reply->granted_ttl_s = in->granted_ttl;
    return YURPC_OK;
}

static yurpc_status set_status(yurpc_etcd_reply *reply, const Etcdserverpb__StatusResponse *in,
                               yr_arena *arena)
{
    set_header(reply, in->header);
    yurpc_bytes *errors = yr_arena_alloc_array(arena, in->n_errors, sizeof *errors);
    if (errors == NULL) {
        return arena->failure;
    }
    for (size_t i = 0; i < in->n_errors; i++) {
        errors[i] = yr_bytes_of_text(in->errors[i]);
    }
    reply->errors = errors;
    reply->error_count = in->n_errors;
    reply->version = in->version;
    reply->db_size = in->db_size;
    reply->leader_id = in->leader;
    reply->raft_index = in->raft_index;
    return YURPC_OK;
}

void yr_reply_free(yr_reply *reply)
{
    if (reply != NULL) {
        yr_arena_deinit(&reply->arena);
        yr_free(reply);
    }
}

yr_reply *yr_reply_of(const yurpc_etcd_reply *reply)
{
    union {
        const yurpc_etcd_reply *in;
        yurpc_etcd_reply *out;
    } inside = {.in = reply};
    return YR_CONTAINER_OF(inside.out, yr_reply, reply);
}

yurpc_etcd_reply *yr_reply_detach(const yurpc_etcd_reply *reply)
{
    yr_reply *box = yr_reply_of(reply);
    *box->ret_detached = true;
    box->ret_detached = NULL;
    return &box->reply;
}

yr_reply *yr_reply_new(size_t size_max)
{
    yr_reply *reply = yr_calloc(1, sizeof *reply);
    if (reply != NULL) {
        yr_arena_init(&reply->arena, size_max);
    }
    return reply;
}

/* Give out a reply that was filled with @p status. */
static yurpc_status reply_finish(yr_reply *reply, yurpc_status status, yr_reply **ret_reply)
{
    if (status != YURPC_OK) {
        yr_reply_free(reply);
        return status;
    }
    *ret_reply = reply;
    return YURPC_OK;
}

/* One function for each answer: unpack it, turn it into a reply. */
#define REPLIES(XX)                                                                            \
    XX(yr_decode_range, etcdserverpb__range_response__descriptor, set_range)                   \
    XX(yr_decode_put, etcdserverpb__put_response__descriptor, set_put)                         \
    XX(yr_decode_delete, etcdserverpb__delete_range_response__descriptor, set_delete)          \
    XX(yr_decode_txn, etcdserverpb__txn_response__descriptor, set_txn)                         \
    XX(yr_decode_compact, etcdserverpb__compaction_response__descriptor, set_compact)          \
    XX(yr_decode_lease_grant, etcdserverpb__lease_grant_response__descriptor, set_lease_grant) \
    XX(yr_decode_lease_revoke, etcdserverpb__lease_revoke_response__descriptor,                \
       set_lease_revoke)                                                                       \
    XX(yr_decode_lease_ttl, etcdserverpb__lease_time_to_live_response__descriptor,             \
       set_lease_ttl)                                                                          \
    XX(yr_decode_status, etcdserverpb__status_response__descriptor, set_status)

#define XX(name, descriptor, set)                                                             \
    yurpc_status name(yurpc_bytes message, yr_reply **ret_reply)                              \
    {                                                                                         \
        yr_reply *reply = yr_reply_new(arena_max(message));                                   \
        if (reply == NULL) {                                                                  \
            return YURPC_NO_MEMORY;                                                           \
        }                                                                                     \
        void *in = unpack(&(descriptor), message, &reply->arena);                             \
        yurpc_status status =                                                                 \
            in == NULL ? arena_status(&reply->arena) : set(&reply->reply, in, &reply->arena); \
        return reply_finish(reply, status, ret_reply);                                        \
    }
REPLIES(XX)
#undef XX

/* ---- Streams ---- */

yurpc_status yr_decode_keepalive(yurpc_bytes message, yr_keepalive_answer *ret_answer)
{
    yr_arena arena;
    yr_arena_init(&arena, arena_max(message));
    const Etcdserverpb__LeaseKeepAliveResponse *in =
        unpack(&etcdserverpb__lease_keep_alive_response__descriptor, message, &arena);
    yurpc_status status = in == NULL ? arena_status(&arena) : YURPC_OK;
    if (in != NULL) {
        *ret_answer = (yr_keepalive_answer){read_header(in->header), in->id, in->ttl};
    }
    yr_arena_deinit(&arena);
    return status;
}

static yurpc_status read_event(const Mvccpb__Event *in, yurpc_etcd_event *out, yr_arena *arena)
{
    if (in->kv == NULL || in->kv->mod_revision <= 0 ||
        (in->type != MVCCPB__EVENT__KIND__PUT && in->type != MVCCPB__EVENT__KIND__DELETE)) {
        return YURPC_PROTOCOL;
    }
    out->kind =
        in->type == MVCCPB__EVENT__KIND__PUT ? YURPC_ETCD_EVENT_PUT : YURPC_ETCD_EVENT_DELETE;
    read_kv(in->kv, &out->kv);
    if (in->prev_kv == NULL) {
        return YURPC_OK;
    }
    yurpc_etcd_kv *prev_kv = yr_arena_alloc(arena, sizeof *prev_kv);
    if (prev_kv == NULL) {
        return arena->failure;
    }
    read_kv(in->prev_kv, prev_kv);
    out->prev_kv = prev_kv;
    return YURPC_OK;
}

static yurpc_status watch_message_read(yr_watch_message *message, yurpc_bytes bytes)
{
    yr_arena *arena = &message->arena;
    const Etcdserverpb__WatchResponse *in =
        unpack(&etcdserverpb__watch_response__descriptor, bytes, arena);
    if (in == NULL) {
        return arena_status(arena);
    }
    message->header = read_header(in->header);
    message->watch_id = in->watch_id;
    message->is_created = in->created;
    message->is_canceled = in->canceled;
    message->is_fragment = in->fragment;
    message->compact_revision = in->compact_revision;
    message->reason = in->cancel_reason;
    message->events = yr_arena_alloc_array(arena, in->n_events, sizeof *message->events);
    message->event_count = in->n_events;
    if (message->events == NULL) {
        return arena->failure;
    }
    yurpc_status status = YURPC_OK;
    for (size_t i = 0; i < in->n_events && status == YURPC_OK; i++) {
        status = read_event(in->events[i], &message->events[i], arena);
    }
    return status;
}

yurpc_status yr_decode_watch(yurpc_bytes bytes, yr_watch_message **ret_message)
{
    yr_watch_message *message = yr_calloc(1, sizeof *message);
    if (message == NULL) {
        return YURPC_NO_MEMORY;
    }
    yr_arena_init(&message->arena, arena_max(bytes));
    yurpc_status status = watch_message_read(message, bytes);
    if (status != YURPC_OK) {
        yr_watch_message_free(message);
        return status;
    }
    *ret_message = message;
    return YURPC_OK;
}

void yr_watch_message_free(yr_watch_message *message)
{
    if (message != NULL) {
        yr_arena_deinit(&message->arena);
        yr_free(message);
    }
}

/* ---- Logging in ---- */

static bool token_is_good(const char *token)
{
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        if (token[i] <= ' ' || token[i] > '~') {
            return false;
        }
    }
    return len > 0 && len <= YR_SECRET_LEN_MAX;
}

yurpc_status yr_decode_authenticate(yurpc_bytes message, char **ret_token)
{
    yr_arena arena;
    yr_arena_init(&arena, arena_max(message));
    yurpc_status status = YURPC_PROTOCOL;
    const Etcdserverpb__AuthenticateResponse *in =
        unpack(&etcdserverpb__authenticate_response__descriptor, message, &arena);
    if (in == NULL) {
        status = arena_status(&arena);
    } else if (token_is_good(in->token)) {
        char *token = yr_secret_copy(in->token);
        status = token == NULL ? YURPC_NO_MEMORY : YURPC_OK;
        if (token != NULL) {
            *ret_token = token;
        }
    }
    if (in != NULL) {
        explicit_bzero(in->token, strlen(in->token));
    }
    yr_arena_deinit(&arena);
    return status;
}
