/* What nghttp2 reports about the frames of a connection. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "grpc/core.h"
#include "grpc/memory.h"
#include "grpc/text.h"

enum {
    ACKS_MAX = 1000,         /* answers to PING and SETTINGS waiting to be sent */
    CONTINUATIONS_MAX = 8,   /* of one block of headers */
    IDLE_FRAMES_MAX = 10000, /* of no use, within a second */
    SECOND_MS = 1000,
};

/* The call of a stream, or NULL when nobody waits for it any more. */
static yr_grpc_call *call_of(const yr_grpc_conn *conn, int32_t stream_id)
{
    if (stream_id == 0 || conn->state == YR_GRPC_CONN_DEAD) {
        return NULL;
    }
    return nghttp2_session_get_stream_user_data(conn->session, stream_id);
}

/* Frames that cost us work and bring nothing: a peer that sends only these is shut out. */
static void conn_count_frame(yr_grpc_conn *conn, bool is_idle)
{
    if (!is_idle || conn->now_ms - conn->idle_since_ms >= SECOND_MS) {
        conn->idle_since_ms = conn->now_ms;
        conn->idle_frames = 0;
    }
    if (is_idle && ++conn->idle_frames == IDLE_FRAMES_MAX) {
        (void)nghttp2_session_terminate_session(conn->session, NGHTTP2_ENHANCE_YOUR_CALM);
        yr_grpc_conn_break(conn, yr_error_new(YURPC_PROTOCOL, -1,
                                              "the server at %s sends a flood of HTTP/2 frames "
                                              "without content",
                                              conn->authority));
    }
}

/* The server has ended the stream. */
static void call_end_by_server(yr_grpc_call *call)
{
    nghttp2_session *session = call->conn->session;
    bool is_sent = nghttp2_session_get_stream_local_close(session, call->stream_id) == 1;
    yr_grpc_end end;
    yurpc_error *text = NULL;
    yr_grpc_headers_end(&call->headers, &end, &text);
    bool is_cut = !yr_grpc_deframer_is_between(&call->deframer);
    if (is_cut && end.code == YR_GRPC_OK) {
        end = (yr_grpc_end){.code = YR_GRPC_INTERNAL,
                            .message = "the server ended the call inside a message"};
    }
    yr_grpc_call_end(call, &end, text, is_sent ? YR_GRPC_NO_RST : NGHTTP2_NO_ERROR);
}

static void call_end_with(yr_grpc_call *call, int code, const char *message)
{
    yr_grpc_end end = {.code = code, .message = message};
    yr_grpc_call_end(call, &end, NULL, NGHTTP2_CANCEL);
}

/* A block of headers is complete: the response's, or the trailers. */
static void call_take_headers(yr_grpc_call *call, bool is_end)
{
    if (is_end) {
        call_end_by_server(call);
        return;
    }
    bool is_interim = call->headers.http >= 100 && call->headers.http < 200;
    if (is_interim || yr_grpc_headers_allow_messages(&call->headers)) {
        return;
    }
    yr_grpc_end end; /* a page of HTML may follow: it is not waited for */
    yurpc_error *text = NULL;
    yr_grpc_headers_end(&call->headers, &end, &text);
    yr_grpc_call_end(call, &end, text, NGHTTP2_CANCEL);
}

static void conn_take_goaway(yr_grpc_conn *conn, const nghttp2_goaway *frame)
{
    char debug[128];
    yurpc_bytes data = {frame->opaque_data, frame->opaque_data_len};
    (void)yr_text_copy(data, debug, sizeof debug);
    yr_grpc_conn_drain(
        conn, yr_error_new(YURPC_UNAVAILABLE, -1, "the server at %s sent GOAWAY: %s%s%s%s",
                           conn->authority, nghttp2_http2_strerror(frame->error_code),
                           debug[0] != '\0' ? " (" : "", debug, debug[0] != '\0' ? ")" : ""));
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame,
                            void *user_data)
{
    (void)session;
    yr_grpc_call *call = call_of(user_data, frame->hd.stream_id);
    if (call != NULL && frame->hd.type == NGHTTP2_HEADERS) {
        yr_grpc_headers_begin(&call->headers);
    }
    return 0;
}

