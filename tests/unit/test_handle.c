/* The public API from many sides: threads, callbacks, forks, and nobody at the other end. */
#include "clock.h"
#include "local_registry.h"
#include "yr_test.h"

#include <yurpc/service.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static yurpc_registration *enlist(yurpc_registry *registry, uint16_t port)
{
    yurpc_instance_spec spec = spec_of(port);
    yurpc_registration *registration = NULL;
    assert_ok(yurpc_registry_register(registry, &spec, NULL, &registration, NULL));
    return registration;
}

static yurpc_service *discover(yurpc_registry *registry)
{
    yurpc_service *service = NULL;
    assert_ok(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL));
    return service;
}

static size_t count(yurpc_service *service)
{
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    size_t instances = yurpc_snapshot_count(now);
    yurpc_service_release(service, now);
    return instances;
}

/* Wait for a number of instances: bounded, and the bound is a failure. */
static void await_instances(yurpc_service *service, size_t wanted)
{
    int64_t end = yr_test_now_ms() + PATIENCE_MS;
    while (count(service) != wanted && yr_test_now_ms() < end) {
        poll(NULL, 0, 1);
    }
    assert_int_equal(count(service), wanted);
}

static void what_one_handle_registers_another_picks(void **state)
{
    (void)state;
    yurpc_registry *provider = local_registry_open(false);
    yurpc_registry *consumer = local_registry_open(false);
    yurpc_registration *registration = enlist(provider, 8080);
    assert_int_equal(yurpc_registration_get_state(registration), YURPC_REGISTERED);
    yurpc_service *service = discover(consumer);
    yurpc_picker *picker = NULL;
    assert_ok(yurpc_picker_new(YURPC_PICK_ROUND_ROBIN, &picker));
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    const yurpc_instance *one = yurpc_snapshot_pick(now, picker);
    assert_non_null(one);
    assert_string_equal(yurpc_instance_address(one), "10.0.0.5:8080");
    assert_false(yurpc_snapshot_is_stale(now));
    yurpc_service_release(service, now);
    assert_ok(yurpc_registration_unregister(registration, NULL));
    await_instances(service, 0);
    yurpc_picker_free(picker);
    yurpc_service_close(service);
    yurpc_registry_close(consumer);
    yurpc_registry_close(provider);
}

static void a_service_that_was_discovered_is_found_by_its_name(void **state)
{
    (void)state;
    yurpc_registry *registry = local_registry_open(false);
    yurpc_registration *registration = enlist(registry, 8080);
    yurpc_picker *picker = NULL;
    assert_ok(yurpc_picker_new(YURPC_PICK_RANDOM, &picker));
    assert_null(yurpc_registry_acquire(registry, SERVICE));
    yurpc_service *service = discover(registry);
    yurpc_service *again = discover(registry);
    const yurpc_snapshot *held = NULL;
    const yurpc_instance *one = yurpc_service_pick(service, picker, &held);
    const yurpc_snapshot *now = yurpc_registry_acquire(registry, SERVICE);
    assert_ptr_equal(now, held);
    assert_ptr_equal(yurpc_snapshot_pick(now, picker), one);
    assert_string_equal(yurpc_instance_address(one), "10.0.0.5:8080");
    yurpc_snapshot_release(now);
    yurpc_snapshot_release(held);
    yurpc_snapshot_release(NULL);
    yurpc_service_close(service);
    now = yurpc_registry_acquire(registry, SERVICE);
    assert_non_null(now);
    yurpc_snapshot_release(now);
    yurpc_service_close(again);
    assert_null(yurpc_registry_acquire(registry, SERVICE));
    yurpc_picker_free(picker);
    assert_ok(yurpc_registration_unregister(registration, NULL));
    yurpc_registry_close(registry);
}

static void the_same_address_twice_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    yurpc_registry *registry = local_registry_open(false);
    yurpc_registration *first = enlist(registry, 1);
    yurpc_instance_spec specs[] = {spec_of(2), spec_of(1)};
    yurpc_registration *both[2] = {NULL, NULL};
    yurpc_error *error = NULL;
    assert_int_equal(yurpc_registry_register_many(registry, specs, 2, NULL, both, &error),
                     YURPC_EXISTS);
    assert_non_null(strstr(yurpc_error_text(error), "10.0.0.5:1"));
    yurpc_error_free(error);
    assert_null(both[0]);
    yurpc_service *service = discover(registry);
    await_instances(service, 1);
    assert_ok(yurpc_registration_unregister(first, NULL));
    assert_non_null(enlist(registry, 1)); /* free again */
    yurpc_registry_close(registry);
}

