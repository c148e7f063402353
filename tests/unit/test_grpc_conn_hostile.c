/* A peer that is not what it should be: floods, forged frames, no HTTP/2 at all. */
#include "base/bytes.h"
#include "base/mem.h"
#include "grpc/core.h"
#include "grpc_pair.h"
#include "yr_test.h"

#include <string.h>

enum { FLOOD = 1000000, BUFFER_MAX = 16 * 1024 * 1024, OUTPUT_OF_A_FLOOD_MAX = 1 << 20 };

/* ---- No HTTP/2 ---- */

typedef struct stranger {
    const char *said;
    size_t len;
    const char *text; /* in the error */
} stranger;

#define SAYS(bytes, text)              \
    {                                  \
        bytes, sizeof(bytes) - 1, text \
    }

static const stranger strangers[] = {
    SAYS("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
         "does not speak HTTP/2 (it said \"HTTP/1.1 400 Bad Request\"): is it etcd's client "
         "port?"),
    SAYS("SSH-2.0-OpenSSH_9.2p1\r\n", "(it said \"SSH-2.0-OpenSSH_9.2p1\")"),
    SAYS("-ERR unknown command 'PRI'\r\n", "(it said \"-ERR unknown command 'PRI'\")"),
    SAYS("\0\1\2\3\4\5\6\7\n", "(it said \"????????\")"),
    SAYS("an endless line without any end at all",
         "(it said \"an endless line without any end \")"),
};

static void meet(const stranger *who, size_t split)
{
    pair p;
    heard call;
    pair_init(&p);
    yr_grpc_request request = unary("/echo", "x");
    pair_begin(&p, &request, &call);
    for (size_t at = 0; at < who->len; at += split) {
        size_t left = who->len - at;
        yr_grpc_conn_feed(p.conn, yr_bytes(who->said + at, left < split ? left : split),
                          p.now_ms);
    }
    const yurpc_error *error = yr_grpc_conn_error(p.conn);
    assert_int_equal(yr_grpc_conn_get_state(p.conn), YR_GRPC_CONN_DEAD);
    assert_int_equal(yurpc_error_status(error), YURPC_PROTOCOL);
    assert_non_null(strstr(yurpc_error_text(error), who->text));
    assert_int_equal(call.ends, 1);
    assert_true(call.end.is_transport);
    assert_true(call.end.is_unprocessed);
    pair_deinit(&p);
}

static void a_peer_that_is_not_http2_is_quoted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        for (size_t split = 1; split < 50; split += 7) {
            meet(&strangers[i], split);
        }
    }
}

static void a_short_word_is_quoted_after_a_moment_or_at_the_end(void **state)
{
    (void)state;
    for (int ends_by_fin = 0; ends_by_fin < 2; ends_by_fin++) {
        pair p;
        pair_init(&p);
        yr_grpc_conn_feed(p.conn, yr_bytes_of_text("-ERR"), p.now_ms);
        assert_int_equal(yr_grpc_conn_get_state(p.conn), YR_GRPC_CONN_OPENING);
        if (ends_by_fin) {
            yr_grpc_conn_fail(p.conn, NULL);
        } else {
            yr_grpc_conn_tick(p.conn, yr_grpc_conn_next_ms(p.conn));
        }
        assert_int_equal(yr_grpc_conn_get_state(p.conn), YR_GRPC_CONN_DEAD);
        assert_non_null(
            strstr(yurpc_error_text(yr_grpc_conn_error(p.conn)), "(it said \"-ERR\")"));
        pair_deinit(&p);
    }
}

static void a_tls_alert_asks_for_https(void **state)
{
    (void)state;
    pair p;
    pair_init(&p);
    yr_grpc_conn_feed(p.conn, yr_bytes("\x15\3\3\0\2\2\x28", 7), p.now_ms);
    yr_grpc_conn_fail(p.conn, NULL);
    assert_non_null(strstr(yurpc_error_text(yr_grpc_conn_error(p.conn)), "use https://"));
    pair_deinit(&p);
}

static void a_connection_closed_without_a_word_is_a_protocol_error(void **state)
{
    (void)state;
    pair p;
    pair_init(&p);
    yr_grpc_conn_fail(p.conn, NULL);
    const yurpc_error *error = yr_grpc_conn_error(p.conn);
    assert_int_equal(yurpc_error_status(error), YURPC_PROTOCOL);
    assert_non_null(strstr(yurpc_error_text(error), "without a word"));
    pair_deinit(&p);
}

/* ---- Forged frames ---- */

typedef struct forged {
    const char *what;
    int type;
    int flags;
    int32_t stream_id;
    const char *payload;
    size_t len;
} forged;

