/* A peer that ends things: GOAWAY, RST_STREAM, end of stream, end of connection. */
#include "base/bytes.h"
#include "base/error.h"
#include "grpc/core.h"
#include "grpc_pair.h"
#include "yr_test.h"

#include <string.h>

static void calls_above_a_goaway_are_unprocessed_and_those_below_go_on(void **state)
{
    pair *p = *state;
    heard below;
    heard above;
    heard refused;
    yr_grpc_request request = stream("/echo");
    yr_grpc_call *handle = pair_begin(p, &request, &below);
    pair_begin(p, &request, &above);
    pair_pump(p);
    yr_fake_conn_send_goaway(p->peer, 1, NGHTTP2_NO_ERROR, NULL);
    pair_pump(p);
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_DRAINING);
    assert_int_equal(above.ends, 1);
    assert_int_equal(above.end.code, YR_GRPC_UNAVAILABLE);
    assert_true(above.end.is_unprocessed);
    assert_true(above.end.is_transport);
    yr_grpc_call *none = NULL;
    assert_int_equal(
        yr_grpc_conn_call(p->conn, p->now_ms, &request, &heard_events, &refused, &none),
        YURPC_UNAVAILABLE);

    assert_ok(yr_grpc_call_send(handle, yr_bytes_of_text("still")));
    yr_grpc_call_finish(handle);
    pair_pump(p);
    assert_int_equal(below.ends, 1);
    assert_int_equal(below.end.code, YR_GRPC_OK);
    assert_memory_equal(below.bytes, "still", 5);
}

static void calls_that_wait_are_unprocessed_after_a_goaway(void **state)
{
    pair *p = *state;
    heard calls[3];
    const yr_fake_setting setting = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1};
    yr_fake_conn_send_settings(p->peer, &setting, 1);
    pair_pump(p);
    yr_grpc_request request = stream("/silent");
    for (size_t i = 0; i < 3; i++) {
        pair_begin(p, &request, &calls[i]);
    }
    pair_pump(p);
    yr_fake_conn_send_goaway(p->peer, 1, NGHTTP2_NO_ERROR, NULL);
    pair_pump(p);
    assert_int_equal(calls[0].ends, 0);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(calls[i].ends, 1);
        assert_true(calls[i].end.is_unprocessed);
    }
}

static void calls_ended_by_a_goaway_are_told_so_when_the_same_bytes_break_http2(void **state)
{
    static const char bytes[] = "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0" /* GOAWAY */
                                "\0\0\1\6\0\0\0\0\0!";                 /* PING of 1 byte */
    pair *p = *state;
    heard call;
    const yr_fake_setting setting = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0};
    yr_fake_conn_send_settings(p->peer, &setting, 1);
    pair_pump(p);
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_grpc_conn_feed(p->conn, yr_bytes(bytes, sizeof bytes - 1), p->now_ms);
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_DEAD);
    assert_int_equal(call.ends, 1);
    assert_true(call.end.is_unprocessed);
    assert_non_null(strstr(call.text, "sent GOAWAY"));
}

static void a_goaway_for_pings_says_so_to_the_last_call(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_conn_send_goaway(p->peer, 1, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    pair_pump(p);
    assert_int_equal(call.ends, 0);
    yr_grpc_conn_fail(p->conn, NULL); /* FIN */
    assert_int_equal(call.ends, 1);
    assert_true(call.end.is_transport);
    assert_false(call.end.is_unprocessed);
    assert_non_null(strstr(call.text, "ENHANCE_YOUR_CALM (too_many_pings)"));
}

static void a_second_goaway_may_lower_the_last_stream(void **state)
{
    pair *p = *state;
    heard calls[2];
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &calls[0]);
    pair_begin(p, &request, &calls[1]);
    pair_pump(p);
    pair_feed_frame(p, NGHTTP2_GOAWAY, 0, 0, yr_bytes("\x7f\xff\xff\xff\0\0\0\0", 8));
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_DRAINING);
    assert_int_equal(calls[1].ends, 0);
    pair_feed_frame(p, NGHTTP2_GOAWAY, 0, 0, yr_bytes("\0\0\0\1\0\0\0\0", 8));
    assert_int_equal(calls[0].ends, 0);
    assert_int_equal(calls[1].ends, 1);
    assert_true(calls[1].end.is_unprocessed);
}

