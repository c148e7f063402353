#include "net/uv/uv_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

static const struct sockaddr_in *as_ip4(const struct sockaddr_storage *address)
{
    return (const struct sockaddr_in *)(const void *)address;
}

static const struct sockaddr_in6 *as_ip6(const struct sockaddr_storage *address)
{
    return (const struct sockaddr_in6 *)(const void *)address;
}

bool yr_address_parse(const char *host, uint16_t port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_storage address = {0};
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)&address) != 0 &&
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)&address) != 0) {
        return false;
    }
    *ret_address = address;
    return true;
}

socklen_t yr_address_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

uint16_t yr_address_port(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? as_ip6(address)->sin6_port
                                                : as_ip4(address)->sin_port);
}

void yr_address_format_host(const char *host, uint16_t port, char *text)
{
    bool is_ip6 = strchr(host, ':') != NULL;
    /* Cannot be cut: the precision bounds it. */
    (void)snprintf(text, YR_ADDRESS_TEXT_SIZE, "%s%.*s%s:%u", is_ip6 ? "[" : "",
                   (int)YR_HOST_MAX, host, is_ip6 ? "]" : "", (unsigned)port);
}

void yr_address_format(const struct sockaddr_storage *address, char *text)
{
    char host[INET6_ADDRSTRLEN] = "?";
    int failed = address->ss_family == AF_INET6
                     ? uv_ip6_name(as_ip6(address), host, sizeof host)
                     : uv_ip4_name(as_ip4(address), host, sizeof host);
    yr_address_format_host(failed == 0 ? host : "?", yr_address_port(address), text);
}

bool yr_address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family || yr_address_port(a) != yr_address_port(b)) {
        return false;
    }
    if (a->ss_family == AF_INET6) {
        return memcmp(&as_ip6(a)->sin6_addr, &as_ip6(b)->sin6_addr, sizeof(struct in6_addr)) ==
               0;
    }
    return as_ip4(a)->sin_addr.s_addr == as_ip4(b)->sin_addr.s_addr;
}
