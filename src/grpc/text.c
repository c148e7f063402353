#include "grpc/text.h"

#include "base/bytes.h"
#include "base/text.h"

#include <stdint.h>

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit |= 0x20U;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

size_t yr_grpc_text_decode(yurpc_bytes bytes, char *ret_text, size_t size)
{
    uint8_t decoded[YR_GRPC_TEXT_MAX];
    const uint8_t *in = bytes.data;
    size_t len = 0;
    for (size_t i = 0; i < bytes.len && len < sizeof decoded; i++) {
        int high = i + 2 < bytes.len ? hex_value(in[i + 1]) : -1;
        int low = high >= 0 ? hex_value(in[i + 2]) : -1;
        bool is_escape = in[i] == '%' && low >= 0;
        decoded[len++] = is_escape ? (uint8_t)(high * 16 + low) : in[i];
        i += is_escape ? 2 : 0;
    }
    return yr_text_copy(yr_bytes(decoded, len), ret_text, size);
}
