#include "grpc/conn.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "grpc/core.h"

enum {
    OUT_MAX = YR_GRPC_OUTPUT_STEP * 2, /* kept here while the peer does not read */
    FOREIGN_WAIT_MS = 200,             /* for the rest of what a peer that is not HTTP/2 says */
    LATE_MS = 1000, /* a tick this late says more about us than about the peer */
};

yurpc_status yr_grpc_conn_new(const char *authority, int64_t now_ms, yr_grpc_conn **ret_conn)
{
    yr_grpc_conn *conn = yr_calloc(1, sizeof *conn);
    if (conn == NULL) {
        return YURPC_NO_MEMORY;
    }
    yurpc_status status = YURPC_NO_MEMORY;
    conn->now_ms = now_ms;
    conn->ping_at_ms = -1;
    conn->foreign_at_ms = -1;
    yr_list_init(&conn->waiting);
    yr_list_init(&conn->open);
    yr_list_init(&conn->ended);
    yr_list_init(&conn->resumed);
    yr_heap_init(&conn->deadlines);
    yr_buf_init_private(&conn->out, OUT_MAX);
    conn->authority = yr_strdup(authority);
    if (conn->authority == NULL) {
        goto fail;
    }
    status = yr_grpc_session_new(conn, &conn->session);
    if (status != YURPC_OK) {
        goto fail;
    }
    *ret_conn = conn;
    return YURPC_OK;

fail:
    yr_grpc_conn_free(conn);
    return status;
}

static void free_calls(yr_list *calls)
{
    while (!yr_list_is_empty(calls)) {
        yr_grpc_call_free(YR_CONTAINER_OF(calls->next, yr_grpc_call, link));
    }
}

void yr_grpc_conn_free(yr_grpc_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    YR_ASSERT(!conn->is_inside);
    nghttp2_session_del(conn->session);
    free_calls(&conn->waiting);
    free_calls(&conn->open);
    free_calls(&conn->ended);
    yr_buf_deinit(&conn->out);
    yurpc_error_free(conn->error);
    yurpc_error_free(conn->drain_error);
    yr_free(conn->authority);
    yr_free(conn);
}

void yr_grpc_conn_set_tls(yr_grpc_conn *conn)
{
    conn->is_tls = true;
}

/* Takes @p error. */
static void conn_die(yr_grpc_conn *conn, yurpc_error *error)
{
    conn->state = YR_GRPC_CONN_DEAD;
    conn->drain_error = conn->error;
    conn->error = error;
}

void yr_grpc_conn_abandon(yr_grpc_conn *conn)
{
    if (conn->state != YR_GRPC_CONN_DEAD) {
        conn_die(conn, yr_error_new(YURPC_CLOSED, -1, "the connection was closed here"));
    }
    yr_grpc_call *current = conn->current;
    if (current != NULL && !current->is_cancelled) {
        yr_grpc_call_cancel(current);
    }
    free_calls(&conn->waiting);
    free_calls(&conn->open);
    free_calls(&conn->ended);
    conn->call_count = 0;
}

void yr_grpc_conn_set_wake(yr_grpc_conn *conn, yr_grpc_wake_fn *fn, void *context)
{
    conn->wake = fn;
    conn->wake_context = context;
}

void yr_grpc_conn_wake(yr_grpc_conn *conn)
{
    if (conn->wake != NULL && !conn->is_inside) {
        conn->wake(conn->wake_context);
    }
}

yr_grpc_conn_state yr_grpc_conn_get_state(const yr_grpc_conn *conn)
{
    return conn->state;
}

const yurpc_error *yr_grpc_conn_error(const yr_grpc_conn *conn)
{
    return conn->error;
}

size_t yr_grpc_conn_call_count(const yr_grpc_conn *conn)
{
    return conn->call_count;
}

