/* Callbacks that take their time, block for ever, or call back: nothing else may suffer. */
#include "clock.h"
#include "local_registry.h"
#include "yr_test.h"

#include <yurpc/service.h>

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

enum { CLOSE_MS = 3000, SLACK_MS = 1500 };

/* What a registration's callback does, and saw. */
typedef struct callee {
    yurpc_registry *registry;
    yurpc_registration_state when;
    void (*act)(struct callee *self); /* in that state; NULL: nothing */
    sem_t entered;
    sem_t go_on;
    yurpc_status discovered;
    yurpc_status registered;
    atomic_int calls;
    atomic_int gone;
} callee;

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    callee *self = context;
    (void)error;
    atomic_fetch_add(&self->calls, 1);
    if (state == self->when && self->act != NULL) {
        self->act(self);
    }
    atomic_fetch_add(&self->gone, state == YURPC_GONE);
}

static void hang(callee *self)
{
    assert_int_equal(sem_post(&self->entered), 0);
    assert_int_equal(sem_wait(&self->go_on), 0);
}

static void call_blocking(callee *self)
{
    yurpc_service *service = NULL;
    yurpc_registration *registration = NULL;
    yurpc_instance_spec spec = spec_of(2);
    self->discovered = yurpc_registry_discover(self->registry, SERVICE, NULL, &service, NULL);
    self->registered =
        yurpc_registry_register(self->registry, &spec, NULL, &registration, NULL);
    assert_int_equal(sem_post(&self->entered), 0);
}

static void callee_init(callee *self, bool is_host_driven, yurpc_registration_state when,
                        void (*act)(callee *))
{
    *self = (callee){.registry = local_registry_open(is_host_driven), .when = when, .act = act};
    assert_int_equal(sem_init(&self->entered, 0, 0), 0);
    assert_int_equal(sem_init(&self->go_on, 0, 0), 0);
}

static yurpc_registration *enlist(callee *self)
{
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.on_state = on_state;
    options.context = self;
    yurpc_instance_spec spec = spec_of(1);
    yurpc_registration *registration = NULL;
    assert_ok(yurpc_registry_register(self->registry, &spec, &options, &registration, NULL));
    return registration;
}

static void a_blocking_call_works_inside_a_callback(void **state)
{
    (void)state;
    static callee self;
    callee_init(&self, false, YURPC_REGISTERED, call_blocking);
    (void)enlist(&self);
    assert_int_equal(sem_wait(&self.entered), 0);
    assert_ok(self.discovered);
    assert_ok(self.registered);
    yurpc_registry_close(self.registry);
    assert_int_equal(atomic_load(&self.gone), 1);
}

static void a_blocking_call_inside_a_callback_of_a_host_driven_handle_is_refused(void **state)
{
    (void)state;
    static callee self;
    callee_init(&self, true, YURPC_REGISTERED, call_blocking);
    (void)enlist(&self);
    assert_int_equal(sem_wait(&self.entered), 0);
    assert_int_equal(self.discovered, YURPC_WOULD_DEADLOCK);
    assert_int_equal(self.registered, YURPC_WOULD_DEADLOCK);
    yurpc_registry_close(self.registry);
}

static void a_callback_that_hangs_stops_neither_registering_nor_discovering(void **state)
{
    (void)state;
    static callee self;
    callee_init(&self, false, YURPC_REGISTERED, hang);
    (void)enlist(&self);
    assert_int_equal(sem_wait(&self.entered), 0);
    yurpc_instance_spec spec = spec_of(2);
    yurpc_registration *other = NULL;
    assert_ok(yurpc_registry_register(self.registry, &spec, NULL, &other, NULL));
    yurpc_service *service = NULL;
    assert_ok(yurpc_registry_discover(self.registry, SERVICE, NULL, &service, NULL));
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    assert_int_equal(yurpc_snapshot_count(now), 2);
    yurpc_service_release(service, now);
    assert_ok(yurpc_registration_unregister(other, NULL));
    assert_int_equal(sem_post(&self.go_on), 0);
    yurpc_registry_close(self.registry);
}

