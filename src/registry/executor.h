/*
 * Where callbacks run: a thread of their own, so that a callback may take its time without
 * costing the lease; or the loop itself, when the host program drives it.
 *
 * Reference counted: what was posted is run as long as anybody holds it, and its thread ends
 * with the last reference.
 */
#ifndef YR_REGISTRY_EXECUTOR_H
#define YR_REGISTRY_EXECUTOR_H

#include "net/io.h"

typedef struct yr_executor yr_executor;

/* With its own thread, or (@p has_thread false) on the loop of @p io. Begins with one
 * reference. YURPC_NO_MEMORY, YURPC_IO. */
YURPC_NODISCARD yurpc_status yr_executor_new(yr_io *io, bool has_thread,
                                             yr_executor **ret_executor);

yr_executor *yr_executor_ref(yr_executor *executor);

/* Does not wait: a callback that never returns costs only its own thread. NULL is allowed. */
void yr_executor_unref(yr_executor *executor);

/*
 * Wait until all that was posted so far has run, at most @p timeout_ms; from then on the
 * executor is muted. Not on its own thread, not on the loop; once.
 */
void yr_executor_finish(yr_executor *executor, int64_t timeout_ms);

/* Whether callbacks are to be left out: nobody expects them any more. Any thread. */
bool yr_executor_is_muted(const yr_executor *executor);

/* Run @p task once, in the order of posting. Any thread. False: it is posted already. */
bool yr_executor_post(yr_executor *executor, yr_task *task);

/*
 * The same for a task that calls the user, after telling who watches. Loop only.
 */
bool yr_executor_call(yr_executor *executor, yr_task *task);

/* Have @p on_call called at each yr_executor_call(); NULL: no more. Loop only. */
void yr_executor_watch(yr_executor *executor, void (*on_call)(void *context), void *context);

/* What runs on its thread (it has one), and since when: as yr_worker_running(). */
const yr_task *yr_executor_running(const yr_executor *executor, int64_t *ret_since_ms);

/* Take it back; false: it was not posted, or has begun. Any thread. */
bool yr_executor_unpost(yr_executor *executor, yr_task *task);

/* Whether the caller runs inside a task of this executor. */
bool yr_executor_is_current(const yr_executor *executor);

/* Whether tasks run on the loop. */
bool yr_executor_is_inline(const yr_executor *executor);

#endif /* YR_REGISTRY_EXECUTOR_H */