static void a_second_goaway_that_raises_the_last_stream_ends_everything(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    pair_feed_frame(p, NGHTTP2_GOAWAY, 0, 0, yr_bytes("\0\0\0\1\0\0\0\0", 8));
    assert_int_equal(call.ends, 0);
    pair_feed_frame(p, NGHTTP2_GOAWAY, 0, 0, yr_bytes("\0\0\0\3\0\0\0\0", 8));
    assert_int_equal(call.ends, 1);
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_DEAD);
    assert_int_equal(yurpc_error_status(yr_grpc_conn_error(p->conn)), YURPC_PROTOCOL);
}

static void a_reset_becomes_the_code_that_fits(void **state)
{
    (void)state;
    static const struct {
        uint32_t error;
        int code;
        bool is_unprocessed;
    } map[] = {
        {NGHTTP2_NO_ERROR, YR_GRPC_INTERNAL, false},
        {NGHTTP2_PROTOCOL_ERROR, YR_GRPC_INTERNAL, false},
        {NGHTTP2_INTERNAL_ERROR, YR_GRPC_INTERNAL, false},
        {NGHTTP2_FLOW_CONTROL_ERROR, YR_GRPC_INTERNAL, false},
        {NGHTTP2_REFUSED_STREAM, YR_GRPC_UNAVAILABLE, true},
        {NGHTTP2_CANCEL, YR_GRPC_CANCELLED, false},
        {NGHTTP2_ENHANCE_YOUR_CALM, YR_GRPC_RESOURCE_EXHAUSTED, false},
        {NGHTTP2_INADEQUATE_SECURITY, YR_GRPC_PERMISSION_DENIED, false},
        {0xdeadbeef, YR_GRPC_INTERNAL, false},
    };
    pair p;
    pair_init(&p);
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        heard call;
        yr_grpc_request request = stream("/silent");
        pair_begin(&p, &request, &call);
        pair_pump(&p);
        yr_fake_call_reset(p.service.last, map[i].error);
        pair_pump(&p);
        assert_int_equal(call.ends, 1);
        assert_int_equal(call.end.code, map[i].code);
        assert_int_equal(call.end.is_unprocessed, map[i].is_unprocessed);
        assert_false(call.end.is_transport);
        assert_false(call.end.is_remote);
    }
    assert_int_equal(yr_grpc_conn_get_state(p.conn), YR_GRPC_CONN_READY);
    pair_deinit(&p);
}

/* etcd-facts.md, V16: the answer to a request that is too large comes while we still send. */
static void trailers_count_when_a_reset_without_error_follows_them(void **state)
{
    pair *p = *state;
    heard call;
    enum { LEN = 3 * 1024 * 1024 };
    char *message = test_calloc(1, LEN);
    yr_grpc_request request = unary("/echo", "");
    request.message = yr_bytes(message, LEN);
    pair_begin(p, &request, &call);
    pair_pump(p);
    test_free(message);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_RESOURCE_EXHAUSTED);
    assert_true(call.end.is_remote);
    assert_string_equal(call.text,
                        "grpc: received message larger than max (3145728 vs. 2097152)");
    heard next;
    yr_grpc_request small = unary("/echo", "fine");
    pair_begin(p, &small, &next);
    pair_pump(p);
    assert_int_equal(next.end.code, YR_GRPC_OK);
}

static void a_stream_that_the_server_ends_is_given_back_to_it(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/code/14");
    pair_begin(p, &request, &call);
    pair_pump(p);
    assert_int_equal(call.end.code, YR_GRPC_UNAVAILABLE);
    assert_true(call.end.is_remote);
    assert_int_equal(yr_fake_server_stats(p->server)->calls_open, 0);
    assert_int_equal(yr_fake_server_stats(p->server)->resets, 1);
}

static void an_end_of_stream_without_trailers_is_internal(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_call_end_raw(p->service.last, NULL, 0);
    pair_pump(p);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_INTERNAL);
    assert_false(call.end.is_remote);
}

