/*
 * One gRPC call: unary or a stream in both directions.
 *
 * A call lives until its on_end callback returns, or until it is cancelled. Callbacks never
 * run inside yr_grpc_conn_call() or a function of this file.
 */
#ifndef YR_GRPC_CALL_H
#define YR_GRPC_CALL_H

#include <yurpc/bytes.h>
#include <yurpc/error.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct yr_grpc_call yr_grpc_call;

/* gRPC's own status codes that we name. Source: grpc/grpc doc/statuscodes.md. */
enum {
    YR_GRPC_OK = 0,
    YR_GRPC_CANCELLED = 1,
    YR_GRPC_UNKNOWN = 2,
    YR_GRPC_INVALID_ARGUMENT = 3,
    YR_GRPC_DEADLINE_EXCEEDED = 4,
    YR_GRPC_NOT_FOUND = 5,
    YR_GRPC_ALREADY_EXISTS = 6,
    YR_GRPC_PERMISSION_DENIED = 7,
    YR_GRPC_RESOURCE_EXHAUSTED = 8,
    YR_GRPC_FAILED_PRECONDITION = 9,
    YR_GRPC_ABORTED = 10,
    YR_GRPC_OUT_OF_RANGE = 11,
    YR_GRPC_UNIMPLEMENTED = 12,
    YR_GRPC_INTERNAL = 13,
    YR_GRPC_UNAVAILABLE = 14,
    YR_GRPC_DATA_LOSS = 15,
    YR_GRPC_UNAUTHENTICATED = 16,
};

typedef struct yr_grpc_header {
    const char *name; /* lower case */
    const char *value;
    bool is_secret; /* kept out of the compression table */
} yr_grpc_header;

typedef struct yr_grpc_request {
    const char *path;              /* "/etcdserverpb.KV/Range" */
    const yr_grpc_header *headers; /* more metadata; copied */
    size_t header_count;
    int64_t deadline_ms; /* from now, sent as grpc-timeout and enforced here; 0: none */
    yurpc_bytes message; /* sent at once when not NULL; copied */
    bool is_half_closed; /* nothing follows: unary */
    bool is_secret;      /* our copy of the message is private memory (base/mem.h) */
} yr_grpc_request;

/* A piece of a received message, in order. An empty message is one empty part. */
typedef struct yr_grpc_part {
    yurpc_bytes bytes;  /* borrowed */
    size_t message_len; /* of the whole message */
    bool is_first;
    bool is_last;
} yr_grpc_part;

/* How a call ended. */
typedef struct yr_grpc_end {
    int code;            /* gRPC status; that of the transport's failure is UNAVAILABLE */
    const char *message; /* the peer's text or ours; never NULL; borrowed; printable */
    bool is_remote;      /* the server itself said so, in trailers */
    bool is_unprocessed; /* the server has certainly not seen the request: safe to repeat */
    bool is_transport;   /* the connection failed, not only the call */
} yr_grpc_end;

typedef struct yr_grpc_events {
    void (*on_part)(void *context, const yr_grpc_part *part);
    void (*on_end)(void *context, const yr_grpc_end *end); /* exactly once, last */
} yr_grpc_events;

/* Queue one message. YURPC_TOO_LARGE past YR_GRPC_SEND_QUEUE_MAX; YURPC_CLOSED when half
 * closed. */
YURPC_NODISCARD yurpc_status yr_grpc_call_send(yr_grpc_call *call, yurpc_bytes message);

/* No more messages. Twice is once. */
void yr_grpc_call_finish(yr_grpc_call *call);

/* End the call now, without a callback: the handle is gone. Allowed inside its callbacks, but
 * not in on_end. */
void yr_grpc_call_cancel(yr_grpc_call *call);

#endif /* YR_GRPC_CALL_H */
