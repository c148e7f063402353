/* What a provider says of itself: checked, then written. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "registry/instance.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VERSION_DEFAULT "1.0"

enum {
    GROUP_LEN_MAX = 255,
    ZONE_LEN_MAX = 64, /* "%eth0" behind an IPv6 address */
};

/* ---- Services ---- */

typedef struct service_parts {
    yurpc_bytes name;
    yurpc_bytes version;
} service_parts;

static service_parts service_split(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return (service_parts){yr_bytes_of_text(text), yr_bytes_of_text(VERSION_DEFAULT)};
    }
    return (service_parts){yr_bytes(text, (size_t)(colon - text)), yr_bytes_of_text(colon + 1)};
}

/* Why @p text cannot be a service, or NULL. */
static const char *service_fault(const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return "is empty";
    }
    service_parts parts = service_split(text);
    if (parts.name.len == 0) {
        return "has no name before the colon";
    }
    if (parts.version.len == 0) {
        return "has no version behind the colon";
    }
    if (parts.name.len + 1 + parts.version.len > YR_SERVICE_LEN_MAX) {
        return "is longer than 512 bytes";
    }
    if (strpbrk(text, "/ ") != NULL) {
        return "contains a '/' or a blank";
    }
    return yr_utf8_is_plain(yr_bytes_of_text(text))
               ? NULL
               : "contains control characters or is not UTF-8";
}

static yurpc_status service_check(const char *text, yurpc_error **ret_error)
{
    const char *fault = service_fault(text);
    if (fault == NULL) {
        return YURPC_OK;
    }
    return yr_error_set(ret_error, YURPC_INVALID, -1,
                        "the service '%.100s' %s: give name:version, for example "
                        "com.acme.UserService:1.0",
                        text != NULL ? text : "", fault);
}

