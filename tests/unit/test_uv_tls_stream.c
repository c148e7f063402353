/* Encrypted streams of the real world, over loopback. */
#include "base/bytes.h"
#include "base/mem.h"
#include "net/uv/uv_io.h"
#include "net_end.h"
#include "tls_world.h"
#include "yr_test.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 20000, CONNECT_MS = 5000, KILLS = 1000 };

/* What the server does with what comes. */
typedef enum server_mode {
    SERVER_TALKS,
    SERVER_IS_MUTE,   /* reads, says nothing */
    SERVER_HANGS_UP,  /* at the first byte */
    SERVER_IS_PLAIN,  /* answers as a web server does */
    SERVER_HIDES_WHY, /* hangs up instead of telling that it refuses */
} server_mode;

typedef struct server_end {
    yr_stream *stream;
    tls_peer peer;
    server_mode mode;
    bool is_echoing;
    bool has_last_words; /* when the client says that it will write no more */
    bool is_ended;
} server_end;

typedef struct world {
    tls_world tls;
    yr_cert cert;
    yr_listener *listener;
    uint16_t port;
    net_end client;
    server_end server;
    tls_peer_options options; /* of the server's end */
    bool is_over_time;
    yr_timer limit;
} world;

static world the_world;

/* ---- The server ---- */

static void server_close(server_end *server)
{
    yr_stream_close(server->stream);
    server->stream = NULL;
}

static void server_send(server_end *server)
{
    yurpc_bytes bytes = tls_peer_output(&server->peer);
    if (bytes.len > 0 && yr_stream_write(server->stream, bytes) != YURPC_OK) {
        server_close(server); /* there was no memory: then it does as a server does */
    }
    tls_peer_output_sent(&server->peer);
}

static void server_on_data(void *context, yurpc_bytes bytes)
{
    server_end *server = context;
    size_t received = server->peer.received;
    if (server->mode == SERVER_HANGS_UP) {
        server_close(server);
        return;
    }
    if (server->mode == SERVER_IS_PLAIN) {
        assert_ok(yr_stream_write(server->stream,
                                  yr_bytes_of_text("HTTP/1.0 400 Bad Request\r\n\r\n")));
        yr_stream_finish(server->stream);
        return;
    }
    if (server->mode == SERVER_IS_MUTE) {
        return;
    }
    tls_peer_feed(&server->peer, bytes);
    if (server->mode == SERVER_HIDES_WHY && server->peer.is_failed) {
        server_close(server);
        return;
    }
    if (server->is_echoing && server->peer.received > received) {
        tls_peer_write(&server->peer, server->peer.plain + received,
                       server->peer.received - received);
    }
    if (server->has_last_words &&
        (SSL_get_shutdown(server->peer.ssl) & SSL_RECEIVED_SHUTDOWN) != 0) {
        tls_peer_write(&server->peer, "late", 4);
    }
    server_send(server);
}

static void server_on_end(void *context, const yurpc_error *error)
{
    (void)error;
    ((server_end *)context)->is_ended = true;
}

static void on_accept(void *context, yr_stream *stream)
{
    static const yr_stream_events events = {.on_data = server_on_data, .on_end = server_on_end};
    world *w = context;
    server_close(&w->server); /* of a client that is gone */
    tls_peer_deinit(&w->server.peer);
    tls_peer_init(&w->server.peer, &w->options);
    w->server.stream = stream;
    yr_stream_accept(stream, &events, &w->server);
}

/* ---- The world ---- */

static void on_limit(void *context)
{
    ((world *)context)->is_over_time = true;
}

static int set_up(void **state)
{
    void *tls = NULL;
    assert_int_equal(tls_world_set_up(&tls), 0);
    world *w = &the_world;
    *w = (world){.tls = *(tls_world *)tls};
    yr_cert_init(&w->cert, &(yr_cert_options){
                               .name = "etcd", .names = "IP:127.0.0.1", .issuer = &w->tls.ca});
    w->options = (tls_peer_options){.cert = &w->cert, .protocol = "h2"};
    tls_world_open_with_ca(&w->tls);
    w->client.tls = w->tls.tls;
    assert_ok(yr_io_listen(w->tls.io, "127.0.0.1", 0, on_accept, w, &w->listener));
    w->port = yr_listener_port(w->listener);
    yr_timer_init(&w->limit, on_limit, w);
    yr_timer_start(w->tls.io, &w->limit, LIMIT_MS);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    world *w = *state;
    void *tls = &w->tls;
    net_end_close(&w->client);
    server_close(&w->server);
    tls_peer_deinit(&w->server.peer);
    yr_cert_deinit(&w->cert);
    yr_listener_close(w->listener);
    yr_timer_stop(w->tls.io, &w->limit);
    return tls_world_tear_down(&tls);
}

