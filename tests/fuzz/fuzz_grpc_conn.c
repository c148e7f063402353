/*
 * A server may send anything. Three calls are open: a unary one, a stream, and one that cancels
 * itself at its first part. Each ends exactly once or, if it was cancelled, not at all.
 *
 * The first byte of the input: bit 0, whether the server's SETTINGS came before the rest (so
 * that the calls have streams); bits 1…3, the size of the pieces; bit 4, whether the
 * connection's allocations begin to fail.
 */
#include "base/bytes.h"
#include "base/mem.h"
#include "grpc/conn.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 3, OUT_MAX = 64 * 1024 * 1024, FAIL_AFTER = 40 };

typedef struct client {
    yr_grpc_call *call;
    int ends;
    bool is_cancelled;
    bool cancels_at_part;
    size_t message_left;
} client;

static void on_part(void *context, const yr_grpc_part *part)
{
    client *c = context;
    if (c->ends > 0 || c->is_cancelled || part->message_len > YR_GRPC_MESSAGE_MAX) {
        abort();
    }
    if (part->is_first) {
        c->message_left = part->message_len;
    }
    if (part->bytes.len > c->message_left) {
        abort();
    }
    c->message_left -= part->bytes.len;
    if (c->cancels_at_part) {
        c->is_cancelled = true;
        yr_grpc_call_cancel(c->call);
    }
}

static void on_end(void *context, const yr_grpc_end *end)
{
    client *c = context;
    c->ends++;
    if (c->ends > 1 || c->is_cancelled || end->message == NULL || end->code < 0 ||
        end->code > YR_GRPC_UNAUTHENTICATED || strlen(end->message) > 512) {
        abort();
    }
    for (const char *at = end->message; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20) {
            abort();
        }
    }
}

static const yr_grpc_events events = {on_part, on_end};

static void begin_calls(yr_grpc_conn *conn, client clients[CALLS])
{
    for (size_t i = 0; i < CALLS; i++) {
        const yr_grpc_request request = {.path = "/etcdserverpb.KV/Range",
                                         .deadline_ms = i == 0 ? 5000 : 0,
                                         .message = {"request", 7},
                                         .is_half_closed = i == 0};
        clients[i] = (client){.cancels_at_part = i == 2};
        if (yr_grpc_conn_call(conn, 0, &request, &events, &clients[i], &clients[i].call) !=
            YURPC_OK) {
            abort();
        }
    }
}

static void drain(yr_grpc_conn *conn, yr_buf *out)
{
    do {
        yr_buf_clear(out);
    } while (yr_grpc_conn_output(conn, out) == YURPC_OK && out->len > 0);
}

static void feed_pieces(yr_grpc_conn *conn, yurpc_bytes bytes, size_t piece, yr_buf *out)
{
    int64_t now_ms = 0;
    while (bytes.len > 0) {
        size_t len = bytes.len < piece ? bytes.len : piece;
        yr_grpc_conn_feed(conn, yr_bytes(bytes.data, len), ++now_ms);
        bytes = yr_bytes_after(bytes, len);
        drain(conn, out);
    }
    for (int i = 0; i < 5 && yr_grpc_conn_next_ms(conn) < INT64_MAX; i++) {
        yr_grpc_conn_tick(conn, yr_grpc_conn_next_ms(conn));
        drain(conn, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char settings[] = "\0\0\0\4\0\0\0\0\0";
    static const size_t pieces[] = {1, 2, 3, 7, 16, 64, 1024, SIZE_MAX};
    yr_grpc_conn *conn = NULL;
    client clients[CALLS];
    yr_buf out;
    if (size == 0) {
        return 0;
    }
    yr_buf_init(&out, OUT_MAX);
    if (yr_grpc_conn_new("fuzz:2379", 0, &conn) != YURPC_OK) {
        abort();
    }
    begin_calls(conn, clients);
    if ((data[0] & 1U) != 0) {
        yr_grpc_conn_feed(conn, yr_bytes(settings, sizeof settings - 1), 0);
        drain(conn, &out);
    }
    if ((data[0] & 16U) != 0) {
        yr_mem_fail_after(FAIL_AFTER);
    }
    feed_pieces(conn, yr_bytes(data + 1, size - 1), pieces[data[0] >> 1 & 7U], &out);
    yr_mem_fail_after(-1);
    yr_grpc_conn_fail(conn, NULL);
    for (size_t i = 0; i < CALLS; i++) {
        if (clients[i].ends != (clients[i].is_cancelled ? 0 : 1)) {
            abort();
        }
    }
    if (yr_grpc_conn_call_count(conn) != 0) {
        abort();
    }
    yr_grpc_conn_free(conn);
    yr_buf_deinit(&out);
    return 0;
}
