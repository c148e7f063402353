/*
 * What the headers and trailers of a response say, and the end of the call that follows.
 *
 * Sources: grpc/grpc doc/PROTOCOL-HTTP2.md, "Responses"; doc/http-grpc-status-mapping.md.
 */
#ifndef YR_GRPC_HEADERS_H
#define YR_GRPC_HEADERS_H

#include "grpc/call.h"

#include <stddef.h>

typedef struct yr_grpc_headers {
    size_t size;    /* of the block under way, as HPACK counts it */
    int http;       /* status of the newest block that had one; 0: none */
    int code;       /* grpc-status, or one of the two below */
    bool is_grpc;   /* the content type says so */
    char *type;     /* the content type when it is another; owned */
    char *message;  /* grpc-message, decoded; owned */
    size_t max_len; /* of a block */
} yr_grpc_headers;

enum { YR_GRPC_CODE_ABSENT = -1, YR_GRPC_CODE_BAD = -2 };

void yr_grpc_headers_init(yr_grpc_headers *headers, size_t max_len);
void yr_grpc_headers_deinit(yr_grpc_headers *headers);

/* A block of headers or trailers begins. */
void yr_grpc_headers_begin(yr_grpc_headers *headers);

/* One header. YURPC_TOO_LARGE when the block grows past its maximum. */
YURPC_NODISCARD yurpc_status yr_grpc_headers_add(yr_grpc_headers *headers, yurpc_bytes name,
                                                 yurpc_bytes value);

/* Whether messages of gRPC may follow. False also before the response's status has come. */
bool yr_grpc_headers_allow_messages(const yr_grpc_headers *headers);

/*
 * The end of a call whose stream the server has ended, or whose response is none of gRPC. Text
 * that has to be composed goes to *@p ret_text, which the caller frees; @p ret_end borrows it,
 * or from @p headers.
 */
void yr_grpc_headers_end(const yr_grpc_headers *headers, yr_grpc_end *ret_end,
                         yurpc_error **ret_text);

#endif /* YR_GRPC_HEADERS_H */
