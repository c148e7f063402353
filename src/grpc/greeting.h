/*
 * The first bytes of a peer: whether they begin HTTP/2, and if not, what was said instead.
 */
#ifndef YR_GRPC_GREETING_H
#define YR_GRPC_GREETING_H

#include <yurpc/bytes.h>
#include <yurpc/error.h>

#include <stdbool.h>

enum { YR_GRPC_GREETING_MAX = 32 }; /* bytes that are kept */

typedef struct yr_grpc_greeting {
    char bytes[YR_GRPC_GREETING_MAX];
    size_t len;
    bool is_http2;   /* they are the head of a SETTINGS frame */
    bool is_foreign; /* they are not */
    bool is_whole;   /* foreign, and no more is needed to quote it */
} yr_grpc_greeting;

/* Hear more, until one of the first two is decided; what is foreign until it is whole. */
void yr_grpc_greeting_hear(yr_grpc_greeting *greeting, yurpc_bytes bytes);

/* What to say of a peer that is foreign or hung up without a word. */
yurpc_error *yr_grpc_greeting_error(const yr_grpc_greeting *greeting, const char *authority,
                                    bool is_tls);

#endif /* YR_GRPC_GREETING_H */