static yurpc_bytes bytes_of(nghttp2_rcbuf *buf)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(buf);
    return yr_bytes(vec.base, vec.len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
    (void)session;
    (void)flags;
    yr_grpc_call *call = call_of(user_data, frame->hd.stream_id);
    if (call == NULL || frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    yurpc_status status = yr_grpc_headers_add(&call->headers, bytes_of(name), bytes_of(value));
    if (status != YURPC_OK) {
        call_end_with(call, YR_GRPC_RESOURCE_EXHAUSTED,
                      "the headers of the response are larger than allowed");
    }
    return 0;
}

static void conn_take_settings(yr_grpc_conn *conn, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        return;
    }
    conn_count_frame(conn, true);
    if (conn->state == YR_GRPC_CONN_OPENING) {
        conn->state = YR_GRPC_CONN_READY;
    }
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    yr_grpc_conn *conn = user_data;
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    yr_grpc_call *call = call_of(conn, frame->hd.stream_id);
    switch ((nghttp2_frame_type)frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (call != NULL) {
            call_take_headers(call, is_end);
        }
        conn_count_frame(conn, !is_end); /* else it may be one of many interim responses */
        break;
    case NGHTTP2_DATA:
        if (call != NULL && is_end) {
            yr_grpc_headers_begin(&call->headers); /* no trailers came */
            call_end_by_server(call);
        }
        conn_count_frame(conn, frame->hd.length <= frame->data.padlen);
        break;
    case NGHTTP2_SETTINGS:
        conn_take_settings(conn, frame);
        break;
    case NGHTTP2_GOAWAY:
        conn_take_goaway(conn, &frame->goaway);
        break;
    case NGHTTP2_PUSH_PROMISE: /* we announced that we take none */
        return nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
    case NGHTTP2_PING:
    case NGHTTP2_PRIORITY:
    case NGHTTP2_WINDOW_UPDATE:
    case NGHTTP2_RST_STREAM: /* on_stream_close() follows when there is one */
        conn_count_frame(conn, true);
        break;
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_ALTSVC:
    case NGHTTP2_ORIGIN:
    case NGHTTP2_PRIORITY_UPDATE:
        break;
    }
    return 0;
}

static void call_end_too_large(yr_grpc_call *call)
{
    yr_grpc_end end = {.code = YR_GRPC_RESOURCE_EXHAUSTED};
    yurpc_error *text =
        yr_error_new(YURPC_TOO_LARGE, end.code,
                     "the server sent a message of %u bytes; at most %zu are "
                     "allowed",
                     (unsigned)call->deframer.message_len, call->deframer.message_max);
    yr_grpc_call_end(call, &end, text, NGHTTP2_CANCEL);
}

/* Hand out the messages in @p bytes, as far as they go; the call may be gone after each part.
 */
static void call_take_data(yr_grpc_call *call, yurpc_bytes bytes)
{
    yr_grpc_conn *conn = call->conn;
    conn->current = call;
    yurpc_status status = YURPC_OK;
    bool has_part = true;
    while (has_part && !call->is_cancelled && !call->has_ended) {
        yr_grpc_part part;
        status = yr_grpc_deframer_next(&call->deframer, &bytes, &part, &has_part);
        if (status != YURPC_OK) {
            break;
        }
        if (has_part) {
            call->events.on_part(call->context, &part);
        }
    }
    conn->current = NULL;
    if (call->is_cancelled) {
        yr_grpc_call_free(call);
    } else if (status == YURPC_TOO_LARGE) {
        call_end_too_large(call);
    } else if (status != YURPC_OK) {
        call_end_with(call, YR_GRPC_INTERNAL,
                      "the server sent a compressed message, or none of gRPC");
    }
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                         const uint8_t *data, size_t len, void *user_data)
{
    (void)flags;
    yr_grpc_conn *conn = user_data;
    /* The connection's window is opened at once, so that no call can stall another. */
    int rv = nghttp2_session_consume_connection(session, len);
    yr_grpc_call *call = rv == 0 ? call_of(conn, stream_id) : NULL;
    if (call != NULL) {
        call_take_data(call, yr_bytes(data, len));
        rv = nghttp2_session_consume_stream(session, stream_id, len);
    }
    return rv == NGHTTP2_ERR_NOMEM ? NGHTTP2_ERR_NOMEM : 0;
}

