#include "address.h"

#include "session.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_bad(const char *text, const char *why)
{
    cli_say("address '%s': %s", text, why);
    return false;
}

bool cli_address_parse(const char *text, cli_address *ret_address)
{
    bool has_brackets = text[0] == '[';
    const char *host = has_brackets ? text + 1 : text;
    const char *colon = has_brackets ? strstr(text, "]:") : strrchr(text, ':');
    if (strchr(text, '/') != NULL) {
        return is_bad(text, "give HOST:PORT alone, without a scheme or a path");
    }
    if (colon == NULL) {
        return is_bad(text, "the port is missing; give HOST:PORT");
    }
    size_t host_len = (size_t)(colon - host);
    const char *port = colon + (has_brackets ? 2 : 1);
    if (host_len == 0) {
        return is_bad(text, "the host is missing; give HOST:PORT");
    }
    if (host_len > CLI_HOST_LEN_MAX) {
        return is_bad(text, "the host is too long");
    }
    if (!has_brackets && memchr(host, ':', host_len) != NULL) {
        return is_bad(text, "write an IPv6 address in brackets: [::1]:80");
    }
    size_t digits = strspn(port, "0123456789");
    long number =
        digits > 0 && digits <= 5 && port[digits] == '\0' ? strtol(port, NULL, 10) : 0;
    if (number < 1 || number > 65535) {
        return is_bad(text, "the port must be a number from 1 to 65535");
    }

    cli_address address = {.text = text, .port = (uint16_t)number};
    memcpy(address.host, host, host_len);
    struct in6_addr ignored;
    if (has_brackets && inet_pton(AF_INET6, address.host, &ignored) != 1) {
        return is_bad(text, "what stands in brackets is not an IPv6 address");
    }
    *ret_address = address;
    return true;
}

bool cli_host_is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}
