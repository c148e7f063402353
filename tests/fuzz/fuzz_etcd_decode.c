/*
 * Any bytes as an answer of etcd. The first byte of the input chooses the answer, the second
 * when memory runs out (0: never).
 *
 * What is decoded can be read to its last byte, costs no more memory than it may, and is the
 * same when it is decoded again; and what the scanner of a watch's messages says of them.
 */
#include "base/mem.h"
#include "base/secret.h"
#include "etcd/decode.h"
#include "etcd/status_table.h"
#include "etcd/watch_scan.h"
#include "fuzz.h"

#include <string.h>

enum { ARENA_MIN = 64 * 1024, ARENA_PER_BYTE = 32 };

static yr_decode_fn *const decoders[] = {
    yr_decode_range,        yr_decode_put,       yr_decode_delete,
    yr_decode_txn,          yr_decode_compact,   yr_decode_lease_grant,
    yr_decode_lease_revoke, yr_decode_lease_ttl, yr_decode_status,
};

enum {
    DECODERS = sizeof decoders / sizeof decoders[0],
    KEEPALIVE = DECODERS,
    WATCH,
    TOKEN,
    KINDS
};

/* A hash of all that a reader may look at: it touches every byte. */
typedef struct digest {
    uint64_t value;
} digest;

static void add(digest *d, uint64_t number)
{
    d->value = (d->value ^ number) * 1099511628211U;
}

static void add_bytes(digest *d, yurpc_bytes bytes)
{
    const uint8_t *data = bytes.data;
    add(d, bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        add(d, data[i]);
    }
}

static void add_kv(digest *d, const yurpc_etcd_kv *kv)
{
    add_bytes(d, kv->key);
    add_bytes(d, kv->value);
    add(d, (uint64_t)kv->create_revision);
    add(d, (uint64_t)kv->mod_revision);
    add(d, (uint64_t)kv->version);
    add(d, (uint64_t)kv->lease);
}

static void add_reply(digest *d, const yurpc_etcd_reply *reply, bool is_inner)
{
    add(d, (uint64_t)reply->revision);
    add(d, reply->cluster_id ^ reply->member_id ^ reply->raft_term);
    for (size_t i = 0; i < reply->kv_count; i++) {
        add_kv(d, &reply->kvs[i]);
    }
    add(d, (uint64_t)reply->count + reply->has_more + reply->is_succeeded);
    add(d, (uint64_t)(reply->lease ^ reply->ttl_s ^ reply->granted_ttl_s));
    for (size_t i = 0; i < reply->key_count; i++) {
        add_bytes(d, reply->keys[i]);
    }
    if (reply->version != NULL) {
        add_bytes(d, yr_bytes_of_text(reply->version));
    }
    for (size_t i = 0; i < reply->error_count; i++) {
        add_bytes(d, reply->errors[i]);
    }
    require(!is_inner || reply->reply_count == 0);
    for (size_t i = 0; i < reply->reply_count; i++) {
        add_reply(d, reply->replies[i], true);
    }
}

static void add_watch(digest *d, const yr_watch_message *message)
{
    add(d, (uint64_t)(message->header.revision ^ message->watch_id));
    add(d,
        (uint64_t)message->is_created + 2U * message->is_canceled + 4U * message->is_fragment);
    add_bytes(d, yr_bytes_of_text(message->reason));
    for (size_t i = 0; i < message->event_count; i++) {
        const yurpc_etcd_event *event = &message->events[i];
        require(event->kv.mod_revision > 0);
        add(d, event->kind);
        add_kv(d, &event->kv);
        if (event->prev_kv != NULL) {
            add_kv(d, event->prev_kv);
        }
    }
    /* The reason is text of the server's that decides what is done next. */
    add(d, (uint64_t)yr_etcd_verdict_of_reason(message->reason).status);
}

static void check_size(const yr_arena *arena, yurpc_bytes message)
{
    require(arena->size <= ARENA_MIN + message.len * ARENA_PER_BYTE);
}

/* What the scanner takes, the decoder reads the same. */
static void check_scanned(yurpc_bytes message, yurpc_status status,
                          const yr_watch_message *answer)
{
    yr_watch_scanned scanned;
    if (!yr_watch_scan(message, &scanned) || status == YURPC_NO_MEMORY) {
        return;
    }
    require(answer != NULL && scanned.event_count > 0);
    yr_watch_message same = {.header = scanned.header,
                             .watch_id = scanned.watch_id,
                             .reason = "",
                             .events = scanned.events,
                             .event_count = scanned.event_count};
    digest wanted = {0};
    digest found = {0};
    add_watch(&wanted, answer);
    add_watch(&found, &same);
    require(found.value == wanted.value && answer->compact_revision == 0);
    require(answer->header.cluster_id == scanned.header.cluster_id &&
            answer->header.member_id == scanned.header.member_id &&
            answer->header.raft_term == scanned.header.raft_term);
    for (size_t i = 0; i < scanned.event_count; i++) {
        require(answer->events[i].prev_kv == NULL);
    }
}

static yurpc_status decode(unsigned kind, yurpc_bytes message, digest *d)
{
    if (kind == KEEPALIVE) {
        yr_keepalive_answer answer = {.ttl_s = -7};
        yurpc_status status = yr_decode_keepalive(message, &answer);
        require(status == YURPC_OK || answer.ttl_s == -7);
        add(d, (uint64_t)(answer.id ^ answer.ttl_s ^ answer.header.revision));
        return status;
    }
    if (kind == WATCH) {
        yr_watch_message *answer = NULL;
        yurpc_status status = yr_decode_watch(message, &answer);
        require((status == YURPC_OK) == (answer != NULL));
        check_scanned(message, status, answer);
        if (answer != NULL) {
            check_size(&answer->arena, message);
            add_watch(d, answer);
        }
        yr_watch_message_free(answer);
        return status;
    }
    if (kind == TOKEN) {
        char *token = NULL;
        yurpc_status status = yr_decode_authenticate(message, &token);
        require((status == YURPC_OK) == (token != NULL));
        for (const char *at = token; at != NULL && *at != '\0'; at++) {
            require(*at > 0x20 && *at < 0x7f); /* it becomes a header */
            add(d, (uint8_t)*at);
        }
        yr_secret_free(token);
        return status;
    }
    yr_reply *reply = NULL;
    yurpc_status status = decoders[kind](message, &reply);
    require((status == YURPC_OK) == (reply != NULL));
    if (reply != NULL) {
        bool is_detached = false;
        check_size(&reply->arena, message);
        add_reply(d, &reply->reply, false);
        require(yr_reply_header(&reply->reply).revision == reply->reply.revision);
        reply->ret_detached = &is_detached;
        require(yr_reply_detach(&reply->reply) == &reply->reply && is_detached);
    }
    yr_reply_free(reply);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    unsigned kind = fuzz_byte(&in) % KINDS;
    unsigned memory = fuzz_byte(&in);
    yurpc_bytes message = fuzz_piece(&in, in.left);
    digest first = {0};
    digest second = {0};
    yurpc_status status = decode(kind, message, &first);
    require(status == YURPC_OK || status == YURPC_PROTOCOL || status == YURPC_TOO_LARGE);
    require(decode(kind, message, &second) == status && first.value == second.value);
    if (memory > 0) {
        digest third = {0};
        yr_mem_fail_after((long)memory - 1);
        yurpc_status when_short = decode(kind, message, &third);
        yr_mem_fail_after(-1);
        require(when_short == YURPC_NO_MEMORY ||
                (when_short == status && third.value == first.value));
    }
    return 0;
}
