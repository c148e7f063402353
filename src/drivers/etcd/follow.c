/*
 * Following a service, or a span of its nodes: list at revision R, then watch from R + 1. When
 * the watch cannot go on (compaction, data that went back), list again.
 */
#include "base/backoff.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "drivers/etcd/etcd_driver.h"
#include "drivers/etcd/key.h"
#include "drivers/etcd/lag.h"

enum {
    FACTS_MAX = 128,               /* reported at once */
    KEY_LEN_MAX = 2 * 1024 * 1024, /* more than etcd takes in one request */
    BACKOFF_BASE_MS = 100,
    BACKOFF_CAP_MS = 5000,
    SERIES_MS = 3 * BACKOFF_CAP_MS, /* failures that are farther apart are no series */
    LIST_TIMEOUT_MS = 10000,
    /* For a watch to be taken up: twice as long after one in vain, half after one that was. */
    CONFIRM_MS = 5000,
    CONFIRM_MAX_MS = 80000,

    /*
     * A list shares its connection with the beat of the lease, which waits behind each page. So
     * pages begin small, grow while they are quick, and shrink when they are slow. What counts
     * is how long they take to come in: how long etcd thinks before holds up nobody, and does
     * not depend on their length, for it counts the whole range every time.
     */
    PAGE_LEN_FIRST = 32,
    PAGE_GROWTH = 8,
    PAGE_QUICK_MS = 100,
    PAGE_SLOW_MS = 1000,
};

struct yr_follow {
    yr_list link; /* in the driver's follows */
    yr_driver *driver;
    yr_follow_events events;
    void *context;
    char *prefix; /* "/rpc/{service}/" */
    size_t prefix_len;
    char *first;    /* the range's first key */
    char *end;      /* behind the range's last key; NULL: all with the prefix */
    size_t end_len; /* it may hold a NUL */
    yurpc_bytes service;
    yr_etcd_call *listing; /* NULL: no page is under way */
    yr_etcd_watch *watch;  /* NULL: no watch */
    char *page_key;        /* where the next page begins; NULL: the first page */
    size_t page_key_len;
    yr_buf page_last;      /* the last key of the page under way, as far as it has come */
    size_t page_count;     /* keys of it */
    size_t list_count;     /* keys of the pages before it */
    bool has_begun_list;   /* part of the list under way was reported */
    int64_t page_len;      /* keys that the next one may have */
    int64_t page_len_max;  /* because more were too large; twice as many with each list */
    int64_t page_begun_ms; /* its first keys came then */
    int64_t revision;      /* all up to it was reported */
    bool is_stale;
    bool is_confirmed; /* the watch behind the list has caught up */
    yr_lag lag;
    bool is_in_callback;
    bool is_stopped;
    bool wants_list; /* as soon as the one under way is over */
    yr_backoff backoff;
    int64_t
        failed_at_ms; /* when the newest failure was; a success between may be half of one */
    yr_timer retry;
    int64_t confirm_ms;    /* how long the next watch has */
    yr_timer confirmation; /* by when a watch must have caught up */
};

static void list_page(yr_follow *follow);

static void follow_free(yr_follow *follow)
{
    if (follow == NULL) {
        return;
    }
    yr_list_remove(&follow->link);
    yr_free(follow->prefix);
    yr_free(follow->first);
    yr_free(follow->end);
    yr_free(follow->page_key);
    yr_buf_deinit(&follow->page_last);
    yr_free(follow);
}

/* ---- Reporting: the core may stop the follow in any callback ---- */

/* False: the follow was stopped, and must not be touched any more. */
static bool report(yr_follow *follow, const yr_facts *facts)
{
    follow->is_in_callback = true;
    follow->events.on_facts(follow->context, facts);
    follow->is_in_callback = false;
    if (follow->is_stopped) {
        follow_free(follow);
        return false;
    }
    return true;
}

static bool report_stale(yr_follow *follow, bool is_stale, const yurpc_error *error)
{
    if (follow->is_stale == is_stale) {
        return true;
    }
    follow->is_stale = is_stale;
    follow->is_in_callback = true;
    follow->events.on_stale(follow->context, is_stale, error);
    follow->is_in_callback = false;
    if (follow->is_stopped) {
        follow_free(follow);
        return false;
    }
    return true;
}

