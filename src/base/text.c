#include "base/text.h"

#include "base/utf8.h"

#include <string.h>

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
           point == 0x2029;
}

size_t yr_text_copy(yurpc_bytes bytes, char *ret_text, size_t size)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.len;
    size_t len = 0;
    while (left > 0) {
        uint32_t point = 0;
        size_t character = yr_utf8_decode(at, left, &point);
        bool is_shown = character > 0 && !is_control(point);
        size_t out_len = is_shown ? character : 1;
        if (out_len > size - 1 - len) {
            break;
        }
        if (is_shown) {
            memmove(ret_text + len, at, character);
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
