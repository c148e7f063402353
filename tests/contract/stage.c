#include "stage.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

const yr_backend *yr_backend_now;

static const char *complaint;

void yr_stage_expect(bool is_so, const char *what)
{
    if (!is_so && complaint == NULL) {
        complaint = what;
    }
}

int yr_stage_setup(void **state)
{
    complaint = NULL;
    yr_stage *stage = yr_calloc(1, sizeof *stage);
    assert_non_null(stage);
    assert_ok(yr_uv_io_new(&stage->io, NULL));
    stage->address = yr_backend_now->start(stage->io);
    assert_non_null(stage->address);
    *state = stage;
    return 0;
}

int yr_stage_teardown(void **state)
{
    yr_stage *stage = *state;
    if (stage->open_count > 0) { /* the test failed, and its drivers are lost */
        return 0;
    }
    yr_backend_now->stop();
    yr_uv_io_free(stage->io);
    yr_free(stage);
    return 0;
}

static void on_limit(void *context)
{
    *(bool *)context = true;
}

void yr_stage_await(yr_stage *stage, yr_predicate_fn *is_so, const void *context,
                    int64_t limit_ms, const char *what)
{
    bool is_over = false;
    yr_timer limit;
    yr_timer_init(&limit, on_limit, &is_over);
    yr_timer_start(stage->io, &limit, limit_ms);
    while (!is_over && !is_so(context) && complaint == NULL) {
        yr_uv_io_run(stage->io, true);
    }
    yr_timer_stop(stage->io, &limit);
    if (complaint != NULL) {
        fail_msg("in a callback: %s", complaint);
    }
    if (!is_so(context)) {
        fail_msg("not within %lld ms: %s", (long long)limit_ms, what);
    }
}

static bool is_never(const void *context)
{
    return *(const bool *)context;
}

void yr_stage_linger(yr_stage *stage, int64_t duration_ms)
{
    bool is_over = false;
    yr_timer limit;
    yr_timer_init(&limit, on_limit, &is_over);
    yr_timer_start(stage->io, &limit, duration_ms);
    yr_stage_await(stage, is_never, &is_over, duration_ms + YR_STAGE_LIMIT_MS, "a timer");
}

int64_t yr_stage_now_ms(const yr_stage *stage)
{
    return yr_io_now_ms(stage->io);
}

/* ---- A driver ---- */

static void on_connection(void *context, bool is_connected, const yurpc_error *error)
{
    yr_subject *subject = context;
    yr_stage_expect(!subject->is_closed, "not subject->is_closed");
    subject->is_connected = is_connected;
    subject->connections += is_connected ? 1 : 0;
    subject->error = yurpc_error_status(error);
    snprintf(subject->text, sizeof subject->text, "%s", yurpc_error_text(error));
}

static void on_session_lost(void *context, const yurpc_error *error)
{
    yr_subject *subject = context;
    yr_stage_expect(!subject->is_closed, "not subject->is_closed");
    yr_stage_expect(error != NULL, "error is set");
    subject->sessions_lost++;
}

static bool is_connected(const void *context)
{
    return ((const yr_subject *)context)->is_connected;
}

yurpc_status yr_subject_begin(yr_subject *subject, yr_stage *stage,
                              const yr_driver_config *config)
{
    static const yr_driver_events events = {.on_connection = on_connection,
                                            .on_session_lost = on_session_lost};
    yurpc_error *error = NULL;
    *subject = (yr_subject){.stage = stage};
    yurpc_status status = yr_backend_now->ops->open(stage->io, config, &events, subject,
                                                    &subject->driver, &error);
    if (status != YURPC_OK) {
        assert_non_null(error);
        assert_null(subject->driver);
        snprintf(subject->text, sizeof subject->text, "%s", yurpc_error_text(error));
        subject->is_closed = true;
    }
    stage->open_count += status == YURPC_OK ? 1 : 0;
    assert_int_equal(subject->connections, 0); /* not inside the call */
    yurpc_error_free(error);
    return status;
}

void yr_subject_open(yr_subject *subject, yr_stage *stage)
{
    const yr_driver_config config = {.address = stage->address,
                                     .timeout_ms = YR_STAGE_LIMIT_MS,
                                     .ttl_ms = yr_backend_now->ttl_ms};
    assert_ok(yr_subject_begin(subject, stage, &config));
    yr_stage_await(stage, is_connected, subject, YR_STAGE_LIMIT_MS, "a connection");
}

