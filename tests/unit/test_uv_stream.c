/* Streams and listeners of the real world, over loopback. */
#include "base/bytes.h"
#include "base/mem.h"
#include "net/uv/uv_io.h"
#include "net_end.h"
#include "yr_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT_MS = 20000, CONNECT_MS = 5000 };

typedef struct world {
    yr_io *io;
    yr_listener *listener;
    uint16_t port;
    net_end client;
    net_end server;
    bool is_over_time;
    yr_timer limit;
} world;

static void on_limit(void *context)
{
    ((world *)context)->is_over_time = true;
}

static int set_up(void **state)
{
    static world w;
    w = (world){.io = NULL};
    assert_ok(yr_uv_io_new(&w.io, NULL));
    assert_ok(yr_io_listen(w.io, "127.0.0.1", 0, net_end_accept, &w.server, &w.listener));
    w.port = yr_listener_port(w.listener);
    yr_timer_init(&w.limit, on_limit, &w);
    yr_timer_start(w.io, &w.limit, LIMIT_MS);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    world *w = *state;
    net_end_close(&w->client);
    net_end_close(&w->server);
    yr_listener_close(w->listener);
    yr_timer_stop(w->io, &w->limit);
    yr_uv_io_free(w->io);
    return 0;
}

static yurpc_status connect_to(world *w, const char *host, uint16_t port, int64_t timeout_ms)
{
    return net_end_connect(&w->client, w->io, host, port, timeout_ms);
}

/* Run until @p is_so becomes true, which must happen within the limit. */
static void run_until(world *w, const bool *is_so)
{
    while (!*is_so) {
        yr_uv_io_run(w->io, true);
        assert_false(w->is_over_time);
    }
}

static void run_until_received(world *w, const net_end *one, size_t len)
{
    while (one->received < len) {
        yr_uv_io_run(w->io, true);
        assert_false(w->is_over_time);
        assert_false(one->is_ended);
    }
    assert_int_equal(one->received, len);
}

static void run_for(world *w, int64_t ms)
{
    int64_t end_ms = yr_io_now_ms(w->io) + ms;
    yr_timer_start(w->io, &w->limit, ms);
    while (yr_io_now_ms(w->io) < end_ms) {
        yr_uv_io_run(w->io, true);
    }
    w->is_over_time = false;
    yr_timer_start(w->io, &w->limit, LIMIT_MS);
}

static void connect_pair(world *w)
{
    assert_ok(connect_to(w, "127.0.0.1", w->port, CONNECT_MS));
    run_until(w, &w->client.is_open);
    while (w->server.stream == NULL) {
        yr_uv_io_run(w->io, true);
        assert_false(w->is_over_time);
    }
}

/* A listening socket of the test's own, and a connection to it that the test holds raw. */
static int listen_raw(uint16_t *ret_port, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int accept_raw(world *w)
{
    uint16_t port = 0;
    int listening = listen_raw(&port, 1);
    assert_ok(connect_to(w, "127.0.0.1", port, CONNECT_MS));
    run_until(w, &w->client.is_open);
    int fd = accept(listening, NULL, NULL);
    assert_true(fd >= 0);
    close(listening);
    return fd;
}

/* ---- Connecting ---- */

static void an_echo_comes_back(void **state)
{
    world *w = *state;
    w->server.is_echoing = true;
    assert_ok(connect_to(w, "127.0.0.1", w->port, CONNECT_MS));
    assert_ok(yr_stream_write(w->client.stream, yr_bytes("hel", 3))); /* before it is open */
    assert_false(w->client.is_open);
    run_until(w, &w->client.is_open);
    assert_ok(yr_stream_write(w->client.stream, yr_bytes("lo", 2)));
    run_until_received(w, &w->client, 5);
    assert_memory_equal(w->client.first, "hello", 5);
    assert_int_equal(yr_stream_pending(w->client.stream), 0);
    assert_true(w->client.drains > 0);
}

static void a_name_is_resolved(void **state)
{
    world *w = *state;
    assert_ok(connect_to(w, "localhost", w->port, CONNECT_MS));
    run_until(w, &w->client.is_open);
}

static void a_refused_connection_says_so(void **state)
{
    world *w = *state;
    uint16_t port = 0;
    close(listen_raw(&port, 1));
    assert_ok(connect_to(w, "127.0.0.1", port, CONNECT_MS));
    assert_false(w->client.is_ended);
    run_until(w, &w->client.is_ended);
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    char text[128];
    snprintf(text, sizeof text, "cannot connect to 127.0.0.1:%u: connection refused", port);
    assert_string_equal(w->client.end_text, text);
    assert_int_equal(yr_stream_write(w->client.stream, yr_bytes("x", 1)), YURPC_CLOSED);
}

static void an_unknown_name_says_so(void **state)
{
    world *w = *state;
    assert_ok(connect_to(w, "no-such-host.invalid", 1, CONNECT_MS));
    run_until(w, &w->client.is_ended);
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(w->client.end_text, "cannot resolve no-such-host.invalid: "));
}

