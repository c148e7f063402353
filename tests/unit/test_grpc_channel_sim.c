/* A channel in the simulated world: hours of silence, networks that break, random schedules. */
#include "grpc/channel.h"
#include "grpc/conn.h"
#include "grpc_fixture.h"
#include "sim/sim_io.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { SECOND_MS = 1000, HOUR_MS = 3600 * SECOND_MS, CONNECT_MS = 2 * SECOND_MS };

typedef struct world {
    yr_sim *sim;
    yr_sim_host *client;
    yr_sim_host *machine; /* the server's */
    yr_fake_server *server;
    echo service;
    yr_grpc_channel *channel;
    int ready;
    int down;
    char down_text[600];
    yurpc_status down_status;
} world;

static void on_ready(void *context)
{
    world *w = context;
    w->ready++;
}

static void on_down(void *context, const yurpc_error *error)
{
    world *w = context;
    w->down++;
    w->down_status = yurpc_error_status(error);
    (void)snprintf(w->down_text, sizeof w->down_text, "%s", yurpc_error_text(error));
}

static const yr_grpc_channel_events events = {on_ready, NULL, on_down};

static void world_init(world *w, uint64_t seed)
{
    *w = (world){.sim = yr_sim_new(seed)};
    w->client = yr_sim_host_new(w->sim, "client");
    w->machine = yr_sim_host_new(w->sim, "etcd");
    assert_ok(yr_fake_server_new(yr_sim_host_io(w->machine), "0.0.0.0", 2379, &echo_handlers,
                                 &w->service, &w->server));
}

static void world_deinit(world *w)
{
    yr_grpc_channel_close(w->channel);
    yr_fake_server_free(w->server);
    yr_sim_free(w->sim);
}

static void connect_channel(world *w)
{
    const yr_grpc_channel_options options = {
        .host = "etcd", .port = 2379, .connect_timeout_ms = CONNECT_MS};
    assert_ok(
        yr_grpc_channel_new(yr_sim_host_io(w->client), &options, &events, w, &w->channel));
}

static int setup(void **state)
{
    world *w = test_calloc(1, sizeof *w);
    world_init(w, 1);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_deinit(*state);
    test_free(*state);
    return 0;
}

static void begin(world *w, const yr_grpc_request *request, heard *ret_heard)
{
    yr_grpc_call *call = NULL;
    *ret_heard = (heard){.len = 0};
    assert_ok(yr_grpc_channel_call(w->channel, request, &heard_events, ret_heard, &call));
}

static void calls_begun_in_one_turn_leave_in_one_write(void **state)
{
    world *w = *state;
    enum { CALLS = 50 };
    static heard calls[CALLS];
    connect_channel(w);
    yr_sim_run_for(w->sim, SECOND_MS);
    assert_int_equal(w->ready, 1);
    uint64_t before = yr_fake_server_stats(w->server)->pieces;
    yr_grpc_request request = unary("/echo", "together");
    for (size_t i = 0; i < CALLS; i++) {
        begin(w, &request, &calls[i]);
    }
    yr_sim_run_for(w->sim, 10);
    assert_int_equal(yr_fake_server_stats(w->server)->calls, CALLS);
    assert_int_equal(yr_fake_server_stats(w->server)->pieces, before + 1);
}

static void an_open_call_lives_through_hours_of_silence(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w);
    yr_grpc_request request = stream("/echo");
    begin(w, &request, &call);
    yr_sim_run_for(w->sim, 3L * HOUR_MS);
    assert_int_equal(call.ends, 0);
    assert_int_equal(w->down, 0);
    assert_int_equal(yr_fake_server_stats(w->server)->goaways, 0);
    assert_in_range(yr_fake_server_stats(w->server)->pings, 1800, 2000);
}

static void without_a_call_the_channel_says_nothing(void **state)
{
    world *w = *state;
    connect_channel(w);
    yr_sim_run_for(w->sim, SECOND_MS);
    uint64_t before = yr_fake_server_stats(w->server)->pieces;
    yr_sim_run_for(w->sim, HOUR_MS);
    assert_int_equal(yr_fake_server_stats(w->server)->pieces, before);
}