static void a_status_before_the_messages_is_not_the_calls(void **state)
{
    pair *p = *state;
    heard call;
    const yr_fake_header headers[] = {
        {":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "0"}};
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_call_send_raw_headers(p->service.last, headers, 3, false);
    yr_fake_call_send(p->service.last, yr_bytes_of_text("x"));
    yr_fake_call_end_raw(p->service.last, NULL, 0);
    pair_pump(p);
    assert_int_equal(call.end.code, YR_GRPC_INTERNAL);
}

static void a_malformed_response_ends_only_its_call(void **state)
{
    pair *p = *state;
    heard bad;
    heard good;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &bad);
    pair_pump(p);
    /* "a: b" without a :status */
    pair_feed_frame(p, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, yr_bytes("\0\1a\1b", 5));
    assert_int_equal(bad.ends, 1);
    assert_int_equal(bad.end.code, YR_GRPC_INTERNAL);
    assert_false(bad.end.is_transport);
    yr_grpc_request next = unary("/echo", "x");
    pair_begin(p, &next, &good);
    pair_pump(p);
    assert_int_equal(good.end.code, YR_GRPC_OK);
}

static void an_end_inside_a_message_is_no_success(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_call_send_raw(p->service.last, yr_bytes("\0\0\0\0\5ab", 7));
    yr_fake_call_end(p->service.last, YR_GRPC_OK, NULL);
    pair_pump(p);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_INTERNAL);
    assert_int_equal(call.messages, 0);
}

static void a_message_that_is_compressed_or_too_long_ends_only_its_call(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        int code;
        const char *text;
    } map[] = {{"\1\0\0\0\1", YR_GRPC_INTERNAL, "compressed"},
               {"\7\0\0\0\1", YR_GRPC_INTERNAL, "compressed"},
               {"\0\xff\xff\xff\xff", YR_GRPC_RESOURCE_EXHAUSTED,
                "4294967295 bytes; at most 67108864"}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        pair p;
        heard bad;
        heard good;
        pair_init(&p);
        yr_grpc_request request = stream("/silent");
        pair_begin(&p, &request, &bad);
        pair_pump(&p);
        yr_fake_call_send_raw(p.service.last, yr_bytes(map[i].prefix, 5));
        pair_pump(&p);
        assert_int_equal(bad.ends, 1);
        assert_int_equal(bad.end.code, map[i].code);
        assert_non_null(strstr(bad.text, map[i].text));
        yr_grpc_request next = unary("/echo", "x");
        pair_begin(&p, &next, &good);
        pair_pump(&p);
        assert_int_equal(good.end.code, YR_GRPC_OK);
        pair_deinit(&p);
    }
}

static void what_follows_the_last_message_in_one_frame_is_heard_too(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_call_send_raw(p->service.last, yr_bytes("\0\0\0\0\1a\0\0\0\0\1b", 12));
    pair_pump(p);
    assert_int_equal(call.messages, 2);
    assert_memory_equal(call.bytes, "ab", 2);
}

static void an_http_error_with_a_page_ends_the_call_at_its_headers(void **state)
{
    pair *p = *state;
    heard call;
    const yr_fake_header headers[] = {{":status", "502"}, {"content-type", "text/html"}};
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_call_send_raw_headers(p->service.last, headers, 2, false);
    yr_fake_call_send_raw(p->service.last, yr_bytes_of_text("<h1>Bad Gateway</h1>"));
    pair_pump(p);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.parts, 0);
    assert_int_equal(call.end.code, YR_GRPC_UNAVAILABLE);
    assert_false(call.end.is_remote);
    assert_non_null(strstr(call.text, "502"));
}

static void an_interim_response_is_not_the_response(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    /* ":status: 103" as a literal without indexing, with the name's static index 8 */
    pair_feed_frame(p, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
                    yr_bytes("\x08\3"
                             "103",
                             5));
    assert_int_equal(call.ends, 0);
    yr_fake_call_send(p->service.last, yr_bytes_of_text("x"));
    yr_fake_call_end(p->service.last, YR_GRPC_OK, NULL);
    pair_pump(p);
    assert_int_equal(call.end.code, YR_GRPC_OK);
    assert_int_equal(call.messages, 1);
}

static void a_lost_connection_ends_every_call_once(void **state)
{
    pair *p = *state;
    heard sent;
    heard waiting;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &sent);
    pair_pump(p);
    pair_begin(p, &request, &waiting);
    yurpc_error *error = yr_error_new(YURPC_UNAVAILABLE, -1, "connection reset by peer");
    yr_grpc_conn_fail(p->conn, error);
    yurpc_error_free(error);
    yr_grpc_conn_fail(p->conn, NULL);
    assert_int_equal(sent.ends, 1);
    assert_int_equal(sent.end.code, YR_GRPC_UNAVAILABLE);
    assert_true(sent.end.is_transport);
    assert_false(sent.end.is_unprocessed);
    assert_string_equal(sent.text, "connection reset by peer");
    assert_int_equal(waiting.ends, 1);
    assert_true(waiting.end.is_unprocessed);
    assert_string_equal(yurpc_error_text(yr_grpc_conn_error(p->conn)),
                        "connection reset by peer");
}

