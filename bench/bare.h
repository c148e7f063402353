/*
 * The yardstick for what goes over the wire: nghttp2 on a blocking socket.
 *
 * It sends requests and hands on the bytes of the answers as they come. It looks at no header,
 * has no deadline and recovers from nothing. A floor, not a client.
 */
#ifndef YR_BARE_H
#define YR_BARE_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of an answer, borrowed; or, with none, that it has ended. */
typedef void yr_bare_data_fn(void *context, int32_t stream, yurpc_bytes data, bool is_end);

typedef struct nghttp2_session yr_http2_session; /* nghttp2's */
typedef struct yr_bare_message yr_bare_message;

typedef struct yr_bare {
    int fd; /* -1: none */
    bool has_failed;
    yr_http2_session *session;
    uint8_t *buffer;          /* for what comes, then for what goes */
    yr_bare_data_fn *on_data; /* NULL: nobody looks at the bytes */
    void *context;
    int32_t called;        /* the stream that yr_bare_call() waits for */
    int64_t called_len;    /* of its answer, so far */
    yr_bare_message *open; /* messages of streams that stay open */
} yr_bare;

/* A TCP connection to "http://127.0.0.1:PORT", without delay; -1: errno says why. */
int yr_bare_dial(const char *address);

/* Connect. False: it failed. To be closed either way. */
bool yr_bare_open(yr_bare *bare, const char *address, yr_bare_data_fn *on_data, void *context);
void yr_bare_close(yr_bare *bare);

/*
 * Have @p message sent as one gRPC message with the next turn; copied. @p is_open: the stream
 * stays open for more, which nothing here sends. Gives the stream, or 0 on failure.
 */
int32_t yr_bare_request(yr_bare *bare, const char *path, yurpc_bytes message, bool is_open);

/* Send what there is, then wait for bytes and handle them. False: the connection failed. */
bool yr_bare_turn(yr_bare *bare);

/* Request and wait for the whole answer; gives the bytes of its messages, -1 on failure. */
int64_t yr_bare_call(yr_bare *bare, const char *path, yurpc_bytes message);

#endif /* YR_BARE_H */