static void turn(world *w)
{
    yr_uv_io_run(w->tls.io, true);
    assert_false(w->is_over_time);
}

static void run_until(world *w, const bool *is_so)
{
    while (!*is_so) {
        turn(w);
    }
}

static void run_until_received(world *w, const size_t *received, size_t len)
{
    while (*received < len) {
        turn(w);
    }
    assert_int_equal(*received, len);
}

/* Both ends go, and a client may be begun anew. */
static void clear(world *w)
{
    net_end_close(&w->client);
    while (w->server.stream != NULL && !w->server.is_ended) {
        turn(w);
    }
    server_close(&w->server);
    w->server.is_ended = false;
    w->client = (net_end){.tls = w->tls.tls};
}

static void begin(world *w, int64_t timeout_ms)
{
    assert_ok(net_end_connect(&w->client, w->tls.io, "127.0.0.1", w->port, timeout_ms));
}

static void connect_pair(world *w)
{
    begin(w, CONNECT_MS);
    run_until(w, &w->client.is_open);
    run_until(w, &w->server.peer.is_open);
}

static void assert_ended(const world *w, yurpc_status status, const char *part)
{
    if (strstr(w->client.end_text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, w->client.end_text);
    }
    assert_int_equal(w->client.end_status, status);
}

static void expect_end(world *w, yurpc_status status, const char *part)
{
    begin(w, CONNECT_MS);
    run_until(w, &w->client.is_ended);
    assert_ended(w, status, part);
}

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    assert_int_equal(closedir(dir), 0);
    return count;
}

/* ---- What works ---- */

static void an_echo_comes_back(void **state)
{
    world *w = *state;
    w->server.is_echoing = true;
    begin(w, CONNECT_MS);
    assert_ok(yr_stream_write(w->client.stream, yr_bytes("hel", 3))); /* before it is open */
    assert_int_equal(yr_stream_pending(w->client.stream), 3);
    run_until(w, &w->client.is_open);
    assert_ok(yr_stream_write(w->client.stream, yr_bytes("lo", 2)));
    run_until_received(w, &w->client.received, 5);
    assert_memory_equal(w->client.first, "hello", 5);
    assert_int_equal(yr_stream_pending(w->client.stream), 0);
    assert_true(w->client.drains > 0);
}

static void ten_megabytes_arrive_in_a_pump_of_drains(void **state)
{
    world *w = *state;
    size_t total = (size_t)10 * 1024 * 1024;
    w->client.pump = total;
    connect_pair(w);
    run_until_received(w, &w->server.peer.received, total);
    assert_true(w->client.drains >= total / (64 * 1024));
}

static void ten_megabytes_come_in_order(void **state)
{
    world *w = *state;
    enum { BLOCK = 50000, BLOCKS = 200 };
    static char block[BLOCK];
    uint64_t hash = 0;
    connect_pair(w);
    for (int i = 0; i < BLOCKS; i++) {
        memset(block, i, sizeof block);
        hash = net_end_hash(hash, yr_bytes(block, sizeof block));
        tls_peer_write(&w->server.peer, block, sizeof block);
    }
    server_send(&w->server);
    run_until_received(w, &w->client.received, (size_t)BLOCK * BLOCKS);
    assert_int_equal(w->client.hash, hash);
}

static void more_than_the_limit_is_refused_whole(void **state)
{
    world *w = *state;
    size_t chunk = (size_t)8 * 1024 * 1024;
    char *big = yr_calloc(1, chunk);
    assert_non_null(big);
    connect_pair(w);
    size_t sum = 0;
    while (sum + chunk < YR_STREAM_PENDING_MAX) {
        assert_ok(yr_stream_write(w->client.stream, yr_bytes(big, chunk)));
        sum += chunk;
    }
    assert_int_equal(yr_stream_write(w->client.stream, yr_bytes(big, chunk)), YURPC_TOO_LARGE);
    yr_free(big);
    run_until_received(w, &w->server.peer.received, sum);
}

/* ---- Ends ---- */

