#include "grpc/channel.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "grpc/conn.h"

#include <inttypes.h>
#include <string.h>

enum {
    AUTHORITY_MAX = 1024,
    WRITE_AHEAD_MAX = 1024 * 1024,                       /* bytes given to the stream unsent */
    OUT_MAX = YR_GRPC_OUTPUT_STEP * 3 + WRITE_AHEAD_MAX, /* one step with room */
    OUT_KEPT = 64 * 1024,                                /* larger buffers are given back */
};

struct yr_grpc_channel {
    yr_io *io;
    yr_stream *stream;
    yr_grpc_conn *conn;
    yr_grpc_channel_events events;
    void *context;
    char *authority; /* "host:port" */
    int64_t connect_timeout_ms;
    int64_t connect_due_ms;
    yr_timer timer; /* the connection's next tick, or at once for what has to be sent */
    yr_buf out;
    bool is_connected; /* the byte stream is open */
    bool was_ready;    /* on_ready was called, and so on */
    bool was_draining;
    bool was_down;
    bool is_closed;
    bool is_wanted; /* the timer was started because of yr_grpc_conn_set_wake() */
    int depth;      /* callbacks of the world that are under way */
};

static void channel_free(yr_grpc_channel *channel)
{
    if (channel->io != NULL) {
        yr_timer_stop(channel->io, &channel->timer);
    }
    yr_stream_close(channel->stream);
    yr_grpc_conn_free(channel->conn);
    yr_buf_deinit(&channel->out);
    yr_free(channel->authority);
    yr_free(channel);
}

/* Give the stream what the connection has to say, unless much of it waits there already. */
static void channel_flush(yr_grpc_channel *channel)
{
    yr_grpc_conn *conn = channel->conn;
    yr_buf *out = &channel->out;
    channel->is_wanted = false;
    while (channel->is_connected && yr_stream_pending(channel->stream) < WRITE_AHEAD_MAX) {
        yr_buf_clear(out);
        yurpc_status status = yr_grpc_conn_output(conn, out);
        if (status != YURPC_OK || out->len == 0) {
            break;
        }
        status = yr_stream_write(channel->stream, (yurpc_bytes){out->data, out->len});
        if (status != YURPC_OK) {
            yurpc_error *error = NULL;
            (void)yr_error_set_status(&error, status);
            yr_grpc_conn_fail(conn, error);
            yurpc_error_free(error);
            break;
        }
    }
    if (out->cap > OUT_KEPT) {
        yr_buf_deinit(out);
    }
}

/* The connection is dead: end what is left of its calls, then tell the owner. */
static void channel_go_down(yr_grpc_channel *channel)
{
    channel->was_down = true;
    channel->is_connected = false;
    yr_stream_close(channel->stream);
    channel->stream = NULL;
    yr_timer_stop(channel->io, &channel->timer);
    yr_grpc_conn_fail(channel->conn, NULL);
    if (!channel->is_closed) {
        channel->events.on_down(channel->context, yr_grpc_conn_error(channel->conn));
    }
}

/* Tell the owner of each new state of the connection, once. */
static void channel_report(yr_grpc_channel *channel)
{
    yr_grpc_conn_state state = yr_grpc_conn_get_state(channel->conn);
    bool has_settings = state == YR_GRPC_CONN_READY || state == YR_GRPC_CONN_DRAINING;
    if (has_settings && !channel->was_ready) {
        channel->was_ready = true;
        if (channel->events.on_ready != NULL) {
            channel->events.on_ready(channel->context);
        }
    }
    if (state == YR_GRPC_CONN_DRAINING && !channel->was_draining && !channel->is_closed) {
        channel->was_draining = true;
        if (channel->events.on_draining != NULL) {
            channel->events.on_draining(channel->context);
        }
    }
    if (yr_grpc_conn_get_state(channel->conn) == YR_GRPC_CONN_DEAD && !channel->is_closed &&
        !channel->was_down) {
        channel_go_down(channel);
    }
}

static void channel_arm(yr_grpc_channel *channel)
{
    int64_t next_ms = yr_grpc_conn_next_ms(channel->conn);
    if (!channel->was_ready && channel->connect_due_ms < next_ms) {
        next_ms = channel->connect_due_ms;
    }
    if (channel->is_wanted) { /* an event's callback began something after the flush */
        yr_timer_start(channel->io, &channel->timer, 0);
    } else if (next_ms == INT64_MAX) {
        yr_timer_stop(channel->io, &channel->timer);
    } else {
        yr_timer_start(channel->io, &channel->timer, next_ms - yr_io_now_ms(channel->io));
    }
}

/* Each callback of the world ends with this. Frees a channel that was closed meanwhile. */
static void channel_settle(yr_grpc_channel *channel)
{
    if (!channel->is_closed && !channel->was_down) {
        channel_report(channel);
    }
    if (!channel->is_closed && !channel->was_down) {
        channel_flush(channel);
    }
    if (!channel->is_closed && !channel->was_down) {
        channel_report(channel); /* what sending brought about */
    }
    channel->depth--;
    if (channel->is_closed) {
        channel_free(channel);
    } else if (!channel->was_down) {
        channel_arm(channel);
    }
}

static void on_open(void *context)
{
    yr_grpc_channel *channel = context;
    channel->depth++;
    channel->is_connected = true;
    channel_settle(channel);
}

