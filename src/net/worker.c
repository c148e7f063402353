#include "net/worker.h"

#include "base/assert.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/post.h"
#include "net/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

struct yr_worker {
    pthread_t thread;
    yr_post posts;
    sem_t wake;
    atomic_uint posting; /* threads that may still touch this */
    yr_task end;         /* the last task */
    const yr_task *_Atomic running;
    _Atomic int64_t since_ms; /* of what is running */
    bool is_ending;
    bool is_joined; /* who joins it frees it */
};

static void on_end(void *context)
{
    yr_worker *worker = context;
    worker->is_ending = true;
}

static void worker_free(yr_worker *worker)
{
    while (atomic_load(&worker->posting) > 0) {
        sched_yield(); /* a task may have been run before its poster was through */
    }
    yr_post_deinit(&worker->posts);
    if (sem_destroy(&worker->wake) != 0) {
        /* Nobody waits on it any more. */
    }
    yr_free(worker);
}

static void run_task(yr_worker *worker, yr_task *task)
{
    atomic_store_explicit(&worker->since_ms, yr_loop_clock_ms(), memory_order_relaxed);
    atomic_store_explicit(&worker->running, task, memory_order_release);
    task->fn(task->context); /* after which the task may be gone */
    atomic_store_explicit(&worker->running, NULL, memory_order_relaxed);
}

static void *run(void *context)
{
    yr_worker *worker = context;
    while (!worker->is_ending) {
        while (sem_wait(&worker->wake) != 0 && errno == EINTR) {
            /* A signal meant for the host. */
        }
        yr_task *task = NULL;
        while ((task = yr_post_take_first(&worker->posts)) != NULL) {
            run_task(worker, task);
        }
    }
    if (!worker->is_joined) {
        worker_free(worker);
    }
    return NULL;
}

yurpc_status yr_worker_new(yr_worker **ret_worker)
{
    yr_worker *worker = yr_calloc(1, sizeof *worker);
    if (worker == NULL) {
        return YURPC_NO_MEMORY;
    }
    yr_task_init(&worker->end, on_end, worker);
    yurpc_status status = yr_post_init(&worker->posts);
    if (status != YURPC_OK) {
        yr_free(worker);
        return status;
    }
    if (sem_init(&worker->wake, 0, 0) != 0 ||
        yr_thread_start(run, worker, "yurpc-worker", &worker->thread) != 0) {
        worker_free(worker);
        return YURPC_IO;
    }
    *ret_worker = worker;
    return YURPC_OK;
}

void yr_worker_end(yr_worker *worker)
{
    int failed = pthread_detach(worker->thread);
    YR_ASSERT(failed == 0);
    bool is_posted = yr_worker_post(worker, &worker->end);
    YR_ASSERT(is_posted);
}

void yr_worker_join(yr_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    worker->is_joined = true;
    bool is_posted = yr_worker_post(worker, &worker->end);
    YR_ASSERT(is_posted);
    int failed = pthread_join(worker->thread, NULL);
    YR_ASSERT(failed == 0);
    worker_free(worker);
}

bool yr_worker_post(yr_worker *worker, yr_task *task)
{
    bool was_empty = false;
    atomic_fetch_add(&worker->posting, 1);
    bool is_posted = yr_post_append(&worker->posts, task, &was_empty);
    if (was_empty && sem_post(&worker->wake) != 0) {
        /* Only past SEM_VALUE_MAX, and then it is awake. */
    }
    atomic_fetch_sub(&worker->posting, 1); /* the last touch: the task may have been the end */
    return is_posted;
}

bool yr_worker_unpost(yr_worker *worker, yr_task *task)
{
    return yr_post_remove(&worker->posts, task);
}

const yr_task *yr_worker_running(const yr_worker *worker, int64_t *ret_since_ms)
{
    const yr_task *task = atomic_load_explicit(&worker->running, memory_order_acquire);
    if (task != NULL) {
        /* Of a later task, when that has begun meanwhile: it then seems to be shorter. */
        *ret_since_ms = atomic_load_explicit(&worker->since_ms, memory_order_relaxed);
    }
    return task;
}

bool yr_worker_is_current(const yr_worker *worker)
{
    return pthread_equal(worker->thread, pthread_self()) != 0;
}
