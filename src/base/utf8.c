#include "base/utf8.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

enum {
    SURROGATE_FIRST = 0xd800,
    SURROGATE_LAST = 0xdfff,
    POINT_MAX = 0x10ffff,
};

/* The payload of a continuation byte, or -1. */
static int32_t continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80 ? byte & 0x3f : -1;
}

static size_t len_of_lead(uint8_t lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead < 0xe0) {
        return 2;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        return 3;
    }
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

size_t yr_utf8_decode(const uint8_t *text, size_t len, uint32_t *ret_point)
{
    static const uint32_t least[YR_UTF8_LEN_MAX + 1] = {0, 0, 0x80, 0x800, 0x10000};

    size_t want = len > 0 ? len_of_lead(text[0]) : 0;
    if (want == 0 || want > len) {
        return 0;
    }
    if (want == 1) {
        *ret_point = text[0];
        return 1;
    }
    uint32_t point = text[0] & (0x7fu >> want);
    for (size_t i = 1; i < want; i++) {
        int32_t bits = continuation(text[i]);
        if (bits < 0) {
            return 0;
        }
        point = point << 6 | (uint32_t)bits;
    }
    if (point < least[want] || point > POINT_MAX ||
        (point >= SURROGATE_FIRST && point <= SURROGATE_LAST)) {
        return 0;
    }
    *ret_point = point;
    return want;
}

size_t yr_utf8_encode(uint32_t point, uint8_t ret_text[YR_UTF8_LEN_MAX])
{
    YR_ASSERT(point <= POINT_MAX && !(point >= SURROGATE_FIRST && point <= SURROGATE_LAST));

    if (point < 0x80) {
        ret_text[0] = (uint8_t)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        ret_text[i] = (uint8_t)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    ret_text[0] = (uint8_t)((0xf00u >> len & 0xf0) | point);
    return len;
}

/* Whether eight bytes are all ASCII: instance values nearly always are. */
static bool is_ascii8(const uint8_t *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

bool yr_utf8_is_valid(yurpc_bytes text)
{
    const uint8_t *data = text.data;
    size_t at = 0;
    while (at < text.len) {
        if (text.len - at >= 8 && is_ascii8(data + at)) {
            at += 8;
            continue;
        }
        uint32_t point;
        size_t len = yr_utf8_decode(data + at, text.len - at, &point);
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

/* Whether eight bytes are all ASCII, and neither control characters nor DEL. */
static bool is_plain8(const uint8_t *text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    memcpy(&word, text, sizeof word);
    uint64_t below_space = word - ones * 0x20; /* borrows only where there is one anyway */
    uint64_t del = word ^ ones * 0x7f;
    uint64_t is_del = (del - ones) & ~del;
    return ((word | below_space | is_del) & ones * 0x80) == 0;
}

bool yr_utf8_is_plain(yurpc_bytes text)
{
    const uint8_t *data = text.data;
    size_t at = 0;
    while (text.len - at >= 8 && is_plain8(data + at)) {
        at += 8;
    }
    bool is_ascii = true;
    for (size_t i = at; i < text.len; i++) {
        if (data[i] < 0x20 || data[i] == 0x7f) {
            return false;
        }
        is_ascii = is_ascii && data[i] < 0x80;
    }
    return is_ascii || yr_utf8_is_valid(yr_bytes(data + at, text.len - at));
}
