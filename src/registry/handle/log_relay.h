/*
 * Brings log lines to the user's hook on a thread of its own: a sink that blocks, such as a
 * full pipe, must not cost the lease.
 *
 * Of more than YR_LOG_LINES_MAX lines that wait the later ones are dropped, and their number is
 * told. Any thread may write.
 */
#ifndef YR_REGISTRY_LOG_RELAY_H
#define YR_REGISTRY_LOG_RELAY_H

#include "base/log.h"

#include <yurpc/status.h>

#include <stdint.h>

enum { YR_LOG_LINES_MAX = 1000 };

typedef struct yr_log_relay yr_log_relay;

/* YURPC_NO_MEMORY, YURPC_IO (no thread). */
YURPC_NODISCARD yurpc_status yr_log_relay_new(const yr_log *sink, yr_log_relay **ret_relay);

/* What to write to instead of the sink. */
yr_log yr_log_relay_log(yr_log_relay *relay);

/*
 * Wait until what was written has been told, at most @p timeout_ms, and free: nothing is told
 * after that. Negative: wait for nothing, it is told in its time. Nobody may write any more.
 * NULL is allowed.
 */
void yr_log_relay_free(yr_log_relay *relay, int64_t timeout_ms);

#endif /* YR_REGISTRY_LOG_RELAY_H */
