#include "canned_bytes.h"

#include "names.h"

#include <stdlib.h>
#include <string.h>

enum {
    KV_SIZE = YR_KEY_SIZE + YR_VALUE_SIZE + 64,
    CHANGE_SIZE = KV_SIZE + 64,
    FRAME_HEAD_LEN = 9,
    GRPC_HEAD_LEN = 5,
    KIND_NUMBER = 0,
    KIND_BYTES = 2,
    LEASE = 4711, /* of all keys */
};

/* ---- Writing and reading protobuf ---- */

static uint8_t *put_number(uint8_t *out, uint64_t value)
{
    while (value >= 128) {
        *out++ = (uint8_t)(value | 128);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static uint8_t *put_number_field(uint8_t *out, unsigned field, int64_t value)
{
    out = put_number(out, field << 3 | KIND_NUMBER);
    return put_number(out, (uint64_t)value);
}

static uint8_t *put_bytes_field(uint8_t *out, unsigned field, const void *data, size_t len)
{
    out = put_number(out, field << 3 | KIND_BYTES);
    out = put_number(out, len);
    memcpy(out, data, len);
    return out + len;
}

static void put_be32(uint8_t *out, size_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

static uint64_t read_number(yurpc_bytes *in)
{
    const uint8_t *at = in->data;
    uint64_t value = 0;
    size_t len = 0;
    do {
        value |= len < 10 && len < in->len ? (uint64_t)(at[len] & 127U) << (7 * len) : 0;
        len++;
    } while (len < in->len && at[len - 1] >= 128);
    len = len < in->len ? len : in->len;
    *in = (yurpc_bytes){at + len, in->len - len};
    return value;
}

/* What the field has: a number, or bytes. Nothing when it is not there. */
typedef struct field {
    bool is_there;
    uint64_t number;
    yurpc_bytes bytes;
} field;

static field find_field(yurpc_bytes message, unsigned wanted)
{
    field found = {false, 0, {"", 0}};
    while (message.len > 0) {
        uint64_t tag = read_number(&message);
        uint64_t number = read_number(&message);
        yurpc_bytes bytes = {"", 0};
        if ((tag & 7U) == KIND_BYTES) {
            size_t len = number < message.len ? (size_t)number : message.len;
            bytes = (yurpc_bytes){message.data, len};
            message = (yurpc_bytes){(const uint8_t *)message.data + len, message.len - len};
        }
        if (tag >> 3 == wanted) {
            found = (field){true, number, bytes};
        }
    }
    return found;
}

/* ---- The list ---- */

/* KeyValue of an instance. */
static size_t write_kv(uint8_t *out, size_t index, unsigned weight, int64_t revision)
{
    char key[YR_KEY_SIZE];
    char value[YR_VALUE_SIZE];
    yurpc_bytes key_bytes = yr_name_key(index, key);
    yurpc_bytes value_bytes = yr_name_value(index, weight, value);
    uint8_t *at = put_bytes_field(out, 1, key_bytes.data, key_bytes.len);
    at = put_number_field(at, 2, 2);
    at = put_number_field(at, 3, revision);
    at = put_number_field(at, 4, 1);
    at = put_bytes_field(at, 5, value_bytes.data, value_bytes.len);
    at = put_number_field(at, 6, LEASE);
    return (size_t)(at - out);
}

static int compare_keys(const void *left, const void *right)
{
    char left_key[YR_KEY_SIZE];
    char right_key[YR_KEY_SIZE];
    (void)yr_name_key(*(const size_t *)left, left_key);
    (void)yr_name_key(*(const size_t *)right, right_key);
    return strcmp(left_key, right_key);
}

bool yr_canned_list_init(yr_canned_list *list, size_t count)
{
    size_t *order = calloc(count, sizeof(*order));
    *list = (yr_canned_list){
        .bytes = malloc(count * (KV_SIZE + 4)),
        .ends = calloc(count, sizeof(*list->ends)),
        .count = count,
    };
    bool is_fine = order != NULL && list->bytes != NULL && list->ends != NULL;
    uint8_t *at = list->bytes;
    for (size_t i = 0; is_fine && i < count; i++) {
        order[i] = i;
    }
    if (is_fine) {
        qsort(order, count, sizeof(*order), compare_keys);
    }
    for (size_t i = 0; is_fine && i < count; i++) {
        uint8_t kv[KV_SIZE];
        at = put_bytes_field(at, 2, kv, write_kv(kv, order[i], 100, 3));
        list->ends[i] = (size_t)(at - list->bytes);
    }
    free(order);
    return is_fine;
}

void yr_canned_list_deinit(yr_canned_list *list)
{
    free(list->bytes);
    free(list->ends);
}

static size_t begin_of(const yr_canned_list *list, size_t index)
{
    return index > 0 ? list->ends[index - 1] : 0;
}

static int compare_bytes(yurpc_bytes left, yurpc_bytes right)
{
    size_t len = left.len < right.len ? left.len : right.len;
    int order = memcmp(left.data, right.data, len);
    return order != 0 ? order : (left.len > right.len) - (left.len < right.len);
}

/* The first instance whose key is not before @p key. */
static size_t find_key(const yr_canned_list *list, yurpc_bytes key)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        size_t begin = begin_of(list, middle);
        yurpc_bytes kvs = {list->bytes + begin, list->ends[middle] - begin};
        yurpc_bytes kv = find_field(kvs, 2).bytes;
        if (compare_bytes(find_field(kv, 1).bytes, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- Messages ---- */

/* With room for the gRPC head, and ResponseHeader as field 1. */
static yr_canned_message begin_message(int64_t revision)
{
    yr_canned_message message = {.head_len = GRPC_HEAD_LEN};
    uint8_t header[YR_CANNED_HEAD_SIZE];
    uint8_t *at = put_number_field(header, 1, 0x1234567890);
    at = put_number_field(at, 2, 0x2345678901);
    at = put_number_field(at, 3, revision);
    at = put_number_field(at, 4, 2);
    at = put_bytes_field(message.head + GRPC_HEAD_LEN, 1, header, (size_t)(at - header));
    message.head_len = (size_t)(at - message.head);
    return message;
}

static yr_canned_message finish(yr_canned_message message)
{
    size_t len = message.head_len + message.bulk.len + message.tail_len - GRPC_HEAD_LEN;
    message.head[0] = 0;
    put_be32(message.head + 1, len);
    return message;
}

static void add_number(yr_canned_message *message, unsigned number, int64_t value)
{
    uint8_t *end = message->head + message->head_len;
    message->head_len = (size_t)(put_number_field(end, number, value) - message->head);
}

yr_canned_message yr_canned_range(const yr_canned_list *list, yurpc_bytes request)
{
    yr_canned_message message = begin_message(YR_CANNED_REVISION);
    field key = find_field(request, 1);
    field range_end = find_field(request, 2);
    uint64_t limit = find_field(request, 3).number;
    size_t first = find_key(list, key.bytes);
    size_t end = first;
    if (range_end.is_there) {
        end = find_key(list, range_end.bytes);
    } else if (first < list->count) {
        end = first + 1;
    }
    size_t count = end > first ? end - first : 0;
    size_t sent = limit > 0 && limit < count ? (size_t)limit : count;
    if (sent > 0) {
        size_t begin = begin_of(list, first);
        message.bulk = (yurpc_bytes){list->bytes + begin, list->ends[first + sent - 1] - begin};
    }
    uint8_t *at = message.tail;
    at = sent < count ? put_number_field(at, 3, 1) : at;
    at = put_number_field(at, 4, (int64_t)count);
    message.tail_len = (size_t)(at - message.tail);
    return finish(message);
}

yr_canned_message yr_canned_status(void)
{
    static const char version[] = "3.5.16";
    yr_canned_message message = begin_message(YR_CANNED_REVISION);
    uint8_t *at = put_bytes_field(message.tail, 2, version, sizeof(version) - 1);
    at = put_number_field(at, 4, 0x2345678901); /* the leader */
    message.tail_len = (size_t)(at - message.tail);
    return finish(message);
}

yr_canned_message yr_canned_txn(void)
{
    yr_canned_message message = begin_message(YR_CANNED_REVISION);
    add_number(&message, 2, 1); /* succeeded */
    return finish(message);
}

yr_canned_message yr_canned_lease(yurpc_bytes request)
{
    yr_canned_message message = begin_message(YR_CANNED_REVISION);
    field id = find_field(request, 2); /* of a grant; of a keepalive it is the first */
    field first = find_field(request, 1);
    add_number(&message, 2, (int64_t)(id.is_there ? id.number : first.number));
    add_number(&message, 3, id.is_there ? (int64_t)first.number : 30);
    return finish(message);
}

yr_canned_message yr_canned_header(void)
{
    return finish(begin_message(YR_CANNED_REVISION));
}

bool yr_canned_is_watch_create(yurpc_bytes request, int64_t *ret_id)
{
    field create = find_field(request, 1);
    *ret_id = (int64_t)find_field(create.bytes, 7).number;
    return create.is_there;
}

yr_canned_message yr_canned_watch_created(int64_t id)
{
    yr_canned_message message = begin_message(YR_CANNED_REVISION);
    add_number(&message, 2, id);
    add_number(&message, 3, 1);
    return finish(message);
}

yr_canned_message yr_canned_watch_progress(int64_t revision)
{
    yr_canned_message message = begin_message(revision);
    add_number(&message, 2, -1); /* of all watches */
    return finish(message);
}

uint8_t *yr_canned_storm(const yr_canned_list *list, size_t changes, uint32_t stream,
                         int64_t watch_id, size_t *ret_len)
{
    uint8_t *frames = malloc(changes * CHANGE_SIZE);
    uint8_t *out = frames;
    for (size_t i = 0; frames != NULL && i < changes; i++) {
        int64_t revision = YR_CANNED_REVISION + 1 + (int64_t)i;
        uint8_t kv[KV_SIZE];
        uint8_t event[KV_SIZE];
        size_t len = write_kv(kv, i % list->count, 1 + (unsigned)(i / list->count), revision);
        len = (size_t)(put_bytes_field(event, 2, kv, len) - event);
        yr_canned_message message = begin_message(revision);
        add_number(&message, 2, watch_id);
        uint8_t *body = out + FRAME_HEAD_LEN;
        memcpy(body, message.head, message.head_len);
        uint8_t *end = put_bytes_field(body + message.head_len, 11, event, len);
        size_t body_len = (size_t)(end - body);
        body[0] = 0;
        put_be32(body + 1, body_len - GRPC_HEAD_LEN);
        put_be32(out, body_len << 8); /* the length, and DATA */
        out[4] = 0;
        put_be32(out + 5, stream);
        out = end;
    }
    *ret_len = (size_t)(out - frames);
    return frames;
}
