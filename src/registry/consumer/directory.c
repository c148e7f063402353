#include "registry/consumer/directory.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/consumer/allow_list.h"
#include "registry/instance.h"

enum { RETRY_MS = 200 }; /* before asking again for a list that memory did not allow */

/* ---- How old the oldest list is, for the statistics ---- */

static int64_t stale_since(const yr_entry *entry)
{
    if (!entry->is_stale) {
        return INT64_MAX;
    }
    return entry->right_at_ms != YR_RIGHT_AT_UNKNOWN ? entry->right_at_ms : entry->opened_ms;
}

/* An entry was stale since @p was, and is now since @p since. */
static void note_staleness(const yr_directory *directory, int64_t was, int64_t since)
{
    _Atomic int64_t *oldest = &directory->core->counters.stale_since_ms;
    int64_t least = atomic_load(oldest);
    if (since > least && was > least) {
        return; /* another one is older */
    }
    if (since > least) { /* it was the oldest, or as old: is there another? */
        int64_t sought = least;
        least = INT64_MAX;
        yr_map_node *node = yr_map_next(&directory->entries, NULL);
        for (; node != NULL && least > sought; node = yr_map_next(&directory->entries, node)) {
            int64_t its = stale_since(YR_CONTAINER_OF(node, yr_entry, map_node));
            least = its < least ? its : least;
        }
    }
    atomic_store(oldest, since < least ? since : least);
}

/* ---- Publishing ---- */

static void tell_waiters(yr_entry *entry, yurpc_status status, const yurpc_error *error)
{
    entry->refs++; /* whoever is told may close the entry */
    yr_list *link = NULL;
    while ((link = yr_list_take_first(&entry->waiters)) != NULL) {
        yr_entry_waiter *waiter = YR_CONTAINER_OF(link, yr_entry_waiter, link);
        yr_timer_stop(entry->core->io, &waiter->deadline);
        waiter->done(waiter->context, status, error);
    }
    yr_directory_close(entry->directory, entry);
}

/* The state cannot be known to be right: have it told again. */
static void ask_again(yr_entry *entry)
{
    yr_timer_stop(entry->core->io, &entry->settle_timer);
    yr_batch_clear(&entry->batch);
    entry->is_incomplete = true;
    yr_timer_start(entry->core->io, &entry->reconcile_timer, RETRY_MS);
}

static void tell_listeners(yr_entry *entry)
{
    yr_timer_stop(entry->core->io, &entry->tell_timer);
    yr_list *link = entry->listeners.next;
    while (link != &entry->listeners) {
        yr_entry_listener *listener = YR_CONTAINER_OF(link, yr_entry_listener, link);
        link = link->next;
        listener->on_published(listener->context);
    }
}

/* An instance that flaps must not keep everybody busy; what is new is told at once. */
static void tell_in_pace(void *context)
{
    yr_entry *entry = context;
    int64_t wait_ms = yr_pace_take(&entry->tell_pace, yr_io_now_ms(entry->core->io));
    if (wait_ms > 0) {
        yr_timer_start(entry->core->io, &entry->tell_timer, wait_ms);
    } else {
        tell_listeners(entry);
    }
}

static yurpc_status publish(void *context, const yr_snapshot_change *changes, size_t count)
{
    yr_entry *entry = context;
    const yurpc_snapshot *current = yr_snapshot_cell_current(entry->cell);
    if (count == 0 && yurpc_snapshot_is_stale(current) == entry->is_stale &&
        yurpc_snapshot_is_cached(current) == entry->is_cached) {
        return YURPC_OK;
    }
    yurpc_snapshot *next = NULL;
    yurpc_status status = yr_snapshot_apply(current, changes, count, entry->is_stale, &next);
    if (status != YURPC_OK) {
        return status;
    }
    const yr_staleness staleness = {.io = entry->core->io,
                                    .right_at_ms = entry->right_at_ms,
                                    .is_cached = entry->is_cached};
    yr_snapshot_mark(next, &staleness);
    bool is_as_many = yurpc_snapshot_count(next) == yurpc_snapshot_count(current);
    yr_snapshot_cell_take(entry->cell, next);
    if (!entry->is_stale) {
        yr_fallback_confirm(&entry->fallback);
    }
    if (is_as_many) {
        tell_listeners(entry);
    } else {
        tell_in_pace(entry);
    }
    return YURPC_OK;
}

