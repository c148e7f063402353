#include "net/io.h"

#include "base/assert.h"
#include "base/error.h"
#include "net/world.h"

yurpc_status yr_io_init(yr_io *io, const yr_io_ops *ops)
{
    io->ops = ops;
    yr_heap_init(&io->timers);
    return yr_post_init(&io->posts);
}

void yr_io_deinit(yr_io *io)
{
    YR_ASSERT(yr_heap_first(&io->timers) == NULL);
    yr_post_deinit(&io->posts);
}

/* ---- Time and randomness ---- */

int64_t yr_io_now_ms(const yr_io *io)
{
    return io->ops->now_ms(io);
}

int64_t yr_io_boot_ms(yr_io *io)
{
    return io->ops->boot_ms(io);
}

int64_t yr_io_wall_ms(yr_io *io)
{
    return io->ops->wall_ms(io);
}

uint64_t yr_io_random(yr_io *io)
{
    return io->ops->random(io);
}

/* ---- Timers ---- */

void yr_timer_init(yr_timer *timer, yr_timer_fn *fn, void *context)
{
    *timer = (yr_timer){.fn = fn, .context = context};
}

void yr_timer_start(yr_io *io, yr_timer *timer, int64_t delay_ms)
{
    YR_ASSERT(timer->fn != NULL);
    const yr_heap_node *first = yr_heap_first(&io->timers);
    int64_t now = yr_io_now_ms(io);
    int64_t delay = delay_ms > 0 ? delay_ms : 0;
    int64_t due = delay < INT64_MAX - now ? now + delay : INT64_MAX;
    yr_heap_remove(&io->timers, &timer->node);
    yr_heap_insert(&io->timers, &timer->node, due);
    if (first == &timer->node || yr_heap_first(&io->timers) != first) {
        io->ops->timers_changed(io);
    }
}

void yr_timer_stop(yr_io *io, yr_timer *timer)
{
    bool was_first = yr_heap_first(&io->timers) == &timer->node;
    yr_heap_remove(&io->timers, &timer->node);
    if (was_first) {
        io->ops->timers_changed(io);
    }
}

bool yr_timer_is_running(const yr_timer *timer)
{
    return timer->node.is_in;
}

int64_t yr_io_next_timer_ms(const yr_io *io)
{
    const yr_heap_node *first = yr_heap_first(&io->timers);
    return first != NULL ? first->key : INT64_MAX;
}

void yr_io_run_timers(yr_io *io)
{
    int64_t now = yr_io_now_ms(io);
    /* Timers started from here on are ordered behind all that are due now. */
    uint64_t end = io->timers.inserted;
    yr_heap_node *first = yr_heap_first(&io->timers);
    while (first != NULL && first->key <= now && first->order < end) {
        yr_timer *timer = YR_CONTAINER_OF(first, yr_timer, node);
        yr_heap_remove(&io->timers, first);
        timer->fn(timer->context);
        first = yr_heap_first(&io->timers);
    }
    io->ops->timers_changed(io);
}

/* ---- Tasks ---- */

void yr_task_init(yr_task *task, yr_task_fn *fn, void *context)
{
    *task = (yr_task){.fn = fn, .context = context};
    yr_list_init(&task->link);
}

bool yr_io_post(yr_io *io, yr_task *task)
{
    YR_ASSERT(task->fn != NULL);
    bool was_empty = false;
    bool is_new = yr_post_append(&io->posts, task, &was_empty);
    if (is_new && was_empty) {
        io->ops->wake(io);
    }
    return is_new;
}

bool yr_io_unpost(yr_io *io, yr_task *task)
{
    return yr_post_remove(&io->posts, task);
}

bool yr_io_has_posted(yr_io *io)
{
    return !yr_post_is_empty(&io->posts);
}

void yr_io_run_posted(yr_io *io)
{
    yr_list batch;
    yr_post_take_all(&io->posts, &batch);
    while (!yr_list_is_empty(&batch)) {
        yr_task *task = YR_CONTAINER_OF(batch.next, yr_task, link);
        bool was_posted = yr_post_remove(&io->posts, task);
        YR_ASSERT(was_posted);
        task->fn(task->context);
    }
}

/* ---- Byte streams, listeners, foreign descriptors, work ---- */

yurpc_status yr_io_connect(yr_io *io, const yr_connect_options *options,
                           const yr_stream_events *events, void *context,
                           yr_stream **ret_stream)
{
    YR_ASSERT(events->on_open != NULL && events->on_data != NULL && events->on_end != NULL);
    return io->ops->connect(io, options, events, context, ret_stream);
}

yurpc_status yr_tls_new(yr_io *io, const yr_tls_options *options, const yr_log *log,
                        yr_tls **ret_tls, yurpc_error **ret_error)
{
    if ((options->cert_file == NULL) != (options->key_file == NULL)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "TLS: a certificate file and a key file belong together; only the "
                            "%s file is given",
                            options->cert_file != NULL ? "certificate" : "key");
    }
    if (io->ops->tls_new == NULL) {
        return yr_error_set_status(ret_error, YURPC_UNSUPPORTED);
    }
    return io->ops->tls_new(io, options, log, ret_tls, ret_error);
}

void yr_tls_free(yr_tls *tls)
{
    if (tls != NULL) {
        tls->free(tls);
    }
}

yurpc_status yr_stream_write(yr_stream *stream, yurpc_bytes bytes)
{
    return stream->ops->write(stream, bytes);
}

size_t yr_stream_pending(const yr_stream *stream)
{
    return stream->ops->pending(stream);
}

void yr_stream_finish(yr_stream *stream)
{
    stream->ops->finish(stream);
}

void yr_stream_close(yr_stream *stream)
{
    if (stream != NULL) {
        stream->ops->close(stream);
    }
}

yurpc_status yr_io_listen(yr_io *io, const char *host, uint16_t port, yr_accept_fn *fn,
                          void *context, yr_listener **ret_listener)
{
    return io->ops->listen(io, host, port, fn, context, ret_listener);
}

void yr_stream_accept(yr_stream *stream, const yr_stream_events *events, void *context)
{
    YR_ASSERT(events->on_data != NULL && events->on_end != NULL);
    stream->ops->accept(stream, events, context);
}

uint16_t yr_listener_port(const yr_listener *listener)
{
    return listener->port;
}

void yr_listener_close(yr_listener *listener)
{
    if (listener != NULL) {
        listener->close(listener);
    }
}

yurpc_status yr_io_watch_fd(yr_io *io, int fd, int events, yr_fd_fn *fn, void *context,
                            yr_fd_watch **ret_watch)
{
    return io->ops->watch_fd(io, fd, events, fn, context, ret_watch);
}

void yr_fd_watch_close(yr_fd_watch *watch)
{
    if (watch != NULL) {
        watch->close(watch);
    }
}

yurpc_status yr_io_work(yr_io *io, yr_work *work)
{
    return io->ops->work(io, work);
}
