/*
 * The same bytes, whole and in pieces, must give the same messages. The first byte chooses the
 * size of the pieces.
 */
#include "base/bytes.h"
#include "grpc/deframer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 4096 };

typedef struct seen {
    size_t messages;
    size_t len;
    uint64_t hash;
    size_t message_left; /* of the message under way */
    yurpc_status status;
    bool is_between;
} seen;

static void take_part(seen *s, const yr_grpc_part *part)
{
    if (part->message_len > MESSAGE_MAX || part->bytes.len > part->message_len) {
        abort();
    }
    if (part->is_first) {
        if (s->message_left != 0) {
            abort();
        }
        s->message_left = part->message_len;
    }
    const uint8_t *bytes = part->bytes.data;
    for (size_t i = 0; i < part->bytes.len; i++) {
        s->hash = (s->hash ^ bytes[i]) * 1099511628211U;
    }
    if (part->bytes.len > s->message_left) {
        abort();
    }
    s->message_left -= part->bytes.len;
    if (part->is_last != (s->message_left == 0)) {
        abort();
    }
    s->len += part->bytes.len;
    s->messages += part->is_last ? 1 : 0;
}

static void feed(seen *s, yr_grpc_deframer *deframer, yurpc_bytes input)
{
    bool has_part = true;
    while (has_part) {
        yr_grpc_part part;
        s->status = yr_grpc_deframer_next(deframer, &input, &part, &has_part);
        if (s->status != YURPC_OK) {
            return;
        }
        if (has_part) {
            take_part(s, &part);
        }
    }
    if (input.len != 0) {
        abort();
    }
}

static seen run(yurpc_bytes bytes, size_t piece)
{
    seen s = {.hash = 14695981039346656037U};
    yr_grpc_deframer deframer;
    yr_grpc_deframer_init(&deframer, MESSAGE_MAX);
    while (bytes.len > 0 && s.status == YURPC_OK) {
        yurpc_bytes input = {bytes.data, bytes.len < piece ? bytes.len : piece};
        bytes = yr_bytes_after(bytes, input.len);
        feed(&s, &deframer, input);
    }
    s.is_between = yr_grpc_deframer_is_between(&deframer);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    seen whole = run(yr_bytes(data + 1, size - 1), size);
    seen pieces = run(yr_bytes(data + 1, size - 1), 1 + (size_t)data[0] % 16);
    if (whole.messages != pieces.messages || whole.len != pieces.len ||
        whole.hash != pieces.hash || whole.status != pieces.status ||
        (whole.status == YURPC_OK && whole.is_between != pieces.is_between)) {
        abort();
    }
    return 0;
}