static void many_instances_are_registered_at_once(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static yurpc_instance_spec specs[MANY];
    static yurpc_registration *registrations[MANY];
    for (int i = 0; i < MANY; i++) {
        specs[i] = spec_of((uint16_t)(1000 + i));
    }
    yurpc_registry *registry = local_registry_open(false);
    assert_ok(yurpc_registry_register_many(registry, specs, MANY, NULL, registrations, NULL));
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    assert_int_equal(stats.registrations, MANY);
    assert_int_equal(stats.registered, MANY);
    assert_int_equal(stats.leases, 1);
    yurpc_service *service = discover(registry);
    assert_int_equal(count(service), MANY);
    yurpc_registry_close(registry);
}

/* ---- Watching ---- */

typedef struct witness {
    yurpc_registry *registry;
    yurpc_watch *_Atomic watch;
    atomic_int ups;
    atomic_int downs;
    atomic_bool is_done;
} witness;

static void see(void *context, const yurpc_event *event)
{
    witness *seen = context;
    atomic_fetch_add(&seen->ups, event->kind == YURPC_EVENT_UP ? (int)event->count : 0);
    atomic_fetch_add(&seen->downs, event->kind == YURPC_EVENT_DOWN ? (int)event->count : 0);
}

static void a_watch_tells_of_what_comes_and_goes(void **state)
{
    (void)state;
    yurpc_registry *provider = local_registry_open(false);
    yurpc_registry *consumer = local_registry_open(false);
    yurpc_registration *first = enlist(provider, 1);
    yurpc_service *service = discover(consumer);
    witness seen = {.registry = consumer};
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_service_watch(service, see, &seen, &watch));
    await_count(&seen.ups, 1);
    enlist(provider, 2);
    await_count(&seen.ups, 2);
    assert_ok(yurpc_registration_unregister(first, NULL));
    await_count(&seen.downs, 1);
    yurpc_registry_close(provider);
    await_count(&seen.downs, 2);
    yurpc_watch_stop(watch);
    yurpc_registry_close(consumer);
}

static void stop_inside(void *context, const yurpc_event *event)
{
    witness *seen = context;
    (void)event;
    yurpc_watch *watch = NULL;
    while ((watch = atomic_load(&seen->watch)) == NULL) {
        /* the thread that began to watch is about to say which it is */
    }
    yurpc_watch_stop(watch);
    atomic_fetch_add(&seen->ups, 1);
}

static void a_watch_may_be_stopped_inside_its_callback(void **state)
{
    (void)state;
    yurpc_registry *registry = local_registry_open(false);
    enlist(registry, 1);
    yurpc_service *service = discover(registry);
    witness seen = {.registry = registry};
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_service_watch(service, stop_inside, &seen, &watch));
    atomic_store(&seen.watch, watch);
    await_count(&seen.ups, 1);
    enlist(registry, 2);
    await_instances(service, 2);
    yurpc_registry_close(registry);
    assert_int_equal(atomic_load(&seen.ups), 1);
}

static void close_inside(void *context, const yurpc_event *event)
{
    witness *seen = context;
    (void)event;
    while (atomic_load(&seen->watch) == NULL) {
        /* no other thread may be inside a call on a handle that is closed */
    }
    yurpc_registry_close(seen->registry);
    atomic_fetch_add(&seen->ups, 1);
}

static void a_handle_may_be_closed_inside_a_watchs_callback(void **state)
{
    (void)state;
    yurpc_registry *observer = local_registry_open(false);
    witness seen = {.registry = local_registry_open(false)};
    enlist(seen.registry, 1);
    yurpc_service *observed = discover(observer);
    yurpc_service *service = discover(seen.registry);
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_service_watch(service, close_inside, &seen, &watch));
    atomic_store(&seen.watch, watch);
    await_count(&seen.ups, 1);
    await_instances(observed, 0); /* it was closed, and what it had registered is gone */
    yurpc_registry_close(observer);
}

static void sleep_inside(void *context, const yurpc_event *event)
{
    witness *seen = context;
    (void)event;
    atomic_fetch_add(&seen->ups, 1);
    while (!atomic_load(&seen->is_done)) {
        poll(NULL, 0, 1);
    }
    atomic_fetch_add(&seen->downs, 1);
}

