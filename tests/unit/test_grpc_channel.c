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
    yr_grpc_channel_options options = {"127.0.0.1", yr_fake_server_port(w->server), timeout_ms};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_unary_call_gets_its_answer_over_a_real_socket, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("grpc_channel", tests, NULL, NULL);
}
