#include "net/uv/uv_stream.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/uv/uv_address.h"
#include "net/uv/uv_dial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READS_MAX = 8,        /* of one stream in one turn: the others want to be served too */
    IDLE_MAX = 16 * 1024, /* bytes of buffer that a stream keeps when nothing waits */
};

typedef enum stream_state {
    STREAM_CONNECTING,
    STREAM_WAITING, /* accepted by the system, not yet by its owner */
    STREAM_OPEN,
    STREAM_ENDED,  /* on_end was called */
    STREAM_CLOSED, /* and buried */
} stream_state;

typedef struct uv_stream {
    yr_stream stream;
    yr_uv_grave grave;
    yr_uv_io *io;
    yr_list unsent; /* in io->unsent */
    yr_stream_events events;
    void *context;
    stream_state state;
    yr_uv_dial *dial;
    int fd; /* -1 while connecting */
    yr_uv_fd *watch;
    yr_buf out;
    size_t sent;      /* bytes at the beginning of out that the system has taken */
    bool is_full;     /* the system takes no more now: wait until it is writable */
    bool is_finished; /* the owner wants FIN behind what is in out */
    int write_error;  /* why nothing can be sent any more: what on_end will tell */
    char peer[YR_ADDRESS_TEXT_SIZE];
} uv_stream;

static uv_stream *stream_of(yr_stream *stream)
{
    return (uv_stream *)(void *)stream;
}

static size_t pending(const yr_stream *base)
{
    const uv_stream *stream = (const uv_stream *)(const void *)base;
    return stream->out.len - stream->sent;
}

static void on_ready(void *context, int events);

static void watch_socket(uv_stream *stream)
{
    int events = (stream->state == STREAM_OPEN ? YR_FD_READABLE : 0) |
                 (stream->is_full ? YR_FD_WRITABLE : 0);
    yr_uv_fd_set(stream->watch, events, on_ready, stream);
}

static void mark_unsent(uv_stream *stream)
{
    if (stream->fd >= 0 && !stream->is_full) {
        yr_list_remove(&stream->unsent);
        yr_list_append(&stream->io->unsent, &stream->unsent);
        stream->io->writes++;
    }
}

static void forget_output(uv_stream *stream)
{
    stream->sent = 0;
    yr_buf_clear(&stream->out);
    if (stream->out.cap > IDLE_MAX) {
        yr_buf_deinit(&stream->out);
    }
}

static void end(uv_stream *stream, int error)
{
    yurpc_error *reason = NULL;
    if (error != 0) {
        char text[128];
        reason = yr_error_new(YURPC_UNAVAILABLE, -1, "the connection with %s was lost: %s",
                              stream->peer,
                              uv_strerror_r(uv_translate_sys_error(error), text, sizeof text));
    }
    stream->state = STREAM_ENDED;
    watch_socket(stream);
    stream->events.on_end(stream->context, reason);
    yurpc_error_free(reason);
}

/* ---- Sending ---- */

/*
 * Sending failed for good. What the peer said before, and the end itself, are still to be
 * read: the reading side reports the end, once, in its order.
 */
static void stop_sending(uv_stream *stream, int error)
{
    stream->write_error = error;
    stream->is_full = false;
    forget_output(stream);
    watch_socket(stream);
    (void)shutdown(stream->fd, SHUT_RDWR); /* so that an end will be read, whatever failed */
}

/* One send(2): the bytes taken, 0 when the system takes none now, -1 for ever. */
static ssize_t send_some(uv_stream *stream)
{
    ssize_t len = 0;
    do {
        len = send(stream->fd, stream->out.data + stream->sent, pending(&stream->stream),
                   MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN) {
        return 0;
    }
    return len;
}

static void send_pending(uv_stream *stream)
{
    bool had_some = pending(&stream->stream) > 0;
    if (had_some) {
        ssize_t len = send_some(stream);
        if (len < 0) {
            stop_sending(stream, errno);
            return;
        }
        stream->sent += (size_t)len;
    }
    stream->is_full = pending(&stream->stream) > 0;
    watch_socket(stream);
    if (stream->is_full) {
        if (stream->sent > stream->out.len / 2) { /* so that each byte moves at most once */
            yr_buf_consume(&stream->out, stream->sent);
            stream->sent = 0;
        }
        return;
    }
    forget_output(stream);
    if (stream->is_finished) {
        (void)shutdown(stream->fd, SHUT_WR); /* fails only when the connection is lost anyway */
    }
    if (had_some && stream->state == STREAM_OPEN && stream->events.on_drain != NULL) {
        stream->events.on_drain(stream->context);
    }
}

void yr_uv_send_unsent(yr_uv_io *io)
{
    yr_list batch; /* what on_drain writes goes out in the next turn */
    yr_list_init(&batch);
    yr_list_move_all(&batch, &io->unsent);
    yr_list *link = yr_list_take_first(&batch);
    while (link != NULL) {
        send_pending(YR_CONTAINER_OF(link, uv_stream, unsent));
        link = yr_list_take_first(&batch);
    }
}

static yurpc_status write_bytes(yr_stream *base, yurpc_bytes bytes)
{
    uv_stream *stream = stream_of(base);
    if (stream->state == STREAM_ENDED || stream->write_error != 0 || stream->is_finished) {
        return YURPC_CLOSED;
    }
    if (bytes.len > YR_STREAM_PENDING_MAX - pending(base)) {
        return YURPC_TOO_LARGE;
    }
    yurpc_status status = yr_buf_append(&stream->out, bytes.data, bytes.len);
    if (status == YURPC_OK && bytes.len > 0) {
        mark_unsent(stream);
    }
    return status;
}

static void finish(yr_stream *base)
{
    uv_stream *stream = stream_of(base);
    if (stream->state != STREAM_ENDED && stream->write_error == 0 && !stream->is_finished) {
        stream->is_finished = true;
        mark_unsent(stream);
    }
}

/* ---- Receiving ---- */

static void receive(uv_stream *stream)
{
    yr_uv_io *io = stream->io;
    for (int i = 0; i < READS_MAX && stream->state == STREAM_OPEN; i++) {
        ssize_t len = recv(stream->fd, io->read_buffer, YR_UV_READ_MAX, MSG_DONTWAIT);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0 && errno == EAGAIN) {
            return;
        }
        if (len <= 0) {
            int error = len < 0 ? errno : 0;
            end(stream, stream->write_error != 0 ? stream->write_error : error);
            return;
        }
        stream->events.on_data(stream->context, (yurpc_bytes){io->read_buffer, (size_t)len});
        if (len < YR_UV_READ_MAX) {
            return;
        }
    }
}

