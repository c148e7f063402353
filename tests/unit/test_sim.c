/* The simulated world: that it is like the real one, that it is the same each time, and each
 * fault. */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "net_end.h"
#include "sim/sim_io.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { PORT = 2379, LIMIT_MS = 10000, CONNECT_MS = 5000 };

typedef struct world {
    yr_sim *sim;
    yr_sim_host *near; /* where the client lives */
    yr_sim_host *far;  /* where the server lives */
    yr_listener *listener;
    net_end client;
    net_end server;
} world;

static void begin(world *w, uint64_t seed)
{
    *w = (world){.sim = yr_sim_new(seed)};
    w->near = yr_sim_host_new(w->sim, "provider-1");
    w->far = yr_sim_host_new(w->sim, "etcd-1");
    assert_ok(yr_io_listen(yr_sim_host_io(w->far), "0.0.0.0", PORT, net_end_accept, &w->server,
                           &w->listener));
}

static void end(world *w)
{
    net_end_close(&w->client);
    net_end_close(&w->server);
    yr_listener_close(w->listener);
    yr_sim_free(w->sim);
}

static int set_up(void **state)
{
    static world w;
    begin(&w, 1);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    end(*state);
    return 0;
}

static bool is_true(void *context)
{
    return *(const bool *)context;
}

static void connect_pair(world *w)
{
    assert_ok(net_end_connect(&w->client, yr_sim_host_io(w->near), "etcd-1", PORT, CONNECT_MS));
    assert_true(yr_sim_run_until(w->sim, is_true, &w->client.is_open, LIMIT_MS));
    yr_sim_run_for(w->sim, 100);
    assert_non_null(w->server.stream);
}

/* ---- Like the real world ---- */

static void an_echo_takes_virtual_time(void **state)
{
    world *w = *state;
    w->server.is_echoing = true;
    connect_pair(w);
    int64_t begun_ms = yr_sim_now_ms(w->sim);
    net_end_write(&w->client, "hel");
    net_end_write(&w->client, "lo");
    assert_int_equal(w->client.received, 0);
    yr_sim_run_for(w->sim, 1);
    assert_int_equal(w->client.received, 0);
    yr_sim_run_for(w->sim, 10);
    assert_int_equal(yr_sim_now_ms(w->sim), begun_ms + 11);
    assert_int_equal(w->client.received, 5);
    assert_memory_equal(w->client.first, "hello", 5);
    assert_int_equal(w->server.calls, 1); /* one turn, one piece */
    assert_int_equal(w->client.drains, 1);
}

static void the_end_in_order_has_no_error(void **state)
{
    world *w = *state;
    connect_pair(w);
    net_end_write(&w->client, "bye");
    yr_stream_finish(w->client.stream);
    assert_int_equal(yr_stream_write(w->client.stream, yr_bytes("x", 1)), YURPC_CLOSED);
    yr_sim_run_for(w->sim, 20);
    assert_true(w->server.is_ended);
    assert_int_equal(w->server.end_status, YURPC_OK);
    assert_int_equal(w->server.received, 3);
    assert_false(w->client.is_ended);
    net_end_close(&w->server);
    yr_sim_run_for(w->sim, 20);
    assert_true(w->client.is_ended);
    assert_int_equal(w->client.end_status, YURPC_OK);
}

static void nobody_listening_is_a_refusal(void **state)
{
    world *w = *state;
    assert_ok(net_end_connect(&w->client, yr_sim_host_io(w->near), "etcd-1", 1, CONNECT_MS));
    assert_true(yr_sim_run_until(w->sim, is_true, &w->client.is_ended, 100));
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_string_equal(w->client.end_text, "cannot connect to etcd-1:1: connection refused");
}

static void an_unknown_name_is_an_error(void **state)
{
    world *w = *state;
    assert_ok(net_end_connect(&w->client, yr_sim_host_io(w->near), "nowhere", 1, CONNECT_MS));
    assert_true(yr_sim_run_until(w->sim, is_true, &w->client.is_ended, 100));
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(w->client.end_text, "no such host"));
}

