/*
 * What the files of the connection share: conn.c, frames.c and call.c. Not for others.
 *
 * A call is in exactly one of three lists: waiting (not begun), open (has a stream), ended (its
 * on_end is due). on_end runs only from conn_deliver(), after the bytes were taken, never
 * inside nghttp2; on_part runs inside, straight from the frame. A stream whose call is gone
 * has no user data, so that nothing of nghttp2's can reach a call that was freed.
 */
#ifndef YR_GRPC_CORE_H
#define YR_GRPC_CORE_H

#include "base/heap.h"
#include "base/list.h"
#include "grpc/conn.h"
#include "grpc/deframer.h"
#include "grpc/greeting.h"
#include "grpc/head.h"
#include "grpc/headers.h"

#include <nghttp2/nghttp2.h>

struct yr_grpc_call {
    yr_grpc_conn *conn;
    yr_list link;
    yr_list resume_link; /* in conn->resumed: has new bytes, but its stream was put aside */
    yr_heap_node deadline;
    yr_grpc_events events;
    void *context;
    yr_grpc_head *head; /* until it was sent */
    int32_t stream_id;  /* 0: not begun */
    bool is_finished;   /* no more messages will be queued */
    bool is_deferred;   /* nghttp2 does not ask for bytes until told */
    bool is_cancelled;  /* inside its own on_part: to be freed after it */
    bool has_ended;
    yr_buf out; /* framed messages; the first out_at bytes were sent */
    size_t out_at;
    yr_grpc_deframer deframer;
    yr_grpc_headers headers;
    yr_grpc_end end;
    yurpc_error *end_text; /* holds end.message when that was composed */
};

struct yr_grpc_conn {
    char *authority;
    bool is_tls;
    nghttp2_session *session;
    yr_grpc_conn_state state;
    yurpc_error *error;
    yurpc_error *drain_error; /* why a dead one drained: calls not yet told quote it */
    int64_t now_ms;
    yr_list waiting;
    yr_list open;
    yr_list ended;
    yr_list resumed;
    yr_heap deadlines;
    size_t call_count;
    size_t stream_count;   /* streams that nghttp2 has; more than open calls after a cancel */
    yr_grpc_call *current; /* its on_part runs */
    bool is_inside;        /* in feed, fail or tick */
    yr_buf out;            /* sent by nghttp2 during a feed */
    yr_grpc_wake_fn *wake;
    void *wake_context;

    int64_t silent_since_ms; /* nothing came, while a stream was open */
    int64_t ping_at_ms;      /* when the unanswered PING was sent; -1: none */

    yr_grpc_greeting greeting;
    int64_t foreign_at_ms; /* when it showed that the peer does not speak HTTP/2; -1: not */

    int64_t idle_since_ms; /* start of the second in which idle frames are counted */
    uint32_t idle_frames;
};

/* ---- conn.c ---- */

/* The connection is of no more use: all calls end. Takes @p error. Nothing when dead already.
 */
void yr_grpc_conn_break(yr_grpc_conn *conn, yurpc_error *error);

/* No new calls; those waiting end. Takes @p error. */
void yr_grpc_conn_drain(yr_grpc_conn *conn, yurpc_error *error);

/* Something is to be sent, or a call's end to be delivered. */
void yr_grpc_conn_wake(yr_grpc_conn *conn);

/* ---- frames.c ---- */

/* A client session with all callbacks, its SETTINGS queued. */
YURPC_NODISCARD yurpc_status yr_grpc_session_new(yr_grpc_conn *conn,
                                                 nghttp2_session **ret_session);

/* ---- call.c ---- */

/* Unlinks the call and frees it, without callback and without telling nghttp2. */
void yr_grpc_call_free(yr_grpc_call *call);

/*
 * The call is over: it leaves its stream, and its on_end is due. RST_STREAM is sent with the
 * error @p rst. Takes @p text, which may be NULL, and is the message otherwise.
 */
enum { YR_GRPC_NO_RST = -1 };
void yr_grpc_call_end(yr_grpc_call *call, const yr_grpc_end *end, yurpc_error *text, int rst);

/* nghttp2 wants bytes to send (nghttp2_data_source_read_callback). */
ssize_t yr_grpc_call_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf,
                          size_t length, uint32_t *data_flags, nghttp2_data_source *source,
                          void *user_data);

#endif /* YR_GRPC_CORE_H */