static bool report_refused(yr_follow *follow, const yurpc_error *error)
{
    if (follow->events.on_refused == NULL || yurpc_error_is_retriable(error)) {
        return true;
    }
    follow->is_in_callback = true;
    follow->events.on_refused(follow->context, error);
    follow->is_in_callback = false;
    if (follow->is_stopped) {
        follow_free(follow);
        return false;
    }
    return true;
}

/* False: not a node of this service, but something deeper or foreign. */
static bool fill_fact(const yr_follow *follow, const yurpc_etcd_kv *kv, yr_fact_kind kind,
                      yr_fact *fact)
{
    if (!yr_bytes_have_prefix(kv->key, yr_bytes(follow->prefix, follow->prefix_len))) {
        return false;
    }
    yurpc_bytes node = yr_bytes_after(kv->key, follow->prefix_len);
    if (node.len == 0 || memchr(node.data, '/', node.len) != NULL) {
        return false;
    }
    *fact = (yr_fact){
        .kind = kind, .service = follow->service, .node = node, .revision = kv->mod_revision};
    if (kind == YR_FACT_PUT) {
        fact->value = kv->value;
        fact->owner = kv->lease;
    }
    return true;
}

/* ---- Watching ---- */

static void start_list(yr_follow *follow);

static void list_later(yr_follow *follow)
{
    yr_io *io = follow->driver->io;
    int64_t now = yr_io_now_ms(io);
    /* A list alone is no success: the server may refuse the watch behind it, time and again. */
    if (now - follow->failed_at_ms > SERIES_MS) {
        yr_backoff_reset(&follow->backoff);
    }
    follow->failed_at_ms = now;
    yr_timer_start(io, &follow->retry, yr_backoff_next_ms(&follow->backoff, yr_io_random(io)));
}

/* What is missing is not worth waiting for. */
static void list_ahead(yr_follow *follow, const yurpc_etcd_changes *changes)
{
    yr_io *io = follow->driver->io;
    yr_log_write(&follow->driver->log, YURPC_LOG_INFO, "etcd",
                 "the watch of %s is at revision %lld of %lld: listing again", follow->prefix,
                 (long long)changes->revision, (long long)changes->store_revision);
    yr_lag_pause(&follow->lag, yr_io_now_ms(io), yr_io_random(io));
    start_list(follow);
}

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    yr_follow *follow = context;
    bool is_lagging =
        yr_lag_take(&follow->lag, follow->revision, changes, yr_io_now_ms(follow->driver->io));
    yr_fact facts[FACTS_MAX];
    yr_facts report_now = {.revision = changes->revision, .facts = facts};
    for (size_t i = 0; i < changes->count; i++) {
        const yurpc_etcd_event *event = &changes->events[i];
        yr_fact_kind kind = event->kind == YURPC_ETCD_EVENT_PUT ? YR_FACT_PUT : YR_FACT_DELETE;
        /* Some servers repeat events, or send old ones: what was reported stands. */
        if (event->kv.mod_revision > follow->revision &&
            fill_fact(follow, &event->kv, kind, &facts[report_now.count])) {
            report_now.count++;
        }
        report_now.is_last = i + 1 == changes->count;
        bool is_full = report_now.count == FACTS_MAX;
        if ((is_full || report_now.is_last) && !report(follow, &report_now)) {
            return;
        }
        report_now.count = is_full ? 0 : report_now.count;
    }
    follow->revision =
        changes->revision > follow->revision ? changes->revision : follow->revision;
    if (is_lagging) {
        list_ahead(follow, changes);
    }
}

static void on_watch_stale(void *context, bool is_stale, const yurpc_error *error)
{
    yr_follow *follow = context;
    follow->is_confirmed = !is_stale;
    if (!is_stale && follow->confirm_ms > CONFIRM_MS) {
        follow->confirm_ms /= 2;
    }
    if (!report_stale(context, is_stale, error)) {
        return;
    }
}

