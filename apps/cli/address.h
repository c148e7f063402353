/* HOST:PORT as the user writes it: "10.0.0.5:8080", "db.example:80", "[::1]:80". */
#ifndef CLI_ADDRESS_H
#define CLI_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { CLI_HOST_LEN_MAX = 255 };

typedef struct cli_address {
    const char *text;                /* as given; borrowed */
    char host[CLI_HOST_LEN_MAX + 1]; /* without brackets */
    uint16_t port;
} cli_address;

/* Read @p text. False: has said on stderr what is wrong. */
bool cli_address_parse(const char *text, cli_address *ret_address);

/*
 * Whether @p host reaches only the machine itself: localhost, 127.0.0.0/8, ::1; and 0.0.0.0
 * and ::, where a server may listen, but who connects there reaches itself.
 */
bool cli_host_is_loopback(const char *host);

#endif /* CLI_ADDRESS_H */