static const forged forgeries[] = {
    {"DATA on stream 0", NGHTTP2_DATA, 0, 0, "x", 1},
    {"DATA on an idle stream", NGHTTP2_DATA, 0, 99, "x", 1},
    {"HEADERS on stream 0", NGHTTP2_HEADERS, 4, 0, "\x88", 1},
    {"HEADERS on an idle stream", NGHTTP2_HEADERS, 4, 99, "\x88", 1},
    {"HEADERS on a stream of the server's", NGHTTP2_HEADERS, 4, 2, "\x88", 1},
    {"padding longer than the frame", NGHTTP2_DATA, 8, 1,
     "\xff"
     "a",
     2},
    {"padded HEADERS longer than the frame", NGHTTP2_HEADERS, 12, 1, "\xff\x88", 2},
    {"an index past the HPACK tables", NGHTTP2_HEADERS, 4, 1, "\xff\xff\xff\x7f", 4},
    {"a PING of 7 bytes", NGHTTP2_PING, 0, 0, "1234567", 7},
    {"a PING on a stream", NGHTTP2_PING, 0, 1, "12345678", 8},
    {"SETTINGS of 5 bytes", NGHTTP2_SETTINGS, 0, 0, "12345", 5},
    {"SETTINGS on a stream", NGHTTP2_SETTINGS, 0, 1, "", 0},
    {"a window of 2^31", NGHTTP2_SETTINGS, 0, 0, "\0\4\x80\0\0\0", 6},
    {"a frame size below the least", NGHTTP2_SETTINGS, 0, 0, "\0\5\0\0\0\1", 6},
    {"SETTINGS that turn push on", NGHTTP2_SETTINGS, 0, 0, "\0\2\0\0\0\2", 6},
    {"a WINDOW_UPDATE of 0", NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4},
    {"a WINDOW_UPDATE of 3 bytes", NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\1", 3},
    {"a window past 2^31", NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4},
    {"RST_STREAM on stream 0", NGHTTP2_RST_STREAM, 0, 0, "\0\0\0\0", 4},
    {"RST_STREAM on an idle stream", NGHTTP2_RST_STREAM, 0, 99, "\0\0\0\0", 4},
    {"RST_STREAM of 3 bytes", NGHTTP2_RST_STREAM, 0, 1, "\0\0\0", 3},
    {"GOAWAY of 7 bytes", NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0", 7},
    {"CONTINUATION out of place", NGHTTP2_CONTINUATION, 4, 1, "\x88", 1},
    {"PUSH_PROMISE", NGHTTP2_PUSH_PROMISE, 4, 1, "\0\0\0\2\x82", 5},
};

static void meet_forgery(const forged *f)
{
    pair p;
    heard call;
    pair_init(&p);
    yr_grpc_request request = stream("/silent");
    pair_begin(&p, &request, &call);
    pair_pump(&p);
    print_message("%s\n", f->what);
    pair_feed_frame(&p, f->type, f->flags, f->stream_id, yr_bytes(f->payload, f->len));
    assert_int_equal(yr_grpc_conn_get_state(p.conn), YR_GRPC_CONN_DEAD);
    assert_int_equal(yurpc_error_status(yr_grpc_conn_error(p.conn)), YURPC_PROTOCOL);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_UNAVAILABLE);
    assert_true(call.end.is_transport);
    pair_feed_frame(&p, NGHTTP2_PING, 0, 0, yr_bytes("12345678", 8)); /* is ignored */
    yr_buf_clear(&p.out);
    assert_ok(yr_grpc_conn_output(p.conn, &p.out)); /* GOAWAY, when nghttp2 sends one */
    yr_grpc_conn_fail(p.conn, NULL);
    assert_int_equal(call.ends, 1);
    pair_deinit(&p);
}

static void a_forged_frame_ends_the_connection_and_every_call_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        meet_forgery(&forgeries[i]);
    }
}

static void a_window_update_of_zero_on_a_stream_resets_only_that(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    pair_feed_frame(p, NGHTTP2_WINDOW_UPDATE, 0, 1, yr_bytes("\0\0\0\0", 4));
    pair_pump(p);
    assert_true(call.ends <= 1);
    assert_int_not_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_OPENING);
}

static void settings_out_of_the_ordinary_are_obeyed(void **state)
{
    pair *p = *state;
    heard call;
    static const yr_fake_setting closed[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0},
                                             {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0},
                                             {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16777215}};
    static const yr_fake_setting opened[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 3}};
    yr_fake_server_options(p->server)->withholds_window = true;
    yr_fake_conn_send_settings(p->peer, closed, 3);
    pair_pump(p);
    yr_grpc_request request = unary("/echo", "hello");
    request.deadline_ms = 1000;
    pair_begin(p, &request, &call);
    pair_pump(p);
    assert_int_equal(yr_fake_server_stats(p->server)->calls, 1);
    assert_int_equal(yr_fake_server_stats(p->server)->messages, 0);
    yr_fake_conn_send_settings(p->peer, opened, 1);
    pair_pump(p);
    yr_fake_conn_send_settings(p->peer, closed, 1); /* the window is negative now */
    pair_pump(p);
    pair_wait(p, 1000);
    assert_int_equal(call.end.code, YR_GRPC_DEADLINE_EXCEEDED);
}