static void only_a_said_end_is_an_end_in_order(void **state)
{
    world *w = *state;
    connect_pair(w);
    tls_peer_write(&w->server.peer, "bye", 3);
    tls_peer_finish(&w->server.peer);
    server_send(&w->server);
    run_until(w, &w->client.is_ended);
    assert_int_equal(w->client.received, 3);
    assert_int_equal(w->client.end_status, YURPC_OK);
    clear(w);
    connect_pair(w);
    yr_stream_finish(w->server.stream); /* FIN alone: anybody on the way could have sent it */
    run_until(w, &w->client.is_ended);
    assert_ended(w, YURPC_UNAVAILABLE, "was cut off");
}

static void reading_goes_on_after_finish(void **state)
{
    world *w = *state;
    w->server.has_last_words = true;
    connect_pair(w);
    yr_stream_finish(w->client.stream);
    assert_int_equal(yr_stream_write(w->client.stream, yr_bytes("x", 1)), YURPC_CLOSED);
    run_until_received(w, &w->client.received, 4);
    assert_memory_equal(w->client.first, "late", 4);
    assert_false(w->client.is_ended);
}

static void what_was_written_and_finished_early_arrives(void **state)
{
    world *w = *state;
    begin(w, CONNECT_MS);
    assert_ok(yr_stream_write(w->client.stream, yr_bytes("all", 3)));
    yr_stream_finish(w->client.stream);
    run_until(w, &w->server.is_ended);
    assert_int_equal(w->server.peer.received, 3);
    assert_int_not_equal(SSL_get_shutdown(w->server.peer.ssl) & SSL_RECEIVED_SHUTDOWN, 0);
}

/* ---- What is wrong ---- */

static void a_refused_server_learns_why_and_gets_nothing(void **state)
{
    world *w = *state;
    yr_cert cert;
    yr_cert_init(&cert, &(yr_cert_options){.name = "etcd",
                                           .names = "IP:127.0.0.1",
                                           .issuer = &w->tls.other_ca});
    w->options.cert = &cert;
    w->client.close_in = "end"; /* as the owner of a connection does */
    begin(w, CONNECT_MS);
    assert_ok(yr_stream_write(w->client.stream, yr_bytes("token", 5)));
    run_until(w, &w->client.is_ended);
    assert_ended(w, YURPC_TLS, "is issued by \"CN=other CA\"");
    assert_false(w->client.is_open);
    run_until(w, &w->server.is_ended);
    assert_true(w->server.peer.is_failed); /* by our alert */
    assert_int_equal(w->server.peer.received, 0);
    yr_cert_deinit(&cert);
}

static void a_server_that_stalls_in_the_handshake_fails_at_the_timeout(void **state)
{
    world *w = *state;
    size_t descriptors = count_descriptors();
    w->server.mode = SERVER_IS_MUTE;
    int64_t begun_ms = yr_io_now_ms(w->tls.io);
    begin(w, 300);
    run_until(w, &w->client.is_ended);
    int64_t took_ms = yr_io_now_ms(w->tls.io) - begun_ms;
    assert_true(took_ms >= 300 && took_ms < 3000);
    assert_ended(w, YURPC_UNAVAILABLE, "did not finish the TLS handshake within 300 ms");
    clear(w);
    turn(w);
    assert_int_equal(count_descriptors(), descriptors);
}

static void a_server_that_does_not_listen_says_so_as_ever(void **state)
{
    world *w = *state;
    yr_listener_close(w->listener);
    w->listener = NULL;
    expect_end(w, YURPC_UNAVAILABLE, "cannot connect to 127.0.0.1:");
}

static void a_plain_port_is_recognised(void **state)
{
    world *w = *state;
    w->server.mode = SERVER_HANGS_UP;
    expect_end(w, YURPC_UNAVAILABLE, "hung up when TLS began: does it speak TLS?");
    clear(w);
    w->server.mode = SERVER_IS_PLAIN;
    expect_end(w, YURPC_TLS, "does not speak TLS: use http:// for it");
}

static void a_missing_client_certificate_is_told_even_when_the_alert_gets_lost(void **state)
{
    static const server_mode modes[] = {SERVER_TALKS, SERVER_HIDES_WHY};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    world *w = *state;
    w->options.client_ca = &w->tls.ca;
    for (size_t i = 0; i < 4; i++) {
        w->server.mode = modes[i % 2];
        w->options.version_max = versions[i / 2];
        begin(w, CONNECT_MS);
        assert_ok(yr_stream_write(w->client.stream, yr_bytes("token", 5)));
        run_until(w, &w->client.is_ended);
        assert_ended(w, YURPC_TLS, "wants a client certificate");
        assert_int_equal(w->client.received, 0);
        assert_int_equal(w->server.peer.received, 0);
        clear(w);
    }
}

