/*
 * Making yurpc_error objects.
 *
 * The usual pattern is `return yr_error_set(ret_error, YURPC_INVALID, -1, "port %d …", port);`.
 * An error that cannot be allocated becomes a static out-of-memory object, so making one
 * never fails.
 */
#ifndef YR_BASE_ERROR_H
#define YR_BASE_ERROR_H

#include <yurpc/error.h>

enum { YR_ERROR_TEXT_MAX = 512 }; /* longer texts are cut */

/*
 * A new error. @p remote_code is the peer's own code, or -1. Control characters in the
 * text become '?', so that a peer cannot forge log lines. Never NULL.
 */
yurpc_error *yr_error_new(yurpc_status status, int remote_code, const char *format, ...)
    YURPC_PRINTF(3, 4);

/* A copy of @p error; NULL stays NULL. */
yurpc_error *yr_error_copy(const yurpc_error *error);

/*
 * Store a new error in *@p ret_error, unless that is NULL, and return @p status.
 * *@p ret_error must be NULL or not yet hold an error.
 */
yurpc_status yr_error_set(yurpc_error **ret_error, yurpc_status status, int remote_code,
                          const char *format, ...) YURPC_PRINTF(4, 5);

/* Like yr_error_set() with the status' own text: for failures that need no more words. */
yurpc_status yr_error_set_status(yurpc_error **ret_error, yurpc_status status);

/* As the remote code: the connection was refused, so the host is there and nobody listens. For
 * the inside only: to users it is no code. */
enum { YR_ERROR_REFUSED = -2 };

bool yr_error_is_refused(const yurpc_error *error);

/* Whether repeating an unchanged call may help after @p status: the one table of that. */
bool yr_status_is_retriable(yurpc_status status);

#endif /* YR_BASE_ERROR_H */
