/* The public API at its edges: closing, leaving and failing where one does not expect it. */
#include "base/mem.h"
#include "clock.h"
#include "local_registry.h"
#include "yr_test.h"

#include <yurpc/service.h>

#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 300, SHORT_MS = 100, CLOSE_MS = 3000, SLACK_MS = 700 };

/* ---- Closing ---- */

typedef struct closer {
    yurpc_registry *registry;
    yurpc_registration_state when;
    atomic_int closed;
    atomic_int gone;
} closer;

static void close_inside(void *context, yurpc_registration_state state,
                         const yurpc_error *error)
{
    closer *self = context;
    (void)error;
    if (state == self->when && atomic_fetch_add(&self->closed, 1) == 0) {
        yurpc_registry_close(self->registry);
    }
    atomic_fetch_add(&self->gone, state == YURPC_GONE);
}

static void a_handle_may_be_closed_inside_a_registrations_callback(void **state)
{
    (void)state;
    static closer self; /* outlives the handle */
    self = (closer){.registry = local_registry_open(false), .when = YURPC_DRAINING};
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.on_state = close_inside;
    options.context = &self;
    yurpc_instance_spec specs[] = {spec_of(1), spec_of(2)};
    yurpc_registration *both[2] = {NULL, NULL};
    assert_ok(yurpc_registry_register_many(self.registry, specs, 2, &options, both, NULL));
    yurpc_registration_unregister_async(both[0]);
    await_count(&self.gone, 2);
}

static void on_event(void *context, const yurpc_event *event)
{
    closer *self = context;
    (void)event;
    if (atomic_fetch_add(&self->closed, 1) == 0) {
        yurpc_registry_close(self->registry);
    }
}

static void a_host_is_told_when_a_callback_has_closed_its_handle(void **state)
{
    (void)state;
    yurpc_registry_config config = local_registry_config();
    config.is_host_driven = true;
    static closer self; /* outlives the handle */
    self = (closer){.registry = NULL};
    assert_ok(yurpc_registry_open(&config, &self.registry, NULL));
    yurpc_instance_spec spec = spec_of(1);
    yurpc_registration *registration = NULL;
    assert_ok(yurpc_registry_register(self.registry, &spec, NULL, &registration, NULL));
    yurpc_service *service = NULL;
    assert_ok(yurpc_registry_discover(self.registry, SERVICE, NULL, &service, NULL));
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_service_watch(service, on_event, &self, &watch));
    yurpc_status status = YURPC_OK;
    int64_t end = yr_test_now_ms() + PATIENCE_MS;
    while (status == YURPC_OK && yr_test_now_ms() < end) {
        poll(NULL, 0, 1);
        status = yurpc_registry_step(self.registry);
    }
    assert_int_equal(status, YURPC_CLOSED); /* and the handle is gone */
    assert_int_equal(atomic_load(&self.closed), 1);
}

typedef struct caller {
    yurpc_registry *registry;
    yurpc_status registered;
    yurpc_status discovered;
    atomic_int begun;
} caller;

static void *register_blocked(void *context)
{
    caller *self = context;
    yurpc_instance_spec spec = spec_of(1);
    yurpc_registration *registration = NULL;
    atomic_fetch_add(&self->begun, 1);
    self->registered =
        yurpc_registry_register(self->registry, &spec, NULL, &registration, NULL);
    return NULL;
}

static void *discover_blocked(void *context)
{
    caller *self = context;
    yurpc_service *service = NULL;
    atomic_fetch_add(&self->begun, 1);
    self->discovered = yurpc_registry_discover(self->registry, SERVICE, NULL, &service, NULL);
    return NULL;
}

/* Somebody listens there, and never says a word. Returns its descriptor. */
static int listen_silently(char *address, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    assert_true(snprintf(address, size, "http://127.0.0.1:%u", ntohs(at.sin_port)) > 0);
    return fd;
}

static yurpc_registry *open_silent(const char *address, uint32_t timeout_ms)
{
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.registry = "etcd";
    config.address = address;
    config.timeout_ms = timeout_ms;
    yurpc_registry *registry = NULL;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    return registry;
}

