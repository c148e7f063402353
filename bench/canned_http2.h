/*
 * The canned server's side of one connection: HTTP/2 and gRPC by hand, as fast as it goes.
 *
 * It obeys the windows of the client, acknowledges what wants to be, and takes for granted that
 * the client is right: requests are small, headers come in one frame.
 */
#ifndef YR_CANNED_HTTP2_H
#define YR_CANNED_HTTP2_H

#include "canned_bytes.h"

#include <stdbool.h>

typedef struct yr_canned_conn yr_canned_conn;

/* What all connections share. */
typedef struct yr_canned {
    yr_canned_list list;
    size_t changes;  /* of a storm */
    bool has_begun;  /* a Put came: storms are to begin */
    uint64_t number; /* of requests so far */
} yr_canned;

/* Takes @p fd, which does not block. NULL: out of memory. */
yr_canned_conn *yr_canned_conn_new(yr_canned *canned, int fd);
void yr_canned_conn_free(yr_canned_conn *conn);

int yr_canned_conn_fd(const yr_canned_conn *conn);

/* Whether it waits until it can send. */
bool yr_canned_conn_is_blocked(const yr_canned_conn *conn);

/* Read what there is, and answer. False: the connection is over. */
bool yr_canned_conn_read(yr_canned_conn *conn);

/* Send what can be. False: the connection is over. */
bool yr_canned_conn_flush(yr_canned_conn *conn);

#endif /* YR_CANNED_HTTP2_H */
