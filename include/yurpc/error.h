/**
 * @file
 * The human half of a failure: what went wrong, where, and whether to try again.
 */
#ifndef YURPC_ERROR_H
#define YURPC_ERROR_H

#include <yurpc/status.h>

#include <stdbool.h>

YURPC_BEGIN_DECLS

/** Details of one failure. */
typedef struct yurpc_error yurpc_error;

/** The status this error explains; YURPC_OK when @p error is NULL. */
YURPC_API yurpc_status yurpc_error_status(const yurpc_error *error);

/** One English sentence without a newline. Never NULL; lives as long as @p error. */
YURPC_API const char *yurpc_error_text(const yurpc_error *error);

/**
 * The code that the remote side gave, for example a gRPC status; -1 when there was none or
 * @p error is NULL.
 */
YURPC_API int yurpc_error_remote_code(const yurpc_error *error);

/** Whether the same call may succeed if repeated unchanged; false when @p error is NULL. */
YURPC_API bool yurpc_error_is_retriable(const yurpc_error *error);

/** Free @p error; NULL is allowed. */
YURPC_API void yurpc_error_free(yurpc_error *error);

YURPC_END_DECLS

#endif /* YURPC_ERROR_H */