/* The connection went just between the list and its watch, or etcd did not answer the watch. */
static void on_unconfirmed(void *context)
{
    yr_follow *follow = context;
    if (follow->is_confirmed) {
        return;
    }
    yr_log_write(&follow->driver->log, YURPC_LOG_INFO, "etcd",
                 "the watch of %s was not taken up in time: listing again", follow->prefix);
    follow->confirm_ms *= follow->confirm_ms < CONFIRM_MAX_MS ? 2 : 1;
    start_list(follow);
    if (!report_stale(follow, true, NULL)) {
        return;
    }
}

static void on_canceled(void *context, const yurpc_error *error, int64_t compact_revision)
{
    yr_follow *follow = context;
    follow->watch = NULL; /* that was its last callback */
    yr_log_write(&follow->driver->log, YURPC_LOG_INFO, "etcd",
                 "the watch of %s ended (%s, compacted at %lld): listing again", follow->prefix,
                 yurpc_error_text(error), (long long)compact_revision);
    int64_t now = yr_io_now_ms(follow->driver->io);
    if (yurpc_error_status(error) == YURPC_COMPACTED &&
        now - follow->failed_at_ms > SERIES_MS) {
        follow->failed_at_ms = now; /* once at once; who says it again and again waits */
        yr_backoff_reset(&follow->backoff);
        start_list(follow);
        return;
    }
    list_later(follow);
    if (!report_stale(follow, true, error)) {
        return;
    }
}

static void start_watch(yr_follow *follow)
{
    static const yr_etcd_watch_events events = {
        .on_changes = on_changes, .on_stale = on_watch_stale, .on_canceled = on_canceled};
    yr_etcd_watch_options options = {.key = yr_bytes_of_text(follow->first),
                                     .start_revision = follow->revision + 1};
    options.is_prefix = follow->end == NULL;
    options.range_end = yr_bytes(follow->end, follow->end_len);
    follow->is_confirmed = false;
    yr_timer_start(follow->driver->io, &follow->confirmation, follow->confirm_ms);
    if (yr_etcd_watch_start(follow->driver->client, &options, &events, follow,
                            &follow->watch) != YURPC_OK) {
        list_later(follow); /* a list without a watch behind it would grow old */
    }
}

/* ---- Listing ---- */

static void list_ended(yr_follow *follow)
{
    yr_free(follow->page_key);
    follow->page_key = NULL;
    yr_lag_listed(&follow->lag, follow->list_count);
    if (follow->page_len_max < follow->driver->page_len) {
        follow->page_len_max *= 2; /* what was too large may be gone */
    }
    start_watch(follow);
    if (follow->wants_list) {
        yr_timer_start(follow->driver->io, &follow->retry, 0);
    }
    if (!report_stale(follow, false, NULL)) {
        return;
    }
}

/* The next page begins right behind the last key of this one. */
static bool set_page_key(yr_follow *follow)
{
    const yr_buf *last = &follow->page_last;
    char *key = yr_memdup0(last->data, last->len); /* key + NUL is the next key */
    if (key == NULL) {
        return false;
    }
    yr_free(follow->page_key);
    follow->page_key = key;
    follow->page_key_len = last->len + 1;
    return true;
}

/* False: the follow was stopped. */
static bool report_list(yr_follow *follow, const yr_fact *facts, size_t count, bool is_last)
{
    yr_facts part = {.is_list = true,
                     .is_first = !follow->has_begun_list,
                     .is_last = is_last,
                     .revision = follow->revision,
                     .facts = facts,
                     .count = count};
    follow->has_begun_list = true;
    return report(follow, &part);
}

/* Some keys of the page under way. Whether they are true shows at its end, in on_page(). */
static void on_page_kvs(void *context, const yurpc_etcd_kv *kvs, size_t count)
{
    yr_follow *follow = context;
    yr_fact facts[FACTS_MAX];
    const yurpc_bytes last = kvs[count - 1].key;
    yr_buf_clear(&follow->page_last);
    if (follow->page_count == 0) {
        follow->page_begun_ms = yr_io_now_ms(follow->driver->io);
    }
    follow->page_count += count;
    if (yr_buf_append(&follow->page_last, last.data, last.len) != YURPC_OK) {
        yr_buf_clear(&follow->page_last); /* nothing can follow this page */
    }
    while (count > 0) {
        size_t taken = 0;
        size_t fact_count = 0;
        for (; taken < count && taken < FACTS_MAX; taken++) {
            fact_count += fill_fact(follow, &kvs[taken], YR_FACT_PUT, &facts[fact_count]);
        }
        kvs += taken;
        count -= taken;
        if (!report_list(follow, facts, fact_count, false)) {
            return;
        }
    }
}

