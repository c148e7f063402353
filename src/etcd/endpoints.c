#include "etcd/endpoints.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { HOST_LEN_MAX = 253, NAME_LEN_MAX = HOST_LEN_MAX + 16 };

#define RIGHT "right is for example http://127.0.0.1:2379 or http://[::1]:2379"

/* One endpoint of the text while it is read. */
typedef struct endpoint_part {
    yurpc_bytes text; /* without the blanks around it */
    size_t number;    /* from 1 */
    yurpc_bytes host;
    uint16_t port;
    bool is_tls;
    bool is_secret; /* the text of all of them may hold a password */
} endpoint_part;

static bool bytes_contain(yurpc_bytes bytes, char c)
{
    return bytes.len > 0 && memchr(bytes.data, c, bytes.len) != NULL;
}

static char byte_at(yurpc_bytes bytes, size_t index)
{
    return ((const char *)bytes.data)[index];
}

static yurpc_status part_fail(const endpoint_part *part, const char *what,
                              yurpc_error **ret_error)
{
    yurpc_bytes shown = part->is_secret ? yr_bytes_of_text("...@...") : part->text;
    return yr_error_set(ret_error, YURPC_INVALID, -1, "etcd endpoint %zu, \"%.*s\": %s; " RIGHT,
                        part->number, shown.len > 64 ? 64 : (int)shown.len,
                        (const char *)shown.data, what);
}

static yurpc_status read_scheme(endpoint_part *part, yurpc_bytes *text, yurpc_error **ret_error)
{
    static const struct {
        const char *text;
        bool is_tls;
    } schemes[] = {{"http://", false}, {"https://", true}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        yurpc_bytes scheme = yr_bytes_of_text(schemes[i].text);
        if (yr_bytes_have_prefix(*text, scheme)) {
            *text = yr_bytes_after(*text, scheme.len);
            part->is_tls = schemes[i].is_tls;
            return YURPC_OK;
        }
    }
    if (text->len >= 3 && memmem(text->data, text->len, "://", 3) != NULL) {
        return part_fail(part, "the scheme must be http or https", ret_error);
    }
    return YURPC_OK;
}

static yurpc_status read_port(endpoint_part *part, yurpc_bytes digits, yurpc_error **ret_error)
{
    uint32_t port = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = byte_at(digits, i);
        if (c < '0' || c > '9' || port > UINT16_MAX) {
            port = 0;
            break;
        }
        port = port * 10 + (uint32_t)(c - '0');
    }
    if (port == 0 || port > UINT16_MAX) {
        return part_fail(part, "the port must be a number from 1 to 65535", ret_error);
    }
    part->port = (uint16_t)port;
    return YURPC_OK;
}

static bool host_is_valid(yurpc_bytes host, bool is_bracketed)
{
    size_t dots = 0;
    for (size_t i = 0; i < host.len; i++) {
        char c = byte_at(host, i);
        dots += c == '.' ? 1 : 0;
        bool is_valid = isalnum((unsigned char)c) || strchr("-._", c) != NULL ||
                        (is_bracketed && strchr(":%", c) != NULL);
        if (!is_valid || c == '\0') {
            return false;
        }
    }
    return dots < host.len && host.len <= HOST_LEN_MAX &&
           (!is_bracketed || bytes_contain(host, ':'));
}

/* @p text is "host", "host:port", "[v6]" or "[v6]:port". */
static yurpc_status read_authority(endpoint_part *part, yurpc_bytes text,
                                   yurpc_error **ret_error)
{
    bool is_bracketed = text.len > 0 && byte_at(text, 0) == '[';
    const char *start = text.data;
    const char *end = text.len > 0 ? memchr(start, is_bracketed ? ']' : ':', text.len) : NULL;
    if (is_bracketed && end == NULL) {
        return part_fail(part, "the bracket is not closed", ret_error);
    }
    size_t skip = is_bracketed ? 1 : 0;
    size_t host_len = end == NULL ? text.len : (size_t)(end - start) - skip;
    part->host = yr_bytes(start + skip, host_len);
    yurpc_bytes rest = yr_bytes_after(text, end == NULL ? text.len : host_len + 2 * skip);
    if (!is_bracketed && rest.len > 0 && bytes_contain(yr_bytes_after(rest, 1), ':')) {
        return part_fail(part, "an IPv6 address must be in brackets", ret_error);
    }
    if (!host_is_valid(part->host, is_bracketed)) {
        return part_fail(part, "that is not a host", ret_error);
    }
    part->port = YR_ENDPOINT_PORT;
    if (rest.len == 0) {
        return YURPC_OK;
    }
    if (byte_at(rest, 0) != ':') {
        return part_fail(part, "a port must follow the bracket", ret_error);
    }
    return read_port(part, yr_bytes_after(rest, 1), ret_error);
}

