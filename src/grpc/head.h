/*
 * The request headers of one call, ready for nghttp2, in one piece of memory.
 */
#ifndef YR_GRPC_HEAD_H
#define YR_GRPC_HEAD_H

#include "grpc/call.h"

#include <nghttp2/nghttp2.h>

enum { YR_GRPC_TIMEOUT_SIZE = 12 }; /* bytes of a grpc-timeout with its NUL */

typedef struct yr_grpc_head {
    char timeout[YR_GRPC_TIMEOUT_SIZE];
    size_t count;
    size_t size;         /* of all of it */
    nghttp2_nv fields[]; /* room for a timeout; the strings follow */
} yr_grpc_head;

/*
 * Copies all but @p authority; @p is_tls makes the scheme "https". YURPC_INVALID: a name or
 * value that HTTP forbids; YURPC_TOO_LARGE: more than YR_GRPC_HEADER_LIST_MAX; YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_grpc_head_new(const char *authority, bool is_tls,
                                              const yr_grpc_request *request,
                                              yr_grpc_head **ret_head);

/* Overwrites what may be a secret. NULL is allowed. */
void yr_grpc_head_free(yr_grpc_head *head);

/* Add what is left of the deadline, at least 1 ms. Once. */
void yr_grpc_head_set_timeout(yr_grpc_head *head, int64_t timeout_ms);

/* The value of "grpc-timeout": at most eight digits and a unit, rounded up when cut. */
void yr_grpc_timeout_format(int64_t timeout_ms, char ret_text[YR_GRPC_TIMEOUT_SIZE]);

#endif /* YR_GRPC_HEAD_H */