static void a_callback_that_blocks_holds_up_nothing_else(void **state)
{
    (void)state;
    yurpc_registry *registry = local_registry_open(false);
    enlist(registry, 1);
    yurpc_service *service = discover(registry);
    static witness seen; /* outlives the handle: the callback is still in it */
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_service_watch(service, sleep_inside, &seen, &watch));
    await_count(&seen.ups, 1);
    enlist(registry, 2);
    await_instances(service, 2);
    yurpc_registry_close(registry); /* even that does not wait for it */
    atomic_store(&seen.is_done, true);
    await_count(&seen.downs, 1);
}

/* ---- Threads ---- */

typedef struct reader {
    yurpc_service *service;
    yurpc_picker *picker;
    atomic_bool *is_done;
    uint64_t picked;
} reader;

static void *read_on(void *context)
{
    reader *self = context;
    while (!atomic_load(self->is_done) || self->picked == 0) {
        const yurpc_snapshot *now = yurpc_service_acquire(self->service);
        const yurpc_instance *one = yurpc_snapshot_pick(now, self->picker);
        if (one != NULL) {
            self->picked += yurpc_instance_port(one) > 0;
        }
        yurpc_service_release(self->service, now);
    }
    return NULL;
}

static void readers_go_on_while_instances_come_and_go(void **state)
{
    (void)state;
    enum { READERS = 4, ROUNDS = 20 };
    yurpc_registry *provider = local_registry_open(false);
    yurpc_registry *consumer = local_registry_open(false);
    enlist(provider, 1);
    yurpc_service *service = discover(consumer);
    yurpc_picker *picker = NULL;
    assert_ok(yurpc_picker_new(YURPC_PICK_RANDOM, &picker));
    atomic_bool is_done = false;
    reader readers[READERS];
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (reader){service, picker, &is_done, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readers[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        yurpc_registration *more = enlist(provider, (uint16_t)(2 + i));
        if (i % 2 == 0) {
            assert_ok(yurpc_registration_unregister(more, NULL));
        }
    }
    await_instances(service, 1 + ROUNDS / 2);
    atomic_store(&is_done, true);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    yurpc_picker_free(picker);
    yurpc_registry_close(consumer);
    yurpc_registry_close(provider);
}

/* ---- Nobody there, and others ---- */

static void an_unreachable_registry_fails_within_the_timeout_and_leaves_nothing(void **state)
{
    (void)state;
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.registry = "etcd";
    config.address = "http://127.0.0.1:1";
    config.timeout_ms = 500;
    yurpc_registry *registry = NULL;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    yurpc_instance_spec spec = spec_of(1);
    yurpc_registration *registration = NULL;
    yurpc_error *error = NULL;
    int64_t begun = yr_test_now_ms();
    assert_int_equal(yurpc_registry_register(registry, &spec, NULL, &registration, &error),
                     YURPC_UNAVAILABLE);
    assert_in_range(yr_test_now_ms() - begun, 400, 2500);
    assert_null(registration);
    assert_non_null(strstr(yurpc_error_text(error), "127.0.0.1:1"));
    assert_true(yurpc_error_is_retriable(error));
    yurpc_error_free(error);
    yurpc_service *service = NULL;
    assert_int_equal(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL),
                     YURPC_UNAVAILABLE);
    assert_null(service);
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    assert_int_equal(stats.registrations, 0);
    assert_int_equal(stats.services, 0);
    begun = yr_test_now_ms();
    yurpc_registry_close(registry);
    assert_in_range(yr_test_now_ms() - begun, 0, 3500);
}

static void a_background_registration_waits_for_the_registry(void **state)
{
    (void)state;
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.registry = "etcd";
    config.address = "http://127.0.0.1:1";
    yurpc_registry *registry = NULL;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    yurpc_instance_spec spec = spec_of(1);
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.is_background = true;
    yurpc_registration *registration = NULL;
    assert_ok(yurpc_registry_register(registry, &spec, &options, &registration, NULL));
    assert_int_equal(yurpc_registration_get_state(registration), YURPC_REGISTERING);
    yurpc_registry_close(registry);
}