static void on_closed(void *context)
{
    yr_subject *subject = context;
    yr_stage_expect(!subject->is_closed, "not subject->is_closed");
    subject->is_closed = true;
}

static bool is_closed(const void *context)
{
    return ((const yr_subject *)context)->is_closed;
}

void yr_subject_close(yr_subject *subject)
{
    if (subject->is_closed) {
        return;
    }
    yr_backend_now->ops->close(subject->driver, 3000, on_closed, subject);
    assert_false(subject->is_closed);
    yr_stage_await(subject->stage, is_closed, subject, 3500, "the driver is closed");
    subject->stage->open_count--;
}

/* What an operation reported. */
typedef struct yr_answer {
    size_t expected; /* callbacks */
    size_t count;
    bool is_in_call;
    yurpc_status status;
    yurpc_status *statuses;
    yr_session session;
    char *out; /* of services */
    size_t size;
} yr_answer;

static bool is_answered(const void *context)
{
    const yr_answer *answer = context;
    return answer->count >= answer->expected;
}

static void take(yr_answer *answer, yurpc_status status, const yurpc_error *error)
{
    yr_stage_expect(!answer->is_in_call, "not answer->is_in_call");
    yr_stage_expect(answer->count < answer->expected, "answer->count < answer->expected");
    yr_stage_expect(yurpc_error_status(error) == status, "yurpc_error_status(error) is status");
    answer->status = status;
    answer->count++;
}

static void await_answer(yr_subject *subject, yr_answer *answer)
{
    answer->is_in_call = false;
    yr_stage_await(subject->stage, is_answered, answer, YR_STAGE_LIMIT_MS + 500, "an answer");
}

static void on_session(void *context, const yr_session *session, const yurpc_error *error)
{
    yr_answer *answer = context;
    take(answer, yurpc_error_status(error), error);
    yr_stage_expect((session != NULL) == (error == NULL),
                    "(session != NULL) == (error == NULL)");
    if (session != NULL) {
        answer->session = *session;
    }
}

yurpc_status yr_subject_open_session(yr_subject *subject)
{
    yr_answer answer = {.expected = 1, .is_in_call = true};
    yr_backend_now->ops->open_session(subject->driver, YR_STAGE_LIMIT_MS, on_session, &answer);
    await_answer(subject, &answer);
    if (answer.status == YURPC_OK) {
        assert_int_not_equal(answer.session.id, 0);
        assert_true(answer.session.ttl_ms > 0);
        subject->session = answer.session;
    }
    return answer.status;
}

static void on_announced(void *context, size_t index, yurpc_status status,
                         const yurpc_error *error)
{
    yr_answer *answer = context;
    yr_stage_expect(index < answer->expected, "index < answer->expected");
    yr_stage_expect(answer->statuses[index] == 1,
                    "answer->statuses[index] is 1"); /* each once */
    answer->statuses[index] = status;
    take(answer, status, error);
}

void yr_subject_announce_all(yr_subject *subject, yr_announce_mode mode,
                             const yr_announcement *items, size_t count,
                             yurpc_status *ret_statuses)
{
    yr_answer answer = {.expected = count, .is_in_call = true, .statuses = ret_statuses};
    for (size_t i = 0; i < count; i++) {
        ret_statuses[i] = (yurpc_status)1;
    }
    const yr_announce_request request = {mode, items, count, YR_STAGE_LIMIT_MS};
    yr_backend_now->ops->announce(subject->driver, &request, on_announced, &answer);
    await_answer(subject, &answer);
}

yurpc_status yr_subject_announce(yr_subject *subject, yr_announce_mode mode,
                                 const char *service, const char *node, const char *value)
{
    const yr_announcement item = {.service = yr_bytes_of_text(service),
                                  .node = yr_bytes_of_text(node),
                                  .value = yr_bytes_of_text(value)};
    yurpc_status status = YURPC_OK;
    yr_subject_announce_all(subject, mode, &item, 1, &status);
    return status;
}

static void on_done(void *context, yurpc_status status, const yurpc_error *error)
{
    take(context, status, error);
}

yurpc_status yr_subject_withdraw(yr_subject *subject, const char *service, const char *node)
{
    yr_answer answer = {.expected = 1, .is_in_call = true};
    yr_backend_now->ops->withdraw(subject->driver, yr_bytes_of_text(service),
                                  yr_bytes_of_text(node), YR_STAGE_LIMIT_MS, on_done, &answer);
    await_answer(subject, &answer);
    return answer.status;
}