static void end_page(yr_follow *follow, const yurpc_etcd_reply *reply)
{
    bool is_last_page = !reply->has_more || follow->page_count == 0;
    follow->list_count += follow->page_count;
    if (is_last_page) {
        if (report_list(follow, NULL, 0, true)) {
            list_ended(follow);
        }
    } else if (follow->page_last.len > 0 && set_page_key(follow)) {
        list_page(follow);
    } else {
        list_later(follow);
    }
}

/* Strangers' values may be large: what is too much for one message is asked for in halves. */
static bool is_too_large(const yr_follow *follow, const yurpc_error *error)
{
    yurpc_status status = yurpc_error_status(error);
    bool is_ours = yurpc_error_remote_code(error) == -1; /* not etcd says so, but our limit */
    return is_ours && (status == YURPC_EXHAUSTED || status == YURPC_TOO_LARGE) &&
           follow->page_len > 1 && follow->page_count == 0;
}

/* How many keys to ask for next, after a page that came, or not. */
static void adapt_page_len(yr_follow *follow, bool has_come)
{
    bool has_keys = follow->page_count > 0;
    int64_t took_ms = has_keys ? yr_io_now_ms(follow->driver->io) - follow->page_begun_ms : 0;
    if (!has_come || took_ms > PAGE_SLOW_MS) {
        follow->page_len /= has_come ? 2 : 4;
    } else if (took_ms <= PAGE_QUICK_MS) {
        follow->page_len *= PAGE_GROWTH;
    }
}

static int64_t limit_page_len(const yr_follow *follow)
{
    int64_t len = follow->page_len < 1 ? 1 : follow->page_len;
    len = len < follow->page_len_max ? len : follow->page_len_max;
    return len < follow->driver->page_len ? len : follow->driver->page_len;
}

static void on_page(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    yr_follow *follow = context;
    follow->listing = NULL;
    if (error != NULL && is_too_large(follow, error)) {
        follow->page_len_max = follow->page_len / 2;
        list_page(follow);
        return;
    }
    adapt_page_len(follow, error == NULL);
    if (error != NULL) {
        yr_log_write(&follow->driver->log, YURPC_LOG_DEBUG, "etcd", "cannot list %s: %s",
                     follow->prefix, yurpc_error_text(error));
        list_later(follow);
        if (!report_stale(follow, true, error) || !report_refused(follow, error)) {
            return; /* it was stopped */
        }
        return;
    }
    if (follow->page_key == NULL) {
        follow->revision = reply->revision; /* all pages are read as things were then */
    }
    end_page(follow, reply);
}

static void list_page(yr_follow *follow)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    follow->page_len = limit_page_len(follow);
    options.limit = follow->page_len;
    options.timeout_ms = LIST_TIMEOUT_MS;
    yurpc_bytes first = yr_bytes_of_text(follow->first);
    yurpc_etcd_op range = {.kind = YURPC_ETCD_RANGE, .key = first, .options = &options};
    options.is_prefix = follow->end == NULL;
    options.range_end = yr_bytes(follow->end, follow->end_len);
    char end[1024];
    if (follow->page_key != NULL) {
        range.key = yr_bytes(follow->page_key, follow->page_key_len);
        options.revision = follow->revision;
    }
    if (follow->page_key != NULL && follow->end == NULL) {
        /* Behind all keys with the prefix: '0' follows '/', which the prefix ends with. */
        memcpy(end, follow->prefix, follow->prefix_len);
        end[follow->prefix_len - 1] = '0';
        options.is_prefix = false;
        options.range_end = yr_bytes(end, follow->prefix_len);
    }
    follow->page_count = 0;
    if (yr_etcd_range(follow->driver->client, &range, on_page_kvs, on_page, follow,
                      &follow->listing) != YURPC_OK) {
        list_later(follow);
    }
}

