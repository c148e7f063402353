#include "net/uv/uv_work.h"

#include "base/assert.h"
#include "base/mem.h"
#include "net/post.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

struct yr_uv_worker {
    yr_uv_io *io;
    pthread_t thread;
    sem_t wake;
    yr_post begun;
    yr_post ended;
    uv_async_t async; /* something has ended */
    yr_task end;      /* the last one that is begun */
    bool is_ending;   /* the thread's */
};

/* ---- On the thread ---- */

static void on_run(void *context)
{
    yr_work *work = context;
    work->run(work->context);
}

static void on_end(void *context)
{
    yr_uv_worker *worker = context;
    worker->is_ending = true;
}

static void give_back(yr_uv_worker *worker, yr_task *task)
{
    bool was_empty = false;
    bool is_appended = yr_post_append(&worker->ended, task, &was_empty);
    YR_ASSERT(is_appended);
    if (was_empty) {
        int failed = uv_async_send(&worker->async);
        YR_ASSERT(failed == 0);
    }
}

static void *run_thread(void *context)
{
    yr_uv_worker *worker = context;
    while (!worker->is_ending) {
        while (sem_wait(&worker->wake) != 0) {
            YR_ASSERT(errno == EINTR);
        }
        yr_task *task = NULL;
        while ((task = yr_post_take_first(&worker->begun)) != NULL) {
            task->fn(task->context);
            if (task != &worker->end) {
                give_back(worker, task);
            }
        }
    }
    return NULL;
}

/* ---- On the loop ---- */

static void on_ended(uv_async_t *async)
{
    yr_uv_worker *worker = async->data;
    yr_task *task = NULL;
    size_t left = worker->io->works_due; /* what is begun meanwhile is for the next turn */
    while (left > 0 && (task = yr_post_take_first(&worker->ended)) != NULL) {
        yr_work *work = YR_CONTAINER_OF(task, yr_work, task);
        left--;
        worker->io->works_due--;
        work->done(work->context);
    }
    int failed = left == 0 ? uv_async_send(async) : 0;
    YR_ASSERT(failed == 0);
}

static void begin(yr_uv_worker *worker, yr_task *task)
{
    bool was_empty = false;
    bool is_appended = yr_post_append(&worker->begun, task, &was_empty);
    YR_ASSERT(is_appended);
    if (was_empty) {
        int failed = sem_post(&worker->wake);
        YR_ASSERT(failed == 0);
    }
}

static void worker_deinit(yr_uv_worker *worker)
{
    yr_post_deinit(&worker->begun);
    yr_post_deinit(&worker->ended);
    int failed = sem_destroy(&worker->wake);
    YR_ASSERT(failed == 0);
}

static void on_closed(uv_handle_t *handle)
{
    yr_uv_worker *worker = handle->data;
    worker_deinit(worker);
    yr_free(worker);
}

static int start_thread(yr_uv_worker *worker)
{
    sigset_t before;
    yr_uv_block_signals(&before);
    int error = pthread_create(&worker->thread, NULL, run_thread, worker);
    yr_uv_restore_signals(&before);
    if (error == 0) {
        (void)pthread_setname_np(worker->thread, "yurpc-work"); /* for debuggers */
    }
    return error;
}

static yurpc_status worker_start(yr_uv_worker *worker)
{
    int error = uv_async_init(worker->io->loop, &worker->async, on_ended);
    YR_ASSERT(error == 0); /* the loop has what it takes since its own */
    worker->async.data = worker;
    error = start_thread(worker);
    if (error == 0) {
        return YURPC_OK;
    }
    uv_close((uv_handle_t *)&worker->async, on_closed);
    return yr_uv_status(uv_translate_sys_error(error));
}

static yurpc_status worker_new(yr_uv_io *io, yr_uv_worker **ret_worker)
{
    yr_uv_worker *worker = yr_calloc(1, sizeof *worker);
    if (worker == NULL) {
        return YURPC_NO_MEMORY;
    }
    worker->io = io;
    yr_task_init(&worker->end, on_end, worker);
    if (yr_post_init(&worker->begun) != YURPC_OK) {
        yr_free(worker);
        return YURPC_NO_MEMORY;
    }
    if (yr_post_init(&worker->ended) != YURPC_OK) {
        yr_post_deinit(&worker->begun);
        yr_free(worker);
        return YURPC_NO_MEMORY;
    }
    int failed = sem_init(&worker->wake, 0, 0);
    YR_ASSERT(failed == 0);
    yurpc_status status = worker_start(worker);
    if (status == YURPC_OK) {
        *ret_worker = worker;
    }
    return status;
}

void yr_uv_worker_free(yr_uv_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    begin(worker, &worker->end);
    int failed = pthread_join(worker->thread, NULL);
    YR_ASSERT(failed == 0);
    uv_close((uv_handle_t *)&worker->async, on_closed);
}

yurpc_status yr_uv_work(yr_io *io, yr_work *work)
{
    yr_uv_io *self = yr_uv_io_of(io);
    yurpc_status status = self->worker == NULL ? worker_new(self, &self->worker) : YURPC_OK;
    if (status == YURPC_OK) {
        self->works_due++;
        yr_task_init(&work->task, on_run, work);
        begin(self->worker, &work->task);
    }
    return status;
}
