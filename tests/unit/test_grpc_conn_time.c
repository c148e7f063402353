/* A connection and the clock: deadlines, PING, a peer that is silent. */
#include "base/bytes.h"
#include "grpc_pair.h"
#include "yr_test.h"

#include <string.h>

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

static void a_call_without_an_answer_ends_at_its_deadline(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    request.deadline_ms = 1000;
    pair_begin(p, &request, &call);
    assert_int_equal(yr_grpc_conn_next_ms(p->conn), p->now_ms + 1000);
    pair_pump(p);
    pair_wait(p, 999);
    assert_int_equal(call.ends, 0);
    pair_wait(p, 1);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_DEADLINE_EXCEEDED);
    assert_false(call.end.is_remote);
    assert_false(call.end.is_unprocessed);
    assert_false(call.end.is_transport);
    assert_int_equal(yr_fake_server_stats(p->server)->resets, 1);
    assert_int_equal(yr_grpc_conn_next_ms(p->conn), INT64_MAX);
}

static void a_call_that_was_never_sent_ends_unprocessed(void **state)
{
    (void)state;
    pair p;
    heard call;
    pair_init(&p);
    yr_grpc_request request = unary("/echo", "x");
    request.deadline_ms = 500;
    pair_begin(&p, &request, &call);
    p.now_ms += 500;
    yr_grpc_conn_tick(p.conn, p.now_ms);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_DEADLINE_EXCEEDED);
    assert_true(call.end.is_unprocessed);
    pair_pump(&p);
    assert_int_equal(yr_fake_server_stats(p.server)->calls, 0);
    pair_deinit(&p);
}

static void a_deadline_counts_from_the_call_and_not_from_the_last_event(void **state)
{
    pair *p = *state;
    heard call;
    p->now_ms += HOUR_MS; /* nothing was fed for an hour */
    yr_grpc_request request = unary("/echo", "x");
    request.deadline_ms = 1000;
    pair_begin(p, &request, &call);
    yr_grpc_conn_tick(p->conn, p->now_ms);
    assert_int_equal(call.ends, 0);
    pair_pump(p);
    assert_int_equal(call.end.code, YR_GRPC_OK);
}

static void the_timeout_sent_is_what_is_left_of_the_deadline(void **state)
{
    (void)state;
    pair p;
    heard call;
    pair_init(&p);
    yr_grpc_request request = stream("/silent");
    request.deadline_ms = 1000;
    pair_begin(&p, &request, &call);
    p.now_ms += 400;
    pair_pump(&p);
    assert_string_equal(yr_fake_call_header(p.service.last, "grpc-timeout"), "600m");
    pair_deinit(&p);
}

static void many_deadlines_end_in_their_order(void **state)
{
    enum { CALLS = 500 };
    pair *p = *state;
    static heard calls[CALLS];
    yr_grpc_request request = stream("/silent");
    for (size_t i = 0; i < CALLS; i++) {
        request.deadline_ms = (int64_t)(1 + i * 7919 % CALLS);
        pair_begin(p, &request, &calls[i]);
    }
    pair_pump(p);
    for (size_t ms = 1; ms <= CALLS; ms++) {
        pair_wait(p, 1);
        assert_int_equal(yr_grpc_conn_call_count(p->conn), CALLS - ms);
    }
}

static void no_ping_goes_out_while_no_call_is_open(void **state)
{
    pair *p = *state;
    for (int i = 0; i < 100; i++) {
        pair_wait(p, 1000);
    }
    assert_int_equal(yr_fake_server_stats(p->server)->pings, 0);
    assert_int_equal(yr_grpc_conn_next_ms(p->conn), INT64_MAX);
}

static void silence_with_an_open_call_is_broken_by_a_ping(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    assert_int_equal(yr_grpc_conn_next_ms(p->conn), p->now_ms + YR_GRPC_PING_AFTER_MS);
    pair_wait(p, YR_GRPC_PING_AFTER_MS - 1);
    assert_int_equal(yr_fake_server_stats(p->server)->pings, 0);
    pair_wait(p, 1);
    assert_int_equal(yr_fake_server_stats(p->server)->pings, 1);
    assert_int_equal(yr_grpc_conn_next_ms(p->conn), p->now_ms + YR_GRPC_PING_AFTER_MS);
}

/* The fake server enforces etcd's policy: a PING too soon would end the connection. */
static void an_hour_of_silence_keeps_to_etcds_ping_policy(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    int64_t end_ms = p->now_ms + HOUR_MS;
    while (p->now_ms < end_ms) {
        pair_wait(p, yr_grpc_conn_next_ms(p->conn) - p->now_ms);
    }
    assert_int_equal(yr_fake_server_stats(p->server)->goaways, 0);
    assert_in_range(yr_fake_server_stats(p->server)->pings, 600, 660);
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_READY);
    assert_int_equal(call.ends, 0);
}

static void calls_that_come_and_go_keep_to_etcds_ping_policy(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    for (int i = 0; i < 1000; i++) {
        yr_grpc_call *handle = pair_begin(p, &request, &call);
        pair_pump(p);
        for (int64_t waited = 0; waited < 5600 + i * INT64_C(10); waited += 100) {
            pair_wait(p, 100);
        }
        yr_grpc_call_cancel(handle);
        pair_pump(p);
    }
    assert_int_equal(yr_fake_server_stats(p->server)->goaways, 0);
    assert_true(yr_fake_server_stats(p->server)->pings >= 1000);
}