/* Neither a list nor a watch is under way, or to come. */
static void stop_asking(yr_follow *follow)
{
    yr_timer_stop(follow->driver->io, &follow->retry);
    yr_timer_stop(follow->driver->io, &follow->confirmation);
    yr_etcd_watch_stop(follow->watch);
    follow->watch = NULL;
    if (follow->listing != NULL) {
        yr_etcd_call_cancel(follow->listing);
        follow->listing = NULL;
    }
}

static void start_list(yr_follow *follow)
{
    follow->wants_list = false;
    /* No change may be reported while listing: the list is not older than what was reported
     * before, but the watch goes on past it. */
    stop_asking(follow);
    yr_free(follow->page_key);
    follow->page_key = NULL;
    follow->has_begun_list = false;
    follow->list_count = 0;
    if (follow->page_len > PAGE_LEN_FIRST) {
        follow->page_len = PAGE_LEN_FIRST;
    }
    list_page(follow);
}

static void on_retry(void *context)
{
    start_list(context);
}

/* ---- Beginning and ending ---- */

static yurpc_status set_range(yr_follow *follow, const yr_scope *scope)
{
    follow->prefix = yr_key_new(scope->service, yr_bytes(NULL, 0));
    follow->first = yr_key_new(scope->service, scope->node_first);
    if (follow->prefix == NULL || follow->first == NULL) {
        return YURPC_NO_MEMORY;
    }
    follow->prefix_len = strlen(follow->prefix);
    follow->service = yr_bytes(follow->prefix + sizeof YR_KEY_ROOT - 1, scope->service.len);
    if (scope->node_last.len > 0) {
        follow->end = yr_key_new(scope->service, scope->node_last);
        if (follow->end == NULL) {
            return YURPC_NO_MEMORY;
        }
        follow->end_len = strlen(follow->end) + 1; /* the key's NUL: the next key */
    }
    return YURPC_OK;
}

yurpc_status yr_etcd_driver_follow(yr_driver *driver, const yr_scope *scope,
                                   const yr_follow_events *events, void *context,
                                   yr_follow **ret_follow)
{
    enum { SERVICE_LEN_MAX = 900 };
    if (scope->service.len == 0 || scope->service.len > SERVICE_LEN_MAX) {
        return YURPC_INVALID;
    }
    yr_follow *follow = yr_calloc(1, sizeof *follow);
    if (follow == NULL) {
        return YURPC_NO_MEMORY;
    }
    yr_list_append(&driver->follows, &follow->link);
    follow->driver = driver;
    follow->confirm_ms = CONFIRM_MS;
    follow->page_len = PAGE_LEN_FIRST;
    follow->page_len_max = driver->page_len;
    follow->events = *events;
    follow->context = context;
    follow->is_stale = true;
    follow->failed_at_ms = yr_io_now_ms(driver->io) - SERIES_MS - 1;
    yr_backoff_init(&follow->backoff, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
    yr_buf_init(&follow->page_last, KEY_LEN_MAX);
    yr_timer_init(&follow->retry, on_retry, follow);
    yr_timer_init(&follow->confirmation, on_unconfirmed, follow);
    yurpc_status status = set_range(follow, scope);
    if (status != YURPC_OK) {
        follow_free(follow);
        return status;
    }
    start_list(follow);
    *ret_follow = follow;
    return YURPC_OK;
}

void yr_etcd_driver_unfollow(yr_follow *follow)
{
    if (follow == NULL) {
        return;
    }
    stop_asking(follow);
    if (follow->is_in_callback) {
        follow->is_stopped = true;
        return;
    }
    follow_free(follow);
}

void yr_etcd_driver_relist(yr_follow *follow)
{
    if (follow->listing == NULL) {
        yr_timer_start(follow->driver->io, &follow->retry, 0);
    } else {
        follow->wants_list = true;
    }
}

void yr_etcd_driver_unfollow_all(yr_driver *driver)
{
    yr_list *link = NULL;
    while ((link = yr_list_take_first(&driver->follows)) != NULL) {
        yr_etcd_driver_unfollow(YR_CONTAINER_OF(link, yr_follow, link));
    }
}
