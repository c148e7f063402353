/*
 * The files of one client's TLS and the context made of them, renewed when they change.
 *
 * They are read for every connection and compared by digest: a look at times and sizes would
 * miss what was written twice within the clock of a file system.
 */
#ifndef YR_NET_UV_TLS_H
#define YR_NET_UV_TLS_H

#include "net/uv/uv_tls_context.h"
#include "net/uv/uv_world.h"

enum {
    YR_UV_TLS_DIGEST_LEN = 32,
    YR_UV_TLS_RECORD_MAX = 16 * 1024, /* plain bytes of one record */
};

typedef struct yr_uv_tls {
    yr_tls tls;
    yr_log log;
    bool is_insecure;
    yr_uv_pem ca;
    yr_uv_pem cert;
    yr_uv_pem key;
    unsigned char digest[YR_UV_TLS_DIGEST_LEN]; /* of what the context was made of */
    SSL_CTX *context;
    yurpc_error *failure; /* why the files as they are cannot be used: what was logged */
    bool is_exposure_known;
    char *plain; /* YR_UV_TLS_RECORD_MAX bytes of private memory: decrypted, not yet read */
} yr_uv_tls;

static inline yr_uv_tls *yr_uv_tls_of(yr_tls *tls)
{
    return (yr_uv_tls *)(void *)tls;
}

/* Read the files again. Borrowed; the last one that could be made. */
SSL_CTX *yr_uv_tls_refresh(yr_uv_tls *tls);

#endif /* YR_NET_UV_TLS_H */
