/* What grpc_server.c (connections) and grpc_call.c (HTTP/2 and calls) share. */
#ifndef YR_FAKE_GRPC_CORE_H
#define YR_FAKE_GRPC_CORE_H

#include "base/list.h"
#include "fake/blob.h"
#include "fake/grpc_server.h"

#include <nghttp2/nghttp2.h>

struct yr_fake_server {
    yr_io *io; /* NULL: the test carries the bytes */
    char *host;
    uint16_t port;
    yr_listener *listener;
    yr_fake_handlers handlers;
    void *context;
    yr_fake_options options;
    yr_fake_stats stats;
    yr_list conns; /* the newest first */
    int64_t now_ms;
};

struct yr_fake_conn {
    yr_fake_server *server;
    yr_list link;
    yr_stream *stream;
    nghttp2_session *session;
    yr_list calls;
    yr_task flush;
    yr_fake_blob out;  /* frames to be written */
    yr_fake_blob raw;  /* goes behind them */
    yr_fake_blob kept; /* came while frozen */
    size_t written;    /* of out: gone already, or lent by the last yr_fake_conn_output() */
    int depth;         /* nghttp2 or a handler of ours is at work */
    bool is_frozen;
    bool is_dropped;
    bool is_finishing;     /* FIN when all was written */
    bool is_foreign;       /* says a greeting instead of HTTP/2 */
    int64_t last_ping_ms;  /* -1: none */
    int strikes;           /* PINGs that came too soon */
    bool is_ping_forgiven; /* something was sent since the last PING */
};

struct yr_fake_call {
    yr_fake_conn *conn;
    yr_list link;
    int32_t stream_id;
    char *path;
    char **headers; /* name, value, name, value, … */
    size_t header_count;
    void *data;
    yr_fake_blob in;  /* a message under way */
    yr_fake_blob out; /* framed messages */
    size_t out_at;
    char **trailers; /* name, value, … */
    size_t trailer_count;
    bool has_headers;  /* the response's were sent */
    bool has_ended;    /* no more may be sent */
    bool is_early;     /* RST_STREAM follows the trailers */
    bool is_refused;   /* what still comes is not looked at */
    bool is_announced; /* on_call was called */
    bool is_deferred;  /* nghttp2 waits for more to send */
};

/* ---- grpc_call.c ---- */

nghttp2_session *yr_fake_session_new(yr_fake_conn *conn);

/* Call on_close and free. */
void yr_fake_call_free(yr_fake_call *call);

/* ---- grpc_server.c ---- */

/* There is something to send. */
void yr_fake_conn_wake(yr_fake_conn *conn);

int64_t yr_fake_server_now(const yr_fake_server *server);

#endif /* YR_FAKE_GRPC_CORE_H */
