/*
 * A system without threads, descriptors or room: each such call fails in turn, once or from
 * then on. Nothing aborts the program, failing is said, and afterwards all works.
 *
 * Each turn has a process of its own, because some things are done once in a process.
 */
#include "local_registry.h"
#include "scarce.h"
#include "yr_test.h"

#include <yurpc/etcd_client.h>
#include <yurpc/etcd_kv.h>
#include <yurpc/service.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_MS = 5000, SHORT_MS = 100, TURNS_MAX = 400, DESCRIPTORS = 256 };
enum { WAS_REFUSED = 0, WAS_NOT = 10, IS_WRONG = 1 };

static void on_event(void *context, const yurpc_event *event)
{
    (void)context;
    (void)event;
}

static yurpc_status consume(yurpc_registry *registry)
{
    yurpc_service *service = NULL;
    yurpc_watch *watch = NULL;
    yurpc_picker *picker = NULL;
    yurpc_status status = yurpc_registry_discover(registry, "svc", NULL, &service, NULL);
    if (status != YURPC_OK) {
        return status;
    }
    status = yurpc_service_watch(service, on_event, NULL, &watch);
    if (status == YURPC_OK) {
        status = yurpc_picker_new(YURPC_PICK_RANDOM, &picker);
    }
    if (status == YURPC_OK) {
        const yurpc_snapshot *snapshot = yurpc_service_acquire(service);
        (void)yurpc_snapshot_pick(snapshot, picker);
        yurpc_service_release(service, snapshot);
    }
    yurpc_picker_free(picker);
    yurpc_watch_stop(watch);
    yurpc_service_close(service);
    return status;
}

/* All that a program does with a registry. The first thing that failed, if any. */
static yurpc_status use_registry(const char *kind, const char *address, uint32_t timeout_ms)
{
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    yurpc_registry *registry = NULL;
    yurpc_registration *registration = NULL;
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    config.registry = kind;
    config.address = address;
    config.timeout_ms = timeout_ms;
    yurpc_status status = yurpc_registry_open(&config, &registry, NULL);
    if (status != YURPC_OK) {
        return status;
    }
    spec.service = "svc";
    spec.host = "10.0.0.5";
    spec.port = 8080;
    status = yurpc_registry_register(registry, &spec, NULL, &registration, NULL);
    yurpc_status consumed = consume(registry);
    yurpc_registry_close(registry);
    return status != YURPC_OK ? status : consumed;
}

static yurpc_status use_local(uint32_t timeout_ms)
{
    return use_registry("local", local_registry_path(), timeout_ms);
}

/* Nobody is there: what is looked at is that it is tried, and let go of. */
static yurpc_status use_etcd(uint32_t timeout_ms)
{
    (void)timeout_ms;
    yurpc_status status = use_registry("etcd", "http://localhost:1", SHORT_MS);
    return status == YURPC_UNAVAILABLE || status == YURPC_TIMEOUT ? YURPC_OK : status;
}

static yurpc_status use_etcd_client(uint32_t timeout_ms)
{
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    yurpc_etcd *client = NULL;
    (void)timeout_ms;
    config.endpoints = "http://localhost:1";
    config.timeout_ms = SHORT_MS;
    yurpc_status status = yurpc_etcd_open(&config, &client, NULL);
    if (status != YURPC_OK) {
        return status;
    }
    yurpc_etcd_reply *reply = NULL;
    status = yurpc_etcd_range(client, (yurpc_bytes){"key", 3}, NULL, &reply, NULL);
    yurpc_etcd_reply_free(reply);
    yurpc_etcd_close(client);
    return status == YURPC_UNAVAILABLE || status == YURPC_TIMEOUT ? YURPC_OK : status;
}

typedef yurpc_status use_fn(uint32_t timeout_ms);

