/*
 * JSON from outside: a tree that can be walked, no deeper than allowed, whose texts are UTF-8
 * and are the same when they are written and read again.
 */
#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

static void write_and_read_again(yurpc_bytes text)
{
    yr_buf out;
    yr_json *root = NULL;
    yr_buf_init(&out, 16U * 1024U * 1024U);
    require(yr_buf_append(&out, "[", 1) == YURPC_OK);
    require(yr_json_append_string(&out, text) == YURPC_OK);
    require(yr_buf_append(&out, "]", 1) == YURPC_OK);
    require(yr_json_parse(yr_bytes(out.data, out.len), &root, NULL) == YURPC_OK);
    require(yr_bytes_equal(yr_json_text(yr_json_element(root, 0)), text));
    yr_json_free(root);
    yr_buf_deinit(&out);
}

static void walk(const yr_json *value, unsigned depth);

static void walk_object(const yr_json *object, unsigned depth)
{
    const yr_json_cursor *cursor = NULL;
    while ((cursor = yr_json_next(object, cursor)) != NULL) {
        write_and_read_again(yr_json_cursor_name(cursor));
        walk(yr_json_cursor_value(cursor), depth);
        const char *name = yr_json_cursor_name(cursor).data;
        require(yr_json_member(object, name) == yr_json_cursor_value(cursor));
    }
}

static void walk(const yr_json *value, unsigned depth)
{
    require(depth <= YR_JSON_DEPTH_MAX);
    yurpc_bytes text = yr_json_text(value);
    switch (yr_json_get_kind(value)) {
    case YR_JSON_OBJECT:
        walk_object(value, depth + 1);
        break;
    case YR_JSON_ARRAY:
        for (size_t i = 0; yr_json_element(value, i) != NULL; i++) {
            walk(yr_json_element(value, i), depth + 1);
        }
        break;
    case YR_JSON_STRING:
        require(yr_utf8_is_valid(text));
        write_and_read_again(text);
        break;
    case YR_JSON_NULL:
    case YR_JSON_BOOL:
        require(text.len == 0 && yr_json_number(value) == 0);
        break;
    case YR_JSON_NUMBER:
        require(yr_json_number(value) - yr_json_number(value) == 0); /* finite */
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yr_json *root = NULL;
    yurpc_error *error = NULL;
    yurpc_status status = yr_json_parse(yr_bytes(data, size), &root, &error);
    require(status == yurpc_error_status(error) && (status == YURPC_OK) == (root != NULL));
    require(status == YURPC_OK || status == YURPC_INVALID);
    if (root != NULL) {
        walk(root, 0);
    }
    yr_json_free(root);
    yurpc_error_free(error);
    return 0;
}