static void much_goes_through_a_window(void **state)
{
    world *w = *state;
    size_t total = (size_t)10 * 1024 * 1024;
    char *big = yr_calloc(1, total);
    assert_non_null(big);
    for (size_t i = 0; i < total; i++) {
        big[i] = (char)(i % 251);
    }
    connect_pair(w);
    yr_sim_set_splitting(w->sim, true);
    assert_ok(yr_stream_write(w->client.stream, yr_bytes(big, total)));
    assert_int_equal(yr_stream_pending(w->client.stream), total);
    yr_sim_run_for(w->sim, 1);
    assert_true(yr_stream_pending(w->client.stream) > 0);
    yr_sim_run_for(w->sim, 2000);
    assert_int_equal(w->server.received, total);
    assert_true(w->server.hash == net_end_hash(0, yr_bytes(big, total)));
    assert_int_equal(yr_stream_pending(w->client.stream), 0);
    assert_int_equal(w->client.drains, 1);
    yr_free(big);
}

static void a_stream_may_be_closed_inside_each_callback(void **state)
{
    world *w = *state;
    static const char *const callbacks[] = {"open", "data", "drain", "end"};
    for (size_t i = 0; i < 4; i++) {
        w->client = (net_end){.close_in = callbacks[i]};
        w->server = (net_end){.is_echoing = true};
        assert_ok(net_end_connect(&w->client, yr_sim_host_io(w->near), "etcd-1", PORT, 1000));
        net_end_write(&w->client, "hello");
        yr_sim_run_for(w->sim, 100);
        net_end_close(&w->server);
        yr_sim_run_for(w->sim, 100);
        assert_null(w->client.stream);
    }
}

static void a_stream_may_be_closed_at_any_time_while_it_connects(void **state)
{
    world *w = *state;
    for (int64_t wait_ms = 0; wait_ms < 20; wait_ms++) {
        w->client = (net_end){.stream = NULL};
        w->server = (net_end){.stream = NULL};
        assert_ok(net_end_connect(&w->client, yr_sim_host_io(w->near), "etcd-1", PORT, 1000));
        yr_sim_run_for(w->sim, wait_ms);
        net_end_close(&w->client);
        yr_sim_run_for(w->sim, 50);
        assert_true(w->server.stream == NULL || w->server.is_ended);
        net_end_close(&w->server);
    }
}

static void connecting_survives_every_allocation_failure(void **state)
{
    world *w = *state;
    for (long allowed = 0; !w->client.is_open; allowed++) {
        w->client = (net_end){.stream = NULL};
        yr_mem_fail_after(allowed);
        yurpc_status status =
            net_end_connect(&w->client, yr_sim_host_io(w->near), "etcd-1", PORT, 1000);
        yr_sim_run_for(w->sim, 50);
        yr_mem_fail_after(-1);
        assert_true(status == YURPC_OK ? w->client.is_open || w->client.is_ended
                                       : status == YURPC_NO_MEMORY);
        net_end_close(&w->client);
        yr_sim_run_for(w->sim, 50);
        net_end_close(&w->server);
    }
}

/* ---- The same each time ---- */

typedef struct trace {
    yr_buf text;
} trace;

static void append_line(void *context, const char *line)
{
    trace *t = context;
    assert_ok(yr_buf_append_text(&t->text, line));
    assert_ok(yr_buf_append_text(&t->text, "\n"));
}

/* A run with a bit of everything; what happened is the trace. */
static void run_schedule(uint64_t seed, trace *t)
{
    world w;
    begin(&w, seed);
    yr_buf_init(&t->text, (size_t)16 * 1024 * 1024);
    yr_sim_set_trace(w.sim, append_line, t);
    yr_sim_set_splitting(w.sim, true);
    w.server.is_echoing = true;
    assert_ok(net_end_connect(&w.client, yr_sim_host_io(w.near), "etcd-1", PORT, CONNECT_MS));
    for (int i = 0; i < 50 && !w.client.is_ended; i++) {
        uint64_t dice = yr_sim_random_below(w.sim, 10);
        if (dice == 0) {
            yr_sim_cut(w.near, w.far);
        } else if (dice == 1) {
            yr_sim_heal(w.near, w.far);
        } else if (dice == 2) {
            yr_sim_freeze(w.far);
        } else if (dice == 3) {
            yr_sim_thaw(w.far);
        } else {
            net_end_write(&w.client, "some bytes that will be split");
        }
        yr_sim_run_for(w.sim, (int64_t)yr_sim_random_below(w.sim, 30));
    }
    yr_sim_set_trace(w.sim, NULL, NULL);
    end(&w);
}

