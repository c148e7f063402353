/*
 * Sixteen threads do anything with one handle, at random; then what each of them wants last is
 * so. What they might do to each other meanwhile is for the sanitizers to see.
 */
#include "clock.h"
#include "local_registry.h"
#include "yr_test.h"

#include <yurpc/service.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 16, STEPS = 400, SLOTS = 3, FIRST_PORT = 1000 };

typedef struct member {
    yurpc_registry *registry;
    yurpc_picker *picker; /* everybody's */
    uint32_t random;
    uint16_t first_port;
    yurpc_registration *registrations[SLOTS]; /* NULL: not registered */
    yurpc_service *service;                   /* NULL: not followed */
    yurpc_watch *watch;                       /* NULL: not watched */
    size_t told;                              /* only the callback touches it */
    const char *failed;                       /* NULL: nothing */
} member;

static uint32_t draw(member *self, uint32_t bound)
{
    self->random = self->random * 1664525 + 1013904223;
    return (self->random >> 16) % bound;
}

static void expect(member *self, bool is_so, const char *what)
{
    if (!is_so && self->failed == NULL) {
        self->failed = what;
    }
}

static void on_event(void *context, const yurpc_event *event)
{
    member *self = context;
    for (size_t i = 0; i < event->count; i++) {
        self->told += strlen(yurpc_instance_address(event->instances[i]));
    }
}

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    (void)context;
    (void)error;
    (void)yurpc_registration_state_name(state);
}

static void on_count(void *context, const char *service, uint64_t count)
{
    (void)service;
    *(uint64_t *)context += count;
}

/* Register what is not, and take away what is. */
static void enlist(member *self)
{
    uint32_t slot = draw(self, SLOTS);
    yurpc_registration **registration = &self->registrations[slot];
    if (*registration == NULL) {
        yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
        options.is_background = draw(self, 2) == 0;
        options.on_state = on_state;
        yurpc_instance_spec spec = spec_of((uint16_t)(self->first_port + slot));
        yurpc_status status =
            yurpc_registry_register(self->registry, &spec, &options, registration, NULL);
        /* What leaves without being waited for may be there still. */
        expect(self, status == YURPC_OK || status == YURPC_EXISTS, "registering");
    } else if (draw(self, 2) == 0) {
        yurpc_registration_unregister_async(*registration);
        *registration = NULL;
    } else {
        yurpc_status status = yurpc_registration_unregister(*registration, NULL);
        expect(self, status == YURPC_OK, "unregistering");
        *registration = NULL;
    }
}

static void follow(member *self)
{
    if (self->service == NULL) {
        expect(self,
               yurpc_registry_discover(self->registry, SERVICE, NULL, &self->service, NULL) ==
                   YURPC_OK,
               "discovering");
    } else if (self->watch == NULL) {
        expect(self,
               yurpc_service_watch(self->service, on_event, self, &self->watch) == YURPC_OK,
               "watching");
    } else {
        yurpc_watch_stop(self->watch);
        yurpc_service_close(self->service);
        self->watch = NULL;
        self->service = NULL;
    }
}

static void look(member *self)
{
    const yurpc_snapshot *snapshot = yurpc_registry_acquire(self->registry, SERVICE);
    yurpc_snapshot_release(snapshot);
    if (self->service == NULL) {
        return;
    }
    const yurpc_instance *one = yurpc_service_pick(self->service, self->picker, &snapshot);
    size_t count = yurpc_snapshot_count(snapshot);
    expect(self, (one == NULL) == (count == 0), "picking");
    for (size_t i = 0; i < count; i++) {
        const yurpc_instance *each = yurpc_snapshot_at(snapshot, i);
        expect(self, strcmp(yurpc_instance_host(each), "10.0.0.5") == 0, "reading");
    }
    yurpc_snapshot_release(snapshot);
}

/* What an operator asks; and removes, for its owner to put it back. */
static void operate(member *self)
{
    uint64_t count = 0;
    yurpc_registry_stats stats = {.size = sizeof stats};
    expect(self, yurpc_registry_get_stats(self->registry, &stats) == YURPC_OK, "statistics");
    expect(self,
           yurpc_registry_list_services(self->registry, on_count, &count, NULL) == YURPC_OK,
           "listing services");
    uint16_t port = (uint16_t)(FIRST_PORT + draw(self, THREADS * SLOTS));
    yurpc_status status =
        yurpc_registry_remove(self->registry, SERVICE, "10.0.0.5", port, NULL);
    expect(self, status == YURPC_OK || status == YURPC_NOT_FOUND || status == YURPC_CONFLICT,
           "removing");
}

static void *live(void *context)
{
    member *self = context;
    for (int i = 0; i < STEPS; i++) {
        switch (draw(self, 8)) {
        case 0:
        case 1:
            enlist(self);
            break;
        case 2:
        case 3:
            follow(self);
            break;
        case 4:
            operate(self);
            break;
        default:
            look(self);
            break;
        }
    }
    return NULL;
}

static size_t wanted(const member *members)
{
    size_t count = 0;
    for (int i = 0; i < THREADS; i++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            count += members[i].registrations[slot] != NULL;
        }
    }
    return count;
}

static size_t seen(const yurpc_service *service)
{
    const yurpc_snapshot *snapshot = yurpc_service_acquire(service);
    size_t count = yurpc_snapshot_count(snapshot);
    yurpc_service_release(service, snapshot);
    return count;
}

static void a_crowd_of_threads_gets_what_each_wants_last(void **state)
{
    (void)state;
    yurpc_registry *registry = local_registry_open(false);
    yurpc_picker *picker = NULL;
    assert_ok(yurpc_picker_new(YURPC_PICK_ROUND_ROBIN, &picker));
    pthread_t threads[THREADS];
    member members[THREADS];
    for (int i = 0; i < THREADS; i++) {
        members[i] = (member){.registry = registry,
                              .picker = picker,
                              .random = (uint32_t)i + 1,
                              .first_port = (uint16_t)(FIRST_PORT + i * SLOTS)};
        assert_int_equal(pthread_create(&threads[i], NULL, live, &members[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        if (members[i].failed != NULL) {
            fail_msg("thread %d: %s", i, members[i].failed);
        }
    }
    yurpc_service *service = NULL;
    assert_ok(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL));
    int64_t end = yr_test_now_ms() + PATIENCE_MS;
    while (seen(service) != wanted(members) && yr_test_now_ms() < end) {
        poll(NULL, 0, 5);
    }
    assert_int_equal(seen(service), wanted(members));
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(registry, &stats));
    assert_true(stats.announcements > STEPS); /* they did not just fail to meet */
    yurpc_registry_close(registry);           /* with all that is open */
    yurpc_picker_free(picker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_of_threads_gets_what_each_wants_last),
    };
    return cmocka_run_group_tests_name("handle_crowd", tests, local_registry_make,
                                       local_registry_remove);
}
