#include "base/mem.h"
#include "net/uv/uv_world.h"

static void on_run(uv_work_t *request)
{
    yr_work *work = request->data;
    work->run(work->context);
}

static void on_done(uv_work_t *request, int uv_error)
{
    (void)uv_error; /* work is never cancelled */
    yr_work *work = request->data;
    work->internals = NULL;
    yr_free(request);
    work->done(work->context);
}

yurpc_status yr_uv_work(yr_io *io, yr_work *work)
{
    uv_work_t *request = yr_calloc(1, sizeof *request);
    if (request == NULL) {
        return YURPC_NO_MEMORY;
    }
    request->data = work;
    work->internals = request;
    sigset_t before;
    yr_uv_block_signals(&before);
    int uv_error = uv_queue_work(yr_uv_io_of(io)->loop, request, on_run, on_done);
    yr_uv_restore_signals(&before);
    if (uv_error != 0) {
        work->internals = NULL;
        yr_free(request);
        return yr_uv_status(uv_error);
    }
    return YURPC_OK;
}