static void unregistering_returns_when_its_last_state_was_told(void **state)
{
    (void)state;
    static callee self;
    callee_init(&self, false, YURPC_GONE, NULL);
    yurpc_registration *registration = enlist(&self);
    assert_ok(yurpc_registration_unregister(registration, NULL));
    assert_int_equal(atomic_load(&self.gone), 1);
    assert_int_equal(atomic_load(&self.calls), 3); /* REGISTERED, DRAINING, GONE */
    yurpc_registry_close(self.registry);
    assert_int_equal(atomic_load(&self.calls), 3);
}

static void closing_is_bounded_though_a_callback_hangs_which_is_then_the_last(void **state)
{
    (void)state;
    static callee self;
    callee_init(&self, false, YURPC_REGISTERED, hang);
    (void)enlist(&self);
    assert_int_equal(sem_wait(&self.entered), 0);
    int64_t begun = yr_test_now_ms();
    yurpc_registry_close(self.registry);
    assert_in_range(yr_test_now_ms() - begun, 0, CLOSE_MS + SLACK_MS);
    assert_int_equal(atomic_load(&self.calls), 1);
    assert_int_equal(sem_post(&self.go_on), 0);
    /* Whatever else its thread does, it calls nobody. */
    int64_t end = yr_test_now_ms() + 100;
    while (yr_test_now_ms() < end) {
        poll(NULL, 0, 10);
        assert_int_equal(atomic_load(&self.calls), 1);
    }
}

static yurpc_registration *_Atomic leaving;

static void leave(callee *self)
{
    yurpc_registration *registration = NULL;
    while ((registration = atomic_load(&leaving)) == NULL) {
        poll(NULL, 0, 1);
    }
    assert_ok(yurpc_registration_unregister(registration, NULL));
    assert_int_equal(sem_post(&self->entered), 0);
}

static void leaving_from_the_callback_is_told_no_more(void **state)
{
    (void)state;
    static callee self;
    callee_init(&self, false, YURPC_REGISTERED, leave);
    atomic_store(&leaving, enlist(&self));
    assert_int_equal(sem_wait(&self.entered), 0);
    yurpc_registry_close(self.registry);
    assert_int_equal(atomic_load(&self.calls), 1);
}

/* ---- Being slow is said ---- */

typedef struct listener {
    char wanted[160]; /* what a line has to begin with */
    atomic_int lines;
} listener;

static void count_line(void *context, yurpc_log_level level, const char *component,
                       const char *text)
{
    listener *self = context;
    (void)component;
    bool is_it =
        level == YURPC_LOG_WARN && strncmp(text, self->wanted, strlen(self->wanted)) == 0;
    atomic_fetch_add(&self->lines, is_it);
}

static yurpc_registry *open_listening(listener *self)
{
    yurpc_registry_config config = local_registry_config();
    config.log = count_line;
    config.log_context = self;
    yurpc_registry *registry = NULL;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    return registry;
}

static void a_slow_callback_of_a_registration_is_named_once_while_it_runs(void **state)
{
    (void)state;
    static listener heard = {.wanted = "the callback of the registration of " SERVICE
                                       ":1.0/10.0.0.5:1 has been running for "};
    static callee self;
    callee_init(&self, false, YURPC_REGISTERED, hang);
    yurpc_registry_close(self.registry);
    self.registry = open_listening(&heard);
    (void)enlist(&self);
    assert_int_equal(sem_wait(&self.entered), 0);
    await_count(&heard.lines, 1);
    poll(NULL, 0, 1200); /* it would be looked at once more */
    assert_int_equal(atomic_load(&heard.lines), 1);
    assert_int_equal(sem_post(&self.go_on), 0);
    yurpc_registry_close(self.registry);
}

