/* HTTP/2 and the calls on it: what nghttp2 reports, and what goes back. */
#include "fake/grpc_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PREFIX_LEN = 5,
    MESSAGE_LEN_MAX = 2 * 1024 * 1024,
    PING_MIN_MS = 5000,                /* between two while a call is open */
    PING_IDLE_MS = 2 * 60 * 60 * 1000, /* else */
    STRIKES_MAX = 2,
    RESETS_MAX = 1000000, /* grpc-go sets no limit either */
};

static void *alloc(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static char *copy_text(const void *text, size_t len)
{
    char *copy = alloc(1, len + 1);
    memcpy(copy, text, len);
    return copy;
}

static void check(int rv)
{
    if (rv < 0 && nghttp2_is_fatal(rv)) {
        abort();
    }
}

static yr_fake_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return stream_id > 0 ? nghttp2_session_get_stream_user_data(session, stream_id) : NULL;
}

/* ---- The life of a call ---- */

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
    }
    free(texts);
}

void yr_fake_call_free(yr_fake_call *call)
{
    yr_fake_server *server = call->conn->server;
    call->has_ended = true;
    yr_list_remove(&call->link);
    if (call->is_announced) {
        server->stats.calls_open--;
        if (server->handlers.on_close != NULL) {
            server->handlers.on_close(server->context, call);
        }
    }
    free_texts(call->headers, call->header_count * 2);
    free_texts(call->trailers, call->trailer_count * 2);
    free(call->path);
    yr_fake_blob_free(&call->in);
    yr_fake_blob_free(&call->out);
    free(call);
}

const char *yr_fake_call_path(const yr_fake_call *call)
{
    return call->path != NULL ? call->path : "";
}

const char *yr_fake_call_header(const yr_fake_call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++) {
        if (strcmp(call->headers[i * 2], name) == 0) {
            return call->headers[i * 2 + 1];
        }
    }
    return NULL;
}

int32_t yr_fake_call_stream_id(const yr_fake_call *call)
{
    return call->stream_id;
}

yr_fake_conn *yr_fake_call_conn(const yr_fake_call *call)
{
    return call->conn;
}

void yr_fake_call_set_data(yr_fake_call *call, void *data)
{
    call->data = data;
}

void *yr_fake_call_data(const yr_fake_call *call)
{
    return call->data;
}

size_t yr_fake_call_pending(const yr_fake_call *call)
{
    return call->out.len - call->out_at;
}

/* ---- What a call sends ---- */