static void count_changes(yr_entry *entry, const yr_batch_result *result)
{
    yr_counters *counters = &entry->core->counters;
    size_t changes = result->count + result->held - result->renewed;
    if (!entry->batch.is_list) {
        yr_count(&counters->unchanged, result->unchanged);
        return;
    }
    yr_count(&counters->lists, 1);
    if (entry->is_reconciling && changes > 0) {
        yr_count(&counters->reconcile_repairs, changes);
        yr_log_write(&entry->core->log, YURPC_LOG_WARN, "registry",
                     "%s: the periodic list repaired %zu instances that the watch had wrong",
                     entry->service, changes);
    }
    entry->is_reconciling = false;
}

static void settle(yr_entry *entry)
{
    yr_timer_stop(entry->core->io, &entry->settle_timer);
    yr_batch_result result;
    yurpc_status status = yr_batch_settle(&entry->batch, yr_snapshot_cell_current(entry->cell),
                                          &entry->absences.by_node, &result);
    if (status != YURPC_OK) {
        ask_again(entry);
        return;
    }
    if (entry->has_list) {
        yr_absences_screen(&entry->absences, &entry->batch, &result);
    }
    bool is_list = entry->batch.is_list;
    bool was_stale = entry->is_stale;
    bool was_cached = entry->is_cached;
    int64_t was_since = stale_since(entry);
    if (is_list) {
        entry->is_stale = false; /* a complete list is as fresh as can be */
        entry->is_cached = false;
    }
    status = publish(entry, result.changes, result.count);
    yr_free(result.changes);
    if (status != YURPC_OK) {
        entry->is_stale = was_stale;
        entry->is_cached = was_cached;
        ask_again(entry);
        return;
    }
    note_staleness(entry->directory, was_since, stale_since(entry));
    if (is_list) {
        yr_fallback_confirm(&entry->fallback); /* though it may be the same as before */
    }
    count_changes(entry, &result);
    yr_batch_clear(&entry->batch);
    yr_absences_set_stale(&entry->absences, entry->is_stale);
    yr_absences_update(&entry->absences);
    if (is_list && !entry->has_list) {
        entry->has_list = true;
        tell_waiters(entry, YURPC_OK, NULL);
    }
}

/*
 * Changes are settled together at the end of the turn in which they came: when many come, one
 * snapshot for all of them costs little more than one for each would.
 */
static void settle_later(yr_entry *entry)
{
    if (!yr_timer_is_running(&entry->settle_timer)) {
        yr_timer_start(entry->core->io, &entry->settle_timer, 0);
    }
}

/* Whatever comes now comes after the changes that were reported. */
static void settle_now(yr_entry *entry)
{
    if (yr_timer_is_running(&entry->settle_timer)) {
        settle(entry);
    }
}

static void on_settle_due(void *context)
{
    settle(context);
}

/* ---- What the driver reports ---- */

/* Say of a value what is wrong with it, once. */
static void mention(yr_entry *entry, const yr_fact *fact, const char *what, const char *why)
{
    if (yr_mentions_take(&entry->mentions, fact->node, fact->value)) {
        yr_log_write(&entry->core->log, YURPC_LOG_WARN, "registry", "%.*s/%.*s is %s: %s",
                     (int)fact->service.len, (const char *)fact->service.data,
                     (int)fact->node.len, (const char *)fact->node.data, what, why);
    }
}

