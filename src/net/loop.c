#include "net/loop.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/process.h"
#include "net/thread.h"
#include "net/uv/clock.h"
#include "net/uv/uv_io.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct yr_loop {
    yr_io *io;
    pid_t pid; /* of the process that made it */
    bool has_thread;
    pthread_t thread;
    yr_task stop;
    bool is_stopping;     /* the thread ends after this turn */
    bool is_freed_inside; /* by a callback: whoever runs the turn frees the loop after it */
    yr_loop *outer;       /* inside whose callback this one is being run, if any */
};

/*
 * The innermost loop that this thread is running a turn of. A host may step one loop inside a
 * callback of another; then it is inside both.
 */
static _Thread_local yr_loop *innermost;

bool yr_loop_is_current(const yr_loop *loop)
{
    const yr_loop *one = innermost;
    while (one != NULL && one != loop) {
        one = one->outer;
    }
    return one != NULL;
}

bool yr_loop_is_forked(const yr_loop *loop)
{
    return loop->pid != yr_process_id();
}

yr_io *yr_loop_io(yr_loop *loop)
{
    return loop->io;
}

/* ---- Running ---- */

static void destroy(yr_loop *loop)
{
    yr_uv_io_free(loop->io);
    yr_free(loop);
}

static void run_turn(yr_loop *loop, bool may_wait)
{
    loop->outer = innermost;
    innermost = loop;
    yr_uv_io_run(loop->io, may_wait);
    innermost = loop->outer;
}

static void *run_thread(void *context)
{
    yr_loop *loop = context;
    while (!loop->is_stopping) {
        run_turn(loop, true);
    }
    if (loop->is_freed_inside) {
        destroy(loop);
    }
    return NULL;
}

static void on_stop(void *context)
{
    yr_loop *loop = context;
    loop->is_stopping = true;
}

yurpc_status yr_loop_new(bool has_thread, yr_loop **ret_loop, yurpc_error **ret_error)
{
    yr_loop *loop = yr_calloc(1, sizeof *loop);
    if (loop == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    yurpc_status status = yr_uv_io_new(&loop->io, ret_error);
    if (status != YURPC_OK) {
        yr_free(loop);
        return status;
    }
    loop->pid = yr_process_id();
    loop->has_thread = has_thread;
    yr_task_init(&loop->stop, on_stop, loop);
    int error = has_thread ? yr_thread_start(run_thread, loop, "yurpc", &loop->thread) : 0;
    if (error != 0) {
        destroy(loop);
        return yr_error_set(ret_error, YURPC_IO, -1,
                            "cannot start the event loop's thread (error %d): raise the limit "
                            "on threads, or drive the loop yourself",
                            error);
    }
    *ret_loop = loop;
    return YURPC_OK;
}

void yr_loop_free(yr_loop *loop)
{
    /*
     * In a forked child the memory may be half changed, and the epoll descriptor is still the
     * parent's: leaving all of it alone is the only thing that is safe.
     */
    if (loop == NULL || yr_loop_is_forked(loop)) {
        return;
    }
    if (yr_loop_is_current(loop)) {
        loop->is_stopping = true;
        loop->is_freed_inside = true;
        if (loop->has_thread) {
            int failed = pthread_detach(loop->thread);
            YR_ASSERT(failed == 0);
        }
        return;
    }
    if (loop->has_thread) {
        (void)yr_io_post(loop->io, &loop->stop); /* it cannot be posted already */
        int failed = pthread_join(loop->thread, NULL);
        YR_ASSERT(failed == 0);
    }
    destroy(loop);
}

int yr_loop_fd(const yr_loop *loop)
{
    return yr_uv_io_fd(loop->io);
}

int yr_loop_timeout_ms(const yr_loop *loop)
{
    return yr_uv_io_timeout_ms(loop->io);
}

/* One turn on the caller's thread; false when a callback freed the loop. */
static bool run_on_caller(yr_loop *loop, bool may_wait)
{
    run_turn(loop, may_wait);
    if (loop->is_freed_inside) {
        destroy(loop);
        return false;
    }
    return true;
}

void yr_loop_step(yr_loop *loop)
{
    if (loop->has_thread || yr_loop_is_current(loop) || yr_loop_is_forked(loop)) {
        return;
    }
    (void)run_on_caller(loop, false); /* freed inside or not: it is not used any more here */
}

/* ---- Waiting ---- */

void yr_wait_init(yr_wait *wait)
{
    atomic_init(&wait->is_done, false);
    int failed = sem_init(&wait->semaphore, 0, 0);
    YR_ASSERT(failed == 0);
}

void yr_wait_deinit(yr_wait *wait)
{
    int failed = sem_destroy(&wait->semaphore);
    YR_ASSERT(failed == 0);
}

void yr_wait_signal(yr_wait *wait)
{
    YR_ASSERT(!wait->is_done);
    wait->is_done = true;
    int failed = sem_post(&wait->semaphore); /* the last touch: the waiter may be gone now */
    YR_ASSERT(failed == 0);
}

void yr_wait_block(yr_wait *wait)
{
    while (sem_wait(&wait->semaphore) != 0) {
        YR_ASSERT(errno == EINTR);
    }
}

int64_t yr_loop_clock_ms(void)
{
    return yr_clock_monotonic_ms();
}

bool yr_wait_block_for(yr_wait *wait, int64_t timeout_ms)
{
    int64_t end_ms = yr_clock_monotonic_ms() + timeout_ms;
    struct timespec end = {.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000};
    while (sem_clockwait(&wait->semaphore, CLOCK_MONOTONIC, &end) != 0) {
        if (errno == ETIMEDOUT) {
            return false;
        }
        YR_ASSERT(errno == EINTR);
    }
    return wait->is_done; /* reading it orders what went before, for who knows no semaphores */
}

yurpc_status yr_loop_check_wait(const yr_loop *loop)
{
    if (yr_loop_is_forked(loop)) {
        return YURPC_FORKED;
    }
    return yr_loop_is_current(loop) ? YURPC_WOULD_DEADLOCK : YURPC_OK;
}

yurpc_status yr_loop_wait(yr_loop *loop, yr_wait *wait)
{
    yurpc_status status = yr_loop_check_wait(loop);
    if (status != YURPC_OK) {
        return status;
    }
    if (loop->has_thread) {
        yr_wait_block(wait);
        return YURPC_OK;
    }
    while (!wait->is_done && run_on_caller(loop, true)) {
    }
    return YURPC_OK;
}
