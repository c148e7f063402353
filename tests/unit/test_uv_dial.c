/* Choosing among the addresses of a name. The resolver is this file's own. */
#include "base/bytes.h"
#include "net/uv/uv_io.h"
#include "net/uv/uv_lookup.h"
#include "net_end.h"
#include "yr_test.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, CONNECT_MS = 5000, ADDRESSES = 24 };

/* ---- The resolver: takes the place of the C library's, for libuv too ---- */

typedef struct answer {
    struct addrinfo info;
    struct sockaddr_storage address;
} answer;

static answer answers[ADDRESSES];
static size_t answer_count;
static sem_t may_answer; /* for the name "slow.test", each time */
static sem_t has_answered;

/* Let the one lookup of "slow.test" come to its end. */
static void answer_slowly(void)
{
    sem_post(&may_answer);
    while (sem_wait(&has_answered) != 0) {
    }
}

static void add_answer(int family, const char *text, uint16_t port)
{
    answer *one = &answers[answer_count++];
    *one = (answer){.info = {.ai_family = family, .ai_socktype = SOCK_STREAM}};
    struct sockaddr_in *ip4 = (struct sockaddr_in *)(void *)&one->address;
    struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)(void *)&one->address;
    one->address.ss_family = (sa_family_t)family;
    if (family == AF_INET6) {
        ip6->sin6_port = htons(port);
        assert_int_equal(inet_pton(family, text, &ip6->sin6_addr), 1);
        one->info.ai_addrlen = sizeof *ip6;
    } else {
        ip4->sin_port = htons(port);
        assert_int_equal(inet_pton(family, text, &ip4->sin_addr), 1);
        one->info.ai_addrlen = sizeof *ip4;
    }
    one->info.ai_addr = (struct sockaddr *)&one->address;
    if (answer_count > 1) {
        answers[answer_count - 2].info.ai_next = &one->info;
    }
}

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **ret_list)
{
    (void)service;
    (void)hints;
    if (strcmp(name, "slow.test") == 0) {
        while (sem_wait(&may_answer) != 0) {
        }
        sem_post(&has_answered);
        return EAI_AGAIN;
    }
    if (answer_count == 0) {
        return EAI_NONAME;
    }
    *ret_list = &answers[0].info;
    return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

/* ---- The world ---- */

typedef struct world {
    yr_io *io;
    yr_listener *listener;
    uint16_t port;
    uint16_t closed_port;
    int silent_fd; /* listens, but its backlog is full */
    int fillers[4];
    uint16_t silent_port;
    net_end client;
    net_end server;
} world;

static int listen_raw(uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void fill_backlog(world *w)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(w->silent_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < 4; i++) {
        w->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(w->fillers[i], (struct sockaddr *)&address, sizeof address) != 0) {
            usleep(1000); /* in progress: let the kernel get it done */
        }
    }
    usleep(20 * 1000);
}

static int set_up(void **state)
{
    static world w;
    w = (world){.io = NULL};
    answer_count = 0;
    assert_ok(yr_uv_io_new(&w.io, NULL));
    assert_ok(yr_io_listen(w.io, "127.0.0.1", 0, net_end_accept, &w.server, &w.listener));
    w.port = yr_listener_port(w.listener);
    close(listen_raw(&w.closed_port));
    w.silent_fd = listen_raw(&w.silent_port);
    fill_backlog(&w);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    world *w = *state;
    net_end_close(&w->client);
    net_end_close(&w->server);
    yr_listener_close(w->listener);
    yr_uv_io_free(w->io);
    for (size_t i = 0; i < 4; i++) {
        close(w->fillers[i]);
    }
    close(w->silent_fd);
    return 0;
}