/* grpc/grpc doc/PROTOCOL-HTTP2.md, "HTTP2 Transport Mapping: Errors". */
static int code_of_reset(uint32_t error)
{
    switch (error) {
    case NGHTTP2_REFUSED_STREAM:
        return YR_GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return YR_GRPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return YR_GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return YR_GRPC_PERMISSION_DENIED;
    default:
        return YR_GRPC_INTERNAL;
    }
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error,
                           void *user_data)
{
    (void)session;
    yr_grpc_conn *conn = user_data;
    conn->stream_count--;
    yr_grpc_call *call = call_of(conn, stream_id);
    if (call == NULL || call->has_ended) {
        return 0;
    }
    bool is_refused = error == NGHTTP2_REFUSED_STREAM;
    bool is_goaway = is_refused && conn->state == YR_GRPC_CONN_DRAINING;
    yr_grpc_end end = {
        .code = code_of_reset(error),
        .is_unprocessed = is_refused,
        .is_transport = is_goaway,
    };
    yurpc_error *text = is_goaway
                            ? yr_error_copy(conn->error)
                            : yr_error_new(YURPC_REMOTE, end.code, "the call was reset: %s",
                                           nghttp2_http2_strerror(error));
    yr_grpc_call_end(call, &end, text, YR_GRPC_NO_RST);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    yr_grpc_conn *conn = user_data;
    if (frame->hd.type == NGHTTP2_GOAWAY) { /* nghttp2 gives up: we never send one ourselves */
        char debug[128];
        yurpc_bytes data = {frame->goaway.opaque_data, frame->goaway.opaque_data_len};
        (void)yr_text_copy(data, debug, sizeof debug);
        yr_grpc_conn_break(
            conn, yr_error_new(YURPC_PROTOCOL, -1, "the server at %s broke HTTP/2: %s (%s)",
                               conn->authority,
                               nghttp2_http2_strerror(frame->goaway.error_code), debug));
    } else if (frame->hd.type == NGHTTP2_HEADERS) {
        yr_grpc_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (call != NULL) {
            yr_grpc_head_free(call->head);
            call->head = NULL;
        }
    }
    return 0;
}

static int session_submit_preface(nghttp2_session *session)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, YR_GRPC_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, YR_GRPC_HEADER_LIST_MAX},
    };
    int rv = nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings,
                                     sizeof settings / sizeof settings[0]);
    return rv != 0 ? rv
                   : nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                           YR_GRPC_CONN_WINDOW);
}

static void options_set(nghttp2_option *options)
{
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_outbound_ack(options, ACKS_MAX);
#ifdef YR_GRPC_HAS_MAX_CONTINUATIONS
    nghttp2_option_set_max_continuations(options, CONTINUATIONS_MAX);
#endif
}

static void callbacks_set(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}

yurpc_status yr_grpc_session_new(yr_grpc_conn *conn, nghttp2_session **ret_session)
{
    nghttp2_mem memory = yr_grpc_memory; /* declared without const, but only copied */
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *options = NULL;
    nghttp2_session *session = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&options) == 0) {
        callbacks_set(callbacks);
        options_set(options);
        if (nghttp2_session_client_new3(&session, callbacks, conn, options, &memory) != 0) {
            session = NULL;
        }
    }
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    if (session == NULL || session_submit_preface(session) != 0) {
        nghttp2_session_del(session);
        return YURPC_NO_MEMORY;
    }
    *ret_session = session;
    return YURPC_OK;
}
