#include "net/uv/uv_tls_stream.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/uv/uv_tls_error.h"
#include "net/uv/uv_tls_session.h"

enum { FAREWELL_MS = 500 }; /* for an alert to get out */

typedef enum tls_state {
    TLS_CONNECTING,
    TLS_SHAKING, /* the plain stream is open, the handshake under way */
    TLS_OPEN,
    TLS_FAILING, /* what we have to say about it is on its way; then comes the end */
    TLS_ENDED,   /* on_end was called */
    TLS_CLOSED,  /* and buried */
} tls_state;

typedef struct tls_stream {
    yr_stream stream;
    yr_uv_grave grave;
    yr_uv_io *io;
    yr_stream *plain;
    yr_uv_session session;
    yr_stream_events events;
    void *context;
    tls_state state;
    yr_timer deadline; /* of the handshake; of saying why it failed */
    int64_t timeout_ms;
    yr_buf early;       /* written before the handshake was done */
    bool is_finished;   /* the owner writes no more */
    bool is_broken;     /* nothing can be written any more */
    yurpc_error *error; /* why it is failing */
} tls_stream;

static tls_stream *stream_of(yr_stream *stream)
{
    return (tls_stream *)(void *)stream;
}

/* ---- The end ---- */

static void end(tls_stream *stream, const yurpc_error *error)
{
    stream->state = TLS_ENDED;
    yr_timer_stop(&stream->io->io, &stream->deadline);
    stream->events.on_end(stream->context, error);
}

static void end_failing(tls_stream *stream)
{
    yurpc_error *error = stream->error;
    stream->error = NULL;
    end(stream, error);
    yurpc_error_free(error);
}

/* Takes @p error. The peer shall learn it, too, so the end waits until the alert is out. */
static void fail(tls_stream *stream, yurpc_error *error)
{
    stream->error = error;
    stream->state = TLS_FAILING;
    if (yr_stream_pending(stream->plain) == 0) {
        end_failing(stream);
    } else {
        yr_timer_start(&stream->io->io, &stream->deadline, FAREWELL_MS);
    }
}

static yurpc_error *take_session_error(tls_stream *stream)
{
    yurpc_error *error = stream->session.error;
    stream->session.error = NULL;
    return error;
}

static void on_deadline(void *context)
{
    tls_stream *stream = context;
    if (stream->state == TLS_FAILING) {
        end_failing(stream);
        return;
    }
    yurpc_error *error = yr_error_new(YURPC_UNAVAILABLE, -1,
                                      "%s did not finish the TLS handshake within %lld ms",
                                      stream->session.target, (long long)stream->timeout_ms);
    end(stream, error);
    yurpc_error_free(error);
}

/* ---- Sending ---- */

/* Hand over what the session has to send. */
static yurpc_status flush(tls_stream *stream)
{
    yurpc_bytes bytes = yr_uv_session_output(&stream->session);
    if (bytes.len == 0 || stream->is_broken) {
        return YURPC_OK;
    }
    yurpc_status status = yr_stream_write(stream->plain, bytes);
    yr_uv_session_output_sent(&stream->session);
    if (status != YURPC_OK) { /* a gap in the stream: it is of no use any more */
        stream->is_broken = true;
        yr_stream_finish(stream->plain);
    }
    return status;
}

static size_t pending(const yr_stream *base)
{
    const tls_stream *stream = (const tls_stream *)(const void *)base;
    return yr_stream_pending(stream->plain) + stream->early.len;
}

/* What @p len bytes become, at most. */
static size_t encrypted_len(size_t len)
{
    return len + len / 256 + 1024;
}

static yurpc_status write_encrypted(tls_stream *stream, yurpc_bytes bytes)
{
    yurpc_status status = yr_uv_session_write(&stream->session, bytes);
    if (status != YURPC_OK) {
        stream->is_broken = true;
        yr_stream_finish(stream->plain);
        return status;
    }
    return flush(stream);
}

static yurpc_status write_bytes(yr_stream *base, yurpc_bytes bytes)
{
    tls_stream *stream = stream_of(base);
    if (stream->state > TLS_OPEN || stream->is_finished || stream->is_broken) {
        return YURPC_CLOSED;
    }
    if (bytes.len > YR_STREAM_PENDING_MAX ||
        encrypted_len(pending(base) + bytes.len) > YR_STREAM_PENDING_MAX) {
        return YURPC_TOO_LARGE;
    }
    if (bytes.len == 0) {
        return YURPC_OK;
    }
    return stream->state == TLS_OPEN ? write_encrypted(stream, bytes)
                                     : yr_buf_append(&stream->early, bytes.data, bytes.len);
}

static void say_finished(tls_stream *stream)
{
    yr_uv_session_finish(&stream->session);
    if (flush(stream) == YURPC_OK) { /* else it is finished already */
        yr_stream_finish(stream->plain);
    }
}

static void finish(yr_stream *base)
{
    tls_stream *stream = stream_of(base);
    if (stream->state <= TLS_OPEN && !stream->is_finished) {
        stream->is_finished = true;
        if (stream->state == TLS_OPEN) {
            say_finished(stream);
        }
    }
}

/* ---- Receiving ---- */