/* How long it took until the client was open or ended. */
static int64_t dial(world *w, const char *name, int64_t timeout_ms)
{
    int64_t begun_ms = yr_io_now_ms(w->io);
    assert_ok(net_end_connect(&w->client, w->io, name, 1, timeout_ms));
    while (!w->client.is_open && !w->client.is_ended) {
        yr_uv_io_run(w->io, true);
        assert_true(yr_io_now_ms(w->io) - begun_ms < LIMIT_MS);
    }
    return yr_io_now_ms(w->io) - begun_ms;
}

static void an_address_that_refuses_is_followed_by_the_next_at_once(void **state)
{
    world *w = *state;
    add_answer(AF_INET, "127.0.0.1", w->closed_port);
    add_answer(AF_INET, "127.0.0.1", w->closed_port);
    add_answer(AF_INET, "127.0.0.1", w->port);
    assert_true(dial(w, "name.test", CONNECT_MS) < 200);
    assert_true(w->client.is_open);
}

static void a_silent_address_is_given_a_quarter_of_a_second(void **state)
{
    world *w = *state;
    add_answer(AF_INET, "127.0.0.1", w->silent_port);
    add_answer(AF_INET, "127.0.0.1", w->port);
    int64_t took_ms = dial(w, "name.test", CONNECT_MS);
    assert_true(w->client.is_open);
    assert_true(took_ms >= 250 && took_ms < 1000);
}

static void the_families_alternate(void **state)
{
    world *w = *state;
    /* In the order given, the good address would come after 750 ms. */
    for (int i = 0; i < 3; i++) {
        add_answer(AF_INET, "127.0.0.1", w->silent_port);
    }
    yr_listener *other = NULL;
    if (yr_io_listen(w->io, "::1", 0, net_end_accept, &w->server, &other) != YURPC_OK) {
        yr_skip("this machine has no IPv6");
    }
    add_answer(AF_INET6, "::1", yr_listener_port(other));
    int64_t took_ms = dial(w, "name.test", CONNECT_MS);
    yr_listener_close(other);
    assert_true(w->client.is_open);
    assert_true(took_ms >= 250 && took_ms < 500);
}

static void one_deadline_bounds_all_addresses(void **state)
{
    world *w = *state;
    for (int i = 0; i < 10; i++) {
        add_answer(AF_INET, "127.0.0.1", w->silent_port);
    }
    int64_t took_ms = dial(w, "name.test", 600);
    assert_true(w->client.is_ended);
    assert_true(took_ms >= 600 && took_ms < 1500);
    assert_string_equal(w->client.end_text,
                        "cannot connect to name.test:1: no answer within 600 ms");
}

static void the_most_telling_error_is_reported(void **state)
{
    world *w = *state;
    add_answer(AF_INET, "127.0.0.1", w->closed_port);
    add_answer(AF_INET6, "fe80::1", 1); /* link-local without a link: refused by the kernel */
    assert_true(dial(w, "name.test", 1000) <= 1100);
    assert_true(w->client.is_ended);
    assert_string_equal(w->client.end_text,
                        "cannot connect to name.test:1: connection refused");
}

static void addresses_beyond_the_maximum_are_ignored(void **state)
{
    world *w = *state;
    for (int i = 0; i < ADDRESSES; i++) {
        add_answer(AF_INET, "127.0.0.1", w->closed_port);
    }
    assert_true(dial(w, "name.test", CONNECT_MS) < 1000);
    assert_true(w->client.is_ended);
}

static void a_name_without_addresses_does_not_exist(void **state)
{
    world *w = *state;
    dial(w, "name.test", CONNECT_MS);
    assert_int_equal(w->client.end_status, YURPC_UNAVAILABLE);
    assert_string_equal(w->client.end_text, "cannot resolve name.test: no such host");
}

static void a_slow_resolver_is_bounded_by_the_deadline(void **state)
{
    world *w = *state;
    int64_t took_ms = dial(w, "slow.test", 100);
    assert_true(w->client.is_ended);
    assert_true(took_ms >= 100 && took_ms < 1000);
    assert_string_equal(w->client.end_text,
                        "cannot resolve slow.test: no answer within 100 ms");
    answer_slowly();
}

