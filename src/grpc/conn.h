/*
 * The client's side of one HTTP/2 connection that carries gRPC calls: a state machine.
 *
 * It does no I/O. Feed it what the peer sent and the time; it calls back with what happened
 * to the calls, and yr_grpc_conn_output() gives what has to be sent. grpc/channel.h ties it
 * to a byte stream.
 *
 * Limits are there from the start: headers, message length, frames of control, bytes waiting.
 * Receive windows are large; the connection's is credited on receipt, so that one unread call
 * never stalls another. PINGs go out only while a call is open and never faster than
 * YR_GRPC_PING_AFTER_MS, because etcd answers faster ones with GOAWAY too_many_pings.
 *
 * Sources: RFC 9113; grpc/grpc doc/PROTOCOL-HTTP2.md; grpc/grpc
 * doc/http-grpc-status-mapping.md.
 */
#ifndef YR_GRPC_CONN_H
#define YR_GRPC_CONN_H

#include "base/buf.h"
#include "grpc/call.h"

enum {
    YR_GRPC_HEADER_LIST_MAX = 16 * 1024,       /* bytes of headers or trailers of one call */
    YR_GRPC_MESSAGE_MAX = 64 * 1024 * 1024,    /* bytes of one received message */
    YR_GRPC_SEND_QUEUE_MAX = 16 * 1024 * 1024, /* bytes of one call waiting to be sent */
    YR_GRPC_STREAM_WINDOW = 16 * 1024 * 1024,  /* receive window of a call */
    YR_GRPC_CONN_WINDOW = 64 * 1024 * 1024,    /* receive window of the connection */
    YR_GRPC_CALLS_MAX = 10000,                 /* calls open or waiting at once */
    YR_GRPC_OUTPUT_STEP = 256 * 1024,          /* bytes of one yr_grpc_conn_output() */
    YR_GRPC_PING_AFTER_MS = 5500,              /* of silence while a call is open */
    YR_GRPC_PING_ACK_MS = 2500,                /* then the peer is dead */
};

typedef struct yr_grpc_conn yr_grpc_conn;

typedef enum yr_grpc_conn_state {
    YR_GRPC_CONN_OPENING,  /* the peer's SETTINGS have not come yet */
    YR_GRPC_CONN_READY,    /* new calls go out */
    YR_GRPC_CONN_DRAINING, /* GOAWAY, or stream ids used up: open calls go on, new ones are
                              refused */
    YR_GRPC_CONN_DEAD,     /* nothing goes on; yr_grpc_conn_error() says why */
} yr_grpc_conn_state;

/* @p authority (copied) becomes the :authority of every call, for example "127.0.0.1:2379". */
YURPC_NODISCARD yurpc_status yr_grpc_conn_new(const char *authority, int64_t now_ms,
                                              yr_grpc_conn **ret_conn);

/* The bytes travel in TLS: requests say so, and hints do not ask for it. Before the first call.
 */
void yr_grpc_conn_set_tls(yr_grpc_conn *conn);

/* Ends without callbacks. NULL is allowed. Not inside a callback of this connection. */
void yr_grpc_conn_free(yr_grpc_conn *conn);

/* Also inside callbacks: all calls end without callback, and the connection is DEAD. */
void yr_grpc_conn_abandon(yr_grpc_conn *conn);

/*
 * Have @p fn called when there may be something to send, or a tick due sooner, that neither
 * feed nor tick caused: a call or a message was begun. It may only take note of that.
 */
typedef void yr_grpc_wake_fn(void *context);
void yr_grpc_conn_set_wake(yr_grpc_conn *conn, yr_grpc_wake_fn *fn, void *context);

yr_grpc_conn_state yr_grpc_conn_get_state(const yr_grpc_conn *conn);

/* Why the connection is dead or draining; NULL otherwise. Borrowed. */
const yurpc_error *yr_grpc_conn_error(const yr_grpc_conn *conn);

/* Calls that have not ended. */
size_t yr_grpc_conn_call_count(const yr_grpc_conn *conn);

/*
 * Take bytes from the peer. When it violates the protocol, all calls end, the state is DEAD,
 * and the rest of the bytes is ignored. A peer that is not HTTP/2 at all is named by its first
 * printable bytes (at most 32).
 */
void yr_grpc_conn_feed(yr_grpc_conn *conn, yurpc_bytes bytes, int64_t now_ms);

/* The transport is gone, because of @p error (NULL: closed in order): all calls end; DEAD. */
void yr_grpc_conn_fail(yr_grpc_conn *conn, const yurpc_error *error);

/*
 * Append what has to be sent to @p out, but stop after YR_GRPC_OUTPUT_STEP bytes: there is
 * nothing left when nothing was appended. Fails as yr_buf_append(); then the connection is
 * DEAD, and the calls end with the next tick, which is due at once.
 */
YURPC_NODISCARD yurpc_status yr_grpc_conn_output(yr_grpc_conn *conn, yr_buf *out);

/* When yr_grpc_conn_tick() has to be called next, absolute; INT64_MAX: not at all. */
int64_t yr_grpc_conn_next_ms(const yr_grpc_conn *conn);

/* Deadlines of calls, PING, dead-peer detection. */
void yr_grpc_conn_tick(yr_grpc_conn *conn, int64_t now_ms);

/*
 * Begin a call. Before READY it waits, its deadline running. Fails with YURPC_UNAVAILABLE when
 * DRAINING or DEAD, YURPC_TOO_LARGE at YR_GRPC_CALLS_MAX or for headers or a message past their
 * limits, YURPC_INVALID for a header that HTTP forbids, YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_grpc_conn_call(yr_grpc_conn *conn, int64_t now_ms,
                                               const yr_grpc_request *request,
                                               const yr_grpc_events *events, void *context,
                                               yr_grpc_call **ret_call);

#endif /* YR_GRPC_CONN_H */