static yurpc_status take_put(yr_entry *entry, const yr_fact *fact)
{
    yr_core *core = entry->core;
    yurpc_instance *instance = NULL;
    yurpc_error *error = NULL;
    const yr_instance_source source = {fact->service, fact->node, fact->value, fact->revision};
    /* Of a first list all stay, of a later one what has changed. */
    yr_slab **slab = entry->has_list ? NULL : &entry->batch.slab;
    yurpc_status status = yr_instance_decode_in(slab, &source, &instance, &error);
    if (status == YURPC_NO_MEMORY) {
        yurpc_error_free(error);
        return status;
    }
    if (status != YURPC_OK) {
        yr_count(&core->counters.skipped, 1);
        mention(entry, fact, "skipped", yurpc_error_text(error));
        yurpc_error_free(error);
        /* Whatever was there before is not there any more. */
        return yr_batch_delete(&entry->batch, fact->node);
    }
    if (core->allow_list != NULL &&
        !yr_allow_list_has(core->allow_list, yurpc_instance_host(instance))) {
        yr_count(&core->counters.disallowed, 1);
        mention(entry, fact, "left out: its host is not an allowed one",
                yurpc_instance_address(instance));
        yr_instance_unref(instance);
        return yr_batch_delete(&entry->batch, fact->node);
    }
    if (yr_instance_is_mismatch(instance)) {
        yr_count(&core->counters.mismatches, 1);
        mention(entry, fact, "at another address, as its value says",
                yurpc_instance_address(instance));
    }
    return yr_batch_take_put(&entry->batch, instance);
}

static void say_cut(yr_entry *entry)
{
    if (!entry->is_cut) {
        entry->is_cut = true;
        yr_log_write(&entry->core->log, YURPC_LOG_ERROR, "registry",
                     "%s has more than %d instances: the rest is left out", entry->service,
                     YR_SERVICE_INSTANCES_MAX);
    }
}

static void on_facts(void *context, const yr_facts *facts)
{
    yr_entry *entry = context;
    if (facts->is_list && facts->is_first) {
        settle_now(entry);
        yr_batch_clear(&entry->batch);
        entry->batch.is_list = true;
        entry->is_incomplete = false;
    }
    if (entry->is_incomplete) {
        return; /* a new list is coming */
    }
    for (size_t i = 0; i < facts->count; i++) {
        const yr_fact *fact = &facts->facts[i];
        yurpc_status status = fact->kind == YR_FACT_PUT
                                  ? take_put(entry, fact)
                                  : yr_batch_delete(&entry->batch, fact->node);
        if (status == YURPC_TOO_LARGE) {
            say_cut(entry);
            break;
        }
        if (status != YURPC_OK) {
            ask_again(entry);
            return;
        }
    }
    if (!facts->is_list) {
        yr_count(&entry->core->counters.changes, facts->count);
    }
    if (facts->is_last && facts->is_list) {
        settle(entry);
    } else if (facts->is_last) {
        settle_later(entry);
    }
}

static void on_stale(void *context, bool is_stale, const yurpc_error *error)
{
    yr_entry *entry = context;
    settle_now(entry);
    if (is_stale) {
        entry->is_reconciling = false; /* what the next list brings, no watch could have seen */
    } else if (!entry->has_list || entry->is_incomplete) {
        return; /* only a list that could be taken makes it fresh */
    }
    int64_t was_since = stale_since(entry);
    if (is_stale && !entry->is_stale) {
        entry->right_at_ms = yr_io_boot_ms(entry->core->io);
    }
    entry->is_stale = is_stale;
    note_staleness(entry->directory, was_since, stale_since(entry));
    yr_log_write(&entry->core->log, YURPC_LOG_INFO, "registry", "%s: the list is %s%s%s",
                 entry->service, is_stale ? "stale" : "up to date", error != NULL ? ": " : "",
                 error != NULL ? yurpc_error_text(error) : "");
    yr_absences_set_stale(&entry->absences, is_stale);
    if (publish(entry, NULL, 0) != YURPC_OK) {
        ask_again(entry);
    }
}

static void on_refused(void *context, const yurpc_error *error)
{
    tell_waiters(context, yurpc_error_status(error), error); /* waiting does not help */
}

/* ---- The list from disk ---- */

static yurpc_status publish_cached(void *context, const yr_cached_list *list)
{
    yr_entry *entry = context;
    yr_batch_result result;
    yurpc_status status = yr_batch_settle(list->batch, yr_snapshot_cell_current(entry->cell),
                                          &entry->absences.by_node, &result);
    if (status != YURPC_OK) {
        return status;
    }
    int64_t was_since = stale_since(entry);
    int64_t right_at_ms = entry->right_at_ms;
    entry->is_cached = true;
    entry->right_at_ms = list->right_at_ms;
    status = publish(entry, result.changes, result.count);
    yr_free(result.changes);
    if (status != YURPC_OK) {
        entry->is_cached = false;
        entry->right_at_ms = right_at_ms;
        return status;
    }
    note_staleness(entry->directory, was_since, stale_since(entry));
    yr_count(&entry->core->counters.cached_lists, 1);
    yr_log_write(&entry->core->log, YURPC_LOG_WARN, "registry",
                 "%s: the registry is out of reach: its list comes from disk", entry->service);
    return YURPC_OK;
}