typedef struct watcher {
    sem_t entered;
    sem_t go_on;
    atomic_int calls;
} watcher;

static void hang_once(void *context, const yurpc_event *event)
{
    watcher *self = context;
    (void)event;
    if (atomic_fetch_add(&self->calls, 1) == 0) {
        assert_int_equal(sem_post(&self->entered), 0);
        assert_int_equal(sem_wait(&self->go_on), 0);
    }
}

static void a_slow_callback_of_a_watch_is_named_while_it_runs(void **state)
{
    (void)state;
    static listener heard = {.wanted = "the callback of a watch of " SERVICE
                                       ":1.0 has been running for "};
    static watcher self;
    assert_int_equal(sem_init(&self.entered, 0, 0), 0);
    assert_int_equal(sem_init(&self.go_on, 0, 0), 0);
    yurpc_registry *registry = open_listening(&heard);
    yurpc_instance_spec spec = spec_of(1);
    yurpc_registration *registration = NULL;
    assert_ok(yurpc_registry_register(registry, &spec, NULL, &registration, NULL));
    yurpc_service *service = NULL;
    assert_ok(yurpc_registry_discover(registry, SERVICE, NULL, &service, NULL));
    yurpc_watch *watch = NULL;
    assert_ok(yurpc_service_watch(service, hang_once, &self, &watch));
    assert_int_equal(sem_wait(&self.entered), 0);
    await_count(&heard.lines, 1);
    assert_int_equal(sem_post(&self.go_on), 0);
    yurpc_registry_close(registry);
}

/* ---- The log ---- */

typedef struct blocked_sink {
    sem_t entered;
    sem_t go_on;
    atomic_bool is_open;
} blocked_sink;

static void block_on_line(void *context, yurpc_log_level level, const char *component,
                          const char *text)
{
    blocked_sink *self = context;
    (void)level;
    (void)component;
    (void)text;
    if (!atomic_load(&self->is_open)) {
        assert_int_equal(sem_post(&self->entered), 0);
        assert_int_equal(sem_wait(&self->go_on), 0);
    }
}

static void a_log_that_blocks_stops_nothing(void **state)
{
    (void)state;
    static blocked_sink sink;
    assert_int_equal(sem_init(&sink.entered, 0, 0), 0);
    assert_int_equal(sem_init(&sink.go_on, 0, 0), 0);
    yurpc_registry_config config = local_registry_config();
    config.log = block_on_line;
    config.log_context = &sink;
    config.log_level = YURPC_LOG_DEBUG;
    yurpc_registry *registry = NULL;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    assert_int_equal(sem_wait(&sink.entered), 0);
    yurpc_instance_spec spec = spec_of(1);
    yurpc_registration *registration = NULL;
    assert_ok(yurpc_registry_register(registry, &spec, NULL, &registration, NULL));
    assert_ok(yurpc_registration_unregister(registration, NULL));
    atomic_store(&sink.is_open, true);
    assert_int_equal(sem_post(&sink.go_on), 0);
    yurpc_registry_close(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocking_call_works_inside_a_callback),
        cmocka_unit_test(a_blocking_call_inside_a_callback_of_a_host_driven_handle_is_refused),
        cmocka_unit_test(a_callback_that_hangs_stops_neither_registering_nor_discovering),
        cmocka_unit_test(unregistering_returns_when_its_last_state_was_told),
        cmocka_unit_test(closing_is_bounded_though_a_callback_hangs_which_is_then_the_last),
        cmocka_unit_test(leaving_from_the_callback_is_told_no_more),
        cmocka_unit_test(a_slow_callback_of_a_registration_is_named_once_while_it_runs),
        cmocka_unit_test(a_slow_callback_of_a_watch_is_named_while_it_runs),
        cmocka_unit_test(a_log_that_blocks_stops_nothing),
    };
    return cmocka_run_group_tests_name("handle callbacks", tests, local_registry_make,
                                       local_registry_remove);
}
