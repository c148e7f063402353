/* What OpenSSL needs to know for all connections: whom to trust, who we are, which rules. */
#ifndef YR_NET_UV_TLS_CONTEXT_H
#define YR_NET_UV_TLS_CONTEXT_H

#include "net/uv/uv_pem.h"

#include <openssl/ssl.h>

/*
 * A context of TLS 1.2 or newer, HTTP/2 only, from files that were read; one without a path is
 * not there: then the system's CAs are trusted, and we have no certificate. YURPC_TLS: a file
 * cannot be used, and why; YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_uv_tls_context_new(const yr_uv_pem *ca, const yr_uv_pem *cert,
                                                   const yr_uv_pem *key, SSL_CTX **ret_context,
                                                   yurpc_error **ret_error);

#endif /* YR_NET_UV_TLS_CONTEXT_H */