yurpc_status yr_subject_remove(yr_subject *subject, const char *service, const char *node)
{
    yr_answer answer = {.expected = 1, .is_in_call = true};
    yr_backend_now->ops->remove(subject->driver, yr_bytes_of_text(service),
                                yr_bytes_of_text(node), YR_STAGE_LIMIT_MS, on_done, &answer);
    await_answer(subject, &answer);
    return answer.status;
}

static void on_service(void *context, yurpc_bytes service, uint64_t node_count)
{
    yr_answer *answer = context;
    yr_stage_expect(!answer->is_in_call, "not answer->is_in_call");
    yr_stage_expect(answer->count == 0, "answer->count is 0"); /* all before done */
    size_t len = strlen(answer->out);
    snprintf(answer->out + len, answer->size - len, "%s%.*s=%llu", len > 0 ? "," : "",
             (int)service.len, (const char *)service.data, (unsigned long long)node_count);
}

yurpc_status yr_subject_services(yr_subject *subject, char *out, size_t size)
{
    yr_answer answer = {.expected = 1, .is_in_call = true, .out = out, .size = size};
    out[0] = '\0';
    yr_backend_now->ops->list_services(subject->driver, YR_STAGE_LIMIT_MS, on_service, on_done,
                                       &answer);
    await_answer(subject, &answer);
    return answer.status;
}

/* ---- A follower ---- */

static yr_watched *find(yr_watcher *watcher, const char *node)
{
    for (size_t i = 0; i < watcher->count; i++) {
        if (strcmp(watcher->nodes[i].node, node) == 0) {
            return &watcher->nodes[i];
        }
    }
    return NULL;
}

const yr_watched *yr_watcher_find(const yr_watcher *watcher, const char *node)
{
    for (size_t i = 0; i < watcher->count; i++) {
        if (strcmp(watcher->nodes[i].node, node) == 0) {
            return &watcher->nodes[i];
        }
    }
    return NULL;
}

static void drop(yr_watcher *watcher, yr_watched *node)
{
    *node = watcher->nodes[--watcher->count];
}

static void note(yr_watcher *watcher, const yr_fact *fact)
{
    size_t len = strlen(watcher->log);
    bool is_put = fact->kind == YR_FACT_PUT;
    snprintf(watcher->log + len, sizeof watcher->log - len, "%s%s%.*s%s%.*s",
             len > 0 ? " " : "", is_put ? "+" : "-", (int)fact->node.len,
             (const char *)fact->node.data, is_put ? "=" : "",
             is_put ? (int)fact->value.len : 0, is_put ? (const char *)fact->value.data : "");
    watcher->puts += is_put ? 1 : 0;
    watcher->deletes += is_put ? 0 : 1;
}

static void believe(yr_watcher *watcher, const yr_fact *fact, bool is_list)
{
    char node[YR_WATCHED_TEXT];
    yr_stage_expect(yr_bytes_equal(fact->service, yr_bytes_of_text(watcher->service)),
                    "yr_bytes_equal(fact->service, yr_bytes_of_text(watcher->service))");
    yr_stage_expect(fact->revision > 0, "fact->revision > 0");
    snprintf(node, sizeof node, "%.*s", (int)fact->node.len, (const char *)fact->node.data);
    yr_watched *known = find(watcher, node);
    if (known != NULL) {
        yr_stage_expect(fact->revision >= known->revision, "fact->revision >= known->revision");
    }
    if (!is_list) {
        note(watcher, fact);
    }
    if (fact->kind == YR_FACT_DELETE) {
        yr_stage_expect(!is_list, "not is_list");
        if (known != NULL) {
            drop(watcher, known);
        }
        return;
    }
    if (known == NULL) {
        yr_stage_expect(watcher->count < YR_WATCHED_MAX, "watcher->count < YR_WATCHED_MAX");
        known = &watcher->nodes[watcher->count++];
    }
    memcpy(known->node, node, sizeof node);
    snprintf(known->value, sizeof known->value, "%.*s", (int)fact->value.len,
             (const char *)fact->value.data);
    known->revision = fact->revision;
    known->owner = fact->owner;
    known->is_named = true;
}

static void begin_list(yr_watcher *watcher)
{
    for (size_t i = 0; i < watcher->count; i++) {
        watcher->nodes[i].is_named = false;
    }
}