static nghttp2_nv field(const char *name, const char *value)
{
    /* nghttp2 declares these without const but does not write to them. */
    union {
        const char *in;
        uint8_t *out;
    } n = {.in = name}, v = {.in = value};
    return (nghttp2_nv){n.out, v.out, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void call_submit_trailers(yr_fake_call *call)
{
    nghttp2_nv *fields = alloc(call->trailer_count, sizeof *fields);
    for (size_t i = 0; i < call->trailer_count; i++) {
        fields[i] = field(call->trailers[i * 2], call->trailers[i * 2 + 1]);
    }
    check(nghttp2_submit_trailer(call->conn->session, call->stream_id, fields,
                                 call->trailer_count));
    free(fields);
}

static ssize_t on_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t length,
                       uint32_t *data_flags, nghttp2_data_source *source, void *user_data)
{
    (void)source;
    (void)user_data;
    yr_fake_call *call = call_of(session, stream_id);
    if (call == NULL) {
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t waiting = yr_fake_call_pending(call);
    size_t len = waiting < length ? waiting : length;
    if (len == 0 && !call->has_ended) {
        call->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (len > 0) {
        memcpy(buf, call->out.data + call->out_at, len);
    }
    call->out_at += len;
    if (call->out_at == call->out.len) {
        call->out.len = 0;
        call->out_at = 0;
    }
    if (len == waiting && call->has_ended) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (call->trailer_count > 0) {
            *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            call_submit_trailers(call);
        }
    }
    return (ssize_t)len;
}

void yr_fake_call_send_raw_headers(yr_fake_call *call, const yr_fake_header *headers,
                                   size_t count, bool is_end)
{
    if (call->has_ended || call->has_headers) {
        return;
    }
    nghttp2_data_provider provider = {.read_callback = on_read};
    nghttp2_nv *fields = alloc(count, sizeof *fields);
    for (size_t i = 0; i < count; i++) {
        fields[i] = field(headers[i].name, headers[i].value);
    }
    call->has_headers = true;
    call->has_ended = is_end;
    check(nghttp2_submit_response(call->conn->session, call->stream_id, fields, count,
                                  is_end ? NULL : &provider));
    free(fields);
    yr_fake_conn_wake(call->conn);
}

void yr_fake_call_send_headers(yr_fake_call *call)
{
    static const yr_fake_header headers[] = {{":status", "200"},
                                             {"content-type", "application/grpc"}};
    yr_fake_call_send_raw_headers(call, headers, 2, false);
}

/* Let nghttp2 ask again. */
static void call_resume(yr_fake_call *call)
{
    if (call->is_deferred) {
        call->is_deferred = false;
        check(nghttp2_session_resume_data(call->conn->session, call->stream_id));
    }
    yr_fake_conn_wake(call->conn);
}

void yr_fake_call_send_raw(yr_fake_call *call, yurpc_bytes bytes)
{
    if (call->has_ended) {
        return;
    }
    yr_fake_call_send_headers(call);
    if (call->out_at > call->out.len / 2) {
        yr_fake_blob_consume(&call->out, call->out_at);
        call->out_at = 0;
    }
    yr_fake_blob_append(&call->out, bytes);
    call_resume(call);
}

void yr_fake_call_send(yr_fake_call *call, yurpc_bytes message)
{
    const unsigned char prefix[PREFIX_LEN] = {
        0, (unsigned char)(message.len >> 24), (unsigned char)(message.len >> 16),
        (unsigned char)(message.len >> 8), (unsigned char)message.len};
    yr_fake_call_send_raw(call, (yurpc_bytes){prefix, sizeof prefix});
    yr_fake_call_send_raw(call, message);
}

void yr_fake_call_end_raw(yr_fake_call *call, const yr_fake_header *trailers, size_t count)
{
    if (call->has_ended) {
        return;
    }
    yr_fake_call_send_headers(call);
    call->trailers = alloc(count * 2, sizeof *call->trailers);
    call->trailer_count = count;
    for (size_t i = 0; i < count; i++) {
        call->trailers[i * 2] = copy_text(trailers[i].name, strlen(trailers[i].name));
        call->trailers[i * 2 + 1] = copy_text(trailers[i].value, strlen(trailers[i].value));
    }
    call->has_ended = true;
    call_resume(call);
}

/* Printable ASCII stands for itself, except '%'. */
static char *percent_encode(const char *text)
{
    char *encoded = alloc(strlen(text) * 3 + 1, 1);
    char *out = encoded;
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        bool is_plain = *c >= 0x20 && *c < 0x7f && *c != '%';
        out += is_plain ? snprintf(out, 2, "%c", *c) : snprintf(out, 4, "%%%02X", *c);
    }
    return encoded;
}

void yr_fake_call_end(yr_fake_call *call, int code, const char *message)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", code);
    char *encoded = percent_encode(message != NULL ? message : "");
    const yr_fake_header headers[] = {{":status", "200"},
                                      {"content-type", "application/grpc"},
                                      {"grpc-status", number},
                                      {"grpc-message", encoded}};
    if (call->has_headers) {
        yr_fake_call_end_raw(call, headers + 2, 2);
    } else {
        yr_fake_call_send_raw_headers(call, headers, 4, true);
    }
    free(encoded);
}

void yr_fake_call_end_early(yr_fake_call *call, int code, const char *message)
{
    call->is_early = !call->has_ended;
    yr_fake_call_end(call, code, message);
}

void yr_fake_call_reset(yr_fake_call *call, uint32_t error)
{
    call->has_ended = true;
    check(nghttp2_submit_rst_stream(call->conn->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                    error));
    yr_fake_conn_wake(call->conn);
}

