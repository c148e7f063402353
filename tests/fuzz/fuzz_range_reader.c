/*
 * Any bytes as a RangeResponse that comes in pieces: what is read is what protobuf-c reads of
 * the whole. The first byte of the input says how long pieces are, the second when memory runs
 * out (0: never).
 */
#include "base/mem.h"
#include "etcd/range_reader.h"
#include "etcd/wire.h"
#include "fuzz.h"

/* A hash of all that was read. */
typedef struct digest {
    uint64_t value;
    size_t kv_count;
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

static void add_kvs(void *context, const yurpc_etcd_kv *kvs, size_t count)
{
    digest *d = context;
    for (size_t i = 0; i < count; i++) {
        add_bytes(d, kvs[i].key);
        add_bytes(d, kvs[i].value);
        add(d, (uint64_t)kvs[i].create_revision);
        add(d, (uint64_t)kvs[i].mod_revision);
        add(d, (uint64_t)kvs[i].version);
        add(d, (uint64_t)kvs[i].lease);
    }
    d->kv_count += count;
}

static void add_rest(digest *d, const yurpc_etcd_reply *reply)
{
    add(d, (uint64_t)reply->revision);
    add(d, reply->cluster_id);
    add(d, reply->member_id);
    add(d, reply->raft_term);
    add(d, (uint64_t)reply->count);
    add(d, reply->has_more);
}

/* Each piece is a copy, so that nothing can be read behind it, nor after it. */
static yurpc_status add_piece(yr_range_reader *reader, yurpc_bytes message, size_t at,
                              size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    require(copy != NULL);
    if (len > 0) {
        memcpy(copy, (const char *)message.data + at, len);
    }
    yr_grpc_part part = {.bytes = yr_bytes(copy, len),
                         .message_len = message.len,
                         .is_first = at == 0,
                         .is_last = at + len == message.len};
    yurpc_status status = yr_range_reader_add(reader, &part);
    free(copy);
    return status;
}

static yurpc_status read_pieces(yurpc_bytes message, size_t piece_len, digest *d)
{
    yr_range_reader reader;
    yr_range_reader_init(&reader, add_kvs, d);
    yurpc_status status = YURPC_OK;
    size_t at = 0;
    do {
        size_t left = message.len - at;
        size_t len = left < piece_len ? left : piece_len;
        status = add_piece(&reader, message, at, len);
        at += len;
    } while (status == YURPC_OK && at < message.len);
    yr_reply *reply = NULL;
    if (status == YURPC_OK) {
        status = yr_range_reader_finish(&reader, &reply);
    }
    if (status == YURPC_OK) {
        add_rest(d, &reply->reply);
    }
    yr_reply_free(reply);
    yr_range_reader_deinit(&reader);
    return status;
}

/* protobuf-c takes anything for a boolean; we take numbers. */
static bool has_odd_boolean(yurpc_bytes message)
{
    enum { MORE = 3 };
    yr_wire_field field;
    while (message.len > 0 && yr_wire_read(message, &field) == YR_WIRE_WHOLE) {
        if (field.id == MORE && field.type != YR_WIRE_VARINT) {
            return true;
        }
        message = yr_bytes_after(message, field.size);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    size_t piece_len = (size_t)fuzz_byte(&in) + 1;
    long memory = fuzz_byte(&in);
    yurpc_bytes message = fuzz_piece(&in, in.left);
    digest wanted = {0};
    digest found = {0};
    digest short_of_memory = {0};
    yr_reply *reply = NULL;
    yurpc_status status = yr_decode_range(message, &reply);
    if (status == YURPC_OK) {
        add_kvs(&wanted, reply->reply.kvs, reply->reply.kv_count);
        add_rest(&wanted, &reply->reply);
    }
    yr_reply_free(reply);
    yurpc_status ours = read_pieces(message, piece_len, &found);
    /* Objects may be too large, before anything is found wrong, where there are none. */
    require(ours == status || status == YURPC_TOO_LARGE ||
            (ours == YURPC_PROTOCOL && has_odd_boolean(message)));
    require(ours != YURPC_OK || status != YURPC_OK ||
            (found.value == wanted.value && found.kv_count == wanted.kv_count));
    if (memory > 0) {
        yr_mem_fail_after(memory - 1);
        yurpc_status then = read_pieces(message, piece_len, &short_of_memory);
        yr_mem_fail_after(-1);
        require(then == YURPC_NO_MEMORY || then == ours);
    }
    return 0;
}