/* The handshake is done: what was written meanwhile goes out. */
static void open_stream(tls_stream *stream)
{
    yr_timer_stop(&stream->io->io, &stream->deadline);
    stream->state = TLS_OPEN;
    yurpc_bytes early = {stream->early.data, stream->early.len};
    yurpc_status status = early.len > 0 ? write_encrypted(stream, early) : YURPC_OK;
    yr_buf_deinit(&stream->early);
    if (status != YURPC_OK) {
        fail(stream, yr_error_new(status, -1, "%s while sending to %s",
                                  yurpc_status_text(status), stream->session.target));
        return;
    }
    if (stream->is_finished) {
        say_finished(stream);
    }
    stream->events.on_open(stream->context);
}

static void shake_hands(tls_stream *stream)
{
    bool is_well = yr_uv_session_advance(&stream->session);
    yurpc_status status = flush(stream);
    if (!is_well) {
        fail(stream, take_session_error(stream));
    } else if (status != YURPC_OK) {
        fail(stream, yr_error_new(status, -1, "%s in the TLS handshake with %s",
                                  yurpc_status_text(status), stream->session.target));
    } else if (stream->session.is_open) {
        open_stream(stream);
    }
}

/* The session has failed: the peer learns why, if there is memory to tell it. */
static void fail_session(tls_stream *stream)
{
    if (flush(stream) != YURPC_OK) {
        stream->is_broken = true;
    }
    fail(stream, take_session_error(stream));
}

static void deliver(tls_stream *stream)
{
    yurpc_bytes bytes = {NULL, 0};
    while (stream->state == TLS_OPEN) {
        switch (yr_uv_session_read(&stream->session, &bytes)) {
        case YR_UV_SESSION_DATA:
            stream->events.on_data(stream->context, bytes);
            break;
        case YR_UV_SESSION_IDLE:
            return;
        case YR_UV_SESSION_END:
            end(stream, NULL);
            return;
        case YR_UV_SESSION_FAILED:
            fail_session(stream);
            return;
        }
    }
}

static void on_plain_open(void *context)
{
    tls_stream *stream = context;
    stream->state = TLS_SHAKING;
    shake_hands(stream);
}

static void on_plain_data(void *context, yurpc_bytes bytes)
{
    tls_stream *stream = context;
    if (stream->state > TLS_OPEN) {
        return;
    }
    if (yr_uv_session_feed(&stream->session, bytes) != YURPC_OK) {
        fail(stream, yr_error_new(YURPC_NO_MEMORY, -1, "out of memory"));
        return;
    }
    if (stream->state == TLS_SHAKING) {
        shake_hands(stream);
    }
    deliver(stream);
    if (stream->state == TLS_OPEN &&
        flush(stream) != YURPC_OK) { /* a change of keys, answered */
        stream->is_broken = true;    /* the end will be read */
    }
}

static void on_plain_drain(void *context)
{
    tls_stream *stream = context;
    if (stream->state == TLS_FAILING) {
        end_failing(stream);
    } else if (stream->state == TLS_OPEN && stream->events.on_drain != NULL) {
        stream->events.on_drain(stream->context);
    }
}

static void on_plain_end(void *context, const yurpc_error *cause)
{
    tls_stream *stream = context;
    if (stream->state == TLS_FAILING) {
        end_failing(stream);
    } else if (stream->state == TLS_CONNECTING) {
        end(stream, cause);
    } else if (stream->state < TLS_FAILING) {
        yurpc_error *error = yr_uv_tls_error_of_end(&stream->session, cause);
        end(stream, error);
        yurpc_error_free(error);
    }
}

/* ---- Life ---- */

static void close_stream(yr_stream *base)
{
    tls_stream *stream = stream_of(base);
    YR_ASSERT(stream->state != TLS_CLOSED);
    stream->state = TLS_CLOSED;
    yr_timer_stop(&stream->io->io, &stream->deadline);
    yr_stream_close(stream->plain);
    yr_uv_session_deinit(&stream->session);
    yr_buf_deinit(&stream->early);
    yurpc_error_free(stream->error);
    yr_uv_bury(stream->io, &stream->grave, stream);
}

static const yr_stream_ops stream_ops = {
    .write = write_bytes,
    .pending = pending,
    .finish = finish,
    .close = close_stream,
};

yurpc_status yr_uv_tls_connect(yr_io *io, const yr_connect_options *options,
                               const yr_stream_events *events, void *context,
                               yr_stream **ret_stream)
{
    static const yr_stream_events plain_events = {on_plain_open, on_plain_data, on_plain_drain,
                                                  on_plain_end};
    tls_stream *stream = yr_calloc(1, sizeof *stream);
    if (stream == NULL) {
        return YURPC_NO_MEMORY;
    }
    stream->stream.ops = &stream_ops;
    stream->io = yr_uv_io_of(io);
    stream->events = *events;
    stream->context = context;
    stream->timeout_ms = options->timeout_ms;
    yr_timer_init(&stream->deadline, on_deadline, stream);
    yr_buf_init_private(&stream->early, YR_STREAM_PENDING_MAX);
    yr_connect_options plain = *options;
    plain.tls = NULL;
    yurpc_status status = yr_uv_session_init(&stream->session, yr_uv_tls_of(options->tls),
                                             options->host, options->port);
    if (status == YURPC_OK) {
        status = yr_uv_connect(io, &plain, &plain_events, stream, &stream->plain);
    }
    if (status != YURPC_OK) {
        yr_uv_session_deinit(&stream->session);
        yr_free(stream);
        return status;
    }
    /* After the plain stream's own, which tells more when there is no connection. */
    yr_timer_start(io, &stream->deadline, options->timeout_ms);
    *ret_stream = &stream->stream;
    return YURPC_OK;
}
