/*
 * A thread that runs tasks in the order of posting, whatever time they take: callbacks of
 * users, and files.
 *
 * Not libuv's pool: that belongs to the whole process, and at its exit destroys its mutex while
 * our threads may still use it. Threads: everything here may be called from any.
 */
#ifndef YR_NET_WORKER_H
#define YR_NET_WORKER_H

#include "net/io.h"

typedef struct yr_worker yr_worker;

/* Begins with all signals blocked. YURPC_NO_MEMORY, YURPC_IO (no thread). */
YURPC_NODISCARD yurpc_status yr_worker_new(yr_worker **ret_worker);

/* Run what was posted, then end and free. Does not wait. Nothing may be posted any more. */
void yr_worker_end(yr_worker *worker);

/* The same, and wait until its thread is gone. Not on its own thread. NULL is allowed. */
void yr_worker_join(yr_worker *worker);

/* Run @p task once. False: it is posted already. */
bool yr_worker_post(yr_worker *worker, yr_task *task);

/* Take it back; false: it was not posted, or has begun. */
bool yr_worker_unpost(yr_worker *worker, yr_task *task);

/*
 * What runs now, and since when by yr_loop_clock_ms(); NULL: nothing. Only to be compared: it
 * may be over, and gone. Any thread.
 */
const yr_task *yr_worker_running(const yr_worker *worker, int64_t *ret_since_ms);

/* Whether the caller runs inside a task of this worker. */
bool yr_worker_is_current(const yr_worker *worker);

#endif /* YR_NET_WORKER_H */
