/* A connection of ours and the fake server's end of it; the test carries the bytes. */
#ifndef GRPC_PAIR_H
#define GRPC_PAIR_H

#include "base/buf.h"
#include "grpc/conn.h"
#include "grpc_fixture.h"

typedef struct pair {
    int64_t now_ms;
    yr_grpc_conn *conn;
    yr_fake_server *server;
    yr_fake_conn *peer;
    echo service;
    yr_buf out;   /* of ours */
    size_t split; /* bytes that travel at a time; 0: all there are */
} pair;

/* Both ends are new: nothing was said yet. */
void pair_init(pair *p);
void pair_deinit(pair *p);

/* cmocka's fixtures: *state is a pair that is READY. */
int pair_setup(void **state);
int pair_teardown(void **state);

/* Carry bytes to and fro until neither end has any more. */
void pair_pump(pair *p);

/* One direction only. */
void pair_to_server(pair *p);
void pair_to_client(pair *p);

/* Let time pass, then tick and pump. */
void pair_wait(pair *p, int64_t ms);

/* Begin a call that ret_heard records; gives the handle, which may be ignored. */
yr_grpc_call *pair_begin(pair *p, const yr_grpc_request *request, heard *ret_heard);

/* Feed one frame, made by hand, to the client. */
void pair_feed_frame(pair *p, int type, int flags, int32_t stream_id, yurpc_bytes payload);

/* The same without a pair: append it. */
void append_frame(yr_buf *out, int type, int flags, int32_t stream_id, yurpc_bytes payload);

#endif /* GRPC_PAIR_H */
