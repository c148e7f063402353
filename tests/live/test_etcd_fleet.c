/*
 * Fleets on a real etcd: what consumers see when most of a service vanishes at once, and how
 * providers come back.
 *
 *   test_live_etcd_fleet VERSION
 *   test_live_etcd_fleet --provide ADDRESS: the actor that is killed
 */
#include "clock.h"
#include "engine.h"
#include "yr_test.h"

#include <yurpc/etcd.h>
#include <yurpc/yurpc.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVICE "com.acme.UserService:1.0"

enum {
    TTL_S = 5,
    CROWD = 50,
    CLIENTS = 200,
    FEW = 5,
    RECOVERY_MS = 10000,
    HALF_SECOND_MS = 500,
    EXPIRY_MS = TTL_S * 1000 + 1000,
    PROBED_MS = 2000,
};

/* How many may come back together. With a sanitizer it is the machine that is late, and serves
 * several at once; sim.pacing asserts the half there, too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { TOGETHER_PERCENT = 75 };
#else
enum { TOGETHER_PERCENT = 50 };
#endif

static yr_engine *engine;
static const char *program;

static yurpc_registry *open_registry(const char *address, bool is_unprotected)
{
    yurpc_registry *registry = NULL;
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.registry = "etcd";
    config.address = address;
    config.ttl_s = TTL_S;
    config.cache_dir = "none";
    config.is_unprotected = is_unprotected;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    return registry;
}

/* ---- Providers, each with a handle and a port of its own ---- */

typedef struct provider {
    yurpc_registry *registry;
    int listener; /* -1: nobody listens */
    uint16_t port;
    _Atomic int64_t registered_at_ms; /* the last time */
    _Atomic int losses;
} provider;

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    provider *self = context;
    (void)error;
    if (state == YURPC_REGISTERED) {
        atomic_store(&self->registered_at_ms, yr_test_now_ms());
    } else if (state == YURPC_LOST) {
        atomic_fetch_add(&self->losses, 1);
    }
}

static int take_port(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void provide(provider *self, const char *address)
{
    self->listener = take_port(&self->port);
    assert_int_equal(listen(self->listener, 64), 0);
    self->registry = open_registry(address, false);
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = SERVICE;
    spec.host = "127.0.0.1";
    spec.port = self->port;
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.on_state = on_state;
    options.context = self;
    yurpc_registration *registration = NULL;
    assert_ok(yurpc_registry_register(self->registry, &spec, &options, &registration, NULL));
}

static void provide_all(provider *crowd, size_t count)
{
    memset(crowd, 0, count * sizeof *crowd);
    for (size_t i = 0; i < count; i++) {
        provide(&crowd[i], yr_engine_address(engine));
    }
}

static void close_all(provider *crowd, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        yurpc_registry_close(crowd[i].registry);
        close(crowd[i].listener);
    }
}

static void on_revoked(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    (void)reply;
    atomic_fetch_add((atomic_size_t *)context, error == NULL);
}

/* All at once, as a leader does that believes itself to be one still. */
static void revoke_all(const provider *crowd, size_t count)
{
    yurpc_etcd *client = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = yr_engine_address(engine);
    assert_ok(yurpc_etcd_open(&config, &client, NULL));
    int64_t leases[CROWD];
    for (size_t i = 0; i < count; i++) {
        yurpc_registry_stats stats = {.size = sizeof stats};
        assert_ok(yurpc_registry_get_stats(crowd[i].registry, &stats));
        assert_true(stats.lease_id != 0);
        leases[i] = stats.lease_id;
    }
    atomic_size_t revoked = 0;
    for (size_t i = 0; i < count; i++) {
        assert_ok(yurpc_etcd_lease_revoke_async(client, leases[i], on_revoked, &revoked));
    }
    int64_t end = yr_test_now_ms() + RECOVERY_MS;
    while (atomic_load(&revoked) < count && yr_test_now_ms() < end) {
        (void)poll(NULL, 0, 1);
    }
    yurpc_etcd_close(client);
    assert_int_equal(atomic_load(&revoked), count);
}

/* ---- A consumer ---- */

typedef struct consumer {
    yurpc_registry *registry;
    yurpc_service *service;
    yurpc_watch *watch;
    atomic_int downs;
    atomic_int suspected; /* events with the mark */
} consumer;

static void on_event(void *context, const yurpc_event *event)
{
    consumer *self = context;
    if (event->kind == YURPC_EVENT_DOWN) {
        atomic_fetch_add(&self->downs, (int)event->count);
    }
    for (size_t i = 0; i < event->count; i++) {
        atomic_fetch_add(&self->suspected, event->kind == YURPC_EVENT_CHANGED &&
                                               yurpc_instance_is_suspect(event->instances[i]));
    }
}

