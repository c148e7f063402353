/*
 * One TLS connection, without its socket: encrypted bytes in and out, plain bytes in and out.
 *
 * The peer has to show a certificate of a trusted chain for the host we meant (its name or
 * address among the subjectAltNames; the common name counts for nothing, and neither do
 * wildcards of a part of a label), and to choose HTTP/2. Source: RFC 6125, RFC 9113 3.2.
 */
#ifndef YR_NET_UV_TLS_SESSION_H
#define YR_NET_UV_TLS_SESSION_H

#include "net/uv/uv_address.h"
#include "net/uv/uv_tls.h"

typedef struct yr_uv_session {
    yr_uv_tls *tls;
    SSL *ssl;
    BIO *in;  /* the ssl's */
    BIO *out; /* the ssl's */
    char host[YR_HOST_MAX + 1];
    char target[YR_ADDRESS_TEXT_SIZE]; /* for people */
    bool is_address;                   /* the host is one, not a name */
    bool is_open;
    bool is_asked; /* the peer wants to see our certificate */
    bool is_heard; /* it has said something after the handshake */
    bool has_input;
    unsigned char first; /* byte of the input */
    yurpc_error *error;  /* why it failed */
} yr_uv_session;

/*
 * Begin with the files as they are. YURPC_INVALID: the host is empty, too
 * long, or begins with a dot.
 */
YURPC_NODISCARD yurpc_status yr_uv_session_init(yr_uv_session *session, yr_uv_tls *tls,
                                                const char *host, uint16_t port);

/* NULL-safe: a zeroed session is allowed. */
void yr_uv_session_deinit(yr_uv_session *session);

/* Take what came from the peer. */
YURPC_NODISCARD yurpc_status yr_uv_session_feed(yr_uv_session *session, yurpc_bytes bytes);

/* Go on with the handshake; false: it failed, and session->error says why. */
bool yr_uv_session_advance(yr_uv_session *session);

typedef enum yr_uv_session_event {
    YR_UV_SESSION_DATA,
    YR_UV_SESSION_IDLE, /* all that came was read */
    YR_UV_SESSION_END,  /* the peer closed in order */
    YR_UV_SESSION_FAILED,
} yr_uv_session_event;

/* The next plain bytes, borrowed until the next session of the same yr_uv_tls is read. */
yr_uv_session_event yr_uv_session_read(yr_uv_session *session, yurpc_bytes *ret_bytes);

/* Encrypt. On failure the session is of no use any more. */
YURPC_NODISCARD yurpc_status yr_uv_session_write(yr_uv_session *session, yurpc_bytes bytes);

/* Say that nothing more will be written. */
void yr_uv_session_finish(yr_uv_session *session);

/* What has to be sent; borrowed until the next call. */
yurpc_bytes yr_uv_session_output(yr_uv_session *session);
void yr_uv_session_output_sent(yr_uv_session *session);

#endif /* YR_NET_UV_TLS_SESSION_H */
