#include "grpc/text.h"

#include "base/bytes.h"

#include <stdint.h>

/* How long the character is that begins with @p byte; 0: none does. */
static size_t len_of_lead(uint8_t byte)
{
    if (byte < 0x80) {
        return 1;
    }
    if (byte < 0xc2 || byte > 0xf4) {
        return 0;
    }
    return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/* The length of the UTF-8 character at @p at, of which @p len bytes are there; 0: it is none.
 */
static size_t character_len(const uint8_t *at, size_t len)
{
    static const uint32_t first_of_len[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t wanted = len_of_lead(at[0]);
    if (wanted < 2) {
        return wanted;
    }
    if (wanted > len) {
        return 0;
    }
    uint32_t code = at[0] & (0x7fU >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if ((at[i] & 0xc0U) != 0x80U) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3fU);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    bool is_in_range = code >= first_of_len[wanted] && code <= 0x10ffff;
    return is_in_range && !is_surrogate ? wanted : 0;
}

/* Control characters of ASCII and Latin-1, and the two separators that end a line. */
static bool is_control(const uint8_t *at, size_t character)
{
    if (character == 1) {
        return at[0] < 0x20 || at[0] == 0x7f;
    }
    if (character == 2) {
        return at[0] == 0xc2 && at[1] < 0xa0;
    }
    return character == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9);
}

size_t yr_grpc_text_copy(yurpc_bytes bytes, char *ret_text, size_t size)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.len;
    size_t len = 0;
    while (left > 0) {
        size_t character = character_len(at, left);
        bool is_shown = character > 0 && !is_control(at, character);
        size_t out_len = is_shown ? character : 1;
        if (out_len > size - 1 - len) {
            break;
        }
        if (is_shown) {
            memcpy(ret_text + len, at, character);
        } else {
            ret_text[len] = '?';
        }
        len += out_len;
        size_t used = character > 0 ? character : 1;
        at += used;
        left -= used;
    }
    ret_text[len] = '\0';
    return len;
}

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
    return yr_grpc_text_copy(yr_bytes(decoded, len), ret_text, size);
}