/* End each call of a list, because of the connection's error. */
static void end_calls(yr_grpc_conn *conn, yr_list *calls)
{
    while (!yr_list_is_empty(calls)) {
        yr_grpc_call *call = YR_CONTAINER_OF(calls->next, yr_grpc_call, link);
        yr_grpc_end end = {
            .code = YR_GRPC_UNAVAILABLE,
            .message = yurpc_error_text(conn->error),
            .is_unprocessed = call->stream_id == 0,
            .is_transport = true,
        };
        yr_grpc_call_end(call, &end, NULL, YR_GRPC_NO_RST);
    }
}

void yr_grpc_conn_break(yr_grpc_conn *conn, yurpc_error *error)
{
    if (conn->state == YR_GRPC_CONN_DEAD) {
        yurpc_error_free(error);
        return;
    }
    conn_die(conn, error);
    end_calls(conn, &conn->waiting);
    end_calls(conn, &conn->open);
}

void yr_grpc_conn_drain(yr_grpc_conn *conn, yurpc_error *error)
{
    bool has_error = conn->error != NULL;
    if (conn->state == YR_GRPC_CONN_DEAD || has_error) {
        yurpc_error_free(error);
        return;
    }
    conn->state = YR_GRPC_CONN_DRAINING;
    conn->error = error;
    end_calls(conn, &conn->waiting);
}

static void conn_break_by_nghttp2(yr_grpc_conn *conn, int rv)
{
    bool is_ours = rv == NGHTTP2_ERR_NOMEM;
    yr_grpc_conn_break(conn, is_ours ? yr_error_new(YURPC_NO_MEMORY, -1, "out of memory")
                                     : yr_error_new(YURPC_PROTOCOL, -1,
                                                    "the server at %s broke HTTP/2: %s",
                                                    conn->authority, nghttp2_strerror(rv)));
}

/* ---- What goes out ---- */

/* What was to be sent does not fit, or there is no memory for it. */
static yurpc_status conn_break_sending(yr_grpc_conn *conn, yurpc_status status)
{
    yr_grpc_conn_break(conn, yr_error_new(status, -1, "%s while sending to %s",
                                          yurpc_status_text(status), conn->authority));
    return status;
}

/* Append nghttp2's frames to @p out until it has none or @p len_max bytes are in there. */
static yurpc_status conn_write_frames(yr_grpc_conn *conn, yr_buf *out, size_t len_max)
{
    while (out->len < len_max && conn->state != YR_GRPC_CONN_DEAD) {
        const uint8_t *data = NULL;
        ssize_t len = nghttp2_session_mem_send(conn->session, &data);
        if (len == 0) {
            break;
        }
        if (len < 0) {
            conn_break_by_nghttp2(conn, (int)len);
            return len == NGHTTP2_ERR_NOMEM ? YURPC_NO_MEMORY : YURPC_OK;
        }
        yurpc_status status = yr_buf_append(out, data, (size_t)len);
        if (status != YURPC_OK) {
            return conn_break_sending(conn, status);
        }
    }
    return YURPC_OK;
}

/* Have nghttp2 ask again for the bytes of calls that had none when it asked. */
static void conn_resume_calls(yr_grpc_conn *conn)
{
    yr_list *link = NULL;
    while ((link = yr_list_take_first(&conn->resumed)) != NULL) {
        yr_grpc_call *call = YR_CONTAINER_OF(link, yr_grpc_call, resume_link);
        call->is_deferred = false;
        if (nghttp2_session_resume_data(conn->session, call->stream_id) == NGHTTP2_ERR_NOMEM) {
            conn_break_by_nghttp2(conn, NGHTTP2_ERR_NOMEM);
        }
    }
}

