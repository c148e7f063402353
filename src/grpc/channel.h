/*
 * A gRPC connection to one server: grpc/conn.h on a byte stream of net/io.h.
 *
 * A channel connects once. When it is down it stays down, and its owner makes a new one, to
 * the same server or another: which and when is not decided here.
 */
#ifndef YR_GRPC_CHANNEL_H
#define YR_GRPC_CHANNEL_H

#include "grpc/call.h"
#include "net/io.h"

typedef struct yr_grpc_channel yr_grpc_channel;

typedef struct yr_grpc_channel_events {
    void (*on_ready)(void *context); /* connected, and the peer's SETTINGS have come */

    /*
     * New calls are refused from now on (GOAWAY); open ones go on. Make a new channel, and
     * close this one when its calls have ended. May be left out by the peer.
     */
    void (*on_draining)(void *context);

    /* Dead. Each call got its on_end before. The owner still has to close it. */
    void (*on_down)(void *context, const yurpc_error *error);
} yr_grpc_channel_events;

typedef struct yr_grpc_channel_options {
    const char *host; /* copied */
    uint16_t port;
    int64_t connect_timeout_ms; /* name, TCP, TLS and first SETTINGS together */
    yr_tls *tls;                /* NULL: none; lives longer than the channel */
} yr_grpc_channel_options;

/* Begin to connect. */
YURPC_NODISCARD yurpc_status yr_grpc_channel_new(yr_io *io,
                                                 const yr_grpc_channel_options *options,
                                                 const yr_grpc_channel_events *events,
                                                 void *context, yr_grpc_channel **ret_channel);

/* Close at once; open calls end without callback. NULL is allowed. Also inside callbacks. */
void yr_grpc_channel_close(yr_grpc_channel *channel);

/* As yr_grpc_conn_call(). What is sent in one turn of the loop leaves in one write. */
YURPC_NODISCARD yurpc_status yr_grpc_channel_call(yr_grpc_channel *channel,
                                                  const yr_grpc_request *request,
                                                  const yr_grpc_events *events, void *context,
                                                  yr_grpc_call **ret_call);

/* Calls that have not ended. */
size_t yr_grpc_channel_call_count(const yr_grpc_channel *channel);

#endif /* YR_GRPC_CHANNEL_H */