yurpc_status yr_service_parse(const char *text, char **ret_service, yurpc_error **ret_error)
{
    yurpc_status status = service_check(text, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    service_parts parts = service_split(text);
    size_t size = parts.name.len + 1 + parts.version.len + 1;
    char *service = yr_calloc(1, size);
    if (service == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    memcpy(service, parts.name.data, parts.name.len);
    service[parts.name.len] = ':';
    memcpy(service + parts.name.len + 1, parts.version.data, parts.version.len);
    *ret_service = service;
    return YURPC_OK;
}

/* ---- Checking ---- */

static bool is_ipv6(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr binary;
    const char *zone = strchr(host, '%');
    size_t len = zone != NULL ? (size_t)(zone - host) : strlen(host);
    if (len >= sizeof address || (zone != NULL && strlen(zone) > ZONE_LEN_MAX)) {
        return false;
    }
    memcpy(address, host, len);
    address[len] = '\0';
    return inet_pton(AF_INET6, address, &binary) == 1;
}

/* Why @p host cannot be written, or NULL. */
static const char *host_fault(const char *host)
{
    if (host == NULL || host[0] == '\0') {
        return "is empty: give the name or address that consumers connect to";
    }
    if (strlen(host) > YR_HOST_LEN_MAX) {
        return "is longer than 255 bytes";
    }
    if (strpbrk(host, "/ ") != NULL || !yr_utf8_is_plain(yr_bytes_of_text(host))) {
        return "contains a '/', a blank, control characters, or is not UTF-8";
    }
    if (strpbrk(host, "[]") != NULL) {
        return "contains brackets: give an IPv6 address without them";
    }
    if (strchr(host, ':') != NULL && !is_ipv6(host)) {
        return "contains a colon and is not an IPv6 address: the port is a field of its own";
    }
    return NULL;
}

/* Whether an entry before @p index has the same key. */
static bool is_key_repeated(const yurpc_metadata *metadata, size_t index)
{
    size_t i = 0;
    while (i < index && strcmp(metadata[i].key, metadata[index].key) != 0) {
        i++;
    }
    return i < index;
}

/* Why @p spec's metadata cannot be written, or NULL. */
static const char *metadata_fault(const yurpc_instance_spec *spec)
{
    if (spec->metadata_count > YR_METADATA_MAX) {
        return "has more than 64 entries";
    }
    if (spec->metadata_count > 0 && spec->metadata == NULL) {
        return "is NULL but its count is not 0";
    }
    for (size_t i = 0; i < spec->metadata_count; i++) {
        const yurpc_metadata *entry = &spec->metadata[i];
        if (entry->key == NULL || entry->key[0] == '\0' || entry->value == NULL) {
            return "has an entry without a key or a value";
        }
        if (!yr_utf8_is_valid(yr_bytes_of_text(entry->key)) ||
            !yr_utf8_is_valid(yr_bytes_of_text(entry->value))) {
            return "is not UTF-8";
        }
        if (is_key_repeated(spec->metadata, i)) {
            return "has a key twice";
        }
    }
    return NULL;
}

static const char *group_fault(const char *group)
{
    if (group == NULL) {
        return NULL;
    }
    if (group[0] == '\0') {
        return "is empty: leave it out for the default group";
    }
    if (strlen(group) > GROUP_LEN_MAX) {
        return "is longer than 255 bytes";
    }
    return yr_utf8_is_plain(yr_bytes_of_text(group))
               ? NULL
               : "contains control characters or is not UTF-8";
}

/* No value of @p spec is longer. */
static size_t value_len_bound(const yurpc_instance_spec *spec)
{
    enum { PUNCTUATION = 256, ENTRY_PUNCTUATION = 8, ESCAPED = 6 };
    size_t len = strlen(spec->service) + strlen(spec->host);
    len += spec->group != NULL ? strlen(spec->group) : 0;
    for (size_t i = 0; i < spec->metadata_count; i++) {
        len += strlen(spec->metadata[i].key) + strlen(spec->metadata[i].value);
    }
    return PUNCTUATION + spec->metadata_count * ENTRY_PUNCTUATION + ESCAPED * len;
}

/* Whether readers would refuse the value for its length. */
static yurpc_status check_value_len(const yurpc_instance_spec *spec, yurpc_error **ret_error)
{
    if (value_len_bound(spec) <= YR_INSTANCE_VALUE_MAX) {
        return YURPC_OK;
    }
    yr_buf value;
    yr_buf_init(&value, YR_INSTANCE_VALUE_MAX);
    yurpc_status status = yr_instance_encode(spec, true, &value);
    yr_buf_deinit(&value);
    if (status == YURPC_TOO_LARGE) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the instance takes more than %d bytes: give less metadata",
                            YR_INSTANCE_VALUE_MAX);
    }
    return status == YURPC_OK ? status : yr_error_set_status(ret_error, status);
}

yurpc_status yr_instance_spec_check(const yurpc_instance_spec *spec, yurpc_error **ret_error)
{
    if (spec == NULL || spec->size < sizeof *spec) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the instance was not begun with YURPC_INSTANCE_SPEC_INIT");
    }
    yurpc_status status = service_check(spec->service, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    const char *fault = host_fault(spec->host);
    if (fault != NULL) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "the host '%.100s' %s",
                            spec->host != NULL ? spec->host : "", fault);
    }
    if (spec->port == 0) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the port is 0: give one from 1 to 65535");
    }
    fault = group_fault(spec->group);
    if (fault != NULL) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "the group '%.100s' %s", spec->group,
                            fault);
    }
    if (spec->weight > YR_WEIGHT_MAX) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the weight %" PRIu32 " is too large: give one from 1 to %d",
                            spec->weight, YR_WEIGHT_MAX);
    }
    fault = metadata_fault(spec);
    if (fault != NULL) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "the metadata %s", fault);
    }
    return check_value_len(spec, ret_error);
}

/* ---- Writing ---- */

enum { DIGITS_MAX = 10 }; /* of 32 bits */

