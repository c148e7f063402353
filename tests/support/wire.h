/*
 * gRPC calls as a plain program makes them, one after the other: src/grpc on a world that is
 * run while something is waited for. Raw messages: this tests servers, not our etcd client.
 */
#ifndef YR_WIRE_H
#define YR_WIRE_H

#include "net/io.h"

typedef struct yr_wire yr_wire;
typedef struct yr_wire_call yr_wire_call;

/* Lets the world of the wire run a little, or until something happens. */
typedef void yr_wire_turn_fn(void *context);

typedef struct yr_wire_options {
    yr_io *io;
    const char *host; /* not copied */
    uint16_t port;
    yr_wire_turn_fn *turn;
    void *context;
} yr_wire_options;

/* It connects when the first call is made. */
yr_wire *yr_wire_new(const yr_wire_options *options);
void yr_wire_free(yr_wire *wire);

/* Forget the connection; open calls end. The next call makes a new one. */
void yr_wire_disconnect(yr_wire *wire);

/* What every later call has as the metadata "token" (copied); NULL: none. */
void yr_wire_set_token(yr_wire *wire, const char *token);

/* Put the token aside, and take the one that was put aside before. */
void yr_wire_swap_token(yr_wire *wire);

/* Let the loop run; at most @p ms. */
void yr_wire_run(yr_wire *wire, int64_t ms);

/*
 * Begin a call; NULL: it cannot be, which is printed. With a @p message it is a unary one, else
 * a stream (with the metadata "hasleader: true").
 */
yr_wire_call *yr_wire_open(yr_wire *wire, const char *path, const yurpc_bytes *message);
void yr_wire_close(yr_wire_call *call); /* NULL is allowed */

bool yr_wire_send(yr_wire_call *call, yurpc_bytes message);
void yr_wire_finish(yr_wire_call *call);

/*
 * The next message, awaited for at most @p ms; false: none came, or the call has ended. It is
 * good until the next one is taken.
 */
bool yr_wire_take(yr_wire_call *call, int64_t ms, yurpc_bytes *ret_message);

/* Wait for the end; false: it did not come. *@p ret_text is good until the call is closed. */
bool yr_wire_await_end(yr_wire_call *call, int64_t ms, int *ret_code, const char **ret_text);

#endif /* YR_WIRE_H */
