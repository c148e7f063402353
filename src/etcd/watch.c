#include "etcd/watch.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "etcd/client.h"

#include <inttypes.h>

/* ---- Beginning and ending ---- */

void yr_watch_free(yr_etcd_watch *watch)
{
    yr_watch_parts_deinit(&watch->parts);
    yr_free(watch->creation);
    yr_free(watch->key);
    yr_free(watch->range_end);
    yr_free(watch);
}

static yurpc_status copy_bytes(yurpc_bytes *bytes, char **ret_copy)
{
    char *copy = yr_memdup0(bytes->data, bytes->len);
    if (copy == NULL) {
        return YURPC_NO_MEMORY;
    }
    bytes->data = copy;
    *ret_copy = copy;
    return YURPC_OK;
}

yr_etcd_watch *yr_watch_new(yr_watch_hub *hub, const yr_etcd_watch_options *options)
{
    yr_etcd_watch *watch = yr_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return NULL;
    }
    watch->hub = hub;
    watch->options = *options;
    watch->next_revision = options->start_revision;
    watch->is_stale = true;
    yr_watch_parts_init(&watch->parts);
    watch->creation = yr_calloc(1, sizeof *watch->creation);
    if (watch->creation == NULL || copy_bytes(&watch->options.key, &watch->key) != YURPC_OK ||
        copy_bytes(&watch->options.range_end, &watch->range_end) != YURPC_OK) {
        yr_watch_free(watch);
        return NULL;
    }
    yr_list_init(&watch->creation->node);
    watch->creation->watch = watch;
    return watch;
}

void yr_watch_end(yr_etcd_watch *watch, int64_t compact_revision, yurpc_error *error)
{
    watch->is_ending = true;
    yr_watch_hub_forget(watch);
    watch->events.on_canceled(watch->context, error, compact_revision);
    yurpc_error_free(error);
    yr_watch_free(watch);
}

/* ---- Reporting ---- */

/* False: it was stopped in the callback that has just run. */
static bool watch_is_alive_after(yr_watch_hub *hub, const yr_etcd_watch *watch)
{
    bool is_alive = hub->delivering == watch;
    hub->delivering = NULL;
    return is_alive;
}

void yr_watch_report_stale(yr_etcd_watch *watch, bool is_stale, const yurpc_error *error)
{
    if (watch->is_stale != is_stale) {
        watch->is_stale = is_stale;
        if (watch->events.on_stale != NULL) {
            watch->events.on_stale(watch->context, is_stale, error);
        }
    }
}

static void watch_report_fresh_if_it_is(yr_etcd_watch *watch)
{
    if (watch->is_open && watch->next_revision > watch->target_revision) {
        yr_watch_report_stale(watch, false, NULL);
    }
}

static bool watch_report_progress(yr_etcd_watch *watch, int64_t revision)
{
    yr_watch_hub *hub = watch->hub;
    if (watch->events.on_progress == NULL) {
        return true;
    }
    hub->delivering = watch;
    watch->events.on_progress(watch->context, revision);
    return watch_is_alive_after(hub, watch);
}

static bool watch_report_changes(yr_etcd_watch *watch, const yurpc_etcd_changes *changes)
{
    yr_watch_hub *hub = watch->hub;
    hub->delivering = watch;
    watch->events.on_changes(watch->context, changes);
    return watch_is_alive_after(hub, watch);
}

/* ---- What etcd says ---- */

void yr_watch_refused(yr_etcd_watch *watch, const yr_watch_message *message)
{
    if (message->compact_revision > 0) {
        yr_watch_end(watch, message->compact_revision,
                     yr_error_new(YURPC_COMPACTED, -1,
                                  "revision %" PRId64
                                  " was compacted away; the oldest is %" PRId64,
                                  watch->next_revision, message->compact_revision));
        return;
    }
    const char *reason = message->reason;
    yr_etcd_verdict verdict = {YURPC_REMOTE, true, YR_REMEDY_NONE};
    if (reason[0] != '\0') {
        verdict = yr_etcd_verdict_of_reason(reason);
    }
    yurpc_error *error = yr_error_new(verdict.status, -1, "etcd ended the watch: %s",
                                      reason[0] == '\0' ? "it gave no reason" : reason);
    bool is_certain = verdict.status == YURPC_UNAUTHENTICATED;
    if (verdict.remedy == YR_REMEDY_RETRY) {
        yr_duplex_restart(&watch->hub->stream, error); /* it passes: take all up again */
        yurpc_error_free(error);
    } else if (verdict.remedy == YR_REMEDY_LOG_IN && watch->renewals++ < YR_ETCD_RENEWALS_MAX &&
               yr_duplex_exchange(&watch->hub->stream, is_certain, error)) {
        yurpc_error_free(error);
    } else {
        yr_watch_end(watch, 0, error);
    }
}

