#include "etcd_witness.h"

#include "yr_test.h"

#include <stdio.h>
#include <string.h>

static void set_text(char text[WITNESS_TEXT_MAX], const yurpc_error *error)
{
    (void)snprintf(text, WITNESS_TEXT_MAX, "%s", yurpc_error_text(error));
}

/* ---- Answers ---- */

void etcd_answer_clear(etcd_answer *answer)
{
    if (answer->reply != NULL) {
        yr_reply_free(yr_reply_of(answer->reply));
    }
    memset(answer, 0, sizeof *answer);
}

void etcd_answer_on_reply(void *context, const yurpc_etcd_reply *reply,
                          const yurpc_error *error)
{
    etcd_answer *answer = context;
    assert_false(answer->is_done);
    assert_true((reply == NULL) != (error == NULL));
    answer->is_done = true;
    answer->status = yurpc_error_status(error);
    set_text(answer->text, error);
    if (reply != NULL) {
        answer->reply = yr_reply_detach(reply);
    }
}

/* ---- Watches ---- */

static void on_created(void *context, int64_t revision)
{
    watch_log *watch = context;
    watch->created++;
    watch->created_revision = revision;
}

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    watch_log *watch = context;
    int64_t revision_before = watch->last_revision;
    watch->changes++;
    for (size_t i = 0; i < changes->count; i++) {
        const yurpc_etcd_event *event = &changes->events[i];
        assert_true(event->kv.mod_revision > revision_before);
        assert_true(event->kv.mod_revision <= changes->revision);
        if (watch->events < WATCH_LOG_MAX) {
            (void)snprintf(watch->keys[watch->events], 32, "%.*s", (int)event->kv.key.len,
                           (const char *)event->kv.key.data);
        }
        watch->events++;
        watch->deletions += event->kind == YURPC_ETCD_EVENT_DELETE;
    }
    watch->last_revision = changes->revision;
}

static void on_progress(void *context, int64_t revision)
{
    watch_log *watch = context;
    watch->progress++;
    watch->progress_revision = revision;
}

static void on_stale(void *context, bool is_stale, const yurpc_error *error)
{
    watch_log *watch = context;
    (void)error;
    *(is_stale ? &watch->stale : &watch->fresh) += 1;
}

static void on_canceled(void *context, const yurpc_error *error, int64_t compact_revision)
{
    watch_log *watch = context;
    watch->is_canceled = true;
    watch->status = yurpc_error_status(error);
    set_text(watch->text, error);
    watch->compact_revision = compact_revision;
    watch->watch = NULL;
}

yurpc_status watch_log_try(watch_log *watch, yr_etcd *client,
                           const yr_etcd_watch_options *options)
{
    yr_etcd_watch_events events = {on_created, on_changes, on_progress, on_stale, on_canceled};
    memset(watch, 0, sizeof *watch);
    return yr_etcd_watch_start(client, options, &events, watch, &watch->watch);
}

void watch_log_init(watch_log *watch, yr_etcd *client, const yr_etcd_watch_options *options)
{
    assert_ok(watch_log_try(watch, client, options));
}

/* ---- Keepalives ---- */

static void on_renewed(void *context, int64_t ttl_s)
{
    assert_true(ttl_s > 0);
    ((lease_log *)context)->renewals++;
}

static void on_lost(void *context, const yurpc_error *error)
{
    lease_log *keepalive = context;
    assert_false(keepalive->is_lost);
    keepalive->is_lost = true;
    keepalive->status = yurpc_error_status(error);
    set_text(keepalive->text, error);
    keepalive->keepalive = NULL;
}

yurpc_status lease_log_try(lease_log *keepalive, yr_etcd *client, const yr_etcd_lease *lease)
{
    yr_etcd_keepalive_events events = {on_renewed, on_lost};
    memset(keepalive, 0, sizeof *keepalive);
    return yr_etcd_keepalive_start(client, lease, &events, keepalive, &keepalive->keepalive);
}

void lease_log_init(lease_log *keepalive, yr_etcd *client, const yr_etcd_lease *lease)
{
    assert_ok(lease_log_try(keepalive, client, lease));
}
