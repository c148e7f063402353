/* One end of a connection in a test: what it saw, and what it does about it. */
#ifndef YR_TESTS_NET_END_H
#define YR_TESTS_NET_END_H

#include "net/io.h"

typedef struct net_end {
    yr_stream *stream; /* NULL: none, or closed */
    yr_tls *tls;       /* to connect with; NULL: none */
    bool is_open;
    bool is_ended;
    yurpc_status end_status;
    char end_text[256];
    size_t received;
    uint64_t hash;        /* of all that was received, in order */
    char first[16];       /* the first bytes of it */
    size_t calls;         /* of on_data */
    size_t drains;        /* calls of on_drain */
    bool is_echoing;      /* sends back what comes */
    size_t pump;          /* bytes to write, a block when open and at each drain */
    const char *close_in; /* the callback in which it closes itself: "open", "data", … */
} net_end;

/* The context is the net_end. The callbacks check that they may be called. */
extern const yr_stream_events net_end_events;

yurpc_status net_end_connect(net_end *end, yr_io *io, const char *host, uint16_t port,
                             int64_t timeout_ms);

/* A yr_accept_fn; the context is a net_end without a stream. */
void net_end_accept(void *context, yr_stream *stream);

void net_end_write(net_end *end, const char *text);

/* Close, if it is not closed. */
void net_end_close(net_end *end);

/* The hash that receiving @p bytes after @p hash gives; it begins with 0. */
uint64_t net_end_hash(uint64_t hash, yurpc_bytes bytes);

#endif /* YR_TESTS_NET_END_H */
