#include "grpc/head.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "grpc/conn.h"

#include <yurpc/version.h>

enum {
    OWN_FIELDS = 7,      /* those that every call has */
    FIELD_OVERHEAD = 32, /* what HPACK counts for each field besides its bytes */
};

static nghttp2_nv field(const char *name, const char *value, bool is_secret)
{
    /* nghttp2 declares these without const but does not write to them. */
    union {
        const char *in;
        uint8_t *out;
    } n = {.in = name}, v = {.in = value};
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    if (is_secret) {
        flags |= NGHTTP2_NV_FLAG_NO_INDEX;
    }
    return (nghttp2_nv){n.out, v.out, strlen(name), strlen(value), flags};
}

/* Copy @p text to *@p at and move that behind it. */
static const char *store(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static yurpc_status request_measure(const char *authority, const yr_grpc_request *request,
                                    size_t *ret_text_len)
{
    size_t list_size = strlen(authority) + strlen(request->path) + 256;
    size_t text_len = strlen(request->path) + 1;
    for (size_t i = 0; i < request->header_count; i++) {
        const yr_grpc_header *header = &request->headers[i];
        size_t name_len = strlen(header->name);
        size_t value_len = strlen(header->value);
        if (!nghttp2_check_header_name((const uint8_t *)header->name, name_len) ||
            !nghttp2_check_header_value((const uint8_t *)header->value, value_len)) {
            return YURPC_INVALID;
        }
        text_len += name_len + value_len + 2;
        list_size += name_len + value_len + FIELD_OVERHEAD;
        if (list_size > YR_GRPC_HEADER_LIST_MAX) {
            return YURPC_TOO_LARGE;
        }
    }
    if (list_size > YR_GRPC_HEADER_LIST_MAX) {
        return YURPC_TOO_LARGE;
    }
    *ret_text_len = text_len;
    return YURPC_OK;
}

yurpc_status yr_grpc_head_new(const char *authority, bool is_tls,
                              const yr_grpc_request *request, yr_grpc_head **ret_head)
{
    size_t text_len = 0;
    yurpc_status status = request_measure(authority, request, &text_len);
    if (status != YURPC_OK) {
        return status;
    }
    size_t fields_max = OWN_FIELDS + request->header_count + 1;
    size_t fields_size = fields_max * sizeof(nghttp2_nv);
    yr_grpc_head *head = yr_calloc(1, sizeof *head + fields_size + text_len);
    if (head == NULL) {
        return YURPC_NO_MEMORY;
    }
    head->size = sizeof *head + fields_size + text_len;
    char *text = (char *)head + sizeof *head + fields_size;
    nghttp2_nv *fields = head->fields;
    *fields++ = field(":method", "POST", false);
    *fields++ = field(":scheme", is_tls ? "https" : "http", false);
    *fields++ = field(":path", store(&text, request->path), false);
    *fields++ = field(":authority", authority, false);
    *fields++ = field("te", "trailers", false);
    *fields++ = field("content-type", "application/grpc", false);
    *fields++ = field("user-agent", "yurpc/" YURPC_VERSION, false);
    for (size_t i = 0; i < request->header_count; i++) {
        const yr_grpc_header *header = &request->headers[i];
        const char *name = store(&text, header->name);
        *fields++ = field(name, store(&text, header->value), header->is_secret);
    }
    head->count = fields_max - 1;
    *ret_head = head;
    return YURPC_OK;
}

void yr_grpc_head_free(yr_grpc_head *head)
{
    if (head != NULL) {
        explicit_bzero(head, head->size);
        yr_free(head);
    }
}

void yr_grpc_head_set_timeout(yr_grpc_head *head, int64_t timeout_ms)
{
    YR_ASSERT(head->timeout[0] == '\0');
    yr_grpc_timeout_format(timeout_ms, head->timeout);
    head->fields[head->count++] = field("grpc-timeout", head->timeout, false);
}

void yr_grpc_timeout_format(int64_t timeout_ms, char ret_text[YR_GRPC_TIMEOUT_SIZE])
{
    static const struct {
        int64_t ms;
        char name;
    } units[] = {{1, 'm'}, {1000, 'S'}, {60000, 'M'}, {3600000, 'H'}};
    const int64_t value_max = 99999999; /* eight digits */
    int64_t value = 0;
    char name = 'm';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        value = timeout_ms / units[i].ms + (timeout_ms % units[i].ms != 0);
        name = units[i].name;
        if (value <= value_max) {
            break;
        }
    }
    value = value > value_max ? value_max : value < 1 ? 1 : value;
    /* By hand: it goes with every call, and snprintf() was a fortieth of one. */
    size_t len = 1;
    for (int64_t rest = value; rest >= 10; rest /= 10) {
        len++;
    }
    ret_text[len] = name;
    ret_text[len + 1] = '\0';
    for (size_t at = len; at > 0; at--) {
        ret_text[at - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}
