/*
 * The addresses of an etcd cluster, and the order in which they are tried.
 */
#ifndef YR_ETCD_ENDPOINTS_H
#define YR_ETCD_ENDPOINTS_H

#include <yurpc/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    YR_ENDPOINTS_MAX = 64,
    YR_ENDPOINT_PORT = 2379,      /* etcd's for clients */
    YR_ENDPOINT_PEER_PORT = 2380, /* etcd's for its peers, which Yu-RPC names as default */
};

typedef struct yr_endpoint {
    char *host; /* IPv6 without brackets */
    uint16_t port;
    bool is_tls;
    char *name; /* "host:port", IPv6 in brackets: for people */
} yr_endpoint;

typedef struct yr_endpoints {
    yr_endpoint items[YR_ENDPOINTS_MAX];
    size_t order[YR_ENDPOINTS_MAX]; /* indices; the first is the one to try */
    size_t count;
} yr_endpoints;

/*
 * Read "http://host:port,https://host:port,…"; the scheme (of @p is_tls) and the port (2379)
 * may be left out; NULL or "" is localhost. @p random chooses where the order starts.
 * YURPC_INVALID with what is wrong, YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_endpoints_init(yr_endpoints *endpoints, const char *text,
                                               bool is_tls, uint64_t random,
                                               yurpc_error **ret_error);

void yr_endpoints_deinit(yr_endpoints *endpoints);

/* Whether what is said to it cannot be overheard on the way: by TLS, or on this machine. */
bool yr_endpoint_is_private(const yr_endpoint *endpoint);

/* The one to try. */
const yr_endpoint *yr_endpoints_first(const yr_endpoints *endpoints);

/* That one goes to the end of the order. */
void yr_endpoints_rotate(yr_endpoints *endpoints);

#endif /* YR_ETCD_ENDPOINTS_H */
