/*
 * Where the callbacks of watches run: a thread of their own, so that a callback may take its
 * time without costing the lease; or the loop itself, when the host program drives it.
 */
#ifndef YR_REGISTRY_EXECUTOR_H
#define YR_REGISTRY_EXECUTOR_H

#include "net/io.h"

typedef struct yr_executor yr_executor;

/* With its own thread, or (@p has_thread false) on the loop of @p io. YURPC_NO_MEMORY,
 * YURPC_IO. */
YURPC_NODISCARD yurpc_status yr_executor_new(yr_io *io, bool has_thread,
                                             yr_executor **ret_executor);

/*
 * Run what was posted, then end: nothing may be posted any more. Does not wait: a callback that
 * never returns costs only its own thread. NULL is allowed.
 */
void yr_executor_release(yr_executor *executor);

/* Run @p task once, in the order of posting. Any thread. False: it is posted already. */
bool yr_executor_post(yr_executor *executor, yr_task *task);

/* Take it back; false: it was not posted, or has begun. Any thread. */
bool yr_executor_unpost(yr_executor *executor, yr_task *task);

/* Whether the caller runs inside a task of this executor. */
bool yr_executor_is_current(const yr_executor *executor);

/* Whether tasks run on the loop. */
bool yr_executor_is_inline(const yr_executor *executor);

#endif /* YR_REGISTRY_EXECUTOR_H */