static void a_peer_that_stays_silent_is_dead_after_eight_seconds(void **state)
{
    pair *p = *state;
    heard call;
    heard waiting;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_conn_freeze(p->peer);
    pair_wait(p, YR_GRPC_PING_AFTER_MS);
    pair_wait(p, YR_GRPC_PING_ACK_MS - 1);
    assert_int_equal(call.ends, 0);
    pair_wait(p, 1);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_UNAVAILABLE);
    assert_true(call.end.is_transport);
    assert_false(call.end.is_unprocessed);
    assert_string_equal(call.text, "no answer from the server at fake:2379 for 8 s");
    assert_int_equal(yr_grpc_conn_get_state(p->conn), YR_GRPC_CONN_DEAD);
    assert_int_equal(yurpc_error_status(yr_grpc_conn_error(p->conn)), YURPC_UNAVAILABLE);
    yr_grpc_call *none = NULL;
    assert_int_equal(
        yr_grpc_conn_call(p->conn, p->now_ms, &request, &heard_events, &waiting, &none),
        YURPC_UNAVAILABLE);
}

static void a_peer_that_answers_at_the_last_moment_lives(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    for (int i = 0; i < 50; i++) {
        yr_fake_conn_freeze(p->peer);
        pair_wait(p, YR_GRPC_PING_AFTER_MS);
        pair_wait(p, YR_GRPC_PING_ACK_MS - 1);
        yr_fake_conn_thaw(p->peer);
        pair_pump(p);
    }
    assert_int_equal(call.ends, 0);
    assert_int_equal(yr_fake_server_stats(p->server)->goaways, 0);
}

static void silence_before_a_call_is_not_held_against_the_peer(void **state)
{
    pair *p = *state;
    heard call;
    p->now_ms += 10L * MINUTE_MS;
    yr_fake_server_set_now(p->server, p->now_ms);
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    assert_int_equal(yr_grpc_conn_next_ms(p->conn), p->now_ms + YR_GRPC_PING_AFTER_MS);
}

static void a_tick_that_comes_late_gives_the_peer_another_chance(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    pair_begin(p, &request, &call);
    pair_pump(p);
    yr_fake_conn_freeze(p->peer);
    pair_wait(p, YR_GRPC_PING_AFTER_MS);
    pair_wait(p, MINUTE_MS); /* we were stopped: the answer may lie unread */
    assert_int_equal(call.ends, 0);
    yr_fake_conn_thaw(p->peer);
    pair_pump(p);
    pair_wait(p, YR_GRPC_PING_ACK_MS);
    assert_int_equal(call.ends, 0);

    yr_fake_conn_freeze(p->peer);
    pair_wait(p, YR_GRPC_PING_AFTER_MS);
    pair_wait(p, MINUTE_MS);
    pair_wait(p, YR_GRPC_PING_ACK_MS);
    assert_int_equal(call.ends, 1); /* but only one */
}

static void a_tick_before_anything_is_due_does_nothing(void **state)
{
    pair *p = *state;
    heard call;
    yr_grpc_request request = stream("/silent");
    request.deadline_ms = 1000;
    pair_begin(p, &request, &call);
    pair_pump(p);
    for (int i = 0; i < 10; i++) {
        yr_grpc_conn_tick(p->conn, p->now_ms);
    }
    yr_grpc_conn_tick(p->conn, p->now_ms - 100000); /* a clock never runs back for us */
    assert_int_equal(call.ends, 0);
    assert_int_equal(yr_grpc_conn_next_ms(p->conn), p->now_ms + 1000);
}

static void the_servers_own_ping_is_answered(void **state)
{
    pair *p = *state;
    yr_fake_conn_send_ping(p->peer);
    pair_pump(p);
    assert_int_equal(yr_fake_server_stats(p->server)->ping_acks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PAIR_TEST(test) cmocka_unit_test_setup_teardown(test, pair_setup, pair_teardown)
        PAIR_TEST(a_call_without_an_answer_ends_at_its_deadline),
        cmocka_unit_test(a_call_that_was_never_sent_ends_unprocessed),
        PAIR_TEST(a_deadline_counts_from_the_call_and_not_from_the_last_event),
        cmocka_unit_test(the_timeout_sent_is_what_is_left_of_the_deadline),
        PAIR_TEST(many_deadlines_end_in_their_order),
        PAIR_TEST(no_ping_goes_out_while_no_call_is_open),
        PAIR_TEST(silence_with_an_open_call_is_broken_by_a_ping),
        PAIR_TEST(an_hour_of_silence_keeps_to_etcds_ping_policy),
        PAIR_TEST(calls_that_come_and_go_keep_to_etcds_ping_policy),
        PAIR_TEST(a_peer_that_stays_silent_is_dead_after_eight_seconds),
        PAIR_TEST(a_peer_that_answers_at_the_last_moment_lives),
        PAIR_TEST(silence_before_a_call_is_not_held_against_the_peer),
        PAIR_TEST(a_tick_that_comes_late_gives_the_peer_another_chance),
        PAIR_TEST(a_tick_before_anything_is_due_does_nothing),
        PAIR_TEST(the_servers_own_ping_is_answered),
    };
    return cmocka_run_group_tests_name("grpc_conn_time", tests, NULL, NULL);
}
