#include "grpc/headers.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "grpc/text.h"

enum {
    FIELD_OVERHEAD = 32, /* what HPACK counts for each field besides its bytes */
    TYPE_MAX = 64,       /* bytes of a foreign content type that are kept */
};

void yr_grpc_headers_init(yr_grpc_headers *headers, size_t max_len)
{
    *headers = (yr_grpc_headers){.code = YR_GRPC_CODE_ABSENT, .max_len = max_len};
}

void yr_grpc_headers_deinit(yr_grpc_headers *headers)
{
    yr_free(headers->type);
    yr_free(headers->message);
    yr_grpc_headers_init(headers, headers->max_len);
}

void yr_grpc_headers_begin(yr_grpc_headers *headers)
{
    headers->size = 0;
    headers->code = YR_GRPC_CODE_ABSENT;
    yr_free(headers->message);
    headers->message = NULL;
}

/* One or more digits, at most @p digits_max, without a leading zero; -1: something else. */
static int parse_number(yurpc_bytes text, size_t digits_max)
{
    const uint8_t *digit = text.data;
    if (text.len == 0 || text.len > digits_max || (text.len > 1 && digit[0] == '0')) {
        return -1;
    }
    int number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (digit[i] < '0' || digit[i] > '9') {
            return -1;
        }
        number = number * 10 + (digit[i] - '0');
    }
    return number;
}

static void headers_set_code(yr_grpc_headers *headers, yurpc_bytes value)
{
    int code = parse_number(value, 4);
    bool is_again = headers->code != YR_GRPC_CODE_ABSENT;
    headers->code = is_again || code < 0 ? YR_GRPC_CODE_BAD : code;
}

/* The text is for people: without memory the call ends all the same, with less to read. */
static void headers_set_message(yr_grpc_headers *headers, yurpc_bytes value)
{
    char text[YR_GRPC_TEXT_MAX + 1];
    size_t len = yr_grpc_text_decode(value, text, sizeof text);
    yr_free(headers->message);
    headers->message = yr_memdup0(text, len);
}

/* "application/grpc", alone or with "+proto", ";charset=utf-8" and the like behind. */
static void headers_set_type(yr_grpc_headers *headers, yurpc_bytes value)
{
    yurpc_bytes wanted = yr_bytes_of_text("application/grpc");
    headers->is_grpc = yr_bytes_have_prefix(value, wanted);
    if (headers->is_grpc && value.len > wanted.len) {
        const char *next = (const char *)value.data + wanted.len;
        headers->is_grpc = *next == '+' || *next == ';' || *next == ' ';
    }
    yr_free(headers->type);
    headers->type = NULL;
    if (!headers->is_grpc) {
        char text[TYPE_MAX + 1];
        size_t len = yr_text_copy(value, text, sizeof text);
        headers->type = yr_memdup0(text, len);
    }
}

yurpc_status yr_grpc_headers_add(yr_grpc_headers *headers, yurpc_bytes name, yurpc_bytes value)
{
    headers->size += name.len + value.len + FIELD_OVERHEAD;
    if (headers->size > headers->max_len) {
        return YURPC_TOO_LARGE;
    }
    if (yr_bytes_equal(name, yr_bytes_of_text(":status"))) {
        int http = parse_number(value, 3);
        headers->http = http > 0 ? http : 0;
    } else if (yr_bytes_equal(name, yr_bytes_of_text("content-type"))) {
        headers_set_type(headers, value);
    } else if (yr_bytes_equal(name, yr_bytes_of_text("grpc-status"))) {
        headers_set_code(headers, value);
    } else if (yr_bytes_equal(name, yr_bytes_of_text("grpc-message"))) {
        headers_set_message(headers, value);
    }
    return YURPC_OK;
}

bool yr_grpc_headers_allow_messages(const yr_grpc_headers *headers)
{
    return headers->http == 200 && headers->is_grpc;
}

static int code_of_http(int http)
{
    switch (http) {
    case 400:
        return YR_GRPC_INTERNAL;
    case 401:
        return YR_GRPC_UNAUTHENTICATED;
    case 403:
        return YR_GRPC_PERMISSION_DENIED;
    case 404:
        return YR_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return YR_GRPC_UNAVAILABLE;
    default:
        return YR_GRPC_UNKNOWN;
    }
}

void yr_grpc_headers_end(const yr_grpc_headers *headers, yr_grpc_end *ret_end,
                         yurpc_error **ret_text)
{
    const char *message = headers->message != NULL ? headers->message : "";
    yr_grpc_end end = {.code = headers->code, .message = message, .is_remote = true};
    yurpc_error *text = NULL;
    bool is_failure =
        headers->code > YR_GRPC_OK; /* then the rest of the headers is no matter */
    if (headers->code > YR_GRPC_UNAUTHENTICATED) {
        end.code = YR_GRPC_UNKNOWN;
        text = yr_error_new(YURPC_REMOTE, end.code, "the server sent the unknown code %d: %s",
                            headers->code, message);
    } else if (headers->code == YR_GRPC_CODE_BAD) {
        end.code = YR_GRPC_UNKNOWN;
        text =
            yr_error_new(YURPC_REMOTE, end.code,
                         "the server sent a grpc-status that is not one number: %s", message);
    } else if (!is_failure && !yr_grpc_headers_allow_messages(headers)) {
        end.is_remote = false;
        end.code = code_of_http(headers->http);
        text =
            yr_error_new(YURPC_REMOTE, end.code,
                         "the server answered HTTP status %d with content type \"%s\" instead "
                         "of gRPC: is a proxy in between?",
                         headers->http, headers->type != NULL ? headers->type : "");
    } else if (headers->code == YR_GRPC_CODE_ABSENT) {
        end.is_remote = false;
        end.code = YR_GRPC_INTERNAL;
        end.message = "the server ended the call without saying how it went";
    }
    if (text != NULL) {
        end.message = yurpc_error_text(text);
    }
    *ret_end = end;
    *ret_text = text;
}
