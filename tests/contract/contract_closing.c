/* Closing, and deadlines. */
#include "base/bytes.h"
#include "contract.h"
#include "yr_test.h"

#include <string.h>

enum { PENDING = 5 };

typedef struct yr_pending {
    int answers;
    bool is_in_call;
    bool is_closed;
} yr_pending;

static void take(yr_pending *pending)
{
    yr_stage_expect(!pending->is_in_call, "not pending->is_in_call");
    yr_stage_expect(!pending->is_closed, "not pending->is_closed");
    pending->answers++;
}

static void on_done(void *context, yurpc_status status, const yurpc_error *error)
{
    yr_stage_expect(yurpc_error_status(error) == status, "yurpc_error_status(error) is status");
    take(context);
}

static void on_announced(void *context, size_t index, yurpc_status status,
                         const yurpc_error *error)
{
    (void)index;
    on_done(context, status, error);
}

static void on_session(void *context, const yr_session *session, const yurpc_error *error)
{
    yr_stage_expect((session != NULL) == (error == NULL),
                    "(session != NULL) == (error == NULL)");
    take(context);
}

static void on_service(void *context, yurpc_bytes service, uint64_t count)
{
    (void)context;
    (void)service;
    (void)count;
}

static void on_closed(void *context)
{
    yr_pending *pending = context;
    yr_stage_expect(!pending->is_in_call, "not pending->is_in_call");
    yr_stage_expect(pending->answers == PENDING, "pending->answers is PENDING");
    pending->is_closed = true;
}

static bool is_closed(const void *context)
{
    return ((const yr_pending *)context)->is_closed;
}

static void begin_all(yr_subject *subject, yr_pending *pending, int64_t deadline_ms)
{
    const yr_driver_ops *ops = yr_backend_now->ops;
    const yr_announcement item = {yr_bytes_of_text("svc:1.0"), yr_bytes_of_text("a:1"),
                                  yr_bytes_of_text("{}")};
    ops->open_session(subject->driver, deadline_ms, on_session, pending);
    const yr_announce_request request = {YR_ANNOUNCE_TAKE, &item, 1, deadline_ms};
    ops->announce(subject->driver, &request, on_announced, pending);
    ops->withdraw(subject->driver, item.service, item.node, deadline_ms, on_done, pending);
    ops->remove(subject->driver, item.service, item.node, deadline_ms, on_done, pending);
    ops->list_services(subject->driver, deadline_ms, on_service, on_done, pending);
}

/* With YURPC_CANCELED, or with what it had come to already. */
static void closing_answers_what_is_pending_first(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    yr_subject_open(&subject, stage);
    yr_pending pending = {.is_in_call = true};
    begin_all(&subject, &pending, YR_STAGE_LIMIT_MS);
    yr_backend_now->ops->close(subject.driver, 3000, on_closed, &pending);
    pending.is_in_call = false;
    yr_stage_await(stage, is_closed, &pending, 3500, "the driver is closed");
    stage->open_count--;
    assert_int_equal(pending.answers, PENDING);
}

static void closing_at_once_is_allowed(void **state)
{
    yr_stage *stage = *state;
    const yr_driver_config config = {.address = stage->address,
                                     .timeout_ms = YR_STAGE_LIMIT_MS,
                                     .ttl_ms = yr_backend_now->ttl_ms};
    yr_subject subject;
    assert_ok(yr_subject_begin(&subject, stage, &config));
    yr_subject_close(&subject);
}

static void closing_ends_follows_silently(void **state)
{
    static yr_watcher watcher;
    yr_subject subject;
    yr_subject_open(&subject, *state);
    assert_ok(yr_subject_open_session(&subject));
    assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", "{}"));
    yr_watcher_begin(&watcher, &subject, "svc:1.0");
    int reports = watcher.stale_reports;
    yr_subject_close(&subject); /* and frees the follow */
    assert_int_equal(watcher.deletes, 0);
    assert_int_equal(watcher.stale_reports, reports);
}

static bool are_answered(const void *context)
{
    return ((const yr_pending *)context)->answers == PENDING;
}

static void a_deadline_of_one_millisecond_is_kept(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    yr_subject_open(&subject, stage);
    yr_pending pending = {.is_in_call = true};
    int64_t begun_ms = yr_stage_now_ms(stage);
    begin_all(&subject, &pending, 1);
    pending.is_in_call = false;
    yr_stage_await(stage, are_answered, &pending, 500, "answers at the deadline");
    assert_true(yr_stage_now_ms(stage) - begun_ms < 500);
    yr_stage_linger(stage, 100); /* whatever happened: once */
    yr_subject_close(&subject);
}

static void a_closed_session_leaves_no_record(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    char services[64];
    yr_subject_open(&subject, stage);
    assert_ok(yr_subject_open_session(&subject));
    assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", "{}"));
    yr_subject_close(&subject);
    yr_subject_open(&subject, stage);
    assert_ok(yr_subject_services(&subject, services, sizeof services));
    assert_string_equal(services, "");
    yr_subject_close(&subject);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, yr_stage_setup, yr_stage_teardown)

int yr_contract_run_closing(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(closing_answers_what_is_pending_first),
        ON_STAGE(closing_at_once_is_allowed),
        ON_STAGE(closing_ends_follows_silently),
        ON_STAGE(a_deadline_of_one_millisecond_is_kept),
        ON_STAGE(a_closed_session_leaves_no_record),
    };
    return cmocka_run_group_tests_name("closing", tests, NULL, NULL);
}