static void on_cached_published(void *context)
{
    tell_waiters(context, YURPC_OK, NULL);
}

void yr_directory_on_disconnected(yr_directory *directory)
{
    yr_map_node *node = NULL;
    while ((node = yr_map_next(&directory->entries, node)) != NULL) {
        yr_fallback_on_disconnected(&YR_CONTAINER_OF(node, yr_entry, map_node)->fallback);
    }
}

/* ---- Periodic reconciliation ---- */

static void schedule_reconcile(yr_entry *entry)
{
    yr_timer_start(entry->core->io, &entry->reconcile_timer,
                   yr_core_reconcile_delay_ms(entry->core));
}

static void on_reconcile(void *context)
{
    yr_entry *entry = context;
    /* Only what a watch that was heard has wrong is a repair. */
    entry->is_reconciling = !entry->is_incomplete && !entry->is_stale;
    entry->core->ops->relist(entry->follow);
    schedule_reconcile(entry);
}

/* ---- Entries ---- */

static void entry_free(yr_entry *entry)
{
    if (entry == NULL) {
        return;
    }
    yr_timer_stop(entry->core->io, &entry->reconcile_timer);
    yr_timer_stop(entry->core->io, &entry->tell_timer);
    yr_timer_stop(entry->core->io, &entry->settle_timer);
    if (entry->has_list && !entry->is_stale) {
        yr_fallback_confirm(&entry->fallback); /* so late was it still right */
    }
    yr_fallback_deinit(&entry->fallback);
    if (entry->follow != NULL) {
        entry->core->ops->unfollow(entry->follow);
    }
    yr_absences_deinit(&entry->absences);
    yr_batch_deinit(&entry->batch);
    yr_mentions_deinit(&entry->mentions);
    yr_finder_remove(&entry->directory->finder, entry->found);
    yr_snapshot_cell_retire(entry->cell);
    yr_free(entry->service);
    yr_free(entry);
}

static yurpc_status entry_new(yr_directory *directory, const char *service,
                              yr_entry **ret_entry)
{
    yr_core *core = directory->core;
    static const yr_follow_events events = {
        .on_facts = on_facts, .on_stale = on_stale, .on_refused = on_refused};
    static const yr_fallback_events fallback_events = {.publish = publish_cached,
                                                       .on_published = on_cached_published};
    yurpc_status status = YURPC_NO_MEMORY;
    yr_scope scope = {.node_first = {NULL, 0}};
    yr_entry *entry = yr_calloc(1, sizeof *entry);
    if (entry == NULL) {
        return YURPC_NO_MEMORY;
    }
    entry->core = core;
    entry->directory = directory;
    entry->refs = 1;
    entry->is_stale = true;
    entry->opened_ms = yr_io_boot_ms(core->io);
    entry->right_at_ms = YR_RIGHT_AT_UNKNOWN;
    yr_fallback_init(&entry->fallback, core, &fallback_events, entry);
    yr_list_init(&entry->listeners);
    yr_list_init(&entry->waiters);
    yr_batch_init(&entry->batch);
    yr_absences_init(&entry->absences, core, &directory->prober);
    yr_mentions_init(&entry->mentions, core->map_seed);
    yr_timer_init(&entry->reconcile_timer, on_reconcile, entry);
    yr_timer_init(&entry->tell_timer, tell_in_pace, entry);
    yr_timer_init(&entry->settle_timer, on_settle_due, entry);
    yr_pace_init(&entry->tell_pace, YR_TELL_BURST, YR_TELL_INTERVAL_MS);
    entry->service = yr_strdup(service);
    if (entry->service == NULL) {
        goto fail;
    }
    status = yr_snapshot_cell_new(&entry->cell);
    if (status != YURPC_OK) {
        goto fail;
    }
    entry->absences.service = entry->service;
    entry->absences.cell = entry->cell;
    entry->absences.publish = publish;
    entry->absences.context = entry;
    status = yr_fallback_begin(&entry->fallback, entry->service, entry->cell);
    if (status != YURPC_OK) {
        goto fail;
    }
    scope.service = yr_bytes_of_text(entry->service);
    status = core->ops->follow(core->driver, &scope, &events, entry, &entry->follow);
    if (status != YURPC_OK) {
        goto fail;
    }
    status = yr_finder_add(&directory->finder, entry->service, entry->cell, &entry->found);
    if (status != YURPC_OK) {
        goto fail;
    }
    schedule_reconcile(entry);
    *ret_entry = entry;
    return YURPC_OK;
fail:
    entry_free(entry);
    return status;
}