/* Give the call that has waited longest a stream, when the peer allows one more. */
static bool conn_begin_call(yr_grpc_conn *conn)
{
    nghttp2_session *session = conn->session;
    if (conn->state != YR_GRPC_CONN_READY || yr_list_is_empty(&conn->waiting)) {
        return false;
    }
    uint32_t streams_max =
        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (conn->stream_count >= streams_max) {
        return false;
    }
    yr_grpc_call *call = YR_CONTAINER_OF(conn->waiting.next, yr_grpc_call, link);
    if (call->deadline.is_in) {
        yr_grpc_head_set_timeout(call->head, call->deadline.key - conn->now_ms);
    }
    nghttp2_data_provider provider = {.read_callback = yr_grpc_call_read};
    int32_t stream_id = nghttp2_submit_request(session, NULL, call->head->fields,
                                               call->head->count, &provider, call);
    if (stream_id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
        yr_grpc_conn_drain(conn, yr_error_new(YURPC_UNAVAILABLE, -1,
                                              "the connection to %s has no stream ids left",
                                              conn->authority));
        return false;
    }
    if (stream_id < 0) {
        conn_break_by_nghttp2(conn, stream_id);
        return false;
    }
    if (yr_list_is_empty(&conn->open)) { /* silence counts only while a call is open */
        conn->silent_since_ms = conn->now_ms;
        conn->ping_at_ms = -1;
    }
    conn->stream_count++;
    call->stream_id = stream_id;
    yr_list_remove(&call->link);
    yr_list_append(&conn->open, &call->link);
    return true;
}

yurpc_status yr_grpc_conn_output(yr_grpc_conn *conn, yr_buf *out)
{
    size_t len_max = out->len + YR_GRPC_OUTPUT_STEP;
    yurpc_status status = yr_buf_append(out, conn->out.data, conn->out.len);
    if (status != YURPC_OK) {
        return conn_break_sending(conn, status);
    }
    yr_buf_clear(&conn->out);
    if (conn->state == YR_GRPC_CONN_DEAD) {
        return YURPC_OK;
    }
    conn_resume_calls(conn);
    status = conn_write_frames(conn, out, len_max);
    while (status == YURPC_OK && out->len < len_max && conn_begin_call(conn)) {
        status = conn_write_frames(conn, out, len_max);
    }
    return status;
}

/* ---- What comes in ---- */

static void conn_enter(yr_grpc_conn *conn, int64_t now_ms)
{
    YR_ASSERT(!conn->is_inside);
    conn->is_inside = true;
    conn->now_ms = now_ms > conn->now_ms ? now_ms : conn->now_ms;
}

/* Tell the calls that have ended. They may begin, send on and cancel others meanwhile. */
static void conn_leave(yr_grpc_conn *conn)
{
    yr_list *link = NULL;
    while ((link = yr_list_take_first(&conn->ended)) != NULL) {
        yr_grpc_call *call = YR_CONTAINER_OF(link, yr_grpc_call, link);
        conn->call_count--;
        call->events.on_end(call->context, &call->end);
        yr_grpc_call_free(call);
    }
    conn->is_inside = false;
}

/* The peer does not speak HTTP/2. */
static void conn_break_foreign(yr_grpc_conn *conn)
{
    yr_grpc_conn_break(conn,
                       yr_grpc_greeting_error(&conn->greeting, conn->authority, conn->is_tls));
}

/*
 * Look at the first bytes of the connection. False: they are not HTTP/2; then they are kept
 * until there is a line of them to quote, and nothing goes to nghttp2.
 */
static bool conn_check_greeting(yr_grpc_conn *conn, yurpc_bytes bytes)
{
    yr_grpc_greeting_hear(&conn->greeting, bytes);
    if (conn->greeting.is_foreign && conn->foreign_at_ms < 0) {
        conn->foreign_at_ms = conn->now_ms;
    }
    if (conn->greeting.is_whole) {
        conn_break_foreign(conn);
    }
    return !conn->greeting.is_foreign;
}

