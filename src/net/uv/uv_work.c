#include "net/uv/uv_world.h"
#include "net/worker.h"

static void on_run(void *context)
{
    yr_work *work = context;
    work->run(work->context);
    bool is_posted = yr_io_post(work->io, &work->done_task); /* the last touch */
    YR_ASSERT(is_posted);
}

static void on_done(void *context)
{
    yr_work *work = context;
    yr_uv_io_of(work->io)->works_due--;
    work->done(work->context);
}

yurpc_status yr_uv_work(yr_io *io, yr_work *work)
{
    yr_uv_io *self = yr_uv_io_of(io);
    yurpc_status status = self->worker == NULL ? yr_worker_new(&self->worker) : YURPC_OK;
    if (status != YURPC_OK) {
        return status;
    }
    work->io = io;
    yr_task_init(&work->run_task, on_run, work);
    yr_task_init(&work->done_task, on_done, work);
    self->works_due++;
    bool is_posted = yr_worker_post(self->worker, &work->run_task);
    YR_ASSERT(is_posted);
    return YURPC_OK;
}