static void closing_ends_calls_that_wait_in_other_threads(void **state)
{
    (void)state;
    char address[64];
    int fd = listen_silently(address, sizeof address);
    caller self = {.registry = open_silent(address, 60000)};
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, register_blocked, &self), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, discover_blocked, &self), 0);
    await_count(&self.begun, 2);
    poll(NULL, 0, 100); /* both are inside by now */
    int64_t begun = yr_test_now_ms();
    yurpc_registry_close(self.registry);
    assert_in_range(yr_test_now_ms() - begun, 0, CLOSE_MS + SLACK_MS);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    assert_int_equal(self.registered, YURPC_CLOSED);
    assert_int_equal(self.discovered, YURPC_CLOSED);
    close(fd);
}

static void every_call_has_its_deadline_when_nobody_answers(void **state)
{
    (void)state;
    char address[64];
    int fd = listen_silently(address, sizeof address);
    yurpc_registry *registry = open_silent(address, TIMEOUT_MS);
    yurpc_instance_spec spec = spec_of(1);
    yurpc_registration *registration = NULL;
    yurpc_service *service = NULL;
    int64_t begun = yr_test_now_ms();
    assert_int_not_equal(yurpc_registry_register(registry, &spec, NULL, &registration, NULL),
                         YURPC_OK);
    assert_in_range(yr_test_now_ms() - begun, 0, TIMEOUT_MS + SLACK_MS);
    begun = yr_test_now_ms();
    assert_int_not_equal(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL),
                         YURPC_OK);
    assert_in_range(yr_test_now_ms() - begun, 0, TIMEOUT_MS + SLACK_MS);
    begun = yr_test_now_ms();
    assert_int_not_equal(yurpc_registry_remove(registry, SERVICE, "h", 1, NULL), YURPC_OK);
    assert_in_range(yr_test_now_ms() - begun, 0, TIMEOUT_MS + SLACK_MS);
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.is_background = true;
    assert_ok(yurpc_registry_register(registry, &spec, &options, &registration, NULL));
    begun = yr_test_now_ms();
    assert_ok(yurpc_registration_unregister(registration, NULL)); /* it never was there */
    assert_in_range(yr_test_now_ms() - begun, 0, SLACK_MS);
    begun = yr_test_now_ms();
    yurpc_registry_close(registry);
    assert_in_range(yr_test_now_ms() - begun, 0, CLOSE_MS + SLACK_MS);
    close(fd);
}

/* ---- Memory ---- */

static void on_change(void *context, const yurpc_event *event)
{
    (void)context;
    (void)event;
}

/* A short life; whatever fails, fails with words and leaves a handle that can be closed. */
static void live(yurpc_registry *registry)
{
    yurpc_instance_spec specs[] = {spec_of(1), spec_of(2), spec_of(3)};
    yurpc_registration *many[3] = {NULL, NULL, NULL};
    yurpc_registration *one = NULL;
    yurpc_service *service = NULL;
    yurpc_watch *watch = NULL;
    yurpc_error *error = NULL;
    bool has_one = yurpc_registry_register(registry, &specs[2], NULL, &one, &error) == YURPC_OK;
    assert_true(has_one == (one != NULL) && has_one == (error == NULL));
    yurpc_error_free(error);
    if (yurpc_registry_register_many(registry, specs, 2, NULL, many, NULL) != YURPC_OK) {
        assert_null(many[0]);
    }
    if (yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL) == YURPC_OK &&
        yurpc_service_watch(service, on_change, NULL, &watch) != YURPC_OK) {
        assert_null(watch);
    }
    if (yurpc_registration_unregister(one, NULL) != YURPC_OK) {
        one = NULL; /* it is gone in any case */
    }
    yurpc_watch_stop(watch);
    yurpc_service_close(service);
}

static void a_handle_survives_every_lack_of_memory(void **state)
{
    (void)state;
    bool is_through = false;
    /* Not each number: without memory each call takes its whole time. tests/sim tries all. */
    for (long n = 0; !is_through; n += 1 + n / 4) {
        yurpc_registry_config config = local_registry_config();
        config.timeout_ms = SHORT_MS;
        yurpc_registry *registry = NULL;
        yurpc_error *error = NULL;
        yr_mem_fail_after(n);
        yurpc_status status = yurpc_registry_open(&config, &registry, &error);
        assert_true((status == YURPC_OK) == (registry != NULL));
        assert_int_equal(yurpc_error_status(error), status);
        yurpc_error_free(error);
        if (registry != NULL) {
            live(registry);
        }
        is_through = yr_mem_attempts() < n;
        yr_mem_fail_after(-1);
        if (registry != NULL) { /* with memory again it works */
            live(registry);
            yurpc_service *service = NULL;
            assert_ok(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL));
        }
        yurpc_registry_close(registry);
    }
}