static void no_call_goes_out_while_the_peer_allows_none(void **state)
{
    pair *p = *state;
    heard calls[2];
    yr_fake_setting setting = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0};
    yr_fake_conn_send_settings(p->peer, &setting, 1);
    pair_pump(p);
    yr_grpc_request request = unary("/echo", "hello");
    request.deadline_ms = 1000;
    pair_begin(p, &request, &calls[0]);
    request.deadline_ms = 5000;
    pair_begin(p, &request, &calls[1]);
    pair_wait(p, 1000);
    assert_int_equal(calls[0].end.code, YR_GRPC_DEADLINE_EXCEEDED);
    assert_true(calls[0].end.is_unprocessed);
    setting.value = 1;
    yr_fake_conn_send_settings(p->peer, &setting, 1);
    pair_pump(p);
    assert_int_equal(calls[1].end.code, YR_GRPC_OK);
}

static void a_peer_that_never_opens_its_window_stalls_only_that_call(void **state)
{
    pair *p = *state;
    heard large;
    heard small;
    char *message = test_calloc(1, 40000);
    const yr_fake_setting setting = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 20000};
    yr_fake_conn_send_settings(p->peer, &setting, 1);
    yr_fake_server_options(p->server)->withholds_window = true;
    pair_pump(p);
    yr_grpc_request request = unary("/echo", "");
    request.message = yr_bytes(message, 40000);
    request.deadline_ms = 2000;
    pair_begin(p, &request, &large);
    pair_pump(p);
    yr_grpc_request other = unary("/echo", "small");
    pair_begin(p, &other, &small);
    pair_pump(p);
    assert_int_equal(small.end.code, YR_GRPC_OK);
    assert_int_equal(large.ends, 0);
    pair_wait(p, 2000);
    assert_int_equal(large.end.code, YR_GRPC_DEADLINE_EXCEEDED);
    test_free(message);
}

static void settings_that_are_never_acknowledged_do_no_harm(void **state)
{
    (void)state;
    pair p;
    heard call;
    pair_init(&p);
    yr_fake_server_options(p.server)->withholds_settings_ack = true;
    yr_grpc_request request = unary("/echo", "x");
    pair_begin(&p, &request, &call);
    pair_pump(&p);
    assert_int_equal(call.end.code, YR_GRPC_OK);
    pair_deinit(&p);
}

/* ---- Too much of it ---- */

static void headers_past_the_limit_end_only_their_call(void **state)
{
    pair *p = *state;
    heard call;
    heard next;
    enum { COUNT = 1000 };
    static yr_fake_header headers[COUNT];
    headers[0] = (yr_fake_header){":status", "200"};
    for (size_t i = 1; i < COUNT; i++) {
        headers[i] = (yr_fake_header){"x-bomb", "0123456789"};
    }
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_call_send_raw_headers(p->service.last, headers, COUNT, false);
    pair_pump(p);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_RESOURCE_EXHAUSTED);
    yr_grpc_request echo_request = unary("/echo", "x");
    pair_begin(p, &echo_request, &next);
    pair_pump(p);
    assert_int_equal(next.end.code, YR_GRPC_OK);
}

static void a_message_text_of_8_kib_is_cut(void **state)
{
    pair *p = *state;
    heard call;
    static char text[8192];
    memset(text, 'x', sizeof text - 1);
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_call_end(p->service.last, 13, text);
    pair_pump(p);
    assert_int_equal(call.end.code, 13);
    assert_int_equal(strlen(call.text), 512);
}

static void a_flood_of_continuation_frames_ends_the_connection_early(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    pair_feed_frame(p, NGHTTP2_HEADERS, 0, 1, yr_bytes("\x88", 1));
    int frames = 0;
    while (yr_grpc_conn_get_state(p->conn) != YR_GRPC_CONN_DEAD && frames < 100) {
        pair_feed_frame(p, NGHTTP2_CONTINUATION, 0, 1, yr_bytes("\0\1a\1b", 5));
        frames++;
    }
    assert_in_range(frames, 8, 10);
    assert_int_equal(call.ends, 1);
}

