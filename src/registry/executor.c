#include "registry/executor.h"

#include "base/mem.h"
#include "net/post.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

struct yr_executor {
    yr_io *io; /* NULL: own thread */
    pthread_t thread;
    yr_post posts;
    sem_t wake;
    yr_task end; /* the last task */
    bool is_ending;
};

static void on_end(void *context)
{
    yr_executor *executor = context;
    executor->is_ending = true;
}

static void executor_free(yr_executor *executor)
{
    yr_post_deinit(&executor->posts);
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
    yr_task_init(&executor->end, on_end, executor);
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
    if (sem_init(&executor->wake, 0, 0) != 0 || !start_thread(executor)) {
        executor_free(executor);
        return YURPC_IO;
    }
    *ret_executor = executor;
    return YURPC_OK;
}

void yr_executor_release(yr_executor *executor)
{
    if (executor == NULL) {
        return;
    }
    if (executor->io != NULL) {
        yr_free(executor);
        return;
    }
    if (!yr_executor_post(executor, &executor->end)) {
        /* Released twice: cannot happen. */
        YR_ASSERT(false);
    }
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