/* One turn, in a process of its own: what its end says. */
static int take_turn(use_fn *use, long n, bool is_lasting)
{
    pid_t child = fork();
    if (child == 0) {
        yr_scarce_begin(n, is_lasting);
        (void)use(SHORT_MS);
        bool was_refused = yr_scarce_end();
        int good = was_refused ? WAS_REFUSED : WAS_NOT;
        exit(use(TIMEOUT_MS) == YURPC_OK ? good : IS_WRONG);
    }
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status)) {
        fail_msg("killed by signal %d when call %ld%s was refused", WTERMSIG(status), n,
                 is_lasting ? " and all after it" : "");
    }
    return WEXITSTATUS(status);
}

static void sweep(use_fn *use, bool is_lasting)
{
    int code = WAS_REFUSED;
    long n = 0;
    while (code == WAS_REFUSED && n < TURNS_MAX) {
        code = take_turn(use, n++, is_lasting);
    }
    if (code != WAS_NOT) {
        fail_msg("did not work again after call %ld%s was refused (%d)", n - 1,
                 is_lasting ? " and all after it" : "", code);
    }
    assert_true(n > 5); /* something was refused indeed */
}

static void local_survives_when_one_call_fails(void **state)
{
    (void)state;
    sweep(use_local, false);
}

static void local_survives_when_all_calls_fail(void **state)
{
    (void)state;
    sweep(use_local, true);
}

static void etcd_survives_when_one_call_fails(void **state)
{
    (void)state;
    sweep(use_etcd, false);
}

static void etcd_survives_when_all_calls_fail(void **state)
{
    (void)state;
    sweep(use_etcd, true);
}

static void the_etcd_client_survives_when_one_call_fails(void **state)
{
    (void)state;
    sweep(use_etcd_client, false);
}

static void a_program_without_standard_descriptors_can_use_it(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDIN_FILENO);
        (void)close(STDOUT_FILENO);
        (void)close(STDERR_FILENO);
        _exit(use_local(TIMEOUT_MS) == YURPC_OK && use_etcd(SHORT_MS) == YURPC_OK ? 0 : 1);
    }
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Descriptors that a program that is executed would inherit. */
static int count_inherited(void)
{
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        int flags = fcntl(fd, F_GETFD);
        count += flags >= 0 && (flags & FD_CLOEXEC) == 0;
    }
    return count;
}

static int count_open(void)
{
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void nothing_is_left_open_for_a_program_that_is_executed(void **state)
{
    (void)state;
    const char *const addresses[] = {local_registry_path(), "http://localhost:1"};
    yurpc_registry *registries[2] = {NULL, NULL};
    yurpc_service *services[2] = {NULL, NULL};
    int inherited = count_inherited();
    int open_before = count_open();
    for (int i = 0; i < 2; i++) {
        yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
        config.registry = i == 0 ? "local" : "etcd";
        config.address = addresses[i];
        config.timeout_ms = i == 0 ? TIMEOUT_MS : SHORT_MS;
        assert_ok(yurpc_registry_open(&config, &registries[i], NULL));
        yurpc_status status =
            yurpc_registry_discover(registries[i], "svc", NULL, &services[i], NULL);
        assert_true(i == 1 || status == YURPC_OK);
    }
    assert_true(count_open() > open_before + 8); /* loops, files, SQLite's */
    assert_int_equal(count_inherited(), inherited);
    yurpc_registry_close(registries[0]);
    yurpc_registry_close(registries[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: ThreadSanitizer allows no threads in the child of a process that has some. */
        cmocka_unit_test(a_program_without_standard_descriptors_can_use_it),
        cmocka_unit_test(local_survives_when_one_call_fails),
        cmocka_unit_test(local_survives_when_all_calls_fail),
        cmocka_unit_test(etcd_survives_when_one_call_fails),
        cmocka_unit_test(etcd_survives_when_all_calls_fail),
        cmocka_unit_test(the_etcd_client_survives_when_one_call_fails),
        cmocka_unit_test(nothing_is_left_open_for_a_program_that_is_executed),
    };
    return cmocka_run_group_tests_name("scarcity", tests, local_registry_make,
                                       local_registry_remove);
}