static yurpc_status part_read(endpoint_part *part, yurpc_error **ret_error)
{
    yurpc_bytes text = part->text;
    if (text.len == 0) {
        return part_fail(part, "it is empty", ret_error);
    }
    if (part->is_secret) {
        return part_fail(part, "it must not hold credentials", ret_error);
    }
    yurpc_status status = read_scheme(part, &text, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    if (text.len > 0 && byte_at(text, text.len - 1) == '/') {
        text.len--;
    }
    if (bytes_contain(text, '/')) {
        return part_fail(part, "it must not have a path", ret_error);
    }
    return read_authority(part, text, ret_error);
}

static yurpc_status endpoint_init(yr_endpoint *endpoint, const endpoint_part *part)
{
    yr_buf name;
    yr_buf_init(&name, NAME_LEN_MAX);
    int host_len = (int)part->host.len;
    const char *host = part->host.data;
    bool is_bracketed = bytes_contain(part->host, ':');
    yurpc_status status =
        is_bracketed ? yr_buf_append_format(&name, "[%.*s]:%u", host_len, host, part->port)
                     : yr_buf_append_format(&name, "%.*s:%u", host_len, host, part->port);
    if (status == YURPC_OK) {
        endpoint->port = part->port;
        endpoint->is_tls = part->is_tls;
        endpoint->host = yr_memdup0(host, part->host.len);
        endpoint->name = yr_buf_detach_text(&name);
    }
    yr_buf_deinit(&name);
    return endpoint->host == NULL || endpoint->name == NULL ? YURPC_NO_MEMORY : YURPC_OK;
}

static yurpc_bytes trim(yurpc_bytes text)
{
    while (text.len > 0 && isspace((unsigned char)byte_at(text, 0))) {
        text = yr_bytes_after(text, 1);
    }
    while (text.len > 0 && isspace((unsigned char)byte_at(text, text.len - 1))) {
        text.len--;
    }
    return text;
}

/* @p kind says what is known before the text is read. */
static yurpc_status add(yr_endpoints *endpoints, yurpc_bytes text, const endpoint_part *kind,
                        yurpc_error **ret_error)
{
    endpoint_part part = *kind;
    part.text = trim(text);
    part.number = endpoints->count + 1;
    if (endpoints->count == YR_ENDPOINTS_MAX) {
        return part_fail(&part, "at most 64 are allowed", ret_error);
    }
    yurpc_status status = part_read(&part, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    /* Counted before it is whole, so that deinit frees its half. */
    status = endpoint_init(&endpoints->items[endpoints->count++], &part);
    return status == YURPC_OK ? status : yr_error_set_status(ret_error, status);
}

yurpc_status yr_endpoints_init(yr_endpoints *endpoints, const char *text, bool is_tls,
                               uint64_t random, yurpc_error **ret_error)
{
    memset(endpoints, 0, sizeof *endpoints);
    const char *rest = text == NULL || text[0] == '\0' ? "localhost" : text;
    /* A password may stand before '@', with commas in it: then nothing at all is repeated. */
    const endpoint_part kind = {.is_tls = is_tls, .is_secret = strchr(rest, '@') != NULL};
    yurpc_status status = YURPC_OK;
    while (rest != NULL && status == YURPC_OK) {
        const char *comma = strchr(rest, ',');
        size_t len = comma == NULL ? strlen(rest) : (size_t)(comma - rest);
        status = add(endpoints, yr_bytes(rest, len), &kind, ret_error);
        rest = comma == NULL ? NULL : comma + 1;
    }
    if (status != YURPC_OK) {
        yr_endpoints_deinit(endpoints);
        return status;
    }
    for (size_t i = 0; i < endpoints->count; i++) {
        endpoints->order[i] = (i + random) % endpoints->count;
    }
    return YURPC_OK;
}

void yr_endpoints_deinit(yr_endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        yr_free(endpoints->items[i].host);
        yr_free(endpoints->items[i].name);
    }
    memset(endpoints, 0, sizeof *endpoints);
}

bool yr_endpoint_is_private(const yr_endpoint *endpoint)
{
    const char *host = endpoint->host;
    bool is_ipv4 = strspn(host, "0123456789.") == strlen(host);
    return endpoint->is_tls || strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (is_ipv4 && strncmp(host, "127.", 4) == 0);
}

const yr_endpoint *yr_endpoints_first(const yr_endpoints *endpoints)
{
    return &endpoints->items[endpoints->order[0]];
}

void yr_endpoints_rotate(yr_endpoints *endpoints)
{
    size_t first = endpoints->order[0];
    size_t rest = endpoints->count - 1;
    memmove(endpoints->order, endpoints->order + 1, rest * sizeof endpoints->order[0]);
    endpoints->order[rest] = first;
}
