#include "registry/instance_value.h"

#include "base/bytes.h"
#include "base/error.h"
#include "registry/instance.h"

#include <string.h>

enum { PORT_MAX = 65535 };

/* Java accepts its own names and their snake_case forms. */
static const yr_json *field(const yr_json *object, const char *name, const char *snake_name)
{
    const yr_json *value = yr_json_member(object, name);
    return value != NULL ? value : yr_json_member(object, snake_name);
}

/* Decimal digits with blanks around them, as Java lets a port be written; 0: anything else. */
static uint32_t port_of_text(yurpc_bytes text)
{
    const char *data = text.data;
    size_t from = 0;
    size_t to = text.len;
    while (from < to && data[from] == ' ') {
        from++;
    }
    while (from < to && data[to - 1] == ' ') {
        to--;
    }
    uint32_t port = 0;
    for (size_t i = from; i < to; i++) {
        if (data[i] < '0' || data[i] > '9' || port > PORT_MAX) {
            return 0;
        }
        port = port * 10 + (uint32_t)(data[i] - '0');
    }
    return port <= PORT_MAX ? port : 0;
}

/* 0: not a port. Java would cut 8080.7 and wrap 99999999999; such a value is a mistake. */
static uint16_t read_port(const yr_json *value)
{
    if (yr_json_get_kind(value) == YR_JSON_STRING) {
        return (uint16_t)port_of_text(yr_json_text(value));
    }
    double number = yr_json_number(value);
    if (!(number >= 1 && number <= PORT_MAX)) {
        return 0;
    }
    uint16_t port = (uint16_t)number;
    return port < number ? 0 : port;
}

static uint16_t read_weight(const yr_json *value)
{
    if (yr_json_get_kind(value) != YR_JSON_NUMBER) {
        return YR_WEIGHT_DEFAULT;
    }
    double number = yr_json_number(value);
    if (!(number >= 1)) {
        return 1;
    }
    return number <= YR_WEIGHT_MAX ? (uint16_t)number : YR_WEIGHT_MAX;
}

static yurpc_bytes without_bom(yurpc_bytes value)
{
    static const yurpc_bytes bom = {"\xef\xbb\xbf", 3};
    return yr_bytes_have_prefix(value, bom) ? yr_bytes_after(value, bom.len) : value;
}

static yurpc_status read_fields(const yr_json *root, yr_instance_view *ret_view,
                                yurpc_error **ret_error)
{
    if (yr_json_get_kind(root) != YR_JSON_OBJECT) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "not a JSON object");
    }
    const yr_json *metadata = yr_json_member(root, "metadata");
    yr_instance_view view = {
        .name = yr_json_text(field(root, "serviceName", "service_name")),
        .version = yr_json_text(field(root, "serviceVersion", "service_version")),
        .host = yr_json_text(field(root, "serviceHost", "service_host")),
        .group = yr_json_text(field(root, "serviceGroup", "service_group")),
        .port = read_port(field(root, "servicePort", "service_port")),
        .weight = read_weight(yr_json_member(root, "weight")),
        .is_draining = yr_json_is_true(yr_json_member(root, "draining")),
        .metadata = yr_json_get_kind(metadata) == YR_JSON_OBJECT ? metadata : NULL,
    };
    if (view.host.data == NULL) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "serviceHost is not a text");
    }
    if (view.port == 0) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "servicePort is not a whole number from 1 to %d", PORT_MAX);
    }
    *ret_view = view;
    return YURPC_OK;
}

yurpc_status yr_instance_read_json(yurpc_bytes value, yr_instance_view *ret_view,
                                   yr_json **ret_root, yurpc_error **ret_error)
{
    yr_json *root = NULL;
    yurpc_status status = yr_json_parse(without_bom(value), &root, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    status = read_fields(root, ret_view, ret_error);
    if (status != YURPC_OK) {
        yr_json_free(root);
        return status;
    }
    *ret_root = root;
    return YURPC_OK;
}

const yr_json_cursor *yr_instance_next_metadata(const yr_json *metadata,
                                                const yr_json_cursor *cursor)
{
    do {
        cursor = yr_json_next(metadata, cursor);
    } while (cursor != NULL &&
             (yr_json_cursor_name(cursor).len == 0 ||
              yr_json_get_kind(yr_json_cursor_value(cursor)) != YR_JSON_STRING));
    return cursor;
}