static size_t see(const consumer *self)
{
    const yurpc_snapshot *now = yurpc_service_acquire(self->service);
    size_t count = yurpc_snapshot_count(now);
    yurpc_service_release(self->service, now);
    return count;
}

/* How many there are when there have been @p count, or after @p limit_ms. */
static size_t await_count(const consumer *self, size_t count, int64_t limit_ms)
{
    int64_t end = yr_test_now_ms() + limit_ms;
    while (see(self) != count && yr_test_now_ms() < end) {
        (void)poll(NULL, 0, 1);
    }
    return see(self);
}

static void consume(consumer *self, size_t count, bool is_unprotected)
{
    memset(self, 0, sizeof *self);
    self->registry = open_registry(yr_engine_address(engine), is_unprotected);
    assert_ok(yurpc_registry_discover(self->registry, SERVICE, NULL, &self->service, NULL));
    assert_int_equal(await_count(self, count, RECOVERY_MS), count);
    assert_ok(yurpc_service_watch(self->service, on_event, self, &self->watch));
}

static yurpc_registry_stats stats_of(const consumer *self)
{
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(self->registry, &stats));
    return stats;
}

static void end(consumer *self)
{
    yurpc_watch_stop(self->watch);
    yurpc_service_close(self->service);
    yurpc_registry_close(self->registry);
}

/* ---- Tests ---- */

static int by_time(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The most of @p times, which are in order, within half a second. */
static size_t peak_of(const int64_t *times, size_t count)
{
    size_t most = 0;
    for (size_t i = 0, first = 0; i < count; i++) {
        while (times[first] + HALF_SECOND_MS <= times[i]) {
            first++;
        }
        most = i + 1 - first > most ? i + 1 - first : most;
    }
    return most;
}

/* The most that were registered within half a second; the last came after *@p ret_last_ms. */
static size_t peak(provider *crowd, size_t count, int64_t since_ms, int64_t *ret_last_ms)
{
    int64_t times[CROWD];
    for (size_t i = 0; i < count; i++) {
        times[i] = atomic_load(&crowd[i].registered_at_ms);
        assert_true(times[i] >= since_ms);
    }
    qsort(times, count, sizeof *times, by_time);
    *ret_last_ms = times[count - 1] - since_ms;
    return peak_of(times, count);
}

static bool are_all_back(provider *crowd, size_t count, int64_t since_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (atomic_load(&crowd[i].registered_at_ms) < since_ms) {
            return false;
        }
    }
    return true;
}

static void all_leases_are_revoked_and_the_list_never_gets_shorter(void **state)
{
    (void)state;
    static provider crowd[CROWD];
    static consumer self;
    provide_all(crowd, CROWD);
    consume(&self, CROWD, false);
    int64_t since = yr_test_now_ms();
    revoke_all(crowd, CROWD);
    int64_t revoked = yr_test_now_ms() - since;
    size_t least = CROWD;
    while (yr_test_now_ms() - since < RECOVERY_MS &&
           !(are_all_back(crowd, CROWD, since) && stats_of(&self).suspects == 0)) {
        size_t count = see(&self);
        least = count < least ? count : least;
        (void)poll(NULL, 0, 1);
    }
    int64_t last_ms = 0;
    size_t most = peak(crowd, CROWD, since, &last_ms);
    yurpc_registry_stats stats = stats_of(&self);
    printf("%d leases revoked in %lld ms: the list had never less than %zu, %llu were suspect; "
           "all were back after %lld ms, at most %zu in half a second\n",
           CROWD, (long long)revoked, least, (unsigned long long)stats.suspected,
           (long long)last_ms, most);
    assert_int_equal(least, CROWD);
    assert_int_equal(stats.suspects, 0);
    assert_in_range(stats.suspected, 3, CROWD);
    assert_true(most * 100 <= CROWD * TOGETHER_PERCENT);
    assert_int_equal(atomic_load(&self.downs), 0);
    end(&self);
    close_all(crowd, CROWD);
}

static void a_fleet_that_leaves_in_order_is_gone_at_once(void **state)
{
    (void)state;
    static provider crowd[FEW];
    static consumer self;
    provide_all(crowd, FEW);
    consume(&self, FEW, false);
    close_all(crowd, FEW);
    assert_int_equal(await_count(&self, 0, 1000), 0);
    assert_int_equal(stats_of(&self).suspected, 0);
    end(&self);
}

/* A process that provides FEW instances, and says when they are registered. */
static pid_t start_actor(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execl(program, program, "--provide", yr_engine_address(engine), (char *)NULL);
        _exit(127);
    }
    char word = '\0';
    close(ends[1]);
    assert_int_equal(read(ends[0], &word, 1), 1);
    close(ends[0]);
    return pid;
}

