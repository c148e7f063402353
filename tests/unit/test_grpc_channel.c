#include "base/mem.h"
#include "grpc/channel.h"
#include "grpc_fixture.h"
#include "net/uv/uv_io.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 5000 };

typedef struct world {
    yr_io *io;
    yr_fake_server *server;
    echo service;
    yr_grpc_channel *channel;
    int ready;
    int draining;
    int down;
    char down_text[600];
    yurpc_status down_status;
    bool closes_when_down;
    bool closes_when_ready;
} world;

static void on_ready(void *context)
{
    world *w = context;
    w->ready++;
    if (w->closes_when_ready) {
        yr_grpc_channel_close(w->channel);
        w->channel = NULL;
    }
}

static void on_draining(void *context)
{
    world *w = context;
    w->draining++;
}

static void on_down(void *context, const yurpc_error *error)
{
    world *w = context;
    w->down++;
    w->down_status = yurpc_error_status(error);
    (void)snprintf(w->down_text, sizeof w->down_text, "%s", yurpc_error_text(error));
    if (w->closes_when_down) {
        yr_grpc_channel_close(w->channel);
        w->channel = NULL;
    }
}

static const yr_grpc_channel_events events = {on_ready, on_draining, on_down};

static int setup(void **state)
{
    world *w = test_calloc(1, sizeof *w);
    assert_ok(yr_uv_io_new(&w->io, NULL));
    assert_ok(
        yr_fake_server_new(w->io, "127.0.0.1", 0, &echo_handlers, &w->service, &w->server));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    yr_grpc_channel_close(w->channel);
    yr_fake_server_free(w->server);
    yr_uv_io_free(w->io);
    test_free(w);
    return 0;
}

static void connect_channel(world *w, int64_t timeout_ms)
{
    yr_grpc_channel_options options = {.host = "127.0.0.1",
                                       .port = yr_fake_server_port(w->server),
                                       .connect_timeout_ms = timeout_ms};
    assert_ok(yr_grpc_channel_new(w->io, &options, &events, w, &w->channel));
}

/* Run the loop until *@p count has reached @p wanted. */
static void run_until(world *w, const int *count, int wanted)
{
    int64_t end_ms = yr_io_now_ms(w->io) + PATIENCE_MS;
    while (*count < wanted) {
        assert_true(yr_io_now_ms(w->io) < end_ms);
        yr_uv_io_run(w->io, true);
    }
}

static void begin(world *w, const yr_grpc_request *request, heard *ret_heard,
                  yr_grpc_call **ret_call)
{
    yr_grpc_call *call = NULL;
    *ret_heard = (heard){.len = 0};
    assert_ok(yr_grpc_channel_call(w->channel, request, &heard_events, ret_heard, &call));
    if (ret_call != NULL) {
        *ret_call = call;
    }
}

static void a_unary_call_gets_its_answer_over_a_real_socket(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = unary("/echo", "hello");
    begin(w, &request, &call, NULL);
    run_until(w, &call.ends, 1);

    assert_int_equal(call.end.code, YR_GRPC_OK);
    assert_true(call.end.is_remote);
    assert_int_equal(call.messages, 1);
    assert_int_equal(call.len, 5);
    assert_memory_equal(call.bytes, "hello", 5);
    assert_int_equal(w->ready, 1);
    assert_int_equal(yr_grpc_channel_call_count(w->channel), 0);
}

static void calls_begun_before_the_connection_is_there_wait_for_it(void **state)
{
    world *w = *state;
    enum { CALLS = 100 };
    static heard calls[CALLS];
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = unary("/echo", "many");
    for (size_t i = 0; i < CALLS; i++) {
        begin(w, &request, &calls[i], NULL);
    }
    assert_int_equal(yr_grpc_channel_call_count(w->channel), CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        run_until(w, &calls[i].ends, 1);
        assert_int_equal(calls[i].end.code, YR_GRPC_OK);
    }
}

static void a_stream_is_served_whenever_it_sends(void **state)
{
    world *w = *state;
    heard call;
    yr_grpc_call *handle = NULL;
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = stream("/echo");
    begin(w, &request, &call, &handle);
    for (int i = 1; i <= 20; i++) {
        assert_ok(yr_grpc_call_send(handle, (yurpc_bytes){"abcd", 4}));
        run_until(w, &call.messages, i);
    }
    yr_grpc_call_finish(handle);
    run_until(w, &call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_OK);
}

static void a_server_that_writes_byte_by_byte_is_understood(void **state)
{
    world *w = *state;
    heard call;
    yr_fake_server_options(w->server)->write_len_max = 1;
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = unary("/echo", "slowly");
    begin(w, &request, &call, NULL);
    run_until(w, &call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_OK);
}