void yr_grpc_conn_feed(yr_grpc_conn *conn, yurpc_bytes bytes, int64_t now_ms)
{
    conn_enter(conn, now_ms);
    bool is_fit = conn->state != YR_GRPC_CONN_DEAD &&
                  (conn->greeting.is_http2 || conn_check_greeting(conn, bytes));
    if (is_fit && bytes.len > 0) {
        conn->silent_since_ms = conn->now_ms;
        conn->ping_at_ms = -1;
        ssize_t rv = nghttp2_session_mem_recv(conn->session, bytes.data, bytes.len);
        if (rv < 0) {
            conn_break_by_nghttp2(conn, (int)rv);
        }
        /* nghttp2 tells of most violations only when its GOAWAY is sent: so let it send. */
        if (conn_write_frames(conn, &conn->out, YR_GRPC_OUTPUT_STEP) != YURPC_OK) {
            YR_ASSERT(conn->state == YR_GRPC_CONN_DEAD);
        }
    }
    conn_leave(conn);
}

void yr_grpc_conn_fail(yr_grpc_conn *conn, const yurpc_error *error)
{
    conn_enter(conn, conn->now_ms);
    bool is_silent = conn->state == YR_GRPC_CONN_OPENING && conn->greeting.len == 0;
    if (conn->state == YR_GRPC_CONN_DEAD) {
        /* the calls end for the reason that was first */
    } else if (conn->foreign_at_ms >= 0 || (is_silent && error == NULL)) {
        conn_break_foreign(conn);
    } else if (error != NULL) {
        yr_grpc_conn_break(conn, yr_error_copy(error));
    } else if (conn->error != NULL) {
        yr_grpc_conn_break(conn, yr_error_copy(conn->error));
    } else {
        yr_grpc_conn_break(conn, yr_error_new(YURPC_UNAVAILABLE, -1,
                                              "the server at %s closed the connection",
                                              conn->authority));
    }
    conn_leave(conn);
}

/* ---- Time ---- */

/* Both are absolute; INT64_MAX: never. */
static int64_t conn_ping_due_ms(const yr_grpc_conn *conn)
{
    bool is_up = conn->state == YR_GRPC_CONN_READY || conn->state == YR_GRPC_CONN_DRAINING;
    if (!is_up || yr_list_is_empty(&conn->open)) {
        return INT64_MAX;
    }
    return conn->ping_at_ms >= 0 ? conn->ping_at_ms + YR_GRPC_PING_ACK_MS
                                 : conn->silent_since_ms + YR_GRPC_PING_AFTER_MS;
}

int64_t yr_grpc_conn_next_ms(const yr_grpc_conn *conn)
{
    if (!yr_list_is_empty(&conn->ended)) {
        return conn->now_ms;
    }
    if (conn->state == YR_GRPC_CONN_DEAD) {
        return INT64_MAX;
    }
    int64_t next_ms = conn_ping_due_ms(conn);
    const yr_heap_node *deadline = yr_heap_first(&conn->deadlines);
    if (deadline != NULL && deadline->key < next_ms) {
        next_ms = deadline->key;
    }
    if (conn->foreign_at_ms >= 0 && conn->foreign_at_ms + FOREIGN_WAIT_MS < next_ms) {
        next_ms = conn->foreign_at_ms + FOREIGN_WAIT_MS;
    }
    return next_ms;
}

static void conn_end_overdue(yr_grpc_conn *conn)
{
    yr_heap_node *node = NULL;
    while ((node = yr_heap_first(&conn->deadlines)) != NULL && node->key <= conn->now_ms) {
        yr_grpc_call *call = YR_CONTAINER_OF(node, yr_grpc_call, deadline);
        yr_grpc_end end = {
            .code = YR_GRPC_DEADLINE_EXCEEDED,
            .message = call->stream_id == 0 ? "the deadline passed before the call was sent"
                                            : "the deadline passed without an answer",
            .is_unprocessed = call->stream_id == 0,
        };
        yr_grpc_call_end(call, &end, NULL, NGHTTP2_CANCEL);
    }
}