/* ---- What nghttp2 reports ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame,
                            void *user_data)
{
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    yr_fake_conn *conn = user_data;
    yr_fake_call *call = alloc(1, sizeof *call);
    call->conn = conn;
    call->stream_id = frame->hd.stream_id;
    yr_list_init(&call->link);
    yr_list_append(&conn->calls, &call->link);
    check(nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
    (void)user_data;
    yr_fake_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL) {
        return 0;
    }
    nghttp2_vec n = nghttp2_rcbuf_get_buf(name);
    nghttp2_vec v = nghttp2_rcbuf_get_buf(value);
    size_t count = call->header_count++;
    char **headers = realloc(call->headers, (count + 1) * 2 * sizeof *headers);
    if (headers == NULL) {
        abort();
    }
    call->headers = headers;
    headers[count * 2] = copy_text(n.base, n.len);
    headers[count * 2 + 1] = copy_text(v.base, v.len);
    if (strcmp(headers[count * 2], ":path") == 0 && call->path == NULL) {
        call->path = copy_text(v.base, v.len);
    }
    if (strcmp(headers[count * 2], "token") == 0) {
        call->conn->server->stats.tokens++;
        call->conn->server->stats.open_tokens += (flags & NGHTTP2_NV_FLAG_NO_INDEX) == 0;
    }
    return 0;
}

/* grpc-go's enforcement policy as etcd sets it. */
static void conn_judge_ping(yr_fake_conn *conn)
{
    int64_t now_ms = yr_fake_server_now(conn->server);
    int64_t min_ms = yr_list_is_empty(&conn->calls) ? PING_IDLE_MS : PING_MIN_MS;
    bool is_soon = conn->last_ping_ms >= 0 && now_ms - conn->last_ping_ms < min_ms;
    conn->last_ping_ms = now_ms;
    if (conn->is_ping_forgiven) {
        conn->is_ping_forgiven = false;
        conn->strikes = 0;
        return;
    }
    conn->strikes += is_soon ? 1 : 0;
    if (conn->strikes > STRIKES_MAX && !conn->server->options.allows_any_ping) {
        conn->server->stats.goaways++;
        yr_fake_conn_send_goaway(conn, nghttp2_session_get_last_proc_stream_id(conn->session),
                                 NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
        yr_fake_conn_finish(conn);
    }
}

static void call_announce(yr_fake_call *call)
{
    yr_fake_server *server = call->conn->server;
    call->is_announced = true;
    server->stats.calls++;
    server->stats.calls_open++;
    if (server->handlers.on_call != NULL) {
        server->handlers.on_call(server->context, call);
    }
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    yr_fake_conn *conn = user_data;
    yr_fake_server *server = conn->server;
    bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (frame->hd.type == NGHTTP2_PING) {
        server->stats.pings += is_ack ? 0 : 1;
        server->stats.ping_acks += is_ack ? 1 : 0;
        if (!is_ack) {
            conn_judge_ping(conn);
        }
    }
    server->stats.resets += frame->hd.type == NGHTTP2_RST_STREAM ? 1 : 0;
    yr_fake_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL || conn->is_dropped) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && !call->is_announced) {
        call_announce(call);
    }
    bool can_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    bool is_end = can_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (is_end && !conn->is_dropped && server->handlers.on_half_close != NULL) {
        server->handlers.on_half_close(server->context, call);
    }
    return 0;
}

static void call_take_messages(yr_fake_call *call)
{
    yr_fake_server *server = call->conn->server;
    size_t len_max = server->options.message_len_max;
    len_max = len_max > 0 ? len_max : MESSAGE_LEN_MAX;
    while (call->in.len >= PREFIX_LEN && !call->is_refused && !call->conn->is_dropped) {
        const unsigned char *in = call->in.data;
        size_t len = (size_t)in[1] << 24 | (size_t)in[2] << 16 | (size_t)in[3] << 8 | in[4];
        if (len > len_max) {
            char text[96];
            (void)snprintf(text, sizeof text,
                           "grpc: received message larger than max (%zu vs. %zu)", len,
                           len_max);
            call->is_refused = true;
            yr_fake_call_end_early(call, 8, text);
            return;
        }
        if (call->in.len < PREFIX_LEN + len) {
            return;
        }
        server->stats.messages++;
        if (server->handlers.on_message != NULL) {
            yurpc_bytes message = {in + PREFIX_LEN, len};
            server->handlers.on_message(server->context, call, message);
        }
        yr_fake_blob_consume(&call->in, PREFIX_LEN + len);
    }
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                         const uint8_t *data, size_t len, void *user_data)
{
    (void)flags;
    (void)user_data;
    yr_fake_call *call = call_of(session, stream_id);
    if (call != NULL && !call->is_refused) {
        yr_fake_blob_append(&call->in, (yurpc_bytes){data, len});
        call_take_messages(call);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error,
                           void *user_data)
{
    (void)error;
    (void)user_data;
    yr_fake_call *call = call_of(session, stream_id);
    if (call != NULL) {
        check(nghttp2_session_set_stream_user_data(session, stream_id, NULL));
        yr_fake_call_free(call);
    }
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    yr_fake_conn *conn = user_data;
    bool is_content = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    conn->is_ping_forgiven = conn->is_ping_forgiven || is_content;
    yr_fake_call *call = call_of(session, frame->hd.stream_id);
    bool is_end = is_content && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (call != NULL && is_end && call->is_early) {
        call->is_early = false;
        check(nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                        NGHTTP2_NO_ERROR));
    }
    return 0;
}

nghttp2_session *yr_fake_session_new(yr_fake_conn *conn)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_session *session = NULL;
    check(nghttp2_session_callbacks_new(&callbacks));
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_option *options = NULL;
    check(nghttp2_option_new(&options));
    nghttp2_option_set_stream_reset_rate_limit(options, RESETS_MAX, RESETS_MAX);
    check(nghttp2_session_server_new2(&session, callbacks, conn, options));
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}