static void a_large_answer_and_a_large_request_get_through(void **state)
{
    world *w = *state;
    heard big;
    heard echoed;
    enum { LEN = 2000000 };
    char *message = test_calloc(1, LEN);
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = stream("/big");
    begin(w, &request, &big, NULL);
    yr_grpc_request other = unary("/echo", "");
    other.message = (yurpc_bytes){message, LEN};
    begin(w, &other, &echoed, NULL);
    test_free(message); /* it was copied */
    run_until(w, &big.messages, 1);
    run_until(w, &echoed.ends, 1);
    assert_int_equal(big.len, 8 * 1024 * 1024);
    assert_int_equal(echoed.len, LEN);
}

static void a_refused_connection_is_reported_and_ends_the_calls(void **state)
{
    world *w = *state;
    heard call;
    yr_fake_server_stop_listening(w->server);
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = unary("/echo", "x");
    begin(w, &request, &call, NULL);
    run_until(w, &w->down, 1);
    assert_int_equal(w->ready, 0);
    assert_int_equal(w->down_status, YURPC_UNAVAILABLE);
    assert_int_equal(call.ends, 1);
    assert_true(call.end.is_unprocessed);
    assert_true(call.end.is_transport);
    yr_grpc_call *none = NULL;
    assert_int_equal(yr_grpc_channel_call(w->channel, &request, &heard_events, &call, &none),
                     YURPC_UNAVAILABLE);
}

static void a_server_that_accepts_and_is_silent_is_named_as_such(void **state)
{
    world *w = *state;
    yr_fake_server_options(w->server)->is_silent = true;
    connect_channel(w, 200);
    run_until(w, &w->down, 1);
    assert_int_equal(w->down_status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(w->down_text, "accepted the connection but did not answer"));
    assert_non_null(strstr(w->down_text, "200 ms"));
}

static void a_server_that_is_not_http2_is_named_as_such(void **state)
{
    world *w = *state;
    yr_fake_server_options(w->server)->greeting = "HTTP/1.1 400 Bad Request\r\n\r\n";
    connect_channel(w, PATIENCE_MS);
    run_until(w, &w->down, 1);
    assert_int_equal(w->down_status, YURPC_PROTOCOL);
    assert_non_null(strstr(w->down_text, "\"HTTP/1.1 400 Bad Request\""));
}

static void a_dropped_connection_ends_the_calls_before_it_is_reported(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = stream("/silent");
    begin(w, &request, &call, NULL);
    run_until(w, &w->ready, 1);
    while (w->service.last == NULL) {
        yr_uv_io_run(w->io, true);
    }
    yr_fake_server_drop_all(w->server);
    run_until(w, &w->down, 1);
    assert_int_equal(call.ends, 1);
    assert_true(call.end.is_transport);
    assert_false(call.end.is_unprocessed);
    assert_int_equal(w->down_status, YURPC_UNAVAILABLE);
}

static void a_goaway_is_reported_and_open_calls_go_on(void **state)
{
    world *w = *state;
    heard call;
    yr_grpc_call *handle = NULL;
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = stream("/echo");
    begin(w, &request, &call, &handle);
    assert_ok(yr_grpc_call_send(handle, (yurpc_bytes){"a", 1}));
    run_until(w, &call.messages, 1);
    yr_fake_conn_send_goaway(yr_fake_server_newest(w->server), 1, 0, NULL);
    run_until(w, &w->draining, 1);
    assert_int_equal(w->down, 0);
    yr_grpc_call_finish(handle);
    run_until(w, &call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_OK);
    assert_int_equal(w->draining, 1);
}

static void a_deadline_is_kept_by_the_channels_timer(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = stream("/silent");
    request.deadline_ms = 50;
    begin(w, &request, &call, NULL);
    run_until(w, &call.ends, 1);
    assert_int_equal(call.end.code, YR_GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(w->down, 0);
}

static void a_channel_may_be_closed_when_it_is_ready(void **state)
{
    world *w = *state;
    heard call;
    w->closes_when_ready = true;
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = unary("/echo", "x");
    begin(w, &request, &call, NULL);
    run_until(w, &w->ready, 1);
    assert_int_equal(call.ends, 0);
    assert_null(w->channel);
}

static void a_channel_may_be_closed_when_it_is_down(void **state)
{
    world *w = *state;
    w->closes_when_down = true;
    yr_fake_server_options(w->server)->drops_new = true;
    connect_channel(w, PATIENCE_MS);
    run_until(w, &w->down, 1);
    assert_null(w->channel);
}

typedef struct closer {
    world *w;
    int calls; /* of its callbacks */
} closer;

static void close_now(closer *c)
{
    c->calls++;
    yr_grpc_channel_close(c->w->channel);
    c->w->channel = NULL;
}

static void close_on_part(void *context, const yr_grpc_part *part)
{
    (void)part;
    close_now(context);
}

static void ignore_part(void *context, const yr_grpc_part *part)
{
    (void)context;
    (void)part;
}

static void close_on_end(void *context, const yr_grpc_end *end)
{
    (void)end;
    close_now(context);
}

static void a_channel_may_be_closed_in_the_callbacks_of_its_calls(void **state)
{
    static const yr_grpc_events both[] = {{close_on_part, close_on_end},
                                          {ignore_part, close_on_end}};
    world *w = *state;
    for (size_t i = 0; i < 2; i++) {
        closer c = {w, 0};
        heard other;
        yr_grpc_call *call = NULL;
        connect_channel(w, PATIENCE_MS);
        yr_grpc_request request = unary("/echo", "x");
        assert_ok(yr_grpc_channel_call(w->channel, &request, &both[i], &c, &call));
        begin(w, &request, &other, NULL);
        run_until(w, &c.calls, 1);
        assert_null(w->channel);
        for (int turn = 0; turn < 5; turn++) {
            yr_uv_io_run(w->io, false);
        }
        assert_int_equal(c.calls, 1);
        assert_int_equal(other.ends, 0);
    }
}

static void a_channel_may_be_closed_before_anything_happened(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w, PATIENCE_MS);
    yr_grpc_request request = unary("/echo", "x");
    begin(w, &request, &call, NULL);
    yr_grpc_channel_close(w->channel);
    w->channel = NULL;
    for (int turn = 0; turn < 5; turn++) {
        yr_uv_io_run(w->io, false);
    }
    assert_int_equal(call.ends, 0);
    assert_int_equal(w->down, 0);
}

