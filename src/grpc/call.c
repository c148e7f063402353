#include "grpc/call.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "grpc/core.h"

enum { IDLE_BUF_MAX = 16 * 1024 }; /* larger send buffers are given back when empty */

void yr_grpc_call_free(yr_grpc_call *call)
{
    yr_list_remove(&call->link);
    yr_list_remove(&call->resume_link);
    yr_heap_remove(&call->conn->deadlines, &call->deadline);
    yr_grpc_head_free(call->head);
    yr_buf_deinit(&call->out);
    yr_grpc_headers_deinit(&call->headers);
    yurpc_error_free(call->end_text);
    yr_free(call);
}

/* Leave the stream to nghttp2, which tells the peer with @p rst. */
static void call_leave_stream(yr_grpc_call *call, int rst)
{
    yr_grpc_conn *conn = call->conn;
    if (call->stream_id == 0 || conn->state == YR_GRPC_CONN_DEAD) {
        return;
    }
    nghttp2_session *session = conn->session;
    if (nghttp2_session_get_stream_user_data(session, call->stream_id) != call) {
        return; /* closed already */
    }
    (void)nghttp2_session_set_stream_user_data(session, call->stream_id, NULL);
    if (rst != YR_GRPC_NO_RST &&
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream_id, (uint32_t)rst) !=
            0) {
        yr_grpc_conn_break(conn, yr_error_new(YURPC_NO_MEMORY, -1, "out of memory"));
    }
}

void yr_grpc_call_end(yr_grpc_call *call, const yr_grpc_end *end, yurpc_error *text, int rst)
{
    YR_ASSERT(!call->has_ended && !call->is_cancelled);
    yr_grpc_conn *conn = call->conn;
    call->has_ended = true;
    call->end = *end;
    call->end_text = text;
    if (text != NULL) {
        call->end.message = yurpc_error_text(text);
    }
    yr_list_remove(&call->resume_link);
    yr_heap_remove(&conn->deadlines, &call->deadline);
    yr_buf_deinit(&call->out);
    yr_list_remove(&call->link);
    yr_list_append(&conn->ended, &call->link);
    call_leave_stream(call, rst);
    yr_grpc_conn_wake(conn);
}

/* There is something new to be sent, or the end of it. */
static void call_resume(yr_grpc_call *call)
{
    if (call->is_deferred && yr_list_is_empty(&call->resume_link)) {
        yr_list_append(&call->conn->resumed, &call->resume_link);
    }
    yr_grpc_conn_wake(call->conn);
}

yurpc_status yr_grpc_call_send(yr_grpc_call *call, yurpc_bytes message)
{
    if (call->is_finished || call->has_ended) {
        return YURPC_CLOSED;
    }
    size_t waiting = call->out.len - call->out_at;
    size_t room = YR_GRPC_SEND_QUEUE_MAX - waiting;
    if (room < YR_GRPC_PREFIX_LEN || message.len > room - YR_GRPC_PREFIX_LEN) {
        return YURPC_TOO_LARGE;
    }
    if (call->out_at > waiting) {
        yr_buf_consume(&call->out, call->out_at); /* moves less than was sent since last time */
        call->out_at = 0;
    }
    uint8_t prefix[YR_GRPC_PREFIX_LEN];
    yr_grpc_prefix_encode(prefix, (uint32_t)message.len);
    yurpc_status status = yr_buf_reserve(&call->out, sizeof prefix + message.len);
    if (status == YURPC_OK) {
        status = yr_buf_append(&call->out, prefix, sizeof prefix);
    }
    if (status == YURPC_OK) {
        status = yr_buf_append(&call->out, message.data, message.len);
    }
    if (status != YURPC_OK) {
        return status;
    }
    call_resume(call);
    return YURPC_OK;
}

void yr_grpc_call_finish(yr_grpc_call *call)
{
    if (call->is_finished || call->has_ended) {
        return;
    }
    call->is_finished = true;
    call_resume(call);
}

void yr_grpc_call_cancel(yr_grpc_call *call)
{
    yr_grpc_conn *conn = call->conn;
    YR_ASSERT(!call->is_cancelled);
    conn->call_count--;
    call->is_cancelled = true;
    yr_list_remove(&call->link);
    if (!call->has_ended) {
        call_leave_stream(call, NGHTTP2_CANCEL);
        yr_grpc_conn_wake(conn);
    }
    if (conn->current != call) { /* else whoever runs its on_part frees it */
        yr_grpc_call_free(call);
    }
}

ssize_t yr_grpc_call_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf,
                          size_t length, uint32_t *data_flags, nghttp2_data_source *source,
                          void *user_data)
{
    (void)source;
    (void)user_data;
    yr_grpc_call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    if (call == NULL) {
        return NGHTTP2_ERR_DEFERRED; /* a reset is on its way */
    }
    size_t waiting = call->out.len - call->out_at;
    size_t len = waiting < length ? waiting : length;
    if (len == 0 && !call->is_finished) {
        call->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (len > 0) {
        memcpy(buf, call->out.data + call->out_at, len);
    }
    call->out_at += len;
    if (len < waiting) {
        return (ssize_t)len;
    }
    yr_buf_clear(&call->out);
    call->out_at = 0;
    if (call->is_finished) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    if (call->is_finished || call->out.cap > IDLE_BUF_MAX) {
        yr_buf_deinit(&call->out);
    }
    return (ssize_t)len;
}
