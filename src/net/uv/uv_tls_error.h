/* TLS errors in words that say what to do. New errors, never NULL. */
#ifndef YR_NET_UV_TLS_ERROR_H
#define YR_NET_UV_TLS_ERROR_H

#include "net/uv/uv_tls_session.h"

/* Why we refuse the peer's certificate: the verdict that @p store holds. */
yurpc_error *yr_uv_tls_error_of_verdict(const yr_uv_session *session, X509_STORE_CTX *store);

/* Why the session failed: OpenSSL's queue of errors, and what is known besides. */
yurpc_error *yr_uv_tls_error_of_failure(const yr_uv_session *session);

/* The peer speaks TLS, but did not choose HTTP/2. */
yurpc_error *yr_uv_tls_error_of_protocol(const yr_uv_session *session);

/* The connection ended, because of @p cause (NULL: FIN), before the session did. */
yurpc_error *yr_uv_tls_error_of_end(const yr_uv_session *session, const yurpc_error *cause);

#endif /* YR_NET_UV_TLS_ERROR_H */