static void conn_ping(yr_grpc_conn *conn)
{
    int64_t due_ms = conn_ping_due_ms(conn);
    if (conn->now_ms < due_ms) {
        return;
    }
    bool is_late = conn->now_ms - due_ms > LATE_MS;
    if (conn->ping_at_ms >= 0 && is_late) { /* we slept: the answer may wait to be read */
        conn->ping_at_ms = conn->now_ms;
        return;
    }
    if (conn->ping_at_ms >= 0) {
        yr_grpc_conn_break(
            conn, yr_error_new(YURPC_UNAVAILABLE, -1,
                               "no answer from the server at %s for %d s", conn->authority,
                               (YR_GRPC_PING_AFTER_MS + YR_GRPC_PING_ACK_MS) / 1000));
        return;
    }
    conn->ping_at_ms = conn->now_ms;
    if (nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL) != 0) {
        conn_break_by_nghttp2(conn, NGHTTP2_ERR_NOMEM);
    }
}

void yr_grpc_conn_tick(yr_grpc_conn *conn, int64_t now_ms)
{
    conn_enter(conn, now_ms);
    if (conn->state != YR_GRPC_CONN_DEAD) {
        conn_end_overdue(conn);
        if (conn->foreign_at_ms >= 0 && conn->now_ms - conn->foreign_at_ms >= FOREIGN_WAIT_MS) {
            conn_break_foreign(conn);
        }
        conn_ping(conn);
    }
    conn_leave(conn);
}

/* ---- Calls ---- */

static yurpc_status call_new(yr_grpc_conn *conn, const yr_grpc_request *request,
                             yr_grpc_call **ret_call)
{
    yr_grpc_call *call = yr_calloc(1, sizeof *call);
    if (call == NULL) {
        return YURPC_NO_MEMORY;
    }
    call->conn = conn;
    yr_list_init(&call->link);
    yr_list_init(&call->resume_link);
    if (request->is_secret) {
        yr_buf_init_private(&call->out, (size_t)2 * YR_GRPC_SEND_QUEUE_MAX);
    } else {
        yr_buf_init(&call->out, (size_t)2 * YR_GRPC_SEND_QUEUE_MAX);
    }
    yr_grpc_deframer_init(&call->deframer, YR_GRPC_MESSAGE_MAX);
    yr_grpc_headers_init(&call->headers, YR_GRPC_HEADER_LIST_MAX);
    yurpc_status status = yr_grpc_head_new(conn->authority, conn->is_tls, request, &call->head);
    if (status != YURPC_OK) {
        goto fail;
    }
    if (request->message.data != NULL) {
        status = yr_grpc_call_send(call, request->message);
        if (status != YURPC_OK) {
            goto fail;
        }
    }
    call->is_finished = request->is_half_closed;
    *ret_call = call;
    return YURPC_OK;

fail:
    yr_grpc_call_free(call);
    return status;
}

yurpc_status yr_grpc_conn_call(yr_grpc_conn *conn, int64_t now_ms,
                               const yr_grpc_request *request, const yr_grpc_events *events,
                               void *context, yr_grpc_call **ret_call)
{
    bool is_open = conn->state == YR_GRPC_CONN_OPENING || conn->state == YR_GRPC_CONN_READY;
    if (!is_open) {
        return YURPC_UNAVAILABLE;
    }
    if (conn->call_count >= YR_GRPC_CALLS_MAX) {
        return YURPC_TOO_LARGE;
    }
    yr_grpc_call *call = NULL;
    yurpc_status status = call_new(conn, request, &call);
    if (status != YURPC_OK) {
        return status;
    }
    conn->now_ms = now_ms > conn->now_ms ? now_ms : conn->now_ms;
    call->events = *events;
    call->context = context;
    conn->call_count++;
    yr_list_append(&conn->waiting, &call->link);
    if (request->deadline_ms > 0) {
        bool is_far = request->deadline_ms > INT64_MAX - conn->now_ms;
        yr_heap_insert(&conn->deadlines, &call->deadline,
                       is_far ? INT64_MAX : conn->now_ms + request->deadline_ms);
    }
    yr_grpc_conn_wake(conn);
    *ret_call = call;
    return YURPC_OK;
}