/* A million of one frame: it ends the connection, and nothing piles up here meanwhile. */
static void flood(pair *p, int type, int flags, int32_t stream_id, yurpc_bytes payload)
{
    yr_buf frames;
    yr_buf_init(&frames, BUFFER_MAX);
    for (int i = 0; i < 1000; i++) {
        append_frame(&frames, type, flags, stream_id, payload);
    }
    int sent = 0;
    while (sent < FLOOD && yr_grpc_conn_get_state(p->conn) != YR_GRPC_CONN_DEAD) {
        yr_grpc_conn_feed(p->conn, yr_bytes(frames.data, frames.len), p->now_ms);
        sent += 1000;
    }
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_DEAD);
    assert_true(sent <= 30000);
    yr_buf_clear(&p->out);
    assert_ok(yr_grpc_conn_output(p->conn, &p->out));
    assert_in_range(p->out.len, 0, OUTPUT_OF_A_FLOOD_MAX);
    yr_buf_deinit(&frames);
}

static void a_flood_of_any_idle_frame_ends_the_connection(void **state)
{
    static const forged frames[] = {
        {"PING", NGHTTP2_PING, 0, 0, "12345678", 8},
        {"SETTINGS", NGHTTP2_SETTINGS, 0, 0, "", 0},
        {"empty DATA", NGHTTP2_DATA, 0, 1, "", 0},
        {"PRIORITY", NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\1", 5},
        {"WINDOW_UPDATE", NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4},
        {"DATA of padding only", NGHTTP2_DATA, 8, 1, "\3\0\0\0", 4},
        {"RST_STREAM of a closed stream", NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\0", 4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        pair p;
        heard call;
        pair_init(&p);
        yr_grpc_request request = stream("/silent");
        pair_begin(&p, &request, &call);
        pair_pump(&p);
        yr_fake_call_send_headers(p.service.last);
        pair_pump(&p);
        flood(&p, frames[i].type, frames[i].flags, frames[i].stream_id,
              yr_bytes(frames[i].payload, frames[i].len));
        assert_int_equal(call.ends, 1);
        bool is_reset = frames[i].type == NGHTTP2_RST_STREAM; /* the first one ends the call */
        assert_int_equal(call.end.is_transport, !is_reset);
        pair_deinit(&p);
    }
}

static void many_pings_over_a_long_time_are_no_flood(void **state)
{
    pair *p = *state;
    for (int i = 0; i < 50000; i++) {
        p->now_ms += 100;
        pair_feed_frame(p, NGHTTP2_PING, 0, 0, yr_bytes("12345678", 8));
        pair_to_server(p);
    }
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_READY);
}

static void data_after_a_call_has_ended_costs_only_window(void **state)
{
    pair *p = *state;
    heard first;
    heard second;
    yr_grpc_request request = stream("/silent");
    yr_grpc_call *handle = pair_begin(p, &request, &first);
    pair_pump(p);
    yr_fake_call_send(p->service.last, yr_bytes_of_text("late"));
    yurpc_bytes late = yr_fake_conn_output(p->peer);
    yr_grpc_call_cancel(handle);
    pair_to_server(p); /* the reset goes out; the data is on its way */
    yr_grpc_conn_feed(p->conn, late, p->now_ms);
    assert_int_equal(first.parts, 0);
    yr_grpc_request next = unary("/echo", "x");
    pair_begin(p, &next, &second);
    pair_pump(p);
    assert_int_equal(second.end.code, YR_GRPC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PAIR_TEST(test) cmocka_unit_test_setup_teardown(test, pair_setup, pair_teardown)
        cmocka_unit_test(a_peer_that_is_not_http2_is_quoted),
        cmocka_unit_test(a_short_word_is_quoted_after_a_moment_or_at_the_end),
        cmocka_unit_test(a_tls_alert_asks_for_https),
        cmocka_unit_test(a_connection_closed_without_a_word_is_a_protocol_error),
        cmocka_unit_test(a_forged_frame_ends_the_connection_and_every_call_once),
        PAIR_TEST(a_window_update_of_zero_on_a_stream_resets_only_that),
        PAIR_TEST(settings_out_of_the_ordinary_are_obeyed),
        PAIR_TEST(no_call_goes_out_while_the_peer_allows_none),
        PAIR_TEST(a_peer_that_never_opens_its_window_stalls_only_that_call),
        cmocka_unit_test(settings_that_are_never_acknowledged_do_no_harm),
        PAIR_TEST(headers_past_the_limit_end_only_their_call),
        PAIR_TEST(a_message_text_of_8_kib_is_cut),
        PAIR_TEST(a_flood_of_continuation_frames_ends_the_connection_early),
        cmocka_unit_test(a_flood_of_any_idle_frame_ends_the_connection),
        PAIR_TEST(many_pings_over_a_long_time_are_no_flood),
        PAIR_TEST(data_after_a_call_has_ended_costs_only_window),
    };
    return cmocka_run_group_tests_name("grpc_conn_hostile", tests, NULL, NULL);
}