static void a_fleet_that_is_killed_is_gone_when_its_hosts_have_refused(void **state)
{
    (void)state;
    static consumer self;
    pid_t actor = start_actor();
    consume(&self, FEW, false);
    int64_t since = yr_test_now_ms();
    assert_int_equal(kill(actor, SIGKILL), 0);
    assert_int_equal(waitpid(actor, NULL, 0), actor);
    assert_int_equal(await_count(&self, 0, 2 * EXPIRY_MS + PROBED_MS), 0);
    int64_t end_ms = yr_test_now_ms() + RECOVERY_MS;
    while (stats_of(&self).suspects > 0 && yr_test_now_ms() < end_ms) {
        poll(NULL, 0, 1); /* the count follows the list by a moment */
    }
    yurpc_registry_stats stats = stats_of(&self);
    printf("%d killed: %llu were suspect, all were gone after %lld ms\n", FEW,
           (unsigned long long)stats.suspected, (long long)(yr_test_now_ms() - since));
    assert_int_equal(stats.suspects, 0);
    assert_in_range(stats.suspected, 1, FEW);
    end(&self);
}

static void without_protection_the_list_is_what_the_registry_says(void **state)
{
    (void)state;
    static consumer self;
    pid_t actor = start_actor();
    consume(&self, FEW, true);
    assert_int_equal(kill(actor, SIGKILL), 0);
    assert_int_equal(waitpid(actor, NULL, 0), actor);
    assert_int_equal(await_count(&self, 0, 2 * EXPIRY_MS), 0);
    assert_int_equal(stats_of(&self).suspected, 0);
    end(&self);
}

static bool is_connected(const yurpc_registry *registry)
{
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    return stats.is_connected;
}

/* How many of @p clients are connected, and since when, as seen every few milliseconds. */
static size_t look(yurpc_registry *const *clients, int64_t *since_ms)
{
    size_t connected = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        bool is_up = is_connected(clients[i]);
        since_ms[i] = is_up && since_ms[i] == 0 ? yr_test_now_ms() : since_ms[i];
        connected += is_up;
    }
    (void)poll(NULL, 0, 2);
    return connected;
}

static void clients_of_a_registry_that_was_away_do_not_come_back_together(void **state)
{
    (void)state;
    static yurpc_registry *clients[CLIENTS];
    static int64_t since_ms[CLIENTS];
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = open_registry(yr_engine_address(engine), false);
    }
    int64_t end = yr_test_now_ms() + RECOVERY_MS;
    while (look(clients, since_ms) < CLIENTS && yr_test_now_ms() < end) {
    }
    yr_engine_stop(engine, SIGKILL);
    (void)poll(NULL, 0, 10000);
    memset(since_ms, 0, sizeof since_ms);
    assert_int_equal(look(clients, since_ms), 0);
    assert_ok(yr_engine_spawn(engine));
    end = yr_test_now_ms() + 2 * RECOVERY_MS;
    while (look(clients, since_ms) < CLIENTS && yr_test_now_ms() < end) {
    }
    qsort(since_ms, CLIENTS, sizeof *since_ms, by_time);
    assert_true(since_ms[0] > 0);
    size_t most = peak_of(since_ms, CLIENTS);
    printf("%d clients after 10 s: all back within %lld ms, at most %zu in half a second\n",
           CLIENTS, (long long)(since_ms[CLIENTS - 1] - since_ms[0]), most);
    assert_true(most * 100 <= CLIENTS * TOGETHER_PERCENT);
    for (size_t i = 0; i < CLIENTS; i++) {
        yurpc_registry_close(clients[i]);
    }
    assert_ok(yr_engine_wait_ready(engine));
}

static int act(const char *address)
{
    static provider crowd[FEW];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < FEW; i++) {
        provide(&crowd[i], address);
    }
    (void)!write(STDOUT_FILENO, "r", 1);
    (void)poll(NULL, 0, 60000);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 3 && strcmp(argv[1], "--provide") == 0) {
        return act(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_leases_are_revoked_and_the_list_never_gets_shorter),
        cmocka_unit_test(without_protection_the_list_is_what_the_registry_says),
        cmocka_unit_test(a_fleet_that_leaves_in_order_is_gone_at_once),
        cmocka_unit_test(clients_of_a_registry_that_was_away_do_not_come_back_together),
        cmocka_unit_test(a_fleet_that_is_killed_is_gone_when_its_hosts_have_refused),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s VERSION\n", argv[0]);
        return EXIT_FAILURE;
    }
    yurpc_status status = yr_engine_start_etcd(argv[1], NULL, &engine);
    if (status == YURPC_NOT_FOUND) {
        return yr_engine_skip(argv[1]);
    }
    if (status != YURPC_OK) {
        return EXIT_FAILURE;
    }
    int failed = cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
    yr_engine_free(engine);
    return failed;
}
