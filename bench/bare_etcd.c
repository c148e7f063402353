#include "bare_etcd.h"

#include "names.h"

#include <string.h>

/* Protobuf: a field is its number and kind, then a number, or a length and bytes. */
enum { KIND_NUMBER = 0, KIND_BYTES = 2 };

static void put_number(yr_message *message, uint64_t value)
{
    while (value >= 128 && message->len < YR_MESSAGE_SIZE) {
        message->data[message->len++] = (uint8_t)(value | 128);
        value >>= 7;
    }
    if (message->len < YR_MESSAGE_SIZE) {
        message->data[message->len++] = (uint8_t)value;
    }
}

static void put_number_field(yr_message *message, unsigned field, int64_t value)
{
    put_number(message, field << 3 | KIND_NUMBER);
    put_number(message, (uint64_t)value);
}

static void put_bytes_field(yr_message *message, unsigned field, yurpc_bytes bytes)
{
    put_number(message, field << 3 | KIND_BYTES);
    put_number(message, bytes.len);
    if (bytes.len <= YR_MESSAGE_SIZE - message->len) {
        memcpy(message->data + message->len, bytes.data, bytes.len);
        message->len += bytes.len;
    }
}

static yurpc_bytes get(const yr_message *message)
{
    return (yurpc_bytes){message->data, message->len};
}

/* A message within a message; small ones only. */
typedef struct inner {
    yr_message *outer;
    size_t begin;
} inner;

static inner begin_small(yr_message *message, unsigned field)
{
    put_number(message, field << 3 | KIND_BYTES);
    message->len += 2; /* its length, in two bytes whatever it is */
    return (inner){.outer = message, .begin = message->len};
}

static void end_small(inner part)
{
    size_t len = part.outer->len - part.begin;
    part.outer->data[part.begin - 2] = (uint8_t)(len | 128);
    part.outer->data[part.begin - 1] = (uint8_t)(len >> 7);
}

/* From the prefix to the first key behind all that begin with it. */
static void put_prefix(yr_message *message)
{
    static const char prefix[] = YR_PREFIX;
    char end[] = YR_PREFIX;
    end[sizeof(end) - 2]++;
    put_bytes_field(message, 1, (yurpc_bytes){prefix, sizeof(prefix) - 1});
    put_bytes_field(message, 2, (yurpc_bytes){end, sizeof(end) - 1});
}

yurpc_bytes yr_message_range(yr_message *message)
{
    message->len = 0;
    put_prefix(message);
    return get(message);
}

yurpc_bytes yr_message_range_one(yr_message *message, size_t index)
{
    char key[YR_KEY_SIZE];
    message->len = 0;
    put_bytes_field(message, 1, yr_name_key(index, key));
    return get(message);
}

yurpc_bytes yr_message_watch(yr_message *message)
{
    message->len = 0;
    inner create = begin_small(message, 1);
    put_prefix(message);
    end_small(create);
    return get(message);
}

static void put_put(yr_message *message, size_t index, unsigned weight, int64_t lease)
{
    char key[YR_KEY_SIZE];
    char value[YR_VALUE_SIZE];
    put_bytes_field(message, 1, yr_name_key(index, key));
    put_bytes_field(message, 2, yr_name_value(index, weight, value));
    if (lease != 0) {
        put_number_field(message, 3, lease);
    }
}

yurpc_bytes yr_message_put(yr_message *message, size_t index, unsigned weight, int64_t lease)
{
    message->len = 0;
    put_put(message, index, weight, lease);
    return get(message);
}

yurpc_bytes yr_message_grant(yr_message *message, int64_t lease, int64_t ttl_s)
{
    message->len = 0;
    put_number_field(message, 1, ttl_s);
    put_number_field(message, 2, lease);
    return get(message);
}

yurpc_bytes yr_message_revoke(yr_message *message, int64_t lease)
{
    message->len = 0;
    put_number_field(message, 1, lease);
    return get(message);
}

yurpc_bytes yr_message_txn(yr_message *message, size_t first, size_t count, int64_t lease)
{
    _Static_assert(YR_TXN_OPS_MAX * (YR_KEY_SIZE + YR_VALUE_SIZE + 32) <= YR_MESSAGE_SIZE,
                   "a transaction fits");
    message->len = 0;
    for (size_t i = 0; i < count; i++) {
        inner success = begin_small(message, 2);
        inner request_put = begin_small(message, 2);
        put_put(message, first + i, 100, lease);
        end_small(request_put);
        end_small(success);
    }
    return get(message);
}