void yr_watch_created(yr_etcd_watch *watch, const yr_watch_message *message)
{
    yr_watch_hub *hub = watch->hub;
    int64_t revision = message->header.revision;
    yr_auth_accepted(&hub->client->auth, hub->stream.generation);
    watch->is_open = true;
    watch->renewals = 0;
    if (watch->next_revision == 0) {
        watch->next_revision = revision + 1;
    }
    /* What the store has reached, as far as this member knows, and as far as we know. */
    int64_t known = hub->client->history.seen.revision;
    watch->target_revision = revision > known ? revision : known;
    if (watch->next_revision > watch->target_revision + 1) {
        yr_etcd_check(hub->client);
    }
    if (!watch->is_created) {
        watch->is_created = true;
        hub->delivering = watch;
        if (watch->events.on_created != NULL) {
            watch->events.on_created(watch->context, revision);
        }
        if (!watch_is_alive_after(hub, watch)) {
            return;
        }
    }
    if (watch->next_revision <= watch->target_revision &&
        !yr_timer_is_running(&hub->progress_timer)) {
        yr_timer_start(hub->client->io, &hub->progress_timer,
                       yr_watch_hub_progress_is_synced(hub) ? 0 : YR_WATCH_SYNC_MS);
    }
    watch_report_fresh_if_it_is(watch);
}

static void watch_take_changes(yr_etcd_watch *watch, const yurpc_etcd_changes *changes)
{
    watch->next_revision = changes->revision + 1;
    if (watch_report_changes(watch, changes)) {
        watch_report_fresh_if_it_is(watch);
    }
}

void yr_watch_take_events(yr_etcd_watch *watch, yr_watch_message *message)
{
    int64_t store_revision = message->header.revision;
    bool is_fragment = message->is_fragment;
    yurpc_etcd_changes changes = {.store_revision = store_revision};
    yurpc_status status = yr_watch_parts_take(&watch->parts, message);
    if (status == YURPC_OK && !is_fragment) {
        status = yr_watch_parts_join(&watch->parts, watch->next_revision, &changes);
    }
    if (status != YURPC_OK) {
        yr_watch_end(
            watch, 0,
            yr_error_new(status, -1, "cannot take the changes: %s", yurpc_status_text(status)));
        return;
    }
    if (is_fragment) {
        return;
    }
    if (changes.count == 0) {
        yr_watch_parts_deinit(&watch->parts);
        return;
    }
    /* The watch may be stopped in its callback, but the changes live until that is over. */
    yr_watch_parts parts = watch->parts;
    yr_watch_parts_init(&watch->parts);
    watch_take_changes(watch, &changes);
    yr_watch_parts_deinit(&parts);
}

void yr_watch_take_scanned(yr_etcd_watch *watch, yr_watch_scanned *scanned)
{
    yurpc_etcd_changes changes = {.store_revision = scanned->header.revision};
    YR_ASSERT(yr_watch_parts_is_empty(&watch->parts));
    yr_watch_filter(scanned->events, scanned->event_count, watch->next_revision, &changes);
    if (changes.count > 0) {
        watch_take_changes(watch, &changes);
    }
}

void yr_watch_take_progress(yr_etcd_watch *watch, const yr_progress_mark *mark)
{
    if (!watch->is_open || mark->revision < watch->next_revision) {
        return;
    }
    if (mark->is_synced) {
        watch->next_revision = mark->revision + 1;
        if (!watch_report_progress(watch, mark->revision)) {
            return;
        }
    }
    if (mark->revision >= watch->target_revision) {
        yr_watch_report_stale(watch, false, NULL);
    }
}

void yr_watch_regressed(yr_etcd_watch *watch, int64_t revision)
{
    yr_watch_end(watch, 0,
                 yr_error_new(YURPC_COMPACTED, -1,
                              "the registry's data went back: the watch needs revision %" PRId64
                              " of a history that is gone, the store is at %" PRId64,
                              watch->next_revision, revision));
}
