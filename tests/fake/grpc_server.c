#include "fake/grpc_core.h"

#include <stdlib.h>
#include <string.h>

enum { FRAME_HEADER_LEN = 9 };

static void conn_free(yr_fake_conn *conn);

int64_t yr_fake_server_now(const yr_fake_server *server)
{
    return server->io != NULL ? yr_io_now_ms(server->io) : server->now_ms;
}

void yr_fake_server_set_now(yr_fake_server *server, int64_t now_ms)
{
    server->now_ms = now_ms;
}

/* ---- What a connection says ---- */

/* Whether the options keep this frame back. */
static bool is_withheld(const yr_fake_conn *conn, const uint8_t *frame, size_t len)
{
    const yr_fake_options *options = &conn->server->options;
    if (len < FRAME_HEADER_LEN) {
        return false;
    }
    bool is_ack = (frame[4] & NGHTTP2_FLAG_ACK) != 0;
    return (options->withholds_settings && frame[3] == NGHTTP2_SETTINGS && !is_ack) ||
           (options->withholds_settings_ack && frame[3] == NGHTTP2_SETTINGS && is_ack) ||
           (options->withholds_ping_ack && frame[3] == NGHTTP2_PING && is_ack) ||
           (options->withholds_window && frame[3] == NGHTTP2_WINDOW_UPDATE);
}

/* Move all that nghttp2 and the test have to say into conn->out. */
static void conn_collect(yr_fake_conn *conn)
{
    conn->depth++;
    while (!conn->is_dropped && !conn->is_foreign) {
        const uint8_t *frame = NULL;
        ssize_t len = nghttp2_session_mem_send(conn->session, &frame);
        if (len < 0) {
            abort();
        }
        if (len == 0) {
            break;
        }
        if (!is_withheld(conn, frame, (size_t)len)) {
            yr_fake_blob_append(&conn->out, (yurpc_bytes){frame, (size_t)len});
        }
    }
    conn->depth--;
    yr_fake_blob_append(&conn->out, (yurpc_bytes){conn->raw.data, conn->raw.len});
    conn->raw.len = 0;
}

static void on_flush(void *context)
{
    yr_fake_conn *conn = context;
    if (!conn->is_frozen) {
        conn_collect(conn);
    }
    size_t len_max = conn->server->options.write_len_max;
    size_t left = conn->out.len - conn->written;
    size_t len = len_max > 0 && len_max < left ? len_max : left;
    if (conn->is_dropped) {
        conn_free(conn);
        return;
    }
    if (len > 0) {
        if (yr_stream_write(conn->stream, (yurpc_bytes){conn->out.data + conn->written, len}) !=
            YURPC_OK) {
            conn_free(conn);
            return;
        }
        conn->written += len;
    }
    if (conn->written > conn->out.len / 2) { /* not for each piece: it moves all the rest */
        yr_fake_blob_consume(&conn->out, conn->written);
        conn->written = 0;
    }
    if (conn->out.len > conn->written) {
        yr_fake_conn_wake(conn);
    } else if (conn->is_finishing) {
        yr_stream_finish(conn->stream);
    }
}

void yr_fake_conn_wake(yr_fake_conn *conn)
{
    if (conn->server->io != NULL && !conn->is_dropped) {
        (void)yr_io_post(conn->server->io, &conn->flush);
    }
}

yurpc_bytes yr_fake_conn_output(yr_fake_conn *conn)
{
    yr_fake_blob_consume(&conn->out, conn->written);
    conn->written = 0;
    if (!conn->is_frozen) {
        conn_collect(conn);
        conn->written = conn->out.len;
    }
    if (conn->is_dropped) {
        conn_free(conn);
        return (yurpc_bytes){NULL, 0};
    }
    return (yurpc_bytes){conn->out.data, conn->written};
}

void yr_fake_conn_send_raw(yr_fake_conn *conn, yurpc_bytes bytes)
{
    yr_fake_blob_append(&conn->raw, bytes);
    yr_fake_conn_wake(conn);
}

void yr_fake_conn_send_ping(yr_fake_conn *conn)
{
    (void)nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL);
    yr_fake_conn_wake(conn);
}

