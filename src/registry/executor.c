#include "registry/executor.h"

#include "base/assert.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/worker.h"

#include <stdatomic.h>

struct yr_executor {
    atomic_uint refs;
    yr_io *io;         /* where tasks run inline; NULL: on the worker */
    yr_worker *worker; /* NULL: inline */
    yr_task finish_task;
    yr_wait finished;
    atomic_bool is_muted;
    void (*on_call)(void *context); /* the loop's; NULL: nobody watches */
    void *watcher;
};

static void on_finish(void *context)
{
    yr_executor *executor = context;
    yr_wait_signal(&executor->finished);
    yr_executor_unref(executor);
}

yurpc_status yr_executor_new(yr_io *io, bool has_thread, yr_executor **ret_executor)
{
    yr_executor *executor = yr_calloc(1, sizeof *executor);
    if (executor == NULL) {
        return YURPC_NO_MEMORY;
    }
    if (has_thread) {
        yurpc_status status = yr_worker_new(&executor->worker);
        if (status != YURPC_OK) {
            yr_free(executor);
            return status;
        }
    }
    executor->io = has_thread ? NULL : io;
    atomic_init(&executor->refs, 1);
    yr_task_init(&executor->finish_task, on_finish, executor);
    yr_wait_init(&executor->finished);
    *ret_executor = executor;
    return YURPC_OK;
}

yr_executor *yr_executor_ref(yr_executor *executor)
{
    atomic_fetch_add(&executor->refs, 1);
    return executor;
}

void yr_executor_unref(yr_executor *executor)
{
    if (executor == NULL || atomic_fetch_sub(&executor->refs, 1) > 1) {
        return;
    }
    if (executor->worker != NULL) {
        yr_worker_end(executor->worker); /* perhaps we are on it */
    }
    yr_wait_deinit(&executor->finished);
    yr_free(executor);
}

void yr_executor_finish(yr_executor *executor, int64_t timeout_ms)
{
    yr_executor_ref(executor);
    bool is_posted = yr_executor_post(executor, &executor->finish_task);
    YR_ASSERT(is_posted);
    if (!yr_wait_block_for(&executor->finished, timeout_ms)) {
        /* A callback takes long, perhaps for ever. */
    }
    atomic_store(&executor->is_muted, true);
}

bool yr_executor_is_muted(const yr_executor *executor)
{
    return atomic_load(&executor->is_muted);
}

bool yr_executor_post(yr_executor *executor, yr_task *task)
{
    return executor->worker != NULL ? yr_worker_post(executor->worker, task)
                                    : yr_io_post(executor->io, task);
}

bool yr_executor_call(yr_executor *executor, yr_task *task)
{
    if (executor->on_call != NULL) {
        executor->on_call(executor->watcher);
    }
    return yr_executor_post(executor, task);
}

void yr_executor_watch(yr_executor *executor, void (*on_call)(void *context), void *context)
{
    executor->on_call = on_call;
    executor->watcher = context;
}

const yr_task *yr_executor_running(const yr_executor *executor, int64_t *ret_since_ms)
{
    return yr_worker_running(executor->worker, ret_since_ms);
}

bool yr_executor_unpost(yr_executor *executor, yr_task *task)
{
    return executor->worker != NULL ? yr_worker_unpost(executor->worker, task)
                                    : yr_io_unpost(executor->io, task);
}

bool yr_executor_is_inline(const yr_executor *executor)
{
    return executor->worker == NULL;
}

bool yr_executor_is_current(const yr_executor *executor)
{
    return executor->worker != NULL && yr_worker_is_current(executor->worker);
}
