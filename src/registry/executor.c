#include "registry/executor.h"

#include "base/assert.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/post.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

struct yr_executor {
    atomic_uint refs;
    yr_io *io; /* NULL: own thread */
    pthread_t thread;
    yr_post posts;
    sem_t wake;
    yr_task end; /* the last task */
    bool is_ending;
    yr_task finish_task;
    yr_wait finished;
    atomic_bool is_muted;
};

static void on_end(void *context)
{
    yr_executor *executor = context;
    executor->is_ending = true;
}

static void on_finish(void *context)
{
    yr_executor *executor = context;
    yr_wait_signal(&executor->finished);
    yr_executor_unref(executor);
}

static void executor_free(yr_executor *executor)
{
    yr_post_deinit(&executor->posts);
    yr_wait_deinit(&executor->finished);
    if (sem_destroy(&executor->wake) != 0) {
        /* Nobody waits on it any more. */
    }
    yr_free(executor);
}

static void *run(void *context)
{
    yr_executor *executor = context;
    while (!executor->is_ending) {
        while (sem_wait(&executor->wake) != 0 && errno == EINTR) {
            /* A signal meant for the host. */
        }
        yr_task *task = NULL;
        while ((task = yr_post_take_first(&executor->posts)) != NULL) {
            task->fn(task->context);
        }
    }
    executor_free(executor);
    return NULL;
}

/* The host's signals are not for us: the thread begins with all of them blocked. */
static bool start_thread(yr_executor *executor)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&executor->thread, NULL, run, executor) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (is_started) {
        pthread_detach(executor->thread);
    }
    return is_started;
}

yurpc_status yr_executor_new(yr_io *io, bool has_thread, yr_executor **ret_executor)
{
    yr_executor *executor = yr_calloc(1, sizeof *executor);
    if (executor == NULL) {
        return YURPC_NO_MEMORY;
    }
    atomic_init(&executor->refs, 1);
    yr_task_init(&executor->end, on_end, executor);
    yr_task_init(&executor->finish_task, on_finish, executor);
    if (!has_thread) {
        executor->io = io;
        *ret_executor = executor;
        return YURPC_OK;
    }
    yurpc_status status = yr_post_init(&executor->posts);
    if (status != YURPC_OK) {
        yr_free(executor);
        return status;
    }
    yr_wait_init(&executor->finished);
    if (sem_init(&executor->wake, 0, 0) != 0 || !start_thread(executor)) {
        executor_free(executor);
        return YURPC_IO;
    }
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
    if (executor->io != NULL) {
        yr_free(executor);
        return;
    }
    bool is_posted = yr_executor_post(executor, &executor->end);
    YR_ASSERT(is_posted);
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
    if (executor->io != NULL) {
        return yr_io_post(executor->io, task);
    }
    bool was_empty = false;
    if (!yr_post_append(&executor->posts, task, &was_empty)) {
        return false;
    }
    if (was_empty && sem_post(&executor->wake) != 0) {
        /* Only past SEM_VALUE_MAX, and then it is awake. */
    }
    return true;
}

bool yr_executor_unpost(yr_executor *executor, yr_task *task)
{
    return executor->io != NULL ? yr_io_unpost(executor->io, task)
                                : yr_post_remove(&executor->posts, task);
}

bool yr_executor_is_inline(const yr_executor *executor)
{
    return executor->io != NULL;
}

bool yr_executor_is_current(const yr_executor *executor)
{
    return executor->io == NULL && pthread_equal(executor->thread, pthread_self()) != 0;
}
