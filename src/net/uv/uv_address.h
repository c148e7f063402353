/* Socket addresses: numeric text, and back. */
#ifndef YR_NET_UV_ADDRESS_H
#define YR_NET_UV_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    YR_HOST_MAX = 255,                          /* bytes of a host name */
    YR_ADDRESS_TEXT_SIZE = YR_HOST_MAX + 8 + 1, /* "[host]:65535" and NUL */
};

/* False when @p host is not a numeric address. */
bool yr_address_parse(const char *host, uint16_t port, struct sockaddr_storage *ret_address);

/* The size of what @p address holds, for bind(2) and connect(2). */
socklen_t yr_address_size(const struct sockaddr_storage *address);

uint16_t yr_address_port(const struct sockaddr_storage *address);

/* "host:port", with brackets around an IPv6 address. @p text has YR_ADDRESS_TEXT_SIZE bytes. */
void yr_address_format_host(const char *host, uint16_t port, char *text);
void yr_address_format(const struct sockaddr_storage *address, char *text);

/* Whether two addresses name the same place. */
bool yr_address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif /* YR_NET_UV_ADDRESS_H */
