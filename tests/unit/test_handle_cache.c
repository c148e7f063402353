/* The public handle while its etcd is down, with a list on disk: what a program sees of it. */
#include "cache_lists.h"
#include "registry/cache/cache_file.h"
#include "registry/snapshot.h"
#include "scratch.h"
#include "yr_test.h"

#include <yurpc/yurpc.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { COUNT = 3, WEIGHT = 7, AGE_MS = 60 * 60 * 1000, STEPS_MAX = 10000, PATH_SIZE = 128 };

typedef struct stage {
    yr_scratch scratch;
    int held; /* a socket with the address, which does not listen */
    char dir[PATH_SIZE];
    char address[64];
} stage;

static int64_t wall_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* An address where nobody answers, and an hour-old list of what its etcd knew. */
static int set_up(void **state)
{
    static stage it;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    it.held = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (it.held < 0 || bind(it.held, (struct sockaddr *)&address, len) != 0 ||
        getsockname(it.held, (struct sockaddr *)&address, &len) != 0 ||
        yr_scratch_init(&it.scratch, "yurpc-handle-cache.") != YURPC_OK) {
        return -1;
    }
    char registry[64];
    unsigned port = ntohs(address.sin_port);
    (void)snprintf(it.dir, sizeof it.dir, "%s/lists", it.scratch.path);
    (void)snprintf(it.address, sizeof it.address, " http://127.0.0.1:%u/ ", port);
    (void)snprintf(registry, sizeof registry, "etcd http://127.0.0.1:%u", port);
    yr_cache_key key = {.registry = registry, .service = SERVICE};
    yr_cache_save options = {.time_ms = wall_ms() - AGE_MS};
    yurpc_snapshot *list = cache_list_new(COUNT, WEIGHT);
    assert_ok(yr_cache_file_save(it.dir, &key, list, &options, NULL));
    yr_snapshot_unref(list);
    *state = &it;
    return 0;
}

static int tear_down(void **state)
{
    stage *it = *state;
    yr_scratch_deinit(&it->scratch);
    return close(it->held);
}

static yurpc_registry *open_handle(const stage *it, bool is_host_driven)
{
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    yurpc_registry *registry = NULL;
    config.address = it->address;
    config.cache_dir = it->dir;
    config.is_host_driven = is_host_driven;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    return registry;
}

static void assert_serves(const yurpc_service *service)
{
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    assert_int_equal(yurpc_snapshot_count(now), COUNT);
    assert_int_equal(yurpc_instance_weight(yurpc_snapshot_at(now, 0)), WEIGHT);
    assert_true(yurpc_snapshot_is_stale(now));
    assert_true(yurpc_snapshot_is_cached(now));
    int64_t age_ms = yurpc_snapshot_age_ms(now);
    assert_in_range(age_ms, AGE_MS, AGE_MS + 60 * 1000);
    yurpc_service_release(service, now);
}

static void a_program_that_starts_while_etcd_is_down_has_its_list(void **state)
{
    yurpc_registry *registry = open_handle(*state, false);
    yurpc_service *service = NULL;
    assert_ok(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL));
    assert_serves(service);
    yurpc_service *again = NULL;
    assert_ok(yurpc_registry_discover(registry, SERVICE, NULL, &again, NULL));
    assert_serves(again);
    yurpc_service_close(again);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
}

static void the_statistics_and_the_reason_are_told(void **state)
{
    yurpc_registry *registry = open_handle(*state, false);
    yurpc_service *service = NULL;
    yurpc_registry_stats stats = {.size = sizeof stats};
    yurpc_error *error = NULL;
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    assert_int_equal(stats.staleness_ms, 0); /* nothing is followed */
    assert_ok(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL));
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    assert_int_equal(stats.cached_lists, 1);
    assert_int_equal(stats.lists, 0);
    assert_in_range(stats.staleness_ms, AGE_MS, AGE_MS + 60 * 1000);
    assert_int_equal(yurpc_registry_get_connection(registry, &error), YURPC_UNAVAILABLE);
    assert_non_null(strstr(yurpc_error_text(error), "connection refused"));
    yurpc_error_free(error);
    assert_int_equal(yurpc_registry_get_connection(registry, NULL), YURPC_UNAVAILABLE);
    assert_int_equal(yurpc_registry_get_connection(NULL, NULL), YURPC_INVALID);
    yurpc_service_close(service);
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    assert_int_equal(stats.staleness_ms, 0);
    yurpc_registry_close(registry);
}

typedef struct told {
    atomic_uint ups;
    atomic_uint stales;
    atomic_uint others;
} told;

static void on_event(void *context, const yurpc_event *event)
{
    told *seen = context;
    if (event->kind == YURPC_EVENT_UP) {
        atomic_fetch_add(&seen->ups, (unsigned)event->count);
    } else if (event->kind == YURPC_EVENT_STALE) {
        atomic_fetch_add(&seen->stales, 1);
    } else {
        atomic_fetch_add(&seen->others, 1);
    }
}

/* In a loop of its own, in the background: first there is nothing, then the list from disk. */
static void a_host_driven_program_is_told_of_it(void **state)
{
    yurpc_registry *registry = open_handle(*state, true);
    yurpc_discover_options options = YURPC_DISCOVER_OPTIONS_INIT;
    yurpc_service *service = NULL;
    yurpc_watch *watch = NULL;
    told seen = {.ups = 0};
    options.is_background = true;
    assert_ok(yurpc_registry_discover(registry, SERVICE, &options, &service, NULL));
    assert_ok(yurpc_service_watch(service, on_event, &seen, &watch));
    for (int i = 0; i < STEPS_MAX && atomic_load(&seen.ups) == 0; i++) {
        struct pollfd ready = {.fd = yurpc_registry_fd(registry), .events = POLLIN};
        assert_true(poll(&ready, 1, yurpc_registry_timeout_ms(registry)) >= 0);
        assert_ok(yurpc_registry_step(registry));
    }
    assert_int_equal(atomic_load(&seen.ups), COUNT);
    assert_int_equal(atomic_load(&seen.stales), 1);
    assert_int_equal(atomic_load(&seen.others), 0);
    assert_serves(service);
    yurpc_registry_close(registry);
}

static void without_a_folder_there_is_nothing(void **state)
{
    stage it = *(const stage *)*state;
    (void)snprintf(it.dir, sizeof it.dir, "none");
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    yurpc_registry *registry = NULL;
    yurpc_service *service = NULL;
    config.address = it.address;
    config.cache_dir = it.dir;
    config.timeout_ms = 200;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    assert_int_equal(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL),
                     YURPC_UNAVAILABLE);
    assert_null(service);
    yurpc_registry_close(registry);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_that_starts_while_etcd_is_down_has_its_list),
        TEST(the_statistics_and_the_reason_are_told),
        TEST(a_host_driven_program_is_told_of_it),
        TEST(without_a_folder_there_is_nothing),
    };
    return cmocka_run_group_tests_name("handle_cache", tests, NULL, NULL);
}