static void the_same_seed_gives_the_same_trace(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        trace one;
        trace two;
        run_schedule(seed, &one);
        run_schedule(seed, &two);
        assert_true(one.text.len > 500);
        assert_int_equal(one.text.len, two.text.len);
        assert_memory_equal(one.text.data, two.text.data, one.text.len);
        yr_buf_deinit(&two.text);
        run_schedule(seed + 1000, &two);
        assert_true(one.text.len != two.text.len ||
                    memcmp(one.text.data, two.text.data, one.text.len) != 0);
        yr_buf_deinit(&one.text);
        yr_buf_deinit(&two.text);
    }
}

/* ---- Faults ---- */

static void a_cut_link_is_silent_until_it_is_healed(void **state)
{
    world *w = *state;
    w->server.is_echoing = true;
    connect_pair(w);
    yr_sim_cut(w->near, w->far);
    net_end_write(&w->client, "hello");
    yr_sim_run_for(w->sim, YR_SIM_UNACKED_MAX_MS);
    assert_int_equal(w->server.received, 0);
    assert_false(w->client.is_ended || w->server.is_ended);
    yr_sim_heal(w->near, w->far);
    yr_sim_run_for(w->sim, 20);
    assert_int_equal(w->client.received, 5);
}

/* TCP_USER_TIMEOUT, which only who connects sets. */
static void what_is_kept_from_a_server_is_given_up_after_three_seconds(void **state)
{
    world *w = *state;
    connect_pair(w);
    yr_sim_cut(w->near, w->far);
    yr_sim_run_for(w->sim, 60 * 1000);
    assert_false(w->client.is_ended); /* nothing was under way */
    net_end_write(&w->client, "hello");
    yr_sim_run_for(w->sim, YR_SIM_UNACKED_MAX_MS + 10);
    assert_true(w->client.is_ended);
    assert_string_equal(w->client.end_text,
                        "the connection with etcd-1:2379 was lost: connection timed out");
    assert_false(w->server.is_ended);
    yr_sim_heal(w->near, w->far);
    yr_sim_run_for(w->sim, 20);
    assert_int_equal(w->server.received, 0);
    assert_int_equal(w->server.end_status, YURPC_UNAVAILABLE);
}

static void what_a_closed_connection_had_under_way_arrives_soon_or_never(void **state)
{
    world *w = *state;
    for (int is_late = 0; is_late <= 1; is_late++) {
        w->client = (net_end){.is_open = false};
        w->server = (net_end){.is_open = false};
        connect_pair(w);
        yr_sim_cut(w->near, w->far);
        net_end_write(&w->client, "hello");
        yr_sim_run_for(w->sim, 10);
        net_end_close(&w->client);
        yr_sim_run_for(w->sim, YR_SIM_UNACKED_MAX_MS + (is_late ? 10 : -100));
        yr_sim_heal(w->near, w->far);
        yr_sim_run_for(w->sim, 20);
        assert_int_equal(w->server.received, is_late ? 0 : 5);
        assert_true(w->server.is_ended);
        net_end_close(&w->server);
    }
}

static void a_server_tries_for_longer_than_three_seconds(void **state)
{
    world *w = *state;
    connect_pair(w);
    yr_sim_cut(w->near, w->far);
    net_end_write(&w->server, "hello");
    yr_sim_run_for(w->sim, 60 * 1000);
    yr_sim_heal(w->near, w->far);
    yr_sim_run_for(w->sim, 20);
    assert_int_equal(w->client.received, 5);
}

static void a_link_can_be_cut_one_way(void **state)
{
    world *w = *state;
    w->server.is_echoing = true;
    connect_pair(w);
    yr_sim_cut_one_way(w->far, w->near);
    net_end_write(&w->client, "hello");
    yr_sim_run_for(w->sim, 1000);
    assert_int_equal(w->server.received, 5);
    assert_int_equal(w->client.received, 0);
    yr_sim_heal_all(w->sim);
    yr_sim_run_for(w->sim, 20);
    assert_int_equal(w->client.received, 5);
}

