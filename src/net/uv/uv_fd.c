#include "net/uv/uv_fd.h"

#include "base/assert.h"
#include "base/mem.h"

struct yr_uv_fd {
    yr_fd_watch watch;
    uv_poll_t poll;
    int events;
    yr_fd_fn *fn;
    void *context;
    yr_uv_io *io; /* of a foreign descriptor's watch */
};

_Static_assert(YR_FD_READABLE == (int)UV_READABLE, "passed through");
_Static_assert(YR_FD_WRITABLE == (int)UV_WRITABLE, "passed through");

int yr_uv_fd_new(yr_uv_io *io, int fd, yr_uv_fd **ret_watch)
{
    yr_uv_fd *watch = yr_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return UV_ENOMEM;
    }
    int uv_error = uv_poll_init(io->loop, &watch->poll, fd);
    if (uv_error != 0) {
        yr_free(watch);
        return uv_error;
    }
    watch->poll.data = watch;
    *ret_watch = watch;
    return 0;
}

static void on_poll(uv_poll_t *poll, int uv_error, int events);

static void start_poll(yr_uv_fd *watch)
{
    int failed = uv_poll_start(&watch->poll, watch->events, on_poll);
    YR_ASSERT(failed == 0);
}

static void on_poll(uv_poll_t *poll, int uv_error, int events)
{
    yr_uv_fd *watch = poll->data;
    if (uv_error != 0) {
        start_poll(watch); /* libuv stops at an error; readiness is what holds, not what came */
        events = watch->events;
    }
    watch->fn(watch->context, events & watch->events);
}

void yr_uv_fd_set(yr_uv_fd *watch, int events, yr_fd_fn *fn, void *context)
{
    watch->fn = fn;
    watch->context = context;
    if (events != watch->events) {
        watch->events = events;
        start_poll(watch);
    }
}

static void on_closed(uv_handle_t *handle)
{
    yr_free(handle->data);
}

void yr_uv_fd_free(yr_uv_fd *watch)
{
    if (watch != NULL) {
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    }
}

/* ---- Foreign descriptors ---- */

static void close_watch(yr_fd_watch *base)
{
    yr_uv_fd *watch = YR_CONTAINER_OF(base, yr_uv_fd, watch);
    watch->io->open_count--;
    yr_uv_fd_free(watch);
}

yurpc_status yr_uv_watch_fd(yr_io *io, int fd, int events, yr_fd_fn *fn, void *context,
                            yr_fd_watch **ret_watch)
{
    YR_ASSERT((events & ~(YR_FD_READABLE | YR_FD_WRITABLE)) == 0 && fn != NULL);
    yr_uv_io *self = yr_uv_io_of(io);
    yr_uv_fd *watch = NULL;
    int uv_error = yr_uv_fd_new(self, fd, &watch);
    if (uv_error != 0) {
        return yr_uv_status(uv_error);
    }
    watch->watch.close = close_watch;
    watch->io = self;
    self->open_count++;
    yr_uv_fd_set(watch, events, fn, context);
    *ret_watch = &watch->watch;
    return YURPC_OK;
}
