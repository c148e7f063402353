#include "grpc_pair.h"

#include "base/bytes.h"
#include "yr_test.h"

#include <string.h>

enum { OUT_MAX = 64 * 1024 * 1024 };

void pair_init(pair *p)
{
    memset(p, 0, sizeof *p);
    p->now_ms = 1000000;
    yr_buf_init(&p->out, OUT_MAX);
    assert_ok(yr_grpc_conn_new("fake:2379", p->now_ms, &p->conn));
    assert_ok(yr_fake_server_new(NULL, "", 0, &echo_handlers, &p->service, &p->server));
    yr_fake_server_set_now(p->server, p->now_ms);
    p->peer = yr_fake_server_add_conn(p->server);
}

void pair_deinit(pair *p)
{
    yr_grpc_conn_free(p->conn);
    yr_fake_server_free(p->server);
    yr_buf_deinit(&p->out);
}

int pair_setup(void **state)
{
    pair *p = test_malloc(sizeof *p);
    pair_init(p);
    pair_pump(p);
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_READY);
    *state = p;
    return 0;
}

int pair_teardown(void **state)
{
    pair_deinit(*state);
    test_free(*state);
    return 0;
}

/* The next bytes that travel together. */
static yurpc_bytes take_some(const pair *p, yurpc_bytes *bytes)
{
    size_t len = p->split > 0 && p->split < bytes->len ? p->split : bytes->len;
    yurpc_bytes some = {bytes->data, len};
    *bytes = yr_bytes_after(*bytes, len);
    return some;
}

void pair_to_server(pair *p)
{
    do {
        yr_buf_clear(&p->out);
        if (yr_grpc_conn_output(p->conn, &p->out) != YURPC_OK) {
            return;
        }
        yurpc_bytes bytes = {p->out.data, p->out.len};
        while (bytes.len > 0) {
            yr_fake_conn_feed(p->peer, take_some(p, &bytes));
        }
    } while (p->out.len > 0);
}

void pair_to_client(pair *p)
{
    yurpc_bytes bytes = yr_fake_conn_output(p->peer);
    while (bytes.len > 0) {
        yr_grpc_conn_feed(p->conn, take_some(p, &bytes), p->now_ms);
    }
}

void pair_pump(pair *p)
{
    for (;;) {
        yr_buf_clear(&p->out);
        yurpc_status status = yr_grpc_conn_output(p->conn, &p->out);
        yurpc_bytes ours = {p->out.data, status == YURPC_OK ? p->out.len : 0};
        bool is_quiet = ours.len == 0;
        while (ours.len > 0) {
            yr_fake_conn_feed(p->peer, take_some(p, &ours));
        }
        yurpc_bytes theirs = yr_fake_conn_output(p->peer);
        is_quiet = is_quiet && theirs.len == 0;
        while (theirs.len > 0) {
            yr_grpc_conn_feed(p->conn, take_some(p, &theirs), p->now_ms);
        }
        if (is_quiet) {
            return;
        }
    }
}

void pair_wait(pair *p, int64_t ms)
{
    p->now_ms += ms;
    yr_fake_server_set_now(p->server, p->now_ms);
    yr_grpc_conn_tick(p->conn, p->now_ms);
    pair_pump(p);
}

yr_grpc_call *pair_begin(pair *p, const yr_grpc_request *request, heard *ret_heard)
{
    yr_grpc_call *call = NULL;
    memset(ret_heard, 0, sizeof *ret_heard);
    assert_ok(yr_grpc_conn_call(p->conn, p->now_ms, request, &heard_events, ret_heard, &call));
    return call;
}

void append_frame(yr_buf *out, int type, int flags, int32_t stream_id, yurpc_bytes payload)
{
    uint32_t id = (uint32_t)stream_id;
    const uint8_t head[] = {(uint8_t)(payload.len >> 16),
                            (uint8_t)(payload.len >> 8),
                            (uint8_t)payload.len,
                            (uint8_t)type,
                            (uint8_t)flags,
                            (uint8_t)(id >> 24),
                            (uint8_t)(id >> 16),
                            (uint8_t)(id >> 8),
                            (uint8_t)id};
    assert_ok(yr_buf_append(out, head, sizeof head));
    assert_ok(yr_buf_append(out, payload.data, payload.len));
}

void pair_feed_frame(pair *p, int type, int flags, int32_t stream_id, yurpc_bytes payload)
{
    yr_buf frame;
    yr_buf_init(&frame, OUT_MAX);
    append_frame(&frame, type, flags, stream_id, payload);
    yr_grpc_conn_feed(p->conn, yr_bytes(frame.data, frame.len), p->now_ms);
    yr_buf_deinit(&frame);
}