static void end_list(yr_watcher *watcher)
{
    size_t i = 0;
    while (i < watcher->count) {
        if (watcher->nodes[i].is_named) {
            i++;
        } else {
            drop(watcher, &watcher->nodes[i]);
        }
    }
    watcher->lists++;
}

static void on_facts(void *context, const yr_facts *facts)
{
    yr_watcher *watcher = context;
    yr_stage_expect(watcher->follow != NULL,
                    "watcher->follow is set"); /* not inside the call, not after the end */
    if (facts->is_list) {
        yr_stage_expect(facts->is_first == !watcher->is_listing,
                        "facts->is_first == !watcher->is_listing");
        watcher->is_listing = !facts->is_last;
        if (facts->is_first) {
            begin_list(watcher);
        }
    } else {
        yr_stage_expect(watcher->lists > 0 && !watcher->is_listing,
                        "watcher->lists > 0 && !watcher->is_listing");
        yr_stage_expect(!facts->is_first, "not facts->is_first");
    }
    for (size_t i = 0; i < facts->count; i++) {
        believe(watcher, &facts->facts[i], facts->is_list);
    }
    if (facts->is_list && facts->is_last) {
        end_list(watcher);
    }
    if (watcher->unfollow_at > 0 && watcher->puts + watcher->deletes >= watcher->unfollow_at) {
        yr_watcher_end(watcher);
    }
}

static void on_stale(void *context, bool is_stale, const yurpc_error *error)
{
    (void)error;
    yr_watcher *watcher = context;
    yr_stage_expect(watcher->follow != NULL, "watcher->follow is set");
    yr_stage_expect(is_stale != watcher->is_stale,
                    "is_stale != watcher->is_stale"); /* only changes */
    yr_stage_expect(is_stale || watcher->lists > 0, "is_stale || watcher->lists > 0");
    watcher->is_stale = is_stale;
    watcher->stale_reports++;
}

static bool is_fresh(const void *context)
{
    const yr_watcher *watcher = context;
    return watcher->lists > 0 && !watcher->is_stale;
}

void yr_watcher_begin_span(yr_watcher *watcher, yr_subject *subject, const char *service,
                           const char *first, const char *last)
{
    static const yr_follow_events events = {.on_facts = on_facts, .on_stale = on_stale};
    const yr_scope scope = {.service = yr_bytes_of_text(service),
                            .node_first = yr_bytes_of_text(first),
                            .node_last = yr_bytes_of_text(last)};
    *watcher = (yr_watcher){.subject = subject, .is_stale = true};
    snprintf(watcher->service, sizeof watcher->service, "%s", service);
    yr_follow *follow = NULL;
    assert_ok(yr_backend_now->ops->follow(subject->driver, &scope, &events, watcher, &follow));
    assert_non_null(follow);
    watcher->follow = follow;
    yr_stage_await(subject->stage, is_fresh, watcher, YR_STAGE_LIMIT_MS, "a first list");
}

void yr_watcher_begin(yr_watcher *watcher, yr_subject *subject, const char *service)
{
    yr_watcher_begin_span(watcher, subject, service, "", "");
}

void yr_watcher_end(yr_watcher *watcher)
{
    if (watcher->follow != NULL) {
        yr_backend_now->ops->unfollow(watcher->follow);
        watcher->follow = NULL;
    }
}

typedef struct yr_expectation {
    const yr_watcher *watcher;
    size_t count;
    const char *node;
    const char *value;
} yr_expectation;

static bool has_count(const void *context)
{
    const yr_expectation *expected = context;
    return expected->watcher->count == expected->count && !expected->watcher->is_listing;
}

void yr_watcher_await_count(yr_watcher *watcher, size_t count, int64_t limit_ms)
{
    const yr_expectation expected = {.watcher = watcher, .count = count};
    yr_stage_await(watcher->subject->stage, has_count, &expected, limit_ms,
                   "a number of nodes");
}

static bool has_value(const void *context)
{
    const yr_expectation *expected = context;
    const yr_watched *node = yr_watcher_find(expected->watcher, expected->node);
    return node != NULL && strcmp(node->value, expected->value) == 0;
}

void yr_watcher_await_value(yr_watcher *watcher, const char *node, const char *value)
{
    const yr_expectation expected = {.watcher = watcher, .node = node, .value = value};
    yr_stage_await(watcher->subject->stage, has_value, &expected, YR_STAGE_LIMIT_MS, value);
}
