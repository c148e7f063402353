/*
 * JSON: reading through jansson, of which this is the only user, and writing strings exactly
 * as Yu-RPC's Java nodes do.
 *
 * Reading is bounded before jansson sees the text: nesting deeper than YR_JSON_DEPTH_MAX is
 * refused by counting brackets, so that hostile text cannot use up a small stack. The size is
 * the caller's to limit.
 *
 * jansson allocates with malloc(3) of its own accord. Its hook (json_set_alloc_funcs) is a
 * global of the process and would change jansson for a host program that uses it too, so we
 * leave it alone. A failed allocation still comes back as YURPC_NO_MEMORY.
 */
#ifndef YR_BASE_JSON_H
#define YR_BASE_JSON_H

#include "base/buf.h"

#include <yurpc/bytes.h>
#include <yurpc/error.h>

#include <stdbool.h>
#include <stddef.h>

enum { YR_JSON_DEPTH_MAX = 64 };

/* A value: an object, a string… Read-only; a part lives as long as its root. */
typedef struct yr_json yr_json;

typedef enum yr_json_kind {
    YR_JSON_NULL,
    YR_JSON_BOOL,
    YR_JSON_NUMBER,
    YR_JSON_STRING,
    YR_JSON_ARRAY,
    YR_JSON_OBJECT,
} yr_json_kind;

/*
 * Read an object or array at the start of @p text; what follows its end is not looked at.
 * Numbers are doubles, the last of duplicate names wins. Free the result with yr_json_free().
 * YURPC_INVALID: not JSON, invalid UTF-8, a NUL, too deep; YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_json_parse(yurpc_bytes text, yr_json **ret_root,
                                           yurpc_error **ret_error);

/* Frees a root. NULL is allowed. */
void yr_json_free(yr_json *root);

/* NULL (nothing there) is of kind YR_JSON_NULL. */
yr_json_kind yr_json_get_kind(const yr_json *value);

/* The member of that name; NULL when there is none, or when @p value is no object. */
const yr_json *yr_json_member(const yr_json *value, const char *name);

/* The element at that place; NULL past the end, or when @p value is no array. */
const yr_json *yr_json_element(const yr_json *value, size_t index);

/* The text of a string; empty with data NULL for anything else. A NUL follows it. */
yurpc_bytes yr_json_text(const yr_json *value);

/* A number's value, 0 for anything else; whether it is true. */
double yr_json_number(const yr_json *value);
bool yr_json_is_true(const yr_json *value);

/* Walk an object in the order of its text: NULL gives the first member, the last gives NULL.
 * Nothing for what is no object. */
typedef struct yr_json_cursor yr_json_cursor;
const yr_json_cursor *yr_json_next(const yr_json *object, const yr_json_cursor *cursor);
yurpc_bytes yr_json_cursor_name(const yr_json_cursor *cursor);
const yr_json *yr_json_cursor_value(const yr_json_cursor *cursor);

/*
 * Append @p text, which must be valid UTF-8, as a JSON string with its quotes. Escaped are
 * quotes, backslash, controls, and the invisible characters that hutool escapes
 * (U+0080-U+00A0, U+2000-U+2010, U+2028-U+202F, U+2066-U+206F); all else is raw. Fails as
 * yr_buf_append(), and then leaves @p out as it was.
 */
YURPC_NODISCARD yurpc_status yr_json_append_string(yr_buf *out, yurpc_bytes text);

#endif /* YR_BASE_JSON_H */
