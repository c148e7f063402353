#include "base/bytes.h"
#include "base/utf8.h"
#include "registry/instance.h"
#include "registry/instance_value.h"

#include <string.h>

/* What is left to be read. */
typedef struct scanner {
    const char *at;
    const char *end;
} scanner;

/* Inline, so that comparing with a literal is a few instructions. */
static inline bool take_literal(scanner *scan, const char *literal, size_t len)
{
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, literal, len) != 0) {
        return false;
    }
    scan->at += len;
    return true;
}

/*
 * How many of the eight bytes from @p text on, until one that is not, are ASCII that a string
 * holds as it is: no quote, backslash or control character. (Where the first byte is not the
 * lowest of a word: all or none of them.)
 */
static inline size_t count_ordinary8(const char *text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    memcpy(&word, text, sizeof word);
    uint64_t below_space = word - ones * 0x20; /* borrows only behind one that is below */
    uint64_t quote = word ^ ones * '"';
    uint64_t backslash = word ^ ones * '\\';
    uint64_t is_either = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
    uint64_t others = (word | below_space | is_either) & ones * 0x80;
    if (others == 0) {
        return sizeof word;
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(others) / 8;
#else
    return 0;
#endif
}

/* The rest of a string whose opening quote is behind, with its closing quote. Escapes, bytes
 * that JSON forbids in strings, and bad UTF-8 are for the other reader. */
static bool take_text(scanner *scan, yurpc_bytes *ret_text)
{
    const char *from = scan->at;
    const char *at = from;
    bool is_ascii = true;
    size_t count = 8;
    while (count == 8 && scan->end - at >= 8) {
        count = count_ordinary8(at);
        at += count;
    }
    for (; at < scan->end && *at != '"'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c == '\\') {
            return false;
        }
        is_ascii = is_ascii && c < 0x80;
    }
    if (at == scan->end) {
        return false;
    }
    *ret_text = yr_bytes(from, (size_t)(at - from));
    scan->at = at + 1;
    return is_ascii || yr_utf8_is_valid(*ret_text);
}

/* 1 … max, without a leading zero; what follows must end the number. */
static bool take_number(scanner *scan, uint32_t max, uint16_t *ret_number)
{
    const char *from = scan->at;
    uint32_t number = 0;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        number = number * 10 + (uint32_t)(*scan->at - '0');
        if (number == 0 || number > max) {
            return false;
        }
        scan->at++;
    }
    *ret_number = (uint16_t)number;
    return scan->at > from;
}

#define TAKE(scan, literal) take_literal((scan), (literal), sizeof(literal) - 1)

bool yr_instance_scan(yurpc_bytes value, yr_instance_view *ret_view)
{
    if (value.len == 0) {
        return false;
    }
    scanner scan = {value.data, (const char *)value.data + value.len};
    yr_instance_view view = {.weight = YR_WEIGHT_DEFAULT};

    bool is_canonical = TAKE(&scan, "{\"serviceName\":\"") && take_text(&scan, &view.name) &&
                        TAKE(&scan, ",\"serviceVersion\":\"") &&
                        take_text(&scan, &view.version) && TAKE(&scan, ",\"serviceHost\":\"") &&
                        take_text(&scan, &view.host) && TAKE(&scan, ",\"servicePort\":") &&
                        take_number(&scan, 65535, &view.port) &&
                        TAKE(&scan, ",\"serviceGroup\":\"") && take_text(&scan, &view.group);
    if (!is_canonical) {
        return false;
    }
    if (TAKE(&scan, ",\"weight\":") && !take_number(&scan, YR_WEIGHT_MAX, &view.weight)) {
        return false;
    }
    view.is_draining = TAKE(&scan, ",\"draining\":true");
    if (!TAKE(&scan, "}") || scan.at != scan.end) {
        return false;
    }
    *ret_view = view;
    return true;
}
