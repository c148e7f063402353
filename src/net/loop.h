/*
 * A real yr_io together with whoever runs it: its own thread, or the host program.
 *
 * Threads: everything here is thread-safe unless it says otherwise.
 */
#ifndef YR_NET_LOOP_H
#define YR_NET_LOOP_H

#include "net/io.h"

#include <semaphore.h>
#include <stdatomic.h>

typedef struct yr_loop yr_loop;

/*
 * A new loop on libuv. With @p has_thread a thread runs it, with all signals blocked;
 * otherwise the caller does, with yr_loop_step() or by blocking calls.
 * YURPC_NO_MEMORY, YURPC_IO (no thread or descriptor to be had).
 */
YURPC_NODISCARD yurpc_status yr_loop_new(bool has_thread, yr_loop **ret_loop,
                                         yurpc_error **ret_error);

/*
 * Stop, join and free; NULL is allowed. All that lives on the loop must be closed. On the
 * loop's own thread (a callback) it returns at once, and the loop is freed when the callback
 * has returned. In a forked child it frees nothing that the parent's thread may hold.
 */
void yr_loop_free(yr_loop *loop);

yr_io *yr_loop_io(yr_loop *loop);

/* Whether the caller is inside a callback of this loop. */
bool yr_loop_is_current(const yr_loop *loop);

/* Whether the caller is a forked child of the process that made the loop. */
bool yr_loop_is_forked(const yr_loop *loop);

/* For the host's own event loop: readable (or timed out) means step. No thread of ours. */
int yr_loop_fd(const yr_loop *loop);
int yr_loop_timeout_ms(const yr_loop *loop); /* -1: no timer runs */
void yr_loop_step(yr_loop *loop);            /* does what is due, without waiting */

/* Monotonic milliseconds, for a thread that is not on the loop. */
int64_t yr_loop_clock_ms(void);

/* ---- Waiting for something that happens on the loop ---- */

/* On the waiter's stack or in an object that outlives the signal. */
typedef struct yr_wait {
    sem_t semaphore;
    atomic_bool is_done; /* for a waiter that runs the loop itself */
} yr_wait;

void yr_wait_init(yr_wait *wait);
void yr_wait_deinit(yr_wait *wait);

/* Loop only: let the waiter go on. Once. */
void yr_wait_signal(yr_wait *wait);

/* Wait for the signal of a loop that has a thread, which may be gone when it comes: touches
 * nothing but @p wait. Not on the loop thread. */
void yr_wait_block(yr_wait *wait);

/* The same for at most @p timeout_ms: whether the signal came. When it did not, it may come
 * later: then @p wait has to live on. */
YURPC_NODISCARD bool yr_wait_block_for(yr_wait *wait, int64_t timeout_ms);

/*
 * Wait for the signal, without limit: whatever will signal must have a deadline of its own. A
 * loop without a thread is run by the waiter. YURPC_WOULD_DEADLOCK on the loop thread,
 * YURPC_FORKED in a child.
 */
YURPC_NODISCARD yurpc_status yr_loop_wait(yr_loop *loop, yr_wait *wait);

/*
 * Whether yr_loop_wait() may be called now: YURPC_OK, YURPC_WOULD_DEADLOCK or YURPC_FORKED.
 * To be asked before beginning something that cannot be taken back.
 */
YURPC_NODISCARD yurpc_status yr_loop_check_wait(const yr_loop *loop);

#endif /* YR_NET_LOOP_H */