void yr_directory_init(yr_directory *directory, yr_core *core)
{
    directory->core = core;
    yr_prober_init(&directory->prober, core->io);
    atomic_store(&core->counters.stale_since_ms, INT64_MAX);
    yr_map_init(&directory->entries, core->map_seed);
    yr_finder_init(&directory->finder, core->map_seed);
}

yurpc_status yr_directory_open(yr_directory *directory, const char *service,
                               yr_entry **ret_entry)
{
    yr_map_node *node = yr_map_find(&directory->entries, yr_bytes_of_text(service));
    if (node != NULL) {
        *ret_entry = YR_CONTAINER_OF(node, yr_entry, map_node);
        (*ret_entry)->refs++;
        return YURPC_OK;
    }
    yr_entry *entry = NULL;
    yurpc_status status = entry_new(directory, service, &entry);
    if (status != YURPC_OK) {
        return status;
    }
    yr_map_insert(&directory->entries, &entry->map_node, yr_bytes_of_text(entry->service));
    note_staleness(directory, INT64_MAX, stale_since(entry));
    atomic_fetch_add_explicit(&directory->core->counters.services, 1, memory_order_relaxed);
    *ret_entry = entry;
    return YURPC_OK;
}

void yr_directory_close(yr_directory *directory, yr_entry *entry)
{
    if (--entry->refs > 0) {
        return;
    }
    yr_map_remove(&directory->entries, &entry->map_node);
    note_staleness(directory, stale_since(entry), INT64_MAX);
    atomic_fetch_sub_explicit(&directory->core->counters.services, 1, memory_order_relaxed);
    entry_free(entry);
}

void yr_directory_deinit(yr_directory *directory)
{
    yurpc_error *error = yr_error_new(YURPC_CLOSED, -1, "the registry handle was closed");
    yr_map_node *node = NULL;
    while ((node = yr_map_next(&directory->entries, NULL)) != NULL) {
        yr_entry *entry = YR_CONTAINER_OF(node, yr_entry, map_node);
        if (!yr_list_is_empty(&entry->waiters)) {
            tell_waiters(entry, YURPC_CLOSED, error); /* may free it */
            continue;
        }
        yr_map_remove(&directory->entries, node);
        entry_free(entry);
    }
    yurpc_error_free(error);
    yr_prober_deinit(&directory->prober);
    yr_map_deinit(&directory->entries);
    yr_finder_deinit(&directory->finder);
}

/* ---- Waiting for the first list ---- */

static void on_wait_deadline(void *context)
{
    yr_entry_waiter *waiter = context;
    const yr_core *core = waiter->entry->core;
    if (yr_fallback_force(&waiter->entry->fallback)) {
        return; /* and told all who wait */
    }
    yr_list_remove(&waiter->link);
    if (core->last_error != NULL) {
        waiter->done(waiter->context, yurpc_error_status(core->last_error), core->last_error);
        return;
    }
    yurpc_error *error =
        waiter->entry->has_list
            ? NULL
            : yr_error_new(YURPC_TIMEOUT, -1, "the registry did not answer in time");
    waiter->done(waiter->context, yurpc_error_status(error), error);
    yurpc_error_free(error);
}

void yr_entry_wait(yr_entry *entry, yr_entry_waiter *waiter, int64_t timeout_ms)
{
    waiter->entry = entry;
    yr_timer_init(&waiter->deadline, on_wait_deadline, waiter);
    yr_list_append(&entry->waiters, &waiter->link);
    yr_timer_start(entry->core->io, &waiter->deadline, timeout_ms);
    if (entry->has_list || entry->is_cached) {
        tell_waiters(entry, YURPC_OK, NULL);
    }
}