static void connecting_over_a_cut_link_times_out(void **state)
{
    world *w = *state;
    yr_sim_cut_host(w->far);
    assert_ok(net_end_connect(&w->client, yr_sim_host_io(w->near), "etcd-1", PORT, 300));
    yr_sim_run_for(w->sim, 299);
    assert_false(w->client.is_ended);
    yr_sim_run_for(w->sim, 1);
    assert_true(w->client.is_ended);
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_string_equal(w->client.end_text,
                        "cannot connect to etcd-1:2379: no answer within 300 ms");
    yr_sim_heal_host(w->far);
    yr_sim_run_for(w->sim, 100);
    assert_null(w->server.stream);
}

static void reset_connections_end_with_an_error_on_both_sides(void **state)
{
    world *w = *state;
    connect_pair(w);
    yr_sim_reset_connections(w->far);
    yr_sim_run_for(w->sim, 20);
    assert_true(w->client.is_ended && w->server.is_ended);
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_int_equal(w->server.end_status, YURPC_UNAVAILABLE);
    assert_string_equal(w->client.end_text,
                        "the connection with etcd-1:2379 was lost: connection reset by peer");
}

static void a_refusing_host_takes_no_new_connections(void **state)
{
    world *w = *state;
    yr_sim_set_refusing(w->far, true);
    assert_ok(net_end_connect(&w->client, yr_sim_host_io(w->near), "etcd-1", PORT, CONNECT_MS));
    yr_sim_run_for(w->sim, 20);
    assert_true(w->client.is_ended);
    net_end_close(&w->client);
    w->client = (net_end){.stream = NULL};
    yr_sim_set_refusing(w->far, false);
    connect_pair(w);
}

static void count(void *context)
{
    ++*(int *)context;
}

static void a_frozen_host_does_nothing_but_its_time_passes(void **state)
{
    world *w = *state;
    int fired = 0;
    yr_timer timer;
    yr_timer_init(&timer, count, &fired);
    w->server.is_echoing = true;
    connect_pair(w);
    yr_timer_start(yr_sim_host_io(w->far), &timer, 1000);
    yr_sim_freeze(w->far);
    net_end_write(&w->client, "hello");
    net_end second = {.stream = NULL};
    assert_ok(net_end_connect(&second, yr_sim_host_io(w->near), "etcd-1", PORT, CONNECT_MS));
    yr_sim_run_for(w->sim, 5000);
    assert_int_equal(fired, 0);
    assert_int_equal(w->server.received, 0);
    assert_true(second.is_open); /* the kernel accepts */
    net_end_close(&second);
    net_end_close(&w->server);
    w->server = (net_end){.is_echoing = true};
    yr_sim_thaw(w->far);
    yr_sim_run_for(w->sim, 0);
    assert_int_equal(fired, 1);
    yr_sim_run_for(w->sim, 20);
    assert_true(w->server.is_ended); /* the second connection */
}

static void a_killed_host_is_gone_and_its_objects_can_be_freed(void **state)
{
    (void)state;
    bool has_reset = false;
    bool has_closed = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        world w;
        int fired = 0;
        begin(&w, seed);
        connect_pair(&w);
        yr_timer timer;
        yr_timer_init(&timer, count, &fired);
        yr_timer_start(yr_sim_host_io(w.far), &timer, 10);
        yr_sim_kill(w.far);
        yr_sim_run_for(w.sim, 1000);
        assert_true(w.client.is_ended);
        has_closed = has_closed || w.client.end_status == YURPC_OK;
        has_reset = has_reset || w.client.end_status == YURPC_UNAVAILABLE;
        assert_int_equal(fired, 0);
        assert_false(w.server.is_ended);

        /* Nothing it does reaches anybody, and it refuses. */
        net_end_write(&w.server, "a ghost");
        net_end_close(&w.client);
        w.client = (net_end){.stream = NULL};
        assert_ok(net_end_connect(&w.client, yr_sim_host_io(w.near), "etcd-1", PORT, 1000));
        yr_sim_run_for(w.sim, 100);
        assert_true(w.client.is_ended && !w.client.is_open);

        /* A restart under the same name. */
        net_end_close(&w.client);
        net_end_close(&w.server);
        yr_timer_stop(yr_sim_host_io(w.far), &timer);
        yr_listener_close(w.listener);
        w.far = yr_sim_host_new(w.sim, "etcd-1");
        assert_ok(yr_io_listen(yr_sim_host_io(w.far), "any", PORT, net_end_accept, &w.server,
                               &w.listener));
        w.client = (net_end){.stream = NULL};
        connect_pair(&w);
        end(&w);
    }
    assert_true(has_reset && has_closed);
}