/* Its decimal digits, with a NUL behind them. */
static const char *print_number(uint32_t number, char digits[DIGITS_MAX + 1])
{
    char *first = digits + DIGITS_MAX;
    *first = '\0';
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return first;
}

char *yr_node_new(const char *host, uint16_t port)
{
    char digits[DIGITS_MAX + 1];
    yurpc_bytes number = yr_bytes_of_text(print_number(port, digits));
    yurpc_bytes name = yr_bytes_of_text(host);
    char *node = yr_calloc(1, name.len + 1 + number.len + 1);
    if (node != NULL) {
        memcpy(node, name.data, name.len);
        node[name.len] = ':';
        memcpy(node + name.len + 1, number.data, number.len);
    }
    return node;
}

/* Append @p lead (punctuation and the field's name), then @p text as a string. */
static yurpc_status append_field(yr_buf *out, const char *lead, yurpc_bytes text)
{
    yurpc_status status = yr_buf_append_text(out, lead);
    return status == YURPC_OK ? yr_json_append_string(out, text) : status;
}

static yurpc_status append_number(yr_buf *out, const char *lead, uint32_t number)
{
    char digits[DIGITS_MAX + 1];
    yurpc_status status = yr_buf_append_text(out, lead);
    return status == YURPC_OK ? yr_buf_append_text(out, print_number(number, digits)) : status;
}

static yurpc_status append_metadata(yr_buf *out, const yurpc_instance_spec *spec)
{
    yurpc_status status = YURPC_OK;
    for (size_t i = 0; i < spec->metadata_count && status == YURPC_OK; i++) {
        status = append_field(out, i == 0 ? ",\"metadata\":{" : ",",
                              yr_bytes_of_text(spec->metadata[i].key));
        if (status == YURPC_OK) {
            status = append_field(out, ":", yr_bytes_of_text(spec->metadata[i].value));
        }
    }
    return status == YURPC_OK && spec->metadata_count > 0 ? yr_buf_append_text(out, "}")
                                                          : status;
}

/* Java's five fields. */
static yurpc_status append_fields(yr_buf *out, const yurpc_instance_spec *spec)
{
    service_parts service = service_split(spec->service);
    const char *group = spec->group != NULL ? spec->group : YR_GROUP_DEFAULT;

    yurpc_status status = append_field(out, "{\"serviceName\":", service.name);
    if (status == YURPC_OK) {
        status = append_field(out, ",\"serviceVersion\":", service.version);
    }
    if (status == YURPC_OK) {
        status = append_field(out, ",\"serviceHost\":", yr_bytes_of_text(spec->host));
    }
    if (status == YURPC_OK) {
        status = append_number(out, ",\"servicePort\":", spec->port);
    }
    if (status == YURPC_OK) {
        status = append_field(out, ",\"serviceGroup\":", yr_bytes_of_text(group));
    }
    return status;
}

/* Ours, which Java readers ignore; each only when it says something. */
static yurpc_status append_extra_fields(yr_buf *out, const yurpc_instance_spec *spec,
                                        bool is_draining)
{
    yurpc_status status = YURPC_OK;
    if (spec->weight != 0 && spec->weight != YR_WEIGHT_DEFAULT) {
        status = append_number(out, ",\"weight\":", spec->weight);
    }
    if (status == YURPC_OK) {
        status = append_metadata(out, spec);
    }
    if (status == YURPC_OK) {
        status = yr_buf_append_text(out, is_draining ? ",\"draining\":true}" : "}");
    }
    return status;
}

yurpc_status yr_instance_encode(const yurpc_instance_spec *spec, bool is_draining, yr_buf *out)
{
    size_t len_before = out->len;
    yurpc_status status = append_fields(out, spec);
    if (status == YURPC_OK) {
        status = append_extra_fields(out, spec, is_draining);
    }
    if (status != YURPC_OK) {
        out->len = len_before;
    }
    return status;
}