void yr_fake_conn_send_settings(yr_fake_conn *conn, const yr_fake_setting *settings,
                                size_t count)
{
    nghttp2_settings_entry entries[16];
    count = count < 16 ? count : 16;
    for (size_t i = 0; i < count; i++) {
        entries[i] = (nghttp2_settings_entry){settings[i].id, settings[i].value};
    }
    (void)nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, entries, count);
    yr_fake_conn_wake(conn);
}

void yr_fake_conn_send_goaway(yr_fake_conn *conn, int32_t last_stream_id, uint32_t error,
                              const char *debug)
{
    (void)nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE, last_stream_id, error,
                                (const uint8_t *)debug, debug != NULL ? strlen(debug) : 0);
    yr_fake_conn_wake(conn);
}

/* ---- What a connection hears ---- */

void yr_fake_conn_feed(yr_fake_conn *conn, yurpc_bytes bytes)
{
    conn->server->stats.pieces++;
    if (conn->is_foreign) {
        return;
    }
    if (conn->is_frozen) {
        yr_fake_blob_append(&conn->kept, bytes);
        return;
    }
    conn->depth++;
    bool is_broken = nghttp2_session_mem_recv(conn->session, bytes.data, bytes.len) < 0;
    conn->depth--;
    if (conn->is_dropped || is_broken) {
        conn_free(conn);
    } else {
        yr_fake_conn_wake(conn);
    }
}

void yr_fake_conn_freeze(yr_fake_conn *conn)
{
    conn->is_frozen = true;
}

void yr_fake_conn_thaw(yr_fake_conn *conn)
{
    if (!conn->is_frozen) {
        return;
    }
    conn->is_frozen = false;
    yr_fake_blob kept = conn->kept;
    conn->kept = (yr_fake_blob){NULL, 0, 0};
    yr_fake_conn_wake(conn);
    yr_fake_conn_feed(conn, (yurpc_bytes){kept.data, kept.len});
    yr_fake_blob_free(&kept);
}

static void on_data(void *context, yurpc_bytes bytes)
{
    yr_fake_conn_feed(context, bytes);
}

static void on_end(void *context, const yurpc_error *error)
{
    (void)error;
    conn_free(context);
}

/* ---- The life of a connection ---- */

static void conn_free(yr_fake_conn *conn)
{
    yr_fake_server *server = conn->server;
    conn->is_dropped = true;
    if (conn->depth > 0) {
        return; /* whoever is at work frees it */
    }
    conn->depth++; /* a handler may drop it again */
    yr_list_remove(&conn->link);
    if (server->io != NULL) {
        (void)yr_io_unpost(server->io, &conn->flush);
    }
    yr_stream_close(conn->stream);
    while (!yr_list_is_empty(&conn->calls)) {
        yr_fake_call_free(YR_CONTAINER_OF(conn->calls.next, yr_fake_call, link));
    }
    server->stats.connections_open--;
    if (server->handlers.on_disconnect != NULL) {
        server->handlers.on_disconnect(server->context, conn);
    }
    nghttp2_session_del(conn->session);
    yr_fake_blob_free(&conn->out);
    yr_fake_blob_free(&conn->raw);
    yr_fake_blob_free(&conn->kept);
    free(conn);
}

static yr_fake_conn *conn_new(yr_fake_server *server, yr_stream *stream)
{
    yr_fake_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        abort();
    }
    conn->server = server;
    conn->stream = stream;
    conn->last_ping_ms = -1;
    yr_list_init(&conn->calls);
    yr_list_init(&conn->link);
    yr_list_append(server->conns.next, &conn->link); /* in front of the first */
    yr_task_init(&conn->flush, on_flush, conn);
    conn->session = yr_fake_session_new(conn);
    yr_fake_conn_send_settings(conn, server->options.settings, server->options.setting_count);
    yr_fake_conn_send_raw(conn, server->options.opening);
    conn->is_frozen = server->options.is_silent;
    server->stats.connections++;
    server->stats.connections_open++;
    return conn;
}

static void on_accept(void *context, yr_stream *stream)
{
    static const yr_stream_events events = {NULL, on_data, NULL, on_end};
    yr_fake_server *server = context;
    if (server->options.drops_new) {
        server->stats.connections++;
        yr_stream_close(stream);
        return;
    }
    yr_fake_conn *conn = conn_new(server, stream);
    yr_stream_accept(stream, &events, conn);
    const char *greeting = server->options.greeting;
    if (greeting != NULL) {
        conn->is_foreign = true;
        yr_fake_conn_send_raw(conn, (yurpc_bytes){greeting, strlen(greeting)});
        yr_fake_conn_finish(conn);
    }
    yr_fake_conn_wake(conn);
    if (server->handlers.on_connect != NULL) {
        server->handlers.on_connect(server->context, conn);
    }
}

