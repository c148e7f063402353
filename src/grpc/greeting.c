#include "grpc/greeting.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"

#include <stdint.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

enum { FRAME_HEADER_LEN = 9 };

/* Whether byte @p at of the connection may be part of a SETTINGS frame's header. */
static bool is_settings_byte(size_t at, uint8_t byte)
{
    switch (at) {
    case 0: /* length, high byte */
    case 6: /* stream id */
    case 7:
    case 8:
        return byte == 0;
    case 3:
        return byte == NGHTTP2_SETTINGS;
    case 4: /* flags: no ACK */
        return (byte & NGHTTP2_FLAG_ACK) == 0;
    case 5:
        return (byte & 0x7fU) == 0;
    default:
        return true;
    }
}

void yr_grpc_greeting_hear(yr_grpc_greeting *greeting, yurpc_bytes bytes)
{
    const uint8_t *in = bytes.data;
    bool has_line = false;
    for (size_t i = 0; i < bytes.len && greeting->len < YR_GRPC_GREETING_MAX; i++) {
        size_t at = greeting->len++;
        greeting->bytes[at] = (char)in[i];
        has_line = has_line || in[i] == '\n';
        if (at < FRAME_HEADER_LEN && !is_settings_byte(at, in[i])) {
            greeting->is_foreign = true;
        }
    }
    greeting->is_http2 = !greeting->is_foreign && greeting->len >= FRAME_HEADER_LEN;
    greeting->is_whole =
        greeting->is_foreign && (has_line || greeting->len == YR_GRPC_GREETING_MAX);
}

yurpc_error *yr_grpc_greeting_error(const yr_grpc_greeting *greeting, const char *authority,
                                    bool is_tls)
{
    const char *bytes = greeting->bytes;
    size_t len = greeting->len;
    if (len == 0) {
        return yr_error_new(YURPC_PROTOCOL, -1,
                            "the server at %s closed the connection without a word: "
                            "is it etcd's client port%s?",
                            authority, is_tls ? "" : ", and does it want https://");
    }
    if (len >= 2 && (bytes[0] == 0x15 || bytes[0] == 0x16) && bytes[1] == 3) {
        return yr_error_new(YURPC_PROTOCOL, -1, "the server at %s speaks TLS: use https://",
                            authority);
    }
    const char *end = memchr(bytes, '\n', len);
    len = end != NULL ? (size_t)(end - bytes) : len;
    len -= len > 0 && bytes[len - 1] == '\r' ? 1 : 0;
    char text[YR_GRPC_GREETING_MAX + 1];
    (void)yr_text_copy(yr_bytes(bytes, len), text, sizeof text);
    return yr_error_new(YURPC_PROTOCOL, -1,
                        "the server at %s does not speak HTTP/2 (it said \"%s\"): is it "
                        "etcd's client port?",
                        authority, text);
}