static void a_cut_network_is_noticed_within_eight_seconds(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w);
    yr_grpc_request request = stream("/silent");
    begin(w, &request, &call);
    yr_sim_run_for(w->sim, 100L * SECOND_MS);
    yr_sim_cut_one_way(w->machine, w->client);
    yr_sim_run_for(w->sim, 8100);
    assert_int_equal(call.ends, 1);
    assert_true(call.end.is_transport);
    assert_int_equal(w->down, 1);
    assert_int_equal(w->down_status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(w->down_text, "for 8 s"));
}

static void a_frozen_server_is_noticed_within_eight_seconds(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w);
    yr_grpc_request request = stream("/silent");
    begin(w, &request, &call);
    yr_sim_run_for(w->sim, 100L * SECOND_MS);
    yr_sim_freeze(w->machine);
    yr_sim_run_for(w->sim, 8100);
    assert_int_equal(w->down, 1);
    yr_sim_thaw(w->machine);
}

static void a_network_that_heals_in_time_loses_nothing(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w);
    yr_grpc_request request = stream("/silent");
    begin(w, &request, &call);
    yr_sim_run_for(w->sim, SECOND_MS);
    for (int i = 0; i < 20; i++) {
        yr_sim_cut(w->machine, w->client);
        yr_sim_run_for(w->sim, 6L * SECOND_MS);
        yr_sim_heal_all(w->sim);
        yr_sim_run_for(w->sim, SECOND_MS);
    }
    assert_int_equal(call.ends, 0);
    assert_int_equal(w->down, 0);
    yr_fake_call_end(w->service.last, YR_GRPC_OK, NULL);
    yr_sim_run_for(w->sim, SECOND_MS);
    assert_int_equal(call.ends, 1);
}

/* etcd-facts.md, V21: the kernel of a stopped server still accepts connections. */
static void a_stopped_server_costs_the_connect_timeout_and_is_named(void **state)
{
    world *w = *state;
    heard call;
    yr_sim_freeze(w->machine);
    connect_channel(w);
    yr_grpc_request request = unary("/echo", "x");
    begin(w, &request, &call);
    yr_sim_run_for(w->sim, CONNECT_MS - 1);
    assert_int_equal(w->down, 0);
    yr_sim_run_for(w->sim, 1);
    assert_int_equal(w->down, 1);
    assert_non_null(strstr(w->down_text, "accepted the connection but did not answer"));
    assert_true(call.end.is_unprocessed);
    yr_sim_thaw(w->machine);
}

static void a_client_that_was_suspended_does_not_blame_the_server(void **state)
{
    world *w = *state;
    heard call;
    connect_channel(w);
    yr_grpc_request request = stream("/silent");
    begin(w, &request, &call);
    yr_sim_run_for(w->sim, 5600); /* the PING is on its way */
    yr_sim_freeze(w->client);
    yr_sim_run_for(w->sim, 60L * SECOND_MS);
    yr_sim_thaw(w->client);
    yr_sim_run_for(w->sim, 60L * SECOND_MS);
    assert_int_equal(call.ends, 0);
    assert_int_equal(w->down, 0);
}

/* ---- Random schedules ---- */

enum { SLOTS = 8, STEPS = 300, SEEDS = 300 };

typedef struct slot {
    heard heard;
    yr_grpc_call *call; /* NULL: none, or it has ended */
} slot;

static void slot_on_part(void *context, const yr_grpc_part *part)
{
    slot *s = context;
    assert_non_null(s->call);
    heard_events.on_part(&s->heard, part);
}

static void slot_on_end(void *context, const yr_grpc_end *end)
{
    slot *s = context;
    assert_non_null(s->call);
    s->call = NULL;
    heard_events.on_end(&s->heard, end);
}