/* ---- Closing ---- */

static void a_stream_may_be_closed_inside_each_callback(void **state)
{
    static const char *const callbacks[] = {"open", "data", "drain", "end"};
    world *w = *state;
    w->server.is_echoing = true;
    for (size_t i = 0; i < 4; i++) {
        w->client.close_in = callbacks[i];
        begin(w, CONNECT_MS);
        assert_ok(yr_stream_write(w->client.stream, yr_bytes("hello", 5)));
        while (w->client.stream != NULL) {
            turn(w);
            if (w->client.received > 0 && i == 3) {
                server_close(&w->server);
            }
        }
        clear(w);
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return *state >> 33;
}

/* Closing with bytes unread makes the system reset the connection: writing there then fails. */
static void a_thousand_kills_at_random_points_raise_no_signal(void **state)
{
    world *w = *state;
    uint64_t random = 20261122;
    int open_count = 0;
    struct sigaction action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL); /* it would kill this test */
    for (int i = 0; i < KILLS; i++) {
        begin(w, CONNECT_MS);
        assert_ok(yr_stream_write(w->client.stream, yr_bytes("some words", 10)));
        uint64_t turns = next_random(&random) % 16;
        for (uint64_t k = 0; k < turns; k++) {
            yr_uv_io_run(w->tls.io, false);
        }
        open_count += w->client.is_open ? 1 : 0;
        if (next_random(&random) % 2 == 0 && w->client.is_open) {
            tls_peer_finish(&w->server.peer);
            server_send(&w->server);
        }
        while (w->server.stream == NULL && !w->client.is_ended) {
            turn(w);
        }
        server_close(&w->server);
        for (int k = 0; k < 3 && !w->client.is_ended; k++) {
            yurpc_status status = yr_stream_write(w->client.stream, yr_bytes("more", 4));
            assert_true(status == YURPC_OK || status == YURPC_CLOSED);
            yr_stream_finish(w->client.stream);
            yr_uv_io_run(w->tls.io, false);
        }
        run_until(w, &w->client.is_ended);
        clear(w);
        yr_timer_start(w->tls.io, &w->limit, LIMIT_MS);
    }
    print_message("%d of %d were open\n", open_count, KILLS);
    assert_in_range(open_count, KILLS / 10, KILLS - KILLS / 10);
}

static void connecting_survives_every_allocation_failure(void **state)
{
    world *w = *state;
    bool is_connected = false;
    for (long allowed = 0; !is_connected; allowed++) {
        yr_mem_fail_after(allowed);
        yurpc_status status = net_end_connect(&w->client, w->tls.io, "127.0.0.1", w->port, 500);
        if (status == YURPC_OK) {
            status = yr_stream_write(w->client.stream, yr_bytes("x", 1));
        }
        while (w->client.stream != NULL && !w->client.is_ended && !w->client.is_open) {
            yr_uv_io_run(w->tls.io, true);
        }
        is_connected = w->client.is_open && status == YURPC_OK && yr_mem_attempts() < allowed;
        yr_mem_fail_after(-1);
        if (!w->client.is_open) {
            assert_true(status != YURPC_OK || w->client.end_status != YURPC_OK);
        }
        net_end_close(&w->client);
        yr_uv_io_run(w->tls.io, false);
        server_close(&w->server);
        w->server.is_ended = false;
        w->client = (net_end){.tls = w->tls.tls};
        w->tls.line_count = 0; /* that files cannot be read, for one */
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_echo_comes_back),
        TEST(ten_megabytes_arrive_in_a_pump_of_drains),
        TEST(ten_megabytes_come_in_order),
        TEST(more_than_the_limit_is_refused_whole),
        TEST(only_a_said_end_is_an_end_in_order),
        TEST(reading_goes_on_after_finish),
        TEST(what_was_written_and_finished_early_arrives),
        TEST(a_refused_server_learns_why_and_gets_nothing),
        TEST(a_server_that_stalls_in_the_handshake_fails_at_the_timeout),
        TEST(a_server_that_does_not_listen_says_so_as_ever),
        TEST(a_plain_port_is_recognised),
        TEST(a_missing_client_certificate_is_told_even_when_the_alert_gets_lost),
        TEST(a_stream_may_be_closed_inside_each_callback),
        TEST(a_thousand_kills_at_random_points_raise_no_signal),
        TEST(connecting_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("uv_tls_stream", tests, NULL, NULL);
}