static void on_ready(void *context, int events)
{
    uv_stream *stream = context;
    if ((events & YR_FD_WRITABLE) != 0) {
        send_pending(stream);
    }
    if ((events & YR_FD_READABLE) != 0 && stream->state == STREAM_OPEN) {
        receive(stream);
    }
}

/* ---- Life ---- */

static void close_stream(yr_stream *base)
{
    uv_stream *stream = stream_of(base);
    YR_ASSERT(stream->state != STREAM_CLOSED);
    stream->state = STREAM_CLOSED;
    yr_list_remove(&stream->unsent);
    yr_uv_dial_free(stream->dial);
    yr_uv_fd_free(stream->watch);
    if (stream->fd >= 0) {
        /* A forked child may hold the socket too; the peer shall see the end all the same. */
        (void)shutdown(stream->fd, SHUT_RDWR);
        close(stream->fd);
    }
    yr_buf_deinit(&stream->out);
    stream->io->open_count--;
    yr_uv_bury(stream->io, &stream->grave, stream);
}

static void accept_stream(yr_stream *base, const yr_stream_events *events, void *context)
{
    uv_stream *stream = stream_of(base);
    YR_ASSERT(stream->state == STREAM_WAITING);
    stream->events = *events;
    stream->context = context;
    stream->state = STREAM_OPEN;
    watch_socket(stream);
}

static const yr_stream_ops stream_ops = {
    .write = write_bytes,
    .pending = pending,
    .finish = finish,
    .close = close_stream,
    .accept = accept_stream,
};

static uv_stream *stream_new(yr_uv_io *io, stream_state state)
{
    uv_stream *stream = yr_calloc(1, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->stream.ops = &stream_ops;
    stream->io = io;
    stream->state = state;
    stream->fd = -1;
    yr_list_init(&stream->unsent);
    /* Twice, because what was sent stays at the front for a while. */
    yr_buf_init_private(&stream->out, (size_t)2 * YR_STREAM_PENDING_MAX);
    return stream;
}

static void on_dialed(void *context, int fd, yr_uv_fd *watch, const yurpc_error *error)
{
    uv_stream *stream = context;
    yr_uv_dial_free(stream->dial);
    stream->dial = NULL;
    if (error != NULL) {
        stream->state = STREAM_ENDED;
        stream->events.on_end(stream->context, error);
        return;
    }
    stream->fd = fd;
    stream->watch = watch;
    stream->state = STREAM_OPEN;
    watch_socket(stream);
    mark_unsent(stream);
    stream->events.on_open(stream->context);
}

yurpc_status yr_uv_connect(yr_io *io, const yr_connect_options *options,
                           const yr_stream_events *events, void *context,
                           yr_stream **ret_stream)
{
    yr_uv_io *self = yr_uv_io_of(io);
    uv_stream *stream = stream_new(self, STREAM_CONNECTING);
    if (stream == NULL) {
        return YURPC_NO_MEMORY;
    }
    stream->events = *events;
    stream->context = context;
    yurpc_status status = yr_uv_dial_new(self, options, on_dialed, stream, &stream->dial);
    if (status != YURPC_OK) {
        yr_free(stream);
        return status;
    }
    (void)snprintf(stream->peer, sizeof stream->peer, "%s", yr_uv_dial_target(stream->dial));
    self->open_count++;
    *ret_stream = &stream->stream;
    return YURPC_OK;
}

int yr_uv_stream_new_accepted(yr_uv_io *io, int fd, const char *peer, yr_stream **ret_stream)
{
    uv_stream *stream = stream_new(io, STREAM_WAITING);
    if (stream == NULL) {
        return UV_ENOMEM;
    }
    int uv_error = yr_uv_fd_new(io, fd, &stream->watch);
    if (uv_error != 0) {
        yr_free(stream);
        return uv_error;
    }
    stream->fd = fd;
    (void)snprintf(stream->peer, sizeof stream->peer, "%s", peer);
    io->open_count++;
    *ret_stream = &stream->stream;
    return 0;
}