yr_fake_conn *yr_fake_server_add_conn(yr_fake_server *server)
{
    yr_fake_conn *conn = conn_new(server, NULL);
    if (server->handlers.on_connect != NULL) {
        server->handlers.on_connect(server->context, conn);
    }
    return conn;
}

void yr_fake_conn_drop(yr_fake_conn *conn)
{
    conn_free(conn);
}

void yr_fake_conn_finish(yr_fake_conn *conn)
{
    conn->is_finishing = true;
    yr_fake_conn_wake(conn);
}

/* ---- The server ---- */

yurpc_status yr_fake_server_listen(yr_fake_server *server)
{
    if (server->listener != NULL || server->io == NULL) {
        return YURPC_OK;
    }
    yurpc_status status = yr_io_listen(server->io, server->host, server->port, on_accept,
                                       server, &server->listener);
    if (status == YURPC_OK) {
        server->port = yr_listener_port(server->listener);
    }
    return status;
}

void yr_fake_server_stop_listening(yr_fake_server *server)
{
    yr_listener_close(server->listener);
    server->listener = NULL;
}

yurpc_status yr_fake_server_new(yr_io *io, const char *host, uint16_t port,
                                const yr_fake_handlers *handlers, void *context,
                                yr_fake_server **ret_server)
{
    yr_fake_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        abort();
    }
    server->io = io;
    server->host = strdup(host);
    server->port = port;
    server->handlers = *handlers;
    server->context = context;
    yr_list_init(&server->conns);
    yurpc_status status = yr_fake_server_listen(server);
    if (status != YURPC_OK) {
        yr_fake_server_free(server);
        return status;
    }
    *ret_server = server;
    return YURPC_OK;
}

void yr_fake_server_drop_all(yr_fake_server *server)
{
    yr_fake_conn *conn = yr_fake_server_newest(server);
    while (conn != NULL) {
        yr_fake_conn *older = yr_fake_conn_older(conn);
        conn_free(conn);
        conn = older;
    }
}

void yr_fake_server_set_silent(yr_fake_server *server, bool is_silent)
{
    server->options.is_silent = is_silent;
    yr_fake_conn *conn = yr_fake_server_newest(server);
    while (conn != NULL) {
        yr_fake_conn *older = yr_fake_conn_older(conn); /* what it kept may end it */
        (is_silent ? yr_fake_conn_freeze : yr_fake_conn_thaw)(conn);
        conn = older;
    }
}

void yr_fake_server_each_call(yr_fake_server *server,
                              void (*visit)(void *context, yr_fake_call *call), void *context)
{
    for (yr_fake_conn *conn = yr_fake_server_newest(server); conn != NULL;
         conn = yr_fake_conn_older(conn)) {
        for (yr_list *link = conn->calls.next; link != &conn->calls; link = link->next) {
            yr_fake_call *call = YR_CONTAINER_OF(link, yr_fake_call, link);
            if (call->is_announced) {
                visit(context, call);
            }
        }
    }
}

void yr_fake_server_free(yr_fake_server *server)
{
    if (server == NULL) {
        return;
    }
    yr_fake_server_stop_listening(server);
    yr_fake_server_drop_all(server);
    free(server->host);
    free(server);
}

uint16_t yr_fake_server_port(const yr_fake_server *server)
{
    return server->port;
}

yr_fake_options *yr_fake_server_options(yr_fake_server *server)
{
    return &server->options;
}

const yr_fake_stats *yr_fake_server_stats(const yr_fake_server *server)
{
    return &server->stats;
}

yr_fake_conn *yr_fake_server_newest(const yr_fake_server *server)
{
    yr_list *first = server->conns.next;
    return first == &server->conns ? NULL : YR_CONTAINER_OF(first, yr_fake_conn, link);
}

yr_fake_conn *yr_fake_conn_older(const yr_fake_conn *conn)
{
    yr_list *next = conn->link.next;
    return next == &conn->server->conns ? NULL : YR_CONTAINER_OF(next, yr_fake_conn, link);
}
