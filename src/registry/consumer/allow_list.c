#include "registry/consumer/allow_list.h"

#include "base/error.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { BITS_MAX = 128, BITS_BEFORE_IPV4 = 96, NAME_LEN_MAX = 255 };

/* An IPv4 address stands as ::ffff:a.b.c.d, so that writing it so does not change what it is.
 */
typedef struct address {
    uint8_t bytes[BITS_MAX / 8];
} address;

typedef struct entry {
    char *name; /* NULL: a network */
    address network;
    unsigned bits; /* of it that count */
} entry;

struct yr_allow_list {
    size_t count;
    entry entries[];
};

static const uint8_t ipv4_prefix[BITS_BEFORE_IPV4 / 8] = {[10] = 0xff, [11] = 0xff};

static bool is_ipv4(const address *one)
{
    return memcmp(one->bytes, ipv4_prefix, sizeof ipv4_prefix) == 0;
}

/* False: @p text is no address. */
static bool parse_address(const char *text, size_t len, address *ret_address)
{
    char copy[INET6_ADDRSTRLEN];
    const char *zone = memchr(text, '%', len);
    len = zone != NULL ? (size_t)(zone - text) : len;
    if (len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET6, copy, ret_address->bytes) == 1) {
        return true;
    }
    memcpy(ret_address->bytes, ipv4_prefix, sizeof ipv4_prefix);
    return zone == NULL &&
           inet_pton(AF_INET, copy, ret_address->bytes + sizeof ipv4_prefix) == 1;
}

/* The digits at @p text; more than BITS_MAX: something else stands there. */
static unsigned parse_bits(const char *text, size_t len)
{
    unsigned bits = len == 0 || len > 3 ? BITS_MAX + 1 : 0;
    for (size_t i = 0; i < len && bits <= BITS_MAX; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        bits = is_digit ? bits * 10 + (unsigned)(text[i] - '0') : BITS_MAX + 1;
    }
    return bits;
}

static bool parse_network(const char *text, size_t len, entry *ret_entry)
{
    const char *slash = memchr(text, '/', len);
    size_t address_len = slash != NULL ? (size_t)(slash - text) : len;
    if (!parse_address(text, address_len, &ret_entry->network)) {
        return false;
    }
    bool is_short = memchr(text, ':', address_len) == NULL; /* as IPv4 is written */
    unsigned given = is_short ? BITS_MAX - BITS_BEFORE_IPV4 : BITS_MAX;
    if (slash != NULL) {
        unsigned bits = parse_bits(slash + 1, len - address_len - 1);
        if (bits > given) {
            return false;
        }
        given = bits;
    }
    ret_entry->bits = given + (is_short ? BITS_BEFORE_IPV4 : 0);
    return true;
}

/* Labels of a host's name; not what is a bad address: that would allow nobody, unnoticed. */
static bool is_name(const char *text, size_t len)
{
    bool has_letter = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_other = (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!is_letter && !is_other) {
            return false;
        }
        has_letter = has_letter || is_letter;
    }
    return has_letter && len <= NAME_LEN_MAX;
}

static yurpc_status parse_entry(const char *text, size_t len, entry *ret_entry,
                                yurpc_error **ret_error)
{
    if (parse_network(text, len, ret_entry)) {
        return YURPC_OK;
    }
    if (!is_name(text, len)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "'%.*s' is neither an address, nor a network such as 10.0.0.0/8, "
                            "nor a name",
                            (int)(len < NAME_LEN_MAX ? len : NAME_LEN_MAX), text);
    }
    ret_entry->name = yr_memdup0(text, len);
    return ret_entry->name != NULL ? YURPC_OK : yr_error_set_status(ret_error, YURPC_NO_MEMORY);
}

yurpc_status yr_allow_list_new(const char *text, yr_allow_list **ret_list,
                               yurpc_error **ret_error)
{
    static const char blanks[] = " \t";
    size_t most = 1;
    for (const char *at = text; *at != '\0'; at++) {
        most += *at == ',';
    }
    yr_allow_list *list = yr_calloc(1, sizeof *list + most * sizeof(entry));
    if (list == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    const char *at = text;
    for (size_t i = 0; i < most; i++) {
        at += strspn(at, blanks);
        size_t whole = strcspn(at, ",");
        size_t len = whole;
        while (len > 0 && strchr(blanks, at[len - 1]) != NULL) {
            len--;
        }
        yurpc_status status = parse_entry(at, len, &list->entries[i], ret_error);
        if (status != YURPC_OK) {
            yr_allow_list_free(list);
            return status;
        }
        list->count++;
        at += whole + 1; /* past the last one nothing is read any more */
    }
    *ret_list = list;
    return YURPC_OK;
}

void yr_allow_list_free(yr_allow_list *list)
{
    if (list == NULL) {
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        yr_free(list->entries[i].name);
    }
    yr_free(list);
}

static bool network_has(const entry *one, const address *host)
{
    if (is_ipv4(host) && one->bits < BITS_BEFORE_IPV4) {
        return false; /* ::/0 is all of IPv6 */
    }
    unsigned whole = one->bits / 8;
    unsigned rest = one->bits % 8;
    uint8_t mask = (uint8_t)(0xff00U >> rest);
    return memcmp(one->network.bytes, host->bytes, whole) == 0 &&
           (rest == 0 || ((one->network.bytes[whole] ^ host->bytes[whole]) & mask) == 0);
}

static bool name_has(const char *name, const char *host, size_t host_len)
{
    size_t len = strlen(name);
    bool is_suffix = name[0] == '.';
    return (is_suffix ? host_len > len : host_len == len) &&
           strncasecmp(name, host + host_len - len, len) == 0;
}

bool yr_allow_list_has(const yr_allow_list *list, const char *host)
{
    address numeric;
    size_t len = strlen(host);
    bool is_address = parse_address(host, len, &numeric);
    if (!is_address && len > 0 && host[len - 1] == '.') {
        len--; /* a name may end with the root */
    }
    for (size_t i = 0; i < list->count; i++) {
        const entry *one = &list->entries[i];
        bool is_of_kind = (one->name == NULL) == is_address;
        if (is_of_kind &&
            (is_address ? network_has(one, &numeric) : name_has(one->name, host, len))) {
            return true;
        }
    }
    return false;
}