static void an_address_that_cannot_be_is_refused_at_once(void **state)
{
    world *w = *state;
    char long_host[300];
    memset(long_host, 'a', sizeof long_host - 1);
    long_host[sizeof long_host - 1] = '\0';
    assert_int_equal(connect_to(w, "", 1, 1), YURPC_INVALID);
    assert_int_equal(connect_to(w, "127.0.0.1", 0, 1), YURPC_INVALID);
    assert_int_equal(connect_to(w, long_host, 1, 1), YURPC_INVALID);
    yr_listener *listener = NULL;
    assert_int_equal(yr_io_listen(w->io, "localhost", 0, net_end_accept, &w->server, &listener),
                     YURPC_INVALID);
    assert_int_equal(
        yr_io_listen(w->io, "127.0.0.1", w->port, net_end_accept, &w->server, &listener),
        YURPC_EXISTS);
    assert_null(listener);
}

/* A listener whose backlog is full drops SYNs: nothing answers, as behind a dead link. */
static void a_silent_address_times_out(void **state)
{
    world *w = *state;
    uint16_t port = 0;
    int listening = listen_raw(&port, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fillers[4];
    for (size_t i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    run_for(w, 50);
    int64_t begun_ms = yr_io_now_ms(w->io);
    assert_ok(connect_to(w, "127.0.0.1", port, 300));
    run_until(w, &w->client.is_ended);
    int64_t took_ms = yr_io_now_ms(w->io) - begun_ms;
    assert_true(took_ms >= 300 && took_ms < 3000);
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(w->client.end_text, "no answer within 300 ms"));
    for (size_t i = 0; i < 4; i++) {
        close(fillers[i]);
    }
    close(listening);
}

static void no_descriptor_left_is_an_error_and_the_listener_does_not_spin(void **state)
{
    world *w = *state;
    connect_pair(w);
    net_end_close(&w->client);
    net_end_close(&w->server);
    run_for(w, 20);
    w->client = (net_end){.stream = NULL};

    /* All descriptors gone: connecting fails. */
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    struct rlimit none = {(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_ok(connect_to(w, "127.0.0.1", w->port, CONNECT_MS));
    run_until(w, &w->client.is_ended);
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(w->client.end_text, "too many open files"));
    net_end_close(&w->client);

    /* One left, for the client: accepting fails, and is tried again after a pause. */
    w->client = (net_end){.stream = NULL};
    none.rlim_cur = (rlim_t)next + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_ok(connect_to(w, "127.0.0.1", w->port, CONNECT_MS));
    run_until(w, &w->client.is_open);
    size_t turns = 0;
    int64_t end_ms = yr_io_now_ms(w->io) + 250;
    while (yr_io_now_ms(w->io) < end_ms) {
        yr_uv_io_run(w->io, true);
        turns++;
    }
    assert_true(turns < 20);
    assert_null(w->server.stream);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    while (w->server.stream == NULL) {
        yr_uv_io_run(w->io, true);
        assert_false(w->is_over_time);
    }
}

/* ---- Ends ---- */

static void the_end_in_order_has_no_error(void **state)
{
    world *w = *state;
    connect_pair(w);
    assert_ok(yr_stream_write(w->client.stream, yr_bytes("bye", 3)));
    yr_stream_finish(w->client.stream);
    assert_int_equal(yr_stream_write(w->client.stream, yr_bytes("x", 1)), YURPC_CLOSED);
    run_until(w, &w->server.is_ended);
    assert_int_equal(w->server.end_status, YURPC_OK);
    assert_int_equal(w->server.received, 3);
    assert_false(w->client.is_ended);
    net_end_close(&w->server);
    run_until(w, &w->client.is_ended);
    assert_int_equal(w->client.end_status, YURPC_OK);
}

static void reading_goes_on_after_finish(void **state)
{
    world *w = *state;
    int raw = accept_raw(w);
    yr_stream_finish(w->client.stream);
    char c = 0;
    run_for(w, 20);
    assert_int_equal(read(raw, &c, 1), 0);
    assert_int_equal(write(raw, "late", 4), 4);
    run_until_received(w, &w->client, 4);
    close(raw);
    run_until(w, &w->client.is_ended);
    assert_int_equal(w->client.end_status, YURPC_OK);
}

static void a_reset_says_so_after_what_came_before_it(void **state)
{
    world *w = *state;
    int raw = accept_raw(w);
    assert_int_equal(write(raw, "last words", 10), 10);
    const struct linger at_once = {1, 0};
    assert_int_equal(setsockopt(raw, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(raw);
    run_until(w, &w->client.is_ended);
    assert_int_equal(w->client.received, 10);
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(w->client.end_text, "connection reset by peer"));
}

static void writing_to_a_peer_that_is_gone_raises_no_signal(void **state)
{
    world *w = *state;
    struct sigaction action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL); /* it would kill this test */
    for (int i = 0; i < 50; i++) {
        int raw = accept_raw(w);
        const struct linger at_once = {1, 0};
        assert_int_equal(setsockopt(raw, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        close(raw);
        /* The reset is here already, unread; then again after it was seen by a write. */
        for (int n = 0; n < 3 && !w->client.is_ended; n++) {
            (void)!yr_stream_write(w->client.stream, yr_bytes("x", 1));
            yr_uv_io_run(w->io, false);
        }
        run_until(w, &w->client.is_ended);
        assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
        net_end_close(&w->client);
        w->client = (net_end){.stream = NULL};
    }
}

/* ---- Much ---- */

static void ten_megabytes_arrive_in_a_pump_of_drains(void **state)
{
    world *w = *state;
    w->client.pump = (size_t)10 * 1024 * 1024;
    size_t total = w->client.pump;
    connect_pair(w);
    run_until_received(w, &w->server, total);
    assert_true(w->client.drains >= total / (64 * 1024));
}

static void ten_megabytes_arrive_in_one_write(void **state)
{
    world *w = *state;
    connect_pair(w);
    size_t total = (size_t)10 * 1024 * 1024;
    char *big = yr_calloc(1, total);
    assert_non_null(big);
    memcpy(big, "begin", 5);
    assert_ok(yr_stream_write(w->client.stream, yr_bytes(big, total)));
    yr_free(big);
    assert_int_equal(yr_stream_pending(w->client.stream), total);
    run_until_received(w, &w->server, total);
    assert_memory_equal(w->server.first, "begin", 5);
    run_for(w, 20);
    assert_int_equal(w->client.drains, 1);
    assert_int_equal(yr_stream_pending(w->client.stream), 0);
}

static void more_than_the_limit_is_refused_whole(void **state)
{
    world *w = *state;
    connect_pair(w);
    size_t chunk = (size_t)8 * 1024 * 1024;
    char *big = yr_calloc(1, chunk);
    assert_non_null(big);
    for (size_t sum = 0; sum < YR_STREAM_PENDING_MAX; sum += chunk) {
        assert_ok(yr_stream_write(w->client.stream, yr_bytes(big, chunk)));
    }
    assert_int_equal(yr_stream_write(w->client.stream, yr_bytes(big, 1)), YURPC_TOO_LARGE);
    assert_int_equal(yr_stream_pending(w->client.stream), YR_STREAM_PENDING_MAX);
    yr_free(big);
    run_until_received(w, &w->server, YR_STREAM_PENDING_MAX);
}

static void writes_of_one_turn_leave_together(void **state)
{
    world *w = *state;
    connect_pair(w);
    for (int i = 0; i < 100; i++) {
        assert_ok(yr_stream_write(w->client.stream, yr_bytes("0123456789", 10)));
    }
    run_until_received(w, &w->server, 1000);
    assert_int_equal(w->server.calls, 1);
    assert_int_equal(w->client.drains, 1);
}

/* ---- Closing ---- */

typedef struct errand {
    yr_task task;
    net_end *from;
} errand;

static void write_more(void *context)
{
    net_end_write(((errand *)context)->from, " and more");
}

/* As a host does: steps without waiting, and poll(2) between them. */
static void step_until_received(world *w, const net_end *one, size_t len)
{
    while (one->received < len) {
        struct pollfd fd = {.fd = yr_uv_io_fd(w->io), .events = POLLIN};
        assert_true(poll(&fd, 1, yr_uv_io_timeout_ms(w->io)) >= 0 || errno == EINTR);
        yr_uv_io_run(w->io, false);
        assert_false(w->is_over_time);
    }
}

static void an_answer_of_a_hosts_step_leaves_with_what_follows_or_in_the_next_step(void **state)
{
    world *w = *state;
    connect_pair(w);
    w->server.is_echoing = true;
    net_end_write(&w->client, "ping");
    step_until_received(w, &w->server, 4);
    assert_int_equal(yr_uv_io_timeout_ms(w->io), 0); /* the echo wants to leave */
    assert_int_equal(w->client.received, 0);
    errand more = {.from = &w->server};
    yr_task_init(&more.task, write_more, &more);
    assert_true(yr_io_post(w->io, &more.task));
    step_until_received(w, &w->client, 13);
    assert_int_equal(w->client.calls, 1);
    net_end_write(&w->client, "ping");
    step_until_received(w, &w->client, 17); /* also when nothing follows */
}

static void do_nothing(void *context)
{
    (void)context;
}

static void tasks_that_write_nothing_do_not_hold_back_an_answer(void **state)
{
    world *w = *state;
    connect_pair(w);
    w->server.is_echoing = true;
    net_end_write(&w->client, "ping");
    step_until_received(w, &w->server, 4);
    yr_task task;
    yr_task_init(&task, do_nothing, NULL);
    for (int i = 0; i < 1000 && w->client.received == 0; i++) {
        assert_true(yr_io_post(w->io, &task));
        yr_uv_io_run(w->io, false);
    }
    assert_int_equal(w->client.received, 4);
}

static void a_stream_may_be_closed_inside_each_callback(void **state)
{
    world *w = *state;
    static const char *const callbacks[] = {"open", "data", "drain", "end"};
    for (size_t i = 0; i < 4; i++) {
        w->client = (net_end){.close_in = callbacks[i]};
        w->server = (net_end){.is_echoing = true};
        assert_ok(connect_to(w, "127.0.0.1", w->port, CONNECT_MS));
        assert_ok(yr_stream_write(w->client.stream, yr_bytes("hello", 5)));
        while (w->client.stream != NULL) {
            yr_uv_io_run(w->io, true);
            assert_false(w->is_over_time);
            if (w->client.received > 0 && i == 3) {
                net_end_close(&w->server);
            }
        }
        run_for(w, 10);
        net_end_close(&w->server);
    }
}

static void a_stream_may_be_closed_while_it_connects(void **state)
{
    world *w = *state;
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < 2; i++) {
        for (int turns = 0; turns < 3; turns++) {
            assert_ok(connect_to(w, hosts[i], w->port, CONNECT_MS));
            for (int n = 0; n < turns; n++) {
                yr_uv_io_run(w->io, false);
            }
            net_end_close(&w->client);
            run_for(w, 5);
            net_end_close(&w->server);
            w->server = (net_end){.stream = NULL};
            w->client = (net_end){.stream = NULL};
        }
    }
}

static void a_loop_is_freed_at_once_while_a_name_is_being_resolved(void **state)
{
    world *w = *state;
    yr_io *io = NULL;
    assert_ok(yr_uv_io_new(&io, NULL));
    const yr_connect_options options = {
        .host = "localhost", .port = 1, .timeout_ms = CONNECT_MS};
    yr_stream *stream = NULL;
    assert_ok(yr_io_connect(io, &options, &net_end_events, &w->client, &stream));
    yr_uv_io_run(io, false);
    yr_stream_close(stream);
    yr_uv_io_free(io);
    assert_false(w->client.is_ended);
}

static void descriptors_are_closed_on_exec(void **state)
{
    world *w = *state;
    connect_pair(w);
    int checked = 0;
    for (int fd = 3; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t size = sizeof address;
        if (flags >= 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
            address.ss_family == AF_INET) {
            assert_true((flags & FD_CLOEXEC) != 0);
            checked++;
        }
    }
    assert_true(checked >= 3);
}

static void connecting_survives_every_allocation_failure(void **state)
{
    world *w = *state;
    for (long allowed = 0;; allowed++) {
        w->client = (net_end){.stream = NULL};
        w->server = (net_end){.stream = NULL};
        yr_mem_fail_after(allowed);
        yurpc_status status = connect_to(w, "127.0.0.1", w->port, 500);
        while (status == YURPC_OK && !w->client.is_ended && w->server.stream == NULL) {
            yr_uv_io_run(w->io, true);
        }
        bool is_connected = status == YURPC_OK && !w->client.is_ended;
        yr_mem_fail_after(-1);
        if (!is_connected) {
            /* Or the listener had no memory, and hung up on it. */
            assert_true(status == YURPC_NO_MEMORY || w->client.end_status != YURPC_OK ||
                        w->client.is_open);
        }
        run_for(w, 120); /* the listener's pause */
        net_end_close(&w->client);
        net_end_close(&w->server);
        if (is_connected) {
            return;
        }
        run_for(w, 10);
        net_end_close(&w->server);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_echo_comes_back),
        TEST(a_name_is_resolved),
        TEST(a_refused_connection_says_so),
        TEST(an_unknown_name_says_so),
        TEST(an_address_that_cannot_be_is_refused_at_once),
        TEST(a_silent_address_times_out),
        TEST(no_descriptor_left_is_an_error_and_the_listener_does_not_spin),
        TEST(the_end_in_order_has_no_error),
        TEST(reading_goes_on_after_finish),
        TEST(a_reset_says_so_after_what_came_before_it),
        TEST(writing_to_a_peer_that_is_gone_raises_no_signal),
        TEST(ten_megabytes_arrive_in_a_pump_of_drains),
        TEST(ten_megabytes_arrive_in_one_write),
        TEST(more_than_the_limit_is_refused_whole),
        TEST(writes_of_one_turn_leave_together),
        TEST(an_answer_of_a_hosts_step_leaves_with_what_follows_or_in_the_next_step),
        TEST(tasks_that_write_nothing_do_not_hold_back_an_answer),
        TEST(a_stream_may_be_closed_inside_each_callback),
        TEST(a_stream_may_be_closed_while_it_connects),
        TEST(a_loop_is_freed_at_once_while_a_name_is_being_resolved),
        TEST(descriptors_are_closed_on_exec),
        TEST(connecting_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("uv_stream", tests, NULL, NULL);
}
