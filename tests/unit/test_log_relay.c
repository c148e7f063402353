/* Log lines on a thread of their own: in order, bounded, and not after the end. */
#include "registry/handle/log_relay.h"
#include "yr_test.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 10000, SHORT_MS = 20 };

typedef struct sink {
    yr_log_relay *relay;
    yr_log log;
    sem_t entered;
    sem_t go_on;
    atomic_bool is_waiting;
    atomic_int calls;
    atomic_int warnings;
    char last[200];
} sink;

static void take(void *context, yurpc_log_level level, const char *component, const char *text)
{
    sink *self = context;
    atomic_fetch_add(&self->calls, 1);
    atomic_fetch_add(&self->warnings, level == YURPC_LOG_WARN);
    (void)snprintf(self->last, sizeof self->last, "%s: %s", component, text);
    if (atomic_load(&self->is_waiting)) {
        assert_int_equal(sem_post(&self->entered), 0);
        assert_int_equal(sem_wait(&self->go_on), 0);
    }
}

static int set_up(void **state)
{
    static sink self;
    self = (sink){.relay = NULL};
    assert_int_equal(sem_init(&self.entered, 0, 0), 0);
    assert_int_equal(sem_init(&self.go_on, 0, 0), 0);
    yr_log log = {.fn = take, .context = &self, .level = YURPC_LOG_INFO};
    assert_ok(yr_log_relay_new(&log, &self.relay));
    self.log = yr_log_relay_log(self.relay);
    *state = &self;
    return 0;
}

static void lines_arrive_in_order_and_all_before_the_end(void **state)
{
    sink *self = *state;
    for (int i = 0; i < 100; i++) {
        yr_log_write(&self->log, YURPC_LOG_INFO, "test", "line %d", i);
    }
    yr_log_write(&self->log, YURPC_LOG_DEBUG, "test", "not wanted");
    yr_log_relay_free(self->relay, PATIENCE_MS);
    assert_int_equal(atomic_load(&self->calls), 100);
    assert_string_equal(self->last, "test: line 99");
}

static void lines_that_are_too_many_are_dropped_and_counted(void **state)
{
    sink *self = *state;
    atomic_store(&self->is_waiting, true);
    yr_log_write(&self->log, YURPC_LOG_INFO, "test", "the first");
    assert_int_equal(sem_wait(&self->entered), 0);
    for (int i = 0; i < YR_LOG_LINES_MAX + 41; i++) {
        yr_log_write(&self->log, YURPC_LOG_INFO, "test", "line %d", i);
    }
    atomic_store(&self->is_waiting, false);
    assert_int_equal(sem_post(&self->go_on), 0);
    yr_log_relay_free(self->relay, PATIENCE_MS);
    /* The one that is being told counts as waiting. */
    assert_int_equal(atomic_load(&self->calls), YR_LOG_LINES_MAX + 1);
    assert_int_equal(atomic_load(&self->warnings), 1);
}

static void a_sink_that_hangs_is_not_waited_for(void **state)
{
    sink *self = *state;
    atomic_store(&self->is_waiting, true);
    yr_log_write(&self->log, YURPC_LOG_INFO, "test", "the first");
    yr_log_write(&self->log, YURPC_LOG_INFO, "test", "the second");
    assert_int_equal(sem_wait(&self->entered), 0);
    yr_log_relay_free(self->relay, SHORT_MS);
    assert_int_equal(atomic_load(&self->calls), 1);
    assert_int_equal(sem_post(&self->go_on), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_arrive_in_order_and_all_before_the_end, set_up),
        cmocka_unit_test_setup(lines_that_are_too_many_are_dropped_and_counted, set_up),
        cmocka_unit_test_setup(a_sink_that_hangs_is_not_waited_for, set_up),
    };
    return cmocka_run_group_tests_name("log relay", tests, NULL, NULL);
}
