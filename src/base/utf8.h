/*
 * UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * Source: RFC 3629, and table 3-7 of the Unicode standard.
 */
#ifndef YR_BASE_UTF8_H
#define YR_BASE_UTF8_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { YR_UTF8_LEN_MAX = 4 }; /* of one code point */

/* Read the code point at the start of @p len bytes: its length, or 0 when it is malformed. */
size_t yr_utf8_decode(const uint8_t *text, size_t len, uint32_t *ret_point);

/* Write @p point, which must not be a surrogate nor above U+10FFFF: its length. */
size_t yr_utf8_encode(uint32_t point, uint8_t ret_text[YR_UTF8_LEN_MAX]);

/* Whether all of @p text is well formed. NUL is a character like any other. */
bool yr_utf8_is_valid(yurpc_bytes text);

/* As above, and free of control characters (below U+0020, U+007F). */
bool yr_utf8_is_plain(yurpc_bytes text);

#endif /* YR_BASE_UTF8_H */
