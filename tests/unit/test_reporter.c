/* States told on another thread: in order, without queueing up, and not after the end. */
#include "base/error.h"
#include "registry/provider/reporter.h"
#include "yr_test.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 10000, SHORT_MS = 20 };

typedef struct listener {
    yr_executor *executor;
    yr_reporter *reporter;
    sem_t entered; /* a callback has begun … */
    sem_t go_on;   /* … and ends when this is given, if it is to wait */
    atomic_bool is_waiting;
    atomic_bool is_finishing;
    atomic_int calls;
    char told[256]; /* the first letters of the states; of an error its text, too */
} listener;

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    listener *self = context;
    size_t len = strlen(self->told);
    (void)snprintf(self->told + len, sizeof self->told - len, "%s%.3s%s", len > 0 ? " " : "",
                   yurpc_registration_state_name(state),
                   error != NULL ? yurpc_error_text(error) : "");
    atomic_fetch_add(&self->calls, 1);
    assert_int_equal(sem_post(&self->entered), 0);
    if (atomic_load(&self->is_waiting)) {
        assert_int_equal(sem_wait(&self->go_on), 0);
    }
    if (atomic_load(&self->is_finishing)) {
        assert_false(yr_reporter_finish(self->reporter, PATIENCE_MS));
    }
}

static int set_up(void **state)
{
    static listener self;
    self = (listener){.executor = NULL};
    assert_int_equal(sem_init(&self.entered, 0, 0), 0);
    assert_int_equal(sem_init(&self.go_on, 0, 0), 0);
    assert_ok(yr_executor_new(NULL, true, &self.executor));
    assert_ok(yr_reporter_new(self.executor, on_state, &self, &self.reporter));
    *state = &self;
    return 0;
}

/* Whatever was posted has run when this returns. */
static void end(listener *self)
{
    yr_reporter_unref(self->reporter);
    yr_executor_finish(self->executor, PATIENCE_MS);
    yr_executor_unref(self->executor);
    self->executor = NULL;
}

static int tear_down(void **state)
{
    listener *self = *state;
    if (self->executor != NULL) {
        end(self);
    }
    return 0;
}

static void report(listener *self, yurpc_registration_state state)
{
    yr_reporter_report(self->reporter, state, NULL);
}

static void states_are_told_in_order_with_their_errors(void **state)
{
    listener *self = *state;
    atomic_store(&self->is_waiting, true);
    report(self, YURPC_REGISTERED);
    assert_int_equal(sem_wait(&self->entered), 0);
    yurpc_error *error = yr_error_new(YURPC_LEASE_LOST, -1, "=gone");
    yr_reporter_report(self->reporter, YURPC_LOST, error);
    yurpc_error_free(error);
    report(self, YURPC_REGISTERED);
    report(self, YURPC_GONE);
    atomic_store(&self->is_waiting, false);
    assert_int_equal(sem_post(&self->go_on), 0);
    assert_true(yr_reporter_finish(self->reporter, PATIENCE_MS));
    assert_string_equal(self->told, "REG LOS=gone REG GON");
}

static void a_slow_callback_misses_what_is_in_the_middle_and_hears_the_last(void **state)
{
    listener *self = *state;
    atomic_store(&self->is_waiting, true);
    report(self, YURPC_REGISTERED);
    assert_int_equal(sem_wait(&self->entered), 0);
    for (int i = 0; i < 1000; i++) {
        report(self, YURPC_LOST);
        report(self, YURPC_REGISTERED);
    }
    report(self, YURPC_GONE);
    atomic_store(&self->is_waiting, false);
    assert_int_equal(sem_post(&self->go_on), 0);
    assert_true(yr_reporter_finish(self->reporter, PATIENCE_MS));
    assert_int_equal(atomic_load(&self->calls), 1 + YR_REPORTS_MAX);
    assert_string_equal(self->told + strlen(self->told) - 3, "GON");
}

static void a_callback_that_hangs_is_the_last(void **state)
{
    listener *self = *state;
    atomic_store(&self->is_waiting, true);
    report(self, YURPC_REGISTERED);
    assert_int_equal(sem_wait(&self->entered), 0);
    report(self, YURPC_GONE);
    assert_false(yr_reporter_finish(self->reporter, SHORT_MS));
    assert_int_equal(sem_post(&self->go_on), 0);
    end(self);
    assert_int_equal(atomic_load(&self->calls), 1);
}

static void finishing_inside_the_callback_does_not_wait(void **state)
{
    listener *self = *state;
    atomic_store(&self->is_finishing, true);
    atomic_store(&self->is_waiting, true);
    report(self, YURPC_REGISTERED);
    assert_int_equal(sem_wait(&self->entered), 0);
    report(self, YURPC_GONE);
    assert_int_equal(sem_post(&self->go_on), 0);
    end(self);
    assert_int_equal(atomic_load(&self->calls), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(states_are_told_in_order_with_their_errors),
        TEST(a_slow_callback_misses_what_is_in_the_middle_and_hears_the_last),
        TEST(a_callback_that_hangs_is_the_last),
        TEST(finishing_inside_the_callback_does_not_wait),
    };
    return cmocka_run_group_tests_name("reporter", tests, NULL, NULL);
}
