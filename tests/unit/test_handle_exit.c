/*
 * Processes that end without closing anything, and processes with little stack: this program
 * starts itself anew for each.
 */
#include "local_registry.h"
#include "yr_test.h"

#include <yurpc/service.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS = 20, SMALL_STACK = 64 * 1024 };

/* ---- What the child does ---- */

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    (void)context;
    (void)state;
    (void)error;
}

static void on_event(void *context, const yurpc_event *event)
{
    (void)context;
    (void)event;
}

static void *read_for_ever(void *context)
{
    yurpc_service *service = context;
    for (;;) {
        const yurpc_snapshot *now = yurpc_service_acquire(service);
        if (yurpc_snapshot_count(now) > 0 && yurpc_snapshot_at(now, 0) == NULL) {
            abort();
        }
        yurpc_service_release(service, now);
    }
    return NULL;
}

static yurpc_registry *begin(const char *kind, const char *address)
{
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.registry = kind;
    config.address = address;
    config.timeout_ms = PATIENCE_MS;
    config.cache_dir = "none";
    yurpc_registry *registry = NULL;
    if (yurpc_registry_open(&config, &registry, NULL) != YURPC_OK) {
        abort();
    }
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.is_background = true;
    options.on_state = on_state;
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = SERVICE;
    spec.host = "10.0.0.5";
    spec.port = 1;
    yurpc_registration *registration = NULL;
    if (yurpc_registry_register(registry, &spec, &options, &registration, NULL) != YURPC_OK) {
        abort();
    }
    return registry;
}

static int be_the_child(const char *kind, const char *address, bool is_closed)
{
    yurpc_registry *registry = begin(kind, address);
    yurpc_service *service = NULL;
    yurpc_discover_options options = YURPC_DISCOVER_OPTIONS_INIT;
    options.is_background = true;
    yurpc_watch *watch = NULL;
    if (yurpc_registry_discover(registry, SERVICE, &options, &service, NULL) != YURPC_OK ||
        yurpc_service_watch(service, on_event, NULL, &watch) != YURPC_OK) {
        abort();
    }
    if (is_closed) {
        yurpc_registry_close(registry);
        return 0;
    }
    pthread_t reader;
    if (pthread_create(&reader, NULL, read_for_ever, service) != 0) {
        abort();
    }
    return 0; /* with everything open, and threads at work */
}

/* ---- What the parent asks ---- */

static const char *program;

static void run_child(const char *kind, const char *address, const char *how)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit small = {.rlim_cur = SMALL_STACK, .rlim_max = SMALL_STACK};
        if (strcmp(how, "small") == 0 && setrlimit(RLIMIT_STACK, &small) != 0) {
            _exit(99);
        }
        execl(program, program, kind, address, how, (char *)NULL);
        _exit(98);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_process_may_end_with_everything_open(void **state)
{
    (void)state;
    for (int i = 0; i < RUNS; i++) {
        run_child("local", local_registry_path(), "open");
        run_child("etcd", "http://127.0.0.1:1,https://127.0.0.1:1", "open");
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void threads_with_64_KiB_of_stack_are_enough(void **state)
{
    (void)state;
    run_child("local", local_registry_path(), "small");
    run_child("etcd", "http://127.0.0.1:1", "small");
}
#endif

int main(int argc, char **argv)
{
    if (argc == 4) {
        return be_the_child(argv[1], argv[2], strcmp(argv[3], "open") != 0);
    }
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_may_end_with_everything_open),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(threads_with_64_KiB_of_stack_are_enough), /* theirs are larger */
#endif
    };
    return cmocka_run_group_tests_name("handle exit", tests, local_registry_make,
                                       local_registry_remove);
}