static void a_forked_child_is_refused_and_the_parent_goes_on(void **state)
{
    (void)state;
    yurpc_registry *registry = local_registry_open(false);
    enlist(registry, 1);
    yurpc_service *service = discover(registry);
    pid_t child = fork();
    if (child == 0) {
        yurpc_instance_spec spec = spec_of(2);
        yurpc_registration *registration = NULL;
        yurpc_service *found = NULL;
        bool is_right =
            yurpc_registry_register(registry, &spec, NULL, &registration, NULL) ==
                YURPC_FORKED &&
            yurpc_registry_discover(registry, SERVICE, NULL, &found, NULL) == YURPC_FORKED &&
            yurpc_registry_step(registry) != YURPC_OK;
        yurpc_registry_close(registry);
        _exit(is_right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    enlist(registry, 3);
    await_instances(service, 2);
    yurpc_registry_close(registry);
}

static void a_host_drives_the_handle_from_its_own_poll(void **state)
{
    (void)state;
    yurpc_registry *provider = local_registry_open(false);
    yurpc_registry *registry = local_registry_open(true);
    yurpc_service *service = discover(registry); /* a blocking call runs the loop itself */
    witness seen = {.registry = registry};
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_service_watch(service, see, &seen, &watch));
    enlist(provider, 1);
    int64_t end = yr_test_now_ms() + PATIENCE_MS;
    while (atomic_load(&seen.ups) == 0 && yr_test_now_ms() < end) {
        struct pollfd ready = {.fd = yurpc_registry_fd(registry), .events = POLLIN};
        assert_true(poll(&ready, 1, yurpc_registry_timeout_ms(registry)) >= 0);
        assert_ok(yurpc_registry_step(registry));
    }
    assert_int_equal(atomic_load(&seen.ups), 1);
    yurpc_registry_close(registry);
    yurpc_registry_close(provider);
}

typedef struct counted {
    char text[256];
} counted;

static void note(void *context, const char *service, uint64_t instances)
{
    counted *all = context;
    size_t len = strlen(all->text);
    snprintf(all->text + len, sizeof all->text - len, "%s=%llu ", service,
             (unsigned long long)instances);
}

static void an_operator_lists_services_and_removes_instances(void **state)
{
    (void)state;
    yurpc_registry *registry = local_registry_open(false);
    enlist(registry, 1);
    enlist(registry, 2);
    yurpc_instance_spec other = spec_of(3);
    other.service = "com.acme.Order:2.0";
    yurpc_registration *registration = NULL;
    assert_ok(yurpc_registry_register(registry, &other, NULL, &registration, NULL));
    counted all = {""};
    assert_ok(yurpc_registry_list_services(registry, note, &all, NULL));
    assert_string_equal(all.text, "com.acme.Order:2.0=1 com.acme.UserService:1.0=2 ");
    assert_int_equal(yurpc_registry_remove(registry, SERVICE, "10.0.0.5", 9, NULL),
                     YURPC_NOT_FOUND);
    assert_ok(yurpc_registry_remove(registry, SERVICE, "10.0.0.5", 1, NULL));
    yurpc_service *service = discover(registry);
    await_instances(service, 2); /* its living provider puts it back */
    yurpc_registry_close(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_handle_registers_another_picks),
        cmocka_unit_test(a_service_that_was_discovered_is_found_by_its_name),
        cmocka_unit_test(the_same_address_twice_is_refused_and_changes_nothing),
        cmocka_unit_test(many_instances_are_registered_at_once),
        cmocka_unit_test(a_watch_tells_of_what_comes_and_goes),
        cmocka_unit_test(a_watch_may_be_stopped_inside_its_callback),
        cmocka_unit_test(a_handle_may_be_closed_inside_a_watchs_callback),
        cmocka_unit_test(a_callback_that_blocks_holds_up_nothing_else),
        cmocka_unit_test(readers_go_on_while_instances_come_and_go),
        cmocka_unit_test(an_unreachable_registry_fails_within_the_timeout_and_leaves_nothing),
        cmocka_unit_test(a_background_registration_waits_for_the_registry),
        cmocka_unit_test(a_forked_child_is_refused_and_the_parent_goes_on),
        cmocka_unit_test(a_host_drives_the_handle_from_its_own_poll),
        cmocka_unit_test(an_operator_lists_services_and_removes_instances),
    };
    return cmocka_run_group_tests_name("handle", tests, local_registry_make,
                                       local_registry_remove);
}
