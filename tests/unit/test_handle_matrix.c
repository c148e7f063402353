/*
 * Every function of a handle called inside every kind of callback: what is allowed works, what
 * is not is refused, nothing hangs and nothing is touched after it was freed.
 */
#include "clock.h"
#include "local_registry.h"
#include "yr_test.h"

#include <yurpc/service.h>

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

enum { CELLS_MAX = 64 };

/* One handle with a registration, a service and a watch, and what is done in its callback. */
typedef struct cell {
    char name[32]; /* of its service: what one leaves behind is not another's */
    yurpc_registry *registry;
    yurpc_registration *_Atomic registration;
    yurpc_service *_Atomic service;
    yurpc_watch *_Atomic watch;
    yurpc_status (*act)(struct cell *self);
    atomic_bool is_armed; /* the next callback acts */
    atomic_int heard;     /* callbacks so far */
    atomic_bool is_closed;
    yurpc_status status;
    sem_t done;
} cell;

static yurpc_instance_spec cell_spec(const cell *self, uint16_t port)
{
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = self->name;
    spec.host = "10.0.0.5";
    spec.port = port;
    return spec;
}

static void act(cell *self)
{
    atomic_fetch_add(&self->heard, 1);
    if (atomic_exchange(&self->is_armed, false)) {
        self->status = self->act(self);
        assert_int_equal(sem_post(&self->done), 0);
    }
}

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    (void)state;
    (void)error;
    act(context);
}

static void on_event(void *context, const yurpc_event *event)
{
    (void)event;
    act(context);
}

/* ---- What may be called ---- */

static yurpc_status register_blocking(cell *self)
{
    yurpc_instance_spec spec = cell_spec(self, 7);
    yurpc_registration *made = NULL;
    return yurpc_registry_register(self->registry, &spec, NULL, &made, NULL);
}

static yurpc_status register_in_background(cell *self)
{
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.is_background = true;
    yurpc_instance_spec spec = cell_spec(self, 8);
    yurpc_registration *made = NULL;
    return yurpc_registry_register(self->registry, &spec, &options, &made, NULL);
}

static yurpc_status unregister(cell *self)
{
    return yurpc_registration_unregister(atomic_exchange(&self->registration, NULL), NULL);
}

static yurpc_status unregister_async(cell *self)
{
    yurpc_registration_unregister_async(atomic_exchange(&self->registration, NULL));
    return YURPC_OK;
}

static yurpc_status discover_another(cell *self)
{
    yurpc_service *made = NULL;
    yurpc_status status =
        yurpc_registry_discover(self->registry, "com.acme.Other", NULL, &made, NULL);
    if (status == YURPC_OK) {
        yurpc_service_close(made);
    }
    return status;
}

static void on_nothing(void *context, const yurpc_event *event)
{
    (void)context;
    (void)event;
}

static yurpc_status watch_once_more(cell *self)
{
    yurpc_watch *made = NULL;
    yurpc_status status =
        yurpc_service_watch(atomic_load(&self->service), on_nothing, NULL, &made);
    if (status == YURPC_OK) {
        yurpc_watch_stop(made);
    }
    return status;
}

static yurpc_status stop_watch(cell *self)
{
    yurpc_watch_stop(atomic_exchange(&self->watch, NULL));
    return YURPC_OK;
}

static yurpc_status close_service(cell *self)
{
    atomic_store(&self->watch, NULL); /* goes with its service */
    yurpc_service_close(atomic_exchange(&self->service, NULL));
    return YURPC_OK;
}

static yurpc_status read_snapshot(cell *self)
{
    yurpc_service *service = atomic_load(&self->service);
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    yurpc_status status = now != NULL ? YURPC_OK : YURPC_INVALID;
    yurpc_service_release(service, now);
    return status;
}

static void on_count(void *context, const char *service, uint64_t count)
{
    (void)context;
    (void)service;
    (void)count;
}

static yurpc_status list_services(cell *self)
{
    return yurpc_registry_list_services(self->registry, on_count, NULL, NULL);
}

static yurpc_status remove_one(cell *self)
{
    return yurpc_registry_remove(self->registry, self->name, "10.0.0.5", 2, NULL);
}

static yurpc_status get_stats(cell *self)
{
    yurpc_registry_stats stats = {.size = sizeof stats};
    return yurpc_registry_get_stats(self->registry, &stats);
}

static yurpc_status close_handle(cell *self)
{
    atomic_store(&self->is_closed, true);
    yurpc_registry_close(self->registry);
    return YURPC_OK;
}

static const struct action {
    const char *name;
    yurpc_status (*act)(cell *self);
    bool is_blocking; /* refused on the loop */
} actions[] = {
    {"register", register_blocking, true},
    {"register in the background", register_in_background, true},
    {"unregister", unregister, true},
    {"unregister_async", unregister_async, false},
    {"discover", discover_another, true},
    {"watch", watch_once_more, false},
    {"watch_stop", stop_watch, false},
    {"service_close", close_service, false},
    {"acquire", read_snapshot, false},
    {"list_services", list_services, true},
    {"remove", remove_one, true},
    {"get_stats", get_stats, false},
    {"close", close_handle, false},
};

