#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "drivers/local/local.h"
#include "drivers/local/statement.h"

#include <stdlib.h>

enum {
    LOOK_EVERY_MS = 400,      /* for the dead, and in case a notification was missed */
    LOOK_EVERY_DEAF_MS = 100, /* without notifications */
    READ_WAIT_MS = 1000,      /* readers wait for nobody, except while the file is made */
    FACTS_KEPT_BYTES = 65536,
};

struct yr_follow {
    yr_list link; /* in the driver's follows */
    yr_driver *driver;
    yr_follow_events events;
    void *context;
    bool is_stopped; /* freed as soon as nobody uses it */
    bool is_fresh;   /* as reported */
    bool is_listed;  /* its list is the base on which changes can be told */
    bool wants_list;
    int64_t revision;   /* of that list: older changes are in it */
    yr_local_key first; /* the span of keys, both inclusive */
    yr_local_key last;
    yurpc_bytes service; /* within first */
    yr_local_job list;
    yr_local_facts facts;
    int64_t list_revision;
};

static yr_driver *driver_of_look(yr_local_job *job)
{
    return YR_CONTAINER_OF(job, yr_driver, follows.look);
}

/* ---- Telling ---- */

static void follow_free(yr_follow *follow)
{
    yr_list_remove(&follow->link);
    yr_local_facts_deinit(&follow->facts);
    yr_free(follow);
}

/* Callbacks may end any follow: those are freed when all were told. */
static void sweep(yr_driver *driver)
{
    yr_local_follows *follows = &driver->follows;
    yr_list *link = follows->all.next;
    while (!follows->is_telling && link != &follows->all) {
        yr_follow *follow = YR_CONTAINER_OF(link, yr_follow, link);
        link = link->next;
        if (follow->is_stopped && follow->list.state == YR_LOCAL_JOB_IDLE) {
            follow_free(follow);
        }
    }
}

static void tell(yr_follow *follow, const yr_facts *facts)
{
    if (!follow->is_stopped && !follow->driver->is_closing) {
        follow->events.on_facts(follow->context, facts);
    }
}

static void tell_stale(yr_follow *follow, bool is_stale, const yurpc_error *error)
{
    if (!follow->is_stopped && !follow->driver->is_closing && follow->is_fresh == is_stale) {
        follow->is_fresh = !is_stale;
        follow->events.on_stale(follow->context, is_stale, error);
    }
}

/* ---- Lists ---- */