static void an_orderly_end_of_the_connection_is_named_as_such(void **state)
{
    pair *p = *state;
    yr_grpc_conn_fail(p->conn, NULL);
    assert_string_equal(yurpc_error_text(yr_grpc_conn_error(p->conn)),
                        "the server at fake:2379 closed the connection");
    assert_int_equal(yurpc_error_status(yr_grpc_conn_error(p->conn)), YURPC_UNAVAILABLE);
}

static void without_stream_ids_the_connection_drains(void **state)
{
    pair *p = *state;
    heard calls[3];
    yr_grpc_request request = stream("/silent");
    assert_int_equal(nghttp2_session_set_next_stream_id(p->conn->session, INT32_MAX - 2), 0);
    for (size_t i = 0; i < 3; i++) {
        pair_begin(p, &request, &calls[i]);
    }
    pair_pump(p);
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_DRAINING);
    assert_true(yr_grpc_conn_next_ms(p->conn) <= p->now_ms);
    yr_grpc_conn_tick(p->conn, p->now_ms);
    assert_int_equal(calls[0].ends, 0);
    assert_int_equal(calls[1].ends, 0);
    assert_int_equal(calls[2].ends, 1);
    assert_true(calls[2].end.is_unprocessed);
    assert_int_equal(calls[2].end.code, YR_GRPC_UNAVAILABLE);
}

static void answers_to_calls_that_gave_up_reach_nobody(void **state)
{
    pair *p = *state;
    enum { ROUNDS = 3000 };
    uint32_t seed = 12345;
    int ended = 0;
    for (int i = 0; i < ROUNDS; i++) {
        heard call;
        yr_grpc_request request = unary("/echo", "racing");
        request.deadline_ms = 1;
        yr_grpc_call *handle = pair_begin(p, &request, &call);
        pair_to_server(p);
        seed = seed * 1103515245 + 12345;
        uint32_t choice = seed >> 16 & 3U;
        if (choice == 0) {
            yr_grpc_call_cancel(handle);
        } else if (choice == 1) {
            p->now_ms += 1;
            yr_grpc_conn_tick(p->conn, p->now_ms);
        }
        pair_pump(p);
        assert_int_equal(call.ends, choice == 0 ? 0 : 1);
        ended += call.ends;
    }
    assert_true(ended > ROUNDS / 2);
    assert_int_equal(yr_grpc_conn_call_count(p->conn), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PAIR_TEST(test) cmocka_unit_test_setup_teardown(test, pair_setup, pair_teardown)
        PAIR_TEST(calls_above_a_goaway_are_unprocessed_and_those_below_go_on),
        PAIR_TEST(calls_that_wait_are_unprocessed_after_a_goaway),
        PAIR_TEST(calls_ended_by_a_goaway_are_told_so_when_the_same_bytes_break_http2),
        PAIR_TEST(a_goaway_for_pings_says_so_to_the_last_call),
        PAIR_TEST(a_second_goaway_may_lower_the_last_stream),
        PAIR_TEST(a_second_goaway_that_raises_the_last_stream_ends_everything),
        cmocka_unit_test(a_reset_becomes_the_code_that_fits),
        PAIR_TEST(trailers_count_when_a_reset_without_error_follows_them),
        PAIR_TEST(a_stream_that_the_server_ends_is_given_back_to_it),
        PAIR_TEST(an_end_of_stream_without_trailers_is_internal),
        PAIR_TEST(a_status_before_the_messages_is_not_the_calls),
        PAIR_TEST(a_malformed_response_ends_only_its_call),
        PAIR_TEST(an_end_inside_a_message_is_no_success),
        cmocka_unit_test(a_message_that_is_compressed_or_too_long_ends_only_its_call),
        PAIR_TEST(what_follows_the_last_message_in_one_frame_is_heard_too),
        PAIR_TEST(an_http_error_with_a_page_ends_the_call_at_its_headers),
        PAIR_TEST(an_interim_response_is_not_the_response),
        PAIR_TEST(a_lost_connection_ends_every_call_once),
        PAIR_TEST(an_orderly_end_of_the_connection_is_named_as_such),
        PAIR_TEST(without_stream_ids_the_connection_drains),
        PAIR_TEST(answers_to_calls_that_gave_up_reach_nobody),
    };
    return cmocka_run_group_tests_name("grpc_conn_peer", tests, NULL, NULL);
}