/* ---- The matrix ---- */

static void open_cell(cell *self, bool is_host_driven, const struct action *action)
{
    self->act = action->act;
    assert_int_equal(sem_init(&self->done, 0, 0), 0);
    self->registry = local_registry_open(is_host_driven);
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.on_state = on_state;
    options.context = self;
    yurpc_instance_spec specs[] = {cell_spec(self, 1), cell_spec(self, 2)};
    yurpc_registration *made[2] = {NULL, NULL};
    assert_ok(yurpc_registry_register_many(self->registry, specs, 2, &options, made, NULL));
    atomic_store(&self->registration, made[0]);
    yurpc_service *service = NULL;
    assert_ok(yurpc_registry_discover(self->registry, self->name, NULL, &service, NULL));
    atomic_store(&self->service, service);
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_service_watch(service, on_event, self, &watch));
    atomic_store(&self->watch, watch);
}

/* Wait for @p count callbacks, driving the handle where that is the host's part. */
static void await_callbacks(cell *self, bool is_host_driven, int count)
{
    int64_t end_ms = yr_test_now_ms() + PATIENCE_MS;
    while (atomic_load(&self->heard) < count) {
        assert_true(yr_test_now_ms() < end_ms); /* else it hangs */
        assert_true(!is_host_driven || yurpc_registry_step(self->registry) == YURPC_OK);
        poll(NULL, 0, 1);
    }
}

/* Wait until a callback has acted. */
static void await_act(cell *self, bool is_host_driven)
{
    int64_t end_ms = yr_test_now_ms() + PATIENCE_MS;
    while (sem_trywait(&self->done) != 0) {
        assert_int_equal(errno, EAGAIN);
        assert_true(yr_test_now_ms() < end_ms); /* else it hangs */
        yurpc_status status = is_host_driven ? yurpc_registry_step(self->registry) : YURPC_OK;
        assert_true(status == YURPC_OK || status == YURPC_CLOSED);
        poll(NULL, 0, 1);
    }
}

/* Have a registration's state, or an instance, change; by another handle, as others do, which
 * is to be closed. */
static yurpc_registry *provoke(cell *self, bool is_watch)
{
    atomic_store(&self->is_armed, true);
    yurpc_registry *other = local_registry_open(false);
    if (is_watch) {
        yurpc_instance_spec spec = cell_spec(self, 3);
        yurpc_registration *made = NULL;
        assert_ok(yurpc_registry_register(other, &spec, NULL, &made, NULL));
    } else {
        assert_ok(yurpc_registry_remove(other, self->name, "10.0.0.5", 1, NULL));
    }
    return other;
}

static void try_cell(bool is_host_driven, bool is_watch, const struct action *action)
{
    static cell cells[CELLS_MAX]; /* each outlives its handle, which may close later */
    static size_t count;
    assert_true(count < CELLS_MAX);
    cell *self = &cells[count];
    (void)snprintf(self->name, sizeof self->name, "com.acme.Service%zu", count++);
    print_message("%s: %s in a %s's callback\n", is_host_driven ? "host" : "thread",
                  action->name, is_watch ? "watch" : "registration");
    open_cell(self, is_host_driven, action);
    await_callbacks(self, is_host_driven, 3); /* two are registered, one UP tells of both */
    yurpc_registry *other = provoke(self, is_watch);
    await_act(self, is_host_driven);
    yurpc_status expected =
        is_host_driven && action->is_blocking ? YURPC_WOULD_DEADLOCK : YURPC_OK;
    assert_int_equal(self->status, expected);
    if (!atomic_load(&self->is_closed)) {
        yurpc_registry_close(self->registry);
    } else if (is_host_driven) {
        while (yurpc_registry_step(self->registry) == YURPC_OK) {
            poll(NULL, 0, 1);
        }
    }
    yurpc_registry_close(other);
}

static void try_all(bool is_host_driven, bool is_watch)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        try_cell(is_host_driven, is_watch, &actions[i]);
    }
}

static void everything_may_be_called_in_a_watchs_callback(void **state)
{
    (void)state;
    try_all(false, true);
}

static void everything_may_be_called_in_a_registrations_callback(void **state)
{
    (void)state;
    try_all(false, false);
}

static void a_host_driven_watchs_callback_may_call_what_does_not_block(void **state)
{
    (void)state;
    try_all(true, true);
}

static void a_host_driven_registrations_callback_may_call_what_does_not_block(void **state)
{
    (void)state;
    try_all(true, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_may_be_called_in_a_watchs_callback),
        cmocka_unit_test(everything_may_be_called_in_a_registrations_callback),
        cmocka_unit_test(a_host_driven_watchs_callback_may_call_what_does_not_block),
        cmocka_unit_test(a_host_driven_registrations_callback_may_call_what_does_not_block),
    };
    return cmocka_run_group_tests_name("handle matrix", tests, local_registry_make,
                                       local_registry_remove);
}