static void on_data(void *context, yurpc_bytes bytes)
{
    yr_grpc_channel *channel = context;
    channel->depth++;
    yr_grpc_conn_feed(channel->conn, bytes, yr_io_now_ms(channel->io));
    channel_settle(channel);
}

static void on_drain(void *context)
{
    yr_grpc_channel *channel = context;
    channel->depth++;
    channel_settle(channel);
}

static void on_end(void *context, const yurpc_error *error)
{
    yr_grpc_channel *channel = context;
    channel->depth++;
    yr_grpc_conn_fail(channel->conn, error);
    channel_settle(channel);
}

/* The time for name, TCP and the first SETTINGS together is over. */
static void channel_fail_connecting(yr_grpc_channel *channel)
{
    const char *text = channel->is_connected
                           ? "accepted the connection but did not answer: does it hang, or is "
                             "it no etcd?"
                           : "cannot be reached";
    yurpc_error *error =
        yr_error_new(YURPC_UNAVAILABLE, -1, "the server at %s %s (waited %" PRId64 " ms)",
                     channel->authority, text, channel->connect_timeout_ms);
    yr_grpc_conn_fail(channel->conn, error);
    yurpc_error_free(error);
}

static void on_timer(void *context)
{
    yr_grpc_channel *channel = context;
    int64_t now_ms = yr_io_now_ms(channel->io);
    channel->depth++;
    yr_grpc_conn_tick(channel->conn, now_ms);
    if (!channel->was_ready && !channel->is_closed && now_ms >= channel->connect_due_ms) {
        channel_fail_connecting(channel);
    }
    channel_settle(channel);
}

/* The connection has something to do that no callback of the world brought about. */
static void on_wake(void *context)
{
    yr_grpc_channel *channel = context;
    bool is_first = !channel->is_wanted && !channel->was_down;
    channel->is_wanted = true;
    if (is_first && channel->depth == 0) {
        yr_timer_start(channel->io, &channel->timer, 0);
    }
}

/* "host:port", with brackets around an IPv6 address. */
static yurpc_status make_authority(const char *host, uint16_t port, char **ret_authority)
{
    bool is_ipv6 = strchr(host, ':') != NULL;
    yr_buf text;
    yr_buf_init(&text, AUTHORITY_MAX);
    yurpc_status status =
        yr_buf_append_format(&text, is_ipv6 ? "[%s]:%u" : "%s:%u", host, port);
    char *authority = status == YURPC_OK ? yr_buf_detach_text(&text) : NULL;
    yr_buf_deinit(&text);
    if (authority == NULL) {
        return status != YURPC_OK ? status : YURPC_NO_MEMORY;
    }
    *ret_authority = authority;
    return YURPC_OK;
}

yurpc_status yr_grpc_channel_new(yr_io *io, const yr_grpc_channel_options *options,
                                 const yr_grpc_channel_events *events, void *context,
                                 yr_grpc_channel **ret_channel)
{
    static const yr_stream_events stream_events = {on_open, on_data, on_drain, on_end};
    const yr_connect_options connect = {.host = options->host,
                                        .port = options->port,
                                        .timeout_ms = options->connect_timeout_ms,
                                        .tls = options->tls};
    YR_ASSERT(options->connect_timeout_ms > 0);
    yr_grpc_channel *channel = yr_calloc(1, sizeof *channel);
    if (channel == NULL) {
        return YURPC_NO_MEMORY;
    }
    channel->io = io;
    channel->events = *events;
    channel->context = context;
    channel->connect_timeout_ms = options->connect_timeout_ms;
    channel->connect_due_ms = yr_io_now_ms(io) + options->connect_timeout_ms;
    yr_timer_init(&channel->timer, on_timer, channel);
    yr_buf_init_private(&channel->out, OUT_MAX);
    yurpc_status status = make_authority(options->host, options->port, &channel->authority);
    if (status != YURPC_OK) {
        goto fail;
    }
    status = yr_grpc_conn_new(channel->authority, yr_io_now_ms(io), &channel->conn);
    if (status != YURPC_OK) {
        goto fail;
    }
    yr_grpc_conn_set_wake(channel->conn, on_wake, channel);
    if (options->tls != NULL) {
        yr_grpc_conn_set_tls(channel->conn);
    }
    status = yr_io_connect(io, &connect, &stream_events, channel, &channel->stream);
    if (status != YURPC_OK) {
        goto fail;
    }
    channel_arm(channel);
    *ret_channel = channel;
    return YURPC_OK;

fail:
    channel_free(channel);
    return status;
}

void yr_grpc_channel_close(yr_grpc_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    YR_ASSERT(!channel->is_closed);
    channel->is_closed = true;
    yr_grpc_conn_abandon(channel->conn);
    if (channel->depth == 0) {
        channel_free(channel);
    }
}

yurpc_status yr_grpc_channel_call(yr_grpc_channel *channel, const yr_grpc_request *request,
                                  const yr_grpc_events *events, void *context,
                                  yr_grpc_call **ret_call)
{
    YR_ASSERT(!channel->is_closed);
    return yr_grpc_conn_call(channel->conn, yr_io_now_ms(channel->io), request, events, context,
                             ret_call);
}

size_t yr_grpc_channel_call_count(const yr_grpc_channel *channel)
{
    return yr_grpc_conn_call_count(channel->conn);
}