/* ---- What is left ---- */

static size_t entries(const char *folder)
{
    size_t count = 0;
    DIR *open_folder = opendir(folder);
    assert_non_null(open_folder);
    while (readdir(open_folder) != NULL) {
        count++;
    }
    closedir(open_folder);
    return count;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

static size_t resident_pages(void)
{
    char line[64] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    const char *second = strchr(line, ' ');
    assert_non_null(second);
    return strtoul(second, NULL, 10);
}

static void open_and_close(int cycles, const char *kind, const char *address)
{
    for (int i = 0; i < cycles; i++) {
        yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
        config.registry = kind;
        config.address = address;
        yurpc_registry *registry = NULL;
        assert_ok(yurpc_registry_open(&config, &registry, NULL));
        if (strcmp(kind, "local") == 0) {
            live(registry);
        }
        yurpc_registry_close(registry);
    }
}

static void what_is_closed_leaves_no_thread_no_descriptor_and_no_memory(void **state)
{
    (void)state;
    enum { WARM_UP = 20, CYCLES = 100, PAGES = 512 };
    open_and_close(WARM_UP, "local", local_registry_path());
    open_and_close(WARM_UP, "etcd", "http://127.0.0.1:1");
    size_t fds = entries("/proc/self/fd");
    size_t threads = entries("/proc/self/task");
    size_t pages = resident_pages();
    open_and_close(CYCLES, "local", local_registry_path());
    open_and_close(CYCLES, "etcd", "http://127.0.0.1:1");
    int64_t end = yr_test_now_ms() + PATIENCE_MS; /* callback threads end by themselves */
    while (entries("/proc/self/task") > threads && yr_test_now_ms() < end) {
        poll(NULL, 0, 1);
    }
    assert_int_equal(entries("/proc/self/task"), threads);
    assert_int_equal(entries("/proc/self/fd"), fds);
    if (!is_sanitized) { /* which keep what is freed */
        assert_in_range(resident_pages(), 0, pages + PAGES);
    }
}

typedef struct enlister {
    yurpc_registry *registry;
    uint16_t first;
    int failures;
} enlister;

static void *enlist_many(void *context)
{
    enum { EACH = 50 };
    enlister *self = context;
    for (int i = 0; i < EACH; i++) {
        yurpc_instance_spec spec = spec_of((uint16_t)(self->first + i));
        yurpc_registration *registration = NULL;
        self->failures += yurpc_registry_register(self->registry, &spec, NULL, &registration,
                                                  NULL) != YURPC_OK;
        if (i % 5 == 0 && registration != NULL) {
            self->failures += yurpc_registration_unregister(registration, NULL) != YURPC_OK;
        }
    }
    return NULL;
}

static void many_threads_register_and_leave_through_one_handle(void **state)
{
    (void)state;
    enum { THREADS = 8, FIRST = 1000, SPAN = 100, STAY = 8 * 40 };
    yurpc_registry *registry = local_registry_open(false);
    pthread_t threads[THREADS];
    enlister each[THREADS];
    for (int i = 0; i < THREADS; i++) {
        each[i] = (enlister){registry, (uint16_t)(FIRST + i * SPAN), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, enlist_many, &each[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(each[i].failures, 0);
    }
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    assert_int_equal(stats.registrations, STAY);
    assert_int_equal(stats.registered, STAY);
    assert_int_equal(stats.leases, 1);
    yurpc_registry_close(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_may_be_closed_inside_a_registrations_callback),
        cmocka_unit_test(a_host_is_told_when_a_callback_has_closed_its_handle),
        cmocka_unit_test(closing_ends_calls_that_wait_in_other_threads),
        cmocka_unit_test(every_call_has_its_deadline_when_nobody_answers),
        cmocka_unit_test(a_handle_survives_every_lack_of_memory),
        cmocka_unit_test(what_is_closed_leaves_no_thread_no_descriptor_and_no_memory),
        cmocka_unit_test(many_threads_register_and_leave_through_one_handle),
    };
    return cmocka_run_group_tests_name("handle_edges", tests, local_registry_make,
                                       local_registry_remove);
}
