#include "base/json.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#include <jansson.h>

enum { PROBE_SIZE = 4096 };

/* yr_json is jansson's json_t under a name of ours: the header stays free of jansson. The
 * library's own read functions take pointers to const where they can. */
static const json_t *inside(const yr_json *value)
{
    return (const json_t *)(const void *)value;
}

static const yr_json *outside(const json_t *value)
{
    return (const yr_json *)(const void *)value;
}

/* ---- Reading ---- */

/* Whether no bracket lies deeper than the limit. Brackets in strings do not count; text that
 * is not JSON may be judged wrongly either way, which only decides how it is refused. */
static bool is_shallow(yurpc_bytes text)
{
    const char *data = text.data;
    bool in_string = false;
    unsigned depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = data[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (depth > YR_JSON_DEPTH_MAX) {
            return false;
        }
    }
    return true;
}

/*
 * Whether jansson's failure may come from a lack of memory. It says so only at times: when it
 * cannot store a string it reports a syntax error, and when it cannot insert a member it
 * reports nothing. So no text is called bad while there is no memory to be had.
 */
static bool is_out_of_memory(const json_error_t *error, size_t text_len)
{
    if (json_error_code(error) == json_error_out_of_memory || error->text[0] == '\0') {
        return true;
    }
    void *probe = yr_calloc(1, text_len + PROBE_SIZE);
    yr_free(probe);
    return probe == NULL;
}

yurpc_status yr_json_parse(yurpc_bytes text, yr_json **ret_root, yurpc_error **ret_error)
{
    if (!is_shallow(text)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "JSON nested deeper than %d levels",
                            YR_JSON_DEPTH_MAX);
    }
    json_error_t error = {.text = ""};
    json_t *root = json_loadb(text.data != NULL ? text.data : "", text.len,
                              JSON_DISABLE_EOF_CHECK | JSON_DECODE_INT_AS_REAL, &error);
    if (root != NULL) {
        *ret_root = (yr_json *)(void *)root;
        return YURPC_OK;
    }
    if (is_out_of_memory(&error, text.len)) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    return yr_error_set(ret_error, YURPC_INVALID, -1, "not JSON: %s (line %d, column %d)",
                        error.text, error.line, error.column);
}

void yr_json_free(yr_json *root)
{
    json_decref((json_t *)(void *)root);
}

yr_json_kind yr_json_get_kind(const yr_json *value)
{
    if (value == NULL) {
        return YR_JSON_NULL;
    }
    switch (json_typeof(inside(value))) {
    case JSON_OBJECT:
        return YR_JSON_OBJECT;
    case JSON_ARRAY:
        return YR_JSON_ARRAY;
    case JSON_STRING:
        return YR_JSON_STRING;
    case JSON_INTEGER:
    case JSON_REAL:
        return YR_JSON_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return YR_JSON_BOOL;
    case JSON_NULL:
        return YR_JSON_NULL;
    }
    return YR_JSON_NULL;
}

const yr_json *yr_json_member(const yr_json *value, const char *name)
{
    return outside(json_object_get(inside(value), name));
}

const yr_json *yr_json_element(const yr_json *value, size_t index)
{
    return outside(json_array_get(inside(value), index));
}

yurpc_bytes yr_json_text(const yr_json *value)
{
    return yr_bytes(json_string_value(inside(value)), json_string_length(inside(value)));
}

double yr_json_number(const yr_json *value)
{
    return json_number_value(inside(value));
}

bool yr_json_is_true(const yr_json *value)
{
    return json_is_true(inside(value));
}

/* jansson's iterator is an opaque pointer that is not to const, though walking with it changes
 * nothing. */
static void *iterator(const yr_json_cursor *cursor)
{
    union {
        const void *in;
        void *out;
    } pointer = {.in = cursor};
    return pointer.out;
}

const yr_json_cursor *yr_json_next(const yr_json *object, const yr_json_cursor *cursor)
{
    union {
        const void *in;
        json_t *out;
    } pointer = {.in = object};
    return cursor == NULL ? json_object_iter(pointer.out)
                          : json_object_iter_next(pointer.out, iterator(cursor));
}

yurpc_bytes yr_json_cursor_name(const yr_json_cursor *cursor)
{
    return yr_bytes_of_text(json_object_iter_key(iterator(cursor)));
}

const yr_json *yr_json_cursor_value(const yr_json_cursor *cursor)
{
    return outside(json_object_iter_value(iterator(cursor)));
}

/* ---- Writing ---- */

/* The characters that hutool 5.8 writes as \uxxxx. */
static bool is_written_as_hex(uint32_t point)
{
    return point < 0x20 || (point >= 0x80 && point <= 0xa0) ||
           (point >= 0x2000 && point <= 0x2010) || (point >= 0x2028 && point <= 0x202f) ||
           (point >= 0x2066 && point <= 0x206f);
}

/* The letter behind the backslash in a two-character escape, or 0. */
static char short_escape(uint32_t point)
{
    switch (point) {
    case '"':
    case '\\':
        return (char)point;
    case '\b':
        return 'b';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\f':
        return 'f';
    case '\r':
        return 'r';
    default:
        return 0;
    }
}

static yurpc_status append_escape(yr_buf *out, uint32_t point)
{
    char letter = short_escape(point);
    if (letter != 0) {
        return yr_buf_append(out, (const char[]){'\\', letter}, 2);
    }
    return yr_buf_append_format(out, "\\u%04x", (unsigned)point);
}

/* ASCII that is written as it is, as nearly all is. */
static inline bool is_ordinary(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static yurpc_status append_escaped(yr_buf *out, yurpc_bytes text)
{
    const uint8_t *data = text.data;
    size_t raw = 0; /* where the run of characters to be written as they are begins */
    size_t at = 0;
    while (at < text.len) {
        if (is_ordinary(data[at])) {
            at++;
            continue;
        }
        uint32_t point = 0;
        size_t len = yr_utf8_decode(data + at, text.len - at, &point);
        YR_ASSERT(len > 0);
        if (short_escape(point) == 0 && !is_written_as_hex(point)) {
            at += len;
            continue;
        }
        yurpc_status status = yr_buf_append(out, data + raw, at - raw);
        if (status == YURPC_OK) {
            status = append_escape(out, point);
        }
        if (status != YURPC_OK) {
            return status;
        }
        at += len;
        raw = at;
    }
    return raw < at ? yr_buf_append(out, data + raw, at - raw) : YURPC_OK;
}

yurpc_status yr_json_append_string(yr_buf *out, yurpc_bytes text)
{
    size_t len_before = out->len;
    yurpc_status status = yr_buf_append(out, "\"", 1);
    if (status == YURPC_OK) {
        status = append_escaped(out, text);
    }
    if (status == YURPC_OK) {
        status = yr_buf_append(out, "\"", 1);
    }
    if (status != YURPC_OK) {
        out->len = len_before;
    }
    return status;
}