static void slot_step(world *w, slot *s, uint64_t choice)
{
    static const yr_grpc_events slot_events = {slot_on_part, slot_on_end};
    static const char *const paths[] = {"/echo", "/silent", "/code/14", "/none"};
    if (s->call == NULL) {
        yr_grpc_request request = stream(choice == 0 ? "/big" : paths[choice % 4]);
        request.deadline_ms = choice % 3 == 0 ? (int64_t)(choice % 2000) + 1 : 0;
        s->heard = (heard){.len = 0};
        yurpc_status status =
            yr_grpc_channel_call(w->channel, &request, &slot_events, s, &s->call);
        assert_true(status == YURPC_OK || status == YURPC_UNAVAILABLE);
    } else if (choice % 4 == 0) {
        yr_grpc_call_cancel(s->call);
        s->call = NULL;
    } else if (choice % 4 == 1) {
        yr_grpc_call_finish(s->call);
    } else {
        yurpc_status status = yr_grpc_call_send(s->call, (yurpc_bytes){"random", 6});
        assert_true(status == YURPC_OK || status == YURPC_CLOSED);
    }
}

static void trouble_step(world *w, uint64_t choice)
{
    switch (choice) {
    case 0:
        yr_sim_cut(w->machine, w->client);
        break;
    case 1:
        yr_sim_reset_connections(w->machine);
        break;
    case 2:
        yr_fake_server_drop_all(w->server);
        break;
    case 3:
        if (yr_fake_server_newest(w->server) != NULL) {
            yr_fake_conn_send_goaway(yr_fake_server_newest(w->server), 5, 0, NULL);
        }
        break;
    case 4:
        yr_sim_freeze(w->machine);
        break;
    default:
        yr_sim_heal_all(w->sim);
        yr_sim_thaw(w->machine);
        break;
    }
}

/* Down: each call has ended, and the owner makes a new channel. */
static void replace_channel(world *w, const slot slots[SLOTS])
{
    for (size_t at = 0; at < SLOTS; at++) {
        assert_null(slots[at].call);
    }
    assert_int_equal(yr_grpc_channel_call_count(w->channel), 0);
    yr_grpc_channel_close(w->channel);
    w->down = 0;
    connect_channel(w);
}

static void run_schedule(uint64_t seed)
{
    world w;
    slot slots[SLOTS];
    memset(slots, 0, sizeof slots);
    world_init(&w, seed);
    yr_sim_set_splitting(w.sim, seed % 2 == 0);
    connect_channel(&w);
    for (int i = 0; i < STEPS; i++) {
        slot_step(&w, &slots[yr_sim_random_below(w.sim, SLOTS)],
                  yr_sim_random_below(w.sim, 1000));
        if (yr_sim_random_below(w.sim, 20) == 0) {
            trouble_step(&w, yr_sim_random_below(w.sim, 12));
        }
        yr_sim_run_for(w.sim, (int64_t)yr_sim_random_below(w.sim, 300));
        if (w.down > 0) {
            replace_channel(&w, slots);
        }
    }
    yr_sim_thaw(w.machine);
    world_deinit(&w);
}

static void each_call_ends_once_under_random_schedules(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %d\r", (int)seed);
        run_schedule(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        WORLD_TEST(calls_begun_in_one_turn_leave_in_one_write),
        WORLD_TEST(an_open_call_lives_through_hours_of_silence),
        WORLD_TEST(without_a_call_the_channel_says_nothing),
        WORLD_TEST(a_cut_network_is_noticed_within_eight_seconds),
        WORLD_TEST(a_frozen_server_is_noticed_within_eight_seconds),
        WORLD_TEST(a_network_that_heals_in_time_loses_nothing),
        WORLD_TEST(a_stopped_server_costs_the_connect_timeout_and_is_named),
        WORLD_TEST(a_client_that_was_suspended_does_not_blame_the_server),
        cmocka_unit_test(each_call_ends_once_under_random_schedules),
    };
    return cmocka_run_group_tests_name("grpc_channel_sim", tests, NULL, NULL);
}