static void a_channel_that_cannot_be_made_leaves_nothing(void **state)
{
    world *w = *state;
    yr_grpc_channel_options options = {.host = "127.0.0.1",
                                       .port = yr_fake_server_port(w->server),
                                       .connect_timeout_ms = 1000};
    for (long allowed = 0;; allowed++) {
        yr_mem_fail_after(allowed);
        yurpc_status status = yr_grpc_channel_new(w->io, &options, &events, w, &w->channel);
        yr_mem_fail_after(-1);
        if (status == YURPC_OK) {
            assert_true(allowed > 5);
            return;
        }
        assert_int_equal(status, YURPC_NO_MEMORY);
        assert_null(w->channel);
    }
}

/* A whole exchange on real sockets, each allocation failing in turn: it ends, one way or other.
 */
static void a_channel_survives_every_allocation_failure(void **state)
{
    world *w = *state;
    yr_grpc_channel_options options = {.host = "127.0.0.1",
                                       .port = yr_fake_server_port(w->server),
                                       .connect_timeout_ms = 1000};
    for (long allowed = 0; allowed < 400; allowed++) {
        heard call = {.ends = 0};
        yr_grpc_call *handle = NULL;
        yr_grpc_request request = unary("/echo", "x");
        w->down = 0;
        yr_mem_fail_after(allowed);
        yurpc_status status = yr_grpc_channel_new(w->io, &options, &events, w, &w->channel);
        if (status == YURPC_OK) {
            status = yr_grpc_channel_call(w->channel, &request, &heard_events, &call, &handle);
        }
        for (int turn = 0; turn < 2000 && status == YURPC_OK && call.ends == 0; turn++) {
            yr_uv_io_run(w->io, turn % 2 == 0 && w->down == 0);
        }
        bool is_over = yr_mem_attempts() <= allowed;
        yr_mem_fail_after(-1);
        assert_int_equal(call.ends, status == YURPC_OK ? 1 : 0);
        yr_grpc_channel_close(w->channel);
        w->channel = NULL;
        if (is_over) {
            assert_int_equal(call.end.code, YR_GRPC_OK);
            return;
        }
    }
    fail_msg("it never got through");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        WORLD_TEST(a_unary_call_gets_its_answer_over_a_real_socket),
        WORLD_TEST(calls_begun_before_the_connection_is_there_wait_for_it),
        WORLD_TEST(a_stream_is_served_whenever_it_sends),
        WORLD_TEST(a_server_that_writes_byte_by_byte_is_understood),
        WORLD_TEST(a_large_answer_and_a_large_request_get_through),
        WORLD_TEST(a_refused_connection_is_reported_and_ends_the_calls),
        WORLD_TEST(a_server_that_accepts_and_is_silent_is_named_as_such),
        WORLD_TEST(a_server_that_is_not_http2_is_named_as_such),
        WORLD_TEST(a_dropped_connection_ends_the_calls_before_it_is_reported),
        WORLD_TEST(a_goaway_is_reported_and_open_calls_go_on),
        WORLD_TEST(a_deadline_is_kept_by_the_channels_timer),
        WORLD_TEST(a_channel_may_be_closed_when_it_is_ready),
        WORLD_TEST(a_channel_may_be_closed_when_it_is_down),
        WORLD_TEST(a_channel_may_be_closed_in_the_callbacks_of_its_calls),
        WORLD_TEST(a_channel_may_be_closed_before_anything_happened),
        WORLD_TEST(a_channel_that_cannot_be_made_leaves_nothing),
        WORLD_TEST(a_channel_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("grpc_channel", tests, NULL, NULL);
}
