/*
 * The server's end of TLS in a test, by OpenSSL, without a socket: encrypted bytes in and out.
 * Link yr_test_tls.
 */
#ifndef YR_TLS_PEER_H
#define YR_TLS_PEER_H

#include "certs.h"

#include <yurpc/bytes.h>

#include <stddef.h>

typedef struct tls_peer_options {
    const yr_cert *cert;
    const yr_cert *client_ca; /* wants a client certificate of it; NULL: none */
    const char *protocol;     /* chosen by ALPN; NULL: ALPN is not known here */
    int version_max;          /* TLS1_2_VERSION, …; 0: any */
} tls_peer_options;

typedef struct tls_peer {
    SSL_CTX *context;
    SSL *ssl;
    const char *protocol;
    bool is_open;
    bool is_failed;
    char server_name[256]; /* what the client asked for; empty: nothing */
    size_t received;
    char plain[64]; /* the first bytes of what was received */
} tls_peer;

void tls_peer_init(tls_peer *peer, const tls_peer_options *options);
void tls_peer_deinit(tls_peer *peer); /* a zeroed one is allowed */

/* Take what came from the client, and go on. */
void tls_peer_feed(tls_peer *peer, yurpc_bytes bytes);

/* Encrypt. */
void tls_peer_write(tls_peer *peer, const void *data, size_t len);

/* Say that the end is near (close_notify). */
void tls_peer_finish(tls_peer *peer);

/* What has to be sent; then tell that it was. */
yurpc_bytes tls_peer_output(tls_peer *peer);
void tls_peer_output_sent(tls_peer *peer);

#endif /* YR_TLS_PEER_H */