static void a_dead_host_with_a_connection_in_its_backlog_resets_it(void **state)
{
    world *w = *state;
    yr_sim_freeze(w->far);
    assert_ok(net_end_connect(&w->client, yr_sim_host_io(w->near), "etcd-1", PORT, CONNECT_MS));
    yr_sim_run_for(w->sim, 20);
    assert_true(w->client.is_open);
    yr_sim_kill(w->far);
    yr_sim_run_for(w->sim, 20);
    assert_true(w->client.is_ended);
    assert_null(w->server.stream);
}

typedef struct alarm_clock {
    yr_io *io;
    yr_timer timer;
    int64_t *ret_fired_ms;
} alarm_clock;

static void on_alarm(void *context)
{
    alarm_clock *self = context;
    *self->ret_fired_ms = yr_io_now_ms(self->io);
}

static void what_became_due_in_a_suspended_machine_happens_when_it_wakes(void **state)
{
    world *w = *state;
    yr_io *io = yr_sim_host_io(w->near);
    int64_t now_ms = yr_io_now_ms(io);
    int64_t fired_ms = 0;
    alarm_clock alarm = {.io = io, .ret_fired_ms = &fired_ms};
    yr_timer_init(&alarm.timer, on_alarm, &alarm);
    yr_timer_start(io, &alarm.timer, 1000);
    yr_sim_suspend(w->sim, 5000);
    assert_int_equal(fired_ms, 0);
    assert_int_equal(yr_io_now_ms(io), now_ms + 5000);
    assert_int_equal(yr_io_boot_ms(io), now_ms + 5000);
    yr_sim_run_for(w->sim, 10);
    assert_int_equal(fired_ms, now_ms + 5000);
}

static void setting_the_clock_moves_only_the_wall_clock(void **state)
{
    world *w = *state;
    yr_io *io = yr_sim_host_io(w->near);
    int64_t now_ms = yr_io_now_ms(io);
    int64_t boot_ms = yr_io_boot_ms(io);
    int64_t wall_ms = yr_io_wall_ms(io);
    yr_sim_jump_wall(w->sim, -5000);
    assert_int_equal(yr_io_now_ms(io), now_ms);
    assert_int_equal(yr_io_boot_ms(io), boot_ms);
    assert_int_equal(yr_io_wall_ms(io), wall_ms - 5000);
    yr_sim_suspend(w->sim, 1000);
    yr_sim_run_for(w->sim, 10);
    assert_int_equal(yr_io_wall_ms(io), wall_ms - 5000 + 1010);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_echo_takes_virtual_time),
        TEST(the_end_in_order_has_no_error),
        TEST(nobody_listening_is_a_refusal),
        TEST(an_unknown_name_is_an_error),
        TEST(much_goes_through_a_window),
        TEST(a_stream_may_be_closed_inside_each_callback),
        TEST(a_stream_may_be_closed_at_any_time_while_it_connects),
        TEST(connecting_survives_every_allocation_failure),
        cmocka_unit_test(the_same_seed_gives_the_same_trace),
        TEST(a_cut_link_is_silent_until_it_is_healed),
        TEST(what_is_kept_from_a_server_is_given_up_after_three_seconds),
        TEST(what_a_closed_connection_had_under_way_arrives_soon_or_never),
        TEST(a_server_tries_for_longer_than_three_seconds),
        TEST(a_link_can_be_cut_one_way),
        TEST(connecting_over_a_cut_link_times_out),
        TEST(reset_connections_end_with_an_error_on_both_sides),
        TEST(a_refusing_host_takes_no_new_connections),
        TEST(a_frozen_host_does_nothing_but_its_time_passes),
        cmocka_unit_test(a_killed_host_is_gone_and_its_objects_can_be_freed),
        TEST(a_dead_host_with_a_connection_in_its_backlog_resets_it),
        TEST(what_became_due_in_a_suspended_machine_happens_when_it_wakes),
        TEST(setting_the_clock_moves_only_the_wall_clock),
    };
    return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