static void note_end(void *context, const yurpc_error *error)
{
    (void)error;
    ++*(size_t *)context;
}

static void ignore_open(void *context)
{
    (void)context;
}

static void ignore_data(void *context, yurpc_bytes bytes)
{
    (void)context;
    (void)bytes;
}

/* Whoever may register names that nobody answers for must not keep us from the registry. */
static void minor_lookups_leave_room_for_others(void **state)
{
    world *w = *state;
    static const yr_stream_events events = {
        .on_open = ignore_open, .on_data = ignore_data, .on_end = note_end};
    const yr_connect_options minor = {
        .host = "slow.test", .port = 1, .timeout_ms = CONNECT_MS, .is_minor = true};
    yr_stream *streams[YR_UV_LOOKUPS_MAX];
    size_t ended = 0;
    for (size_t i = 0; i < YR_UV_LOOKUPS_MAX; i++) {
        assert_ok(yr_io_connect(w->io, &minor, &events, &ended, &streams[i]));
    }
    add_answer(AF_INET, "127.0.0.1", w->port);
    dial(w, "name.test", CONNECT_MS);
    bool is_open = w->client.is_open;
    for (size_t i = 0; i < YR_UV_LOOKUPS_MAX; i++) {
        yr_stream_close(streams[i]);
    }
    for (size_t i = ended; i < YR_UV_LOOKUPS_MAX; i++) {
        answer_slowly();
    }
    assert_true(is_open);
    assert_int_equal(ended, YR_UV_LOOKUPS_MAX - YR_UV_LOOKUPS_MINOR_MAX);
}

static void a_loop_does_not_wait_for_a_slow_resolver_when_it_is_freed(void **state)
{
    (void)state;
    yr_io *io = NULL;
    net_end client = {.stream = NULL};
    assert_ok(yr_uv_io_new(&io, NULL));
    assert_ok(net_end_connect(&client, io, "slow.test", 1, CONNECT_MS));
    yr_uv_io_run(io, false);
    usleep(10 * 1000); /* the resolver is inside its work now: it cannot be cancelled */
    net_end_close(&client);
    yr_uv_io_free(io); /* would hang here */
    answer_slowly();
    usleep(20 * 1000); /* only so that a leak checker sees the end of it */
    assert_false(client.is_ended);
}

/* In the child. */
static void exit_while_a_name_is_being_resolved(void)
{
    yr_io *io = NULL;
    net_end client = {.stream = NULL};
    alarm(10); /* a hang is a failure, too */
    if (yr_uv_io_new(&io, NULL) != YURPC_OK ||
        net_end_connect(&client, io, "slow.test", 1, CONNECT_MS) != YURPC_OK) {
        exit(1);
    }
    usleep(10 * 1000);
    net_end_close(&client);
    yr_uv_io_free(io);
    exit(0);
}

static void a_process_does_not_wait_for_a_slow_resolver_when_it_exits(void **state)
{
    (void)state;
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        exit_while_a_name_is_being_resolved();
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    if (sem_init(&may_answer, 0, 0) != 0 || sem_init(&has_answered, 0, 0) != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_does_not_wait_for_a_slow_resolver_when_it_exits),
        TEST(an_address_that_refuses_is_followed_by_the_next_at_once),
        TEST(a_silent_address_is_given_a_quarter_of_a_second),
        TEST(the_families_alternate),
        TEST(one_deadline_bounds_all_addresses),
        TEST(the_most_telling_error_is_reported),
        TEST(addresses_beyond_the_maximum_are_ignored),
        TEST(a_name_without_addresses_does_not_exist),
        TEST(a_slow_resolver_is_bounded_by_the_deadline),
        TEST(minor_lookups_leave_room_for_others),
        TEST(a_loop_does_not_wait_for_a_slow_resolver_when_it_is_freed),
    };
    return cmocka_run_group_tests_name("uv_dial", tests, NULL, NULL);
}