static yurpc_status run_list(yr_local_job *job, const yr_local_visit *visit,
                             yurpc_error **ret_error)
{
    yr_follow *follow = YR_CONTAINER_OF(job, yr_follow, list);
    const yr_local_span span = {.first = &follow->first,
                                .last = &follow->last,
                                .dead = visit->dead->ids,
                                .dead_count = visit->dead->count};
    yr_local_state state;
    yr_local_facts_clear(&follow->facts);
    yurpc_status status = yr_local_store_begin(visit->store, false, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    status = yr_local_state_get(visit->store, &state, ret_error);
    if (status == YURPC_OK) {
        status = yr_local_record_list(visit->store, &span, &follow->facts, ret_error);
    }
    yr_local_store_rollback(visit->store);
    if (status == YURPC_OK) {
        yr_local_facts_settle(&follow->facts, false);
        follow->list_revision = state.revision;
    }
    return status;
}

static void begin_list(yr_follow *follow)
{
    if (!follow->is_stopped && follow->wants_list && follow->list.state == YR_LOCAL_JOB_IDLE &&
        yr_local_queue_add(&follow->driver->queue, &follow->list, false) == YURPC_OK) {
        follow->wants_list = false;
    } /* else the next look begins it */
}

static void tell_list(yr_follow *follow)
{
    const yr_facts list = {.is_list = true,
                           .is_first = true,
                           .is_last = true,
                           .revision = follow->list_revision,
                           .facts = follow->facts.items,
                           .count = follow->facts.count};
    yr_local_follows *follows = &follow->driver->follows;
    follow->is_listed = true;
    follow->revision = follow->list_revision;
    if (follows->seen < 0) {
        follows->seen = follow->list_revision;
        yr_local_follows_look(follow->driver);
    }
    follows->is_telling = true;
    tell(follow, &list);
    tell_stale(follow, false, NULL);
    follows->is_telling = false;
    yr_local_facts_deinit(&follow->facts);
}

static void on_list(yr_local_job *job, yurpc_status status, const yurpc_error *error)
{
    (void)error; /* the state of the file was reported; the rest passes */
    yr_follow *follow = YR_CONTAINER_OF(job, yr_follow, list);
    yr_driver *driver = follow->driver;
    if (!follow->is_stopped && !driver->is_closing) {
        if (status == YURPC_OK) {
            tell_list(follow);
            begin_list(follow);
        } else {
            follow->wants_list = true;
        }
    }
    sweep(driver);
}

static void begin_lists(yr_driver *driver)
{
    yr_list *all = &driver->follows.all;
    for (yr_list *link = all->next; link != all; link = link->next) {
        begin_list(YR_CONTAINER_OF(link, yr_follow, link));
    }
}

void yr_local_follows_list_all(yr_driver *driver)
{
    yr_list *all = &driver->follows.all;
    driver->follows.seen = -1;
    for (yr_list *link = all->next; link != all; link = link->next) {
        yr_follow *follow = YR_CONTAINER_OF(link, yr_follow, link);
        follow->is_listed = false;
        if (follow->list.state != YR_LOCAL_JOB_RUNNING) { /* else it was listed just now */
            follow->wants_list = true;
        }
    }
    begin_lists(driver);
}

void yr_local_relist(yr_follow *follow)
{
    if (!yr_local_is_forked(follow->driver)) {
        follow->wants_list = true;
        begin_list(follow);
    }
}

/* ---- Changes ---- */

static yurpc_status run_look(yr_local_job *job, const yr_local_visit *visit,
                             yurpc_error **ret_error)
{
    yr_local_follows *follows = &driver_of_look(job)->follows;
    yr_local_state state;
    follows->is_look_gap = visit->dead->count > 0; /* a list leaves the dead out */
    follows->look_revision = follows->look_since;
    yr_local_facts_clear(&follows->look_facts);
    if (follows->look_since < 0 || follows->is_look_gap) {
        return YURPC_OK;
    }
    yurpc_status status = yr_local_store_begin(visit->store, false, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    status = yr_local_state_get(visit->store, &state, ret_error);
    if (status == YURPC_OK) {
        follows->look_revision = state.revision;
        status =
            yr_local_record_changes(visit->store, &state, follows->look_since,
                                    &follows->look_facts, &follows->is_look_gap, ret_error);
    }
    yr_local_store_rollback(visit->store);
    yr_local_facts_settle(&follows->look_facts, true);
    return status;
}

static bool is_in_scope(const yr_follow *follow, const yr_fact *fact)
{
    if (!yr_bytes_equal(follow->service, fact->service)) {
        return false;
    }
    size_t prefix = (size_t)((const char *)follow->service.data - follow->first.text) +
                    follow->service.len + 1;
    yurpc_bytes first = yr_bytes(follow->first.text + prefix, follow->first.len - prefix);
    if (yr_bytes_compare(fact->node, first) < 0) {
        return false;
    }
    if (follow->last.len < prefix + 1) { /* it ends behind the service */
        return true;
    }
    yurpc_bytes last = yr_bytes(follow->last.text + prefix, follow->last.len - prefix);
    return yr_bytes_compare(fact->node, last) <= 0;
}

/* @p mine has room for all facts. */
static void tell_changes(yr_follow *follow, yr_fact *mine)
{
    const yr_local_follows *follows = &follow->driver->follows;
    const yr_local_facts *facts = &follows->look_facts;
    size_t count = 0;
    if (!follow->is_listed) {
        return;
    }
    for (size_t i = 0; i < facts->count; i++) {
        const yr_fact *fact = &facts->items[i];
        if (fact->revision > follow->revision && is_in_scope(follow, fact)) {
            mine[count++] = *fact;
        }
    }
    if (count > 0) {
        const yr_facts changes = {
            .is_last = true, .revision = follows->look_revision, .facts = mine, .count = count};
        tell(follow, &changes);
    }
}

static void tell_all_changes(yr_driver *driver)
{
    yr_local_follows *follows = &driver->follows;
    if (follows->look_facts.count == 0) {
        follows->seen = follows->look_revision;
        return;
    }
    yr_fact *mine = yr_calloc(follows->look_facts.count, sizeof *mine);
    if (mine == NULL) {
        return; /* what was not seen is looked at again */
    }
    follows->seen = follows->look_revision;
    follows->is_telling = true;
    for (yr_list *link = follows->all.next; link != &follows->all; link = link->next) {
        tell_changes(YR_CONTAINER_OF(link, yr_follow, link), mine);
    }
    follows->is_telling = false;
    yr_free(mine);
    if (follows->look_facts.bytes.cap > FACTS_KEPT_BYTES) {
        yr_local_facts_deinit(&follows->look_facts);
    }
}

static void on_look(yr_local_job *job, yurpc_status status, const yurpc_error *error)
{
    (void)error;
    yr_driver *driver = driver_of_look(job);
    yr_local_follows *follows = &driver->follows;
    if (driver->is_closing) {
        return;
    }
    bool is_of_now = follows->look_since == follows->seen; /* else all list anew anyway */
    if (status == YURPC_OK && is_of_now) {
        if (follows->is_look_gap) {
            yr_local_follows_list_all(driver);
        } else {
            tell_all_changes(driver);
        }
    }
    begin_lists(driver);
    sweep(driver);
    if (follows->is_look_wanted) {
        yr_local_follows_look(driver);
    }
}

static void look(yr_driver *driver, bool wants_reap)
{
    yr_local_follows *follows = &driver->follows;
    if (driver->is_closing || follows->count == 0) {
        return;
    }
    if (follows->look.state != YR_LOCAL_JOB_IDLE) {
        follows->is_look_wanted = true;
        return;
    }
    follows->is_look_wanted = false;
    follows->look_since = follows->seen;
    follows->look.wants_reap = wants_reap;
    if (yr_local_queue_add(&driver->queue, &follows->look, true) != YURPC_OK) {
        follows->is_look_wanted = true; /* cannot be: it is urgent */
    }
}

void yr_local_follows_look(yr_driver *driver)
{
    look(driver, false);
}

static void on_timer(void *context)
{
    yr_driver *driver = context;
    if (driver->follows.count == 0) {
        return;
    }
    if (driver->is_connected) {
        look(driver, true);
    }
    yr_timer_start(driver->io, &driver->follows.timer,
                   driver->notify.fd >= 0 ? LOOK_EVERY_MS : LOOK_EVERY_DEAF_MS);
}

/* ---- Following ---- */

static yurpc_status set_scope(yr_follow *follow, const yr_scope *scope)
{
    yurpc_bytes some = {"0", 1};
    yurpc_bytes first = scope->node_first.len > 0 ? scope->node_first : some;
    yurpc_bytes last = scope->node_last.len > 0 ? scope->node_last : some;
    if (yr_local_key_make(scope->service, first, &follow->first, NULL) != YURPC_OK ||
        yr_local_key_make(scope->service, last, &follow->last, NULL) != YURPC_OK) {
        return YURPC_INVALID;
    }
    size_t prefix = follow->first.len - first.len; /* "/rpc/SERVICE/" */
    follow->service =
        yr_bytes(follow->first.text + prefix - 1 - scope->service.len, scope->service.len);
    if (scope->node_first.len == 0) {
        follow->first.len = prefix;
    }
    if (scope->node_last.len == 0) {
        follow->last.text[prefix - 1] = '/' + 1; /* above every node of the service */
        follow->last.len = prefix;
    }
    return YURPC_OK;
}

yurpc_status yr_local_follow(yr_driver *driver, const yr_scope *scope,
                             const yr_follow_events *events, void *context,
                             yr_follow **ret_follow)
{
    if (yr_local_is_forked(driver)) {
        return YURPC_FORKED;
    }
    if (driver->is_closing) {
        return YURPC_CLOSED;
    }
    yr_follow *follow = yr_calloc(1, sizeof *follow);
    if (follow == NULL) {
        return YURPC_NO_MEMORY;
    }
    if (set_scope(follow, scope) != YURPC_OK) {
        yr_free(follow);
        return YURPC_INVALID;
    }
    follow->driver = driver;
    follow->events = *events;
    follow->context = context;
    yr_local_facts_init(&follow->facts);
    follow->list = (yr_local_job){
        .run = run_list, .done = on_list, .wait_max_ms = READ_WAIT_MS, .wants_reap = true};
    follow->wants_list = true;
    yr_list_init(&follow->link);
    yr_list_append(&driver->follows.all, &follow->link);
    if (driver->follows.count++ == 0) {
        driver->follows.seen = -1;
        yr_timer_start(driver->io, &driver->follows.timer, LOOK_EVERY_MS);
    }
    begin_list(follow);
    *ret_follow = follow;
    return YURPC_OK;
}

void yr_local_unfollow(yr_follow *follow)
{
    yr_driver *driver = follow->driver;
    if (yr_local_is_forked(driver)) {
        return;
    }
    follow->is_stopped = true;
    driver->follows.count--;
    yr_local_queue_cancel(&driver->queue, &follow->list);
    sweep(driver);
}

void yr_local_follows_go_stale(yr_driver *driver, const yurpc_error *error)
{
    yr_local_follows *follows = &driver->follows;
    follows->is_telling = true;
    for (yr_list *link = follows->all.next; link != &follows->all; link = link->next) {
        tell_stale(YR_CONTAINER_OF(link, yr_follow, link), true, error);
    }
    follows->is_telling = false;
    sweep(driver);
}

void yr_local_follows_init(yr_driver *driver)
{
    yr_local_follows *follows = &driver->follows;
    yr_list_init(&follows->all);
    follows->seen = -1;
    follows->look =
        (yr_local_job){.run = run_look, .done = on_look, .wait_max_ms = READ_WAIT_MS};
    yr_local_facts_init(&follows->look_facts);
    yr_timer_init(&follows->timer, on_timer, driver);
}

void yr_local_follows_stop(yr_driver *driver)
{
    yr_local_follows *follows = &driver->follows;
    yr_timer_stop(driver->io, &follows->timer);
    yr_local_queue_cancel(&driver->queue, &follows->look);
    for (yr_list *link = follows->all.next; link != &follows->all; link = link->next) {
        yr_local_queue_cancel(&driver->queue, &YR_CONTAINER_OF(link, yr_follow, link)->list);
    }
}

void yr_local_follows_free(yr_driver *driver)
{
    yr_list *link = NULL;
    while ((link = driver->follows.all.next) != &driver->follows.all) {
        follow_free(YR_CONTAINER_OF(link, yr_follow, link));
    }
    yr_local_facts_deinit(&driver->follows.look_facts);
}
