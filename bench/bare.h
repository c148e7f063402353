/*
 * The yardstick for what goes over the wire: HTTP/2 by hand on a blocking socket.
 *
 * It sends requests and reads the bytes of the answers, and understands of HTTP/2 just what
 * that needs: no header is decoded, no error recovered from, nothing copied. A floor, not a
 * client.
 */
#ifndef YR_BARE_H
#define YR_BARE_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { YR_BARE_BUFFER_SIZE = 256 * 1024 };

typedef struct yr_bare {
    int fd;
    uint32_t next_stream;
    int64_t send_window; /* of the connection */
    size_t begin;        /* what is buffered and not yet handled */
    size_t end;
    uint8_t buffer[YR_BARE_BUFFER_SIZE];
} yr_bare;

/* What came on a stream. */
typedef struct yr_bare_event {
    uint32_t stream;
    yurpc_bytes data; /* of one DATA frame, valid until the next call; may be empty */
    bool is_end;      /* the answer ends with it */
} yr_bare_event;

/* A TCP connection to "http://127.0.0.1:PORT", without delay; -1: errno says why. */
int yr_bare_dial(const char *address);

/* Connect and say hello. False: errno says why. To be closed either way. */
bool yr_bare_open(yr_bare *bare, const char *address);
void yr_bare_close(yr_bare *bare);

/* Whether a message of @p len may be sent now; if not, take events until it may. */
bool yr_bare_may_send(const yr_bare *bare, size_t len);

/*
 * Send a request, whole, as one gRPC message; @p is_open: the stream stays open for more. Gives
 * the stream, or 0 on failure.
 */
uint32_t yr_bare_request(yr_bare *bare, const char *path, yurpc_bytes message, bool is_open);

/* Wait for what comes next. False: the connection or a stream failed. */
bool yr_bare_take(yr_bare *bare, yr_bare_event *ret_event);

/* Request and wait for the whole answer; gives the bytes of its messages, -1 on failure. */
int64_t yr_bare_call(yr_bare *bare, const char *path, yurpc_bytes message);

#endif /* YR_BARE_H */
