#include "registry/cache/disk_cache.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/cache/cache_file.h"

enum {
    /* A change is saved so late at most, together with those behind it. At random: of the
     * processes of a host that follow a service, one shall write and the others find it done.
     */
    SAVE_MIN_MS = 1000,
    SAVE_SPAN_MS = 2000,
    /* Large lists on slow disks wait longer: of 100 ms no more than one goes into saving. */
    SAVE_REST = 100,
    SAVE_REST_MAX_MS = 60000,
    /* After a failure. */
    LOAD_RETRY_MS = 200,
    SAVE_RETRY_MS = 30000,
};

/* An older list would say nothing, and its age is rather a clock that was set. */
static const int64_t age_max_ms = INT64_C(366) * 24 * 3600 * 1000;

struct yr_disk_cache {
    yr_io *io;
    yr_log log;
    char *dir;
    char *registry;
    size_t count;    /* of services, closed ones that are being saved included */
    bool is_tidied;  /* a save that tidies was begun */
    bool is_failing; /* the disk does not do what it should, and that was said */
    void (*on_closed)(void *context); /* NULL: not being closed */
    void *closed_context;
};

typedef enum cached_state {
    CACHED_UNLOADED, /* waits for the timer to load again */
    CACHED_LOADING,
    CACHED_IDLE,
    CACHED_SAVING,
} cached_state;

struct yr_cached {
    yr_disk_cache *cache;
    char *service;
    const yr_snapshot_cell *cell; /* NULL: closed */
    void (*on_loaded)(void *context);
    void *context;
    cached_state state;
    yr_timer timer;
    bool is_dirty;
    bool is_closed;
    int64_t confirmed_ms;        /* wall clock: the current snapshot was right */
    const yurpc_snapshot *final; /* closed with this to be saved; one reference; or NULL */

    /* The work under way: its thread's alone until it is done. */
    yr_work work;
    const yurpc_snapshot *saving; /* one reference */
    yr_cache_save options;
    int64_t begun_ms;
    int64_t took_ms; /* the last save */
    yurpc_status status;
    yurpc_error *error;

    /* What was loaded. */
    bool has_list;
    yr_batch batch;
    int64_t time_ms;
    int64_t right_at_ms;
};

static yr_cache_key key_of(const yr_cached *cached)
{
    return (yr_cache_key){.registry = cached->cache->registry, .service = cached->service};
}

static void cache_free(yr_disk_cache *cache)
{
    yr_free(cache->dir);
    yr_free(cache->registry);
    yr_free(cache);
}

static void close_if_over(yr_disk_cache *cache)
{
    if (cache->on_closed == NULL || cache->count > 0) {
        return;
    }
    void (*on_closed)(void *) = cache->on_closed;
    void *context = cache->closed_context;
    cache_free(cache);
    on_closed(context);
}

static void cached_free(yr_cached *cached)
{
    if (cached == NULL) {
        return;
    }
    yr_disk_cache *cache = cached->cache;
    yr_timer_stop(cache->io, &cached->timer);
    yr_batch_deinit(&cached->batch);
    yurpc_error_free(cached->error);
    yr_snapshot_unref(cached->final);
    yr_free(cached->service);
    yr_free(cached);
    cache->count--;
    close_if_over(cache);
}

/* ---- Work, off the loop ---- */

static void run_load(void *context)
{
    yr_cached *cached = context;
    yr_cache_key key = key_of(cached);
    cached->status = yr_cache_file_load(cached->cache->dir, &key, &cached->batch,
                                        &cached->time_ms, &cached->error);
}

static void run_save(void *context)
{
    yr_cached *cached = context;
    yr_cache_key key = key_of(cached);
    cached->status = yr_cache_file_save(cached->cache->dir, &key, cached->saving,
                                        &cached->options, &cached->error);
}

static yurpc_error *take_error(yr_cached *cached)
{
    yurpc_error *error = cached->error;
    cached->error = NULL;
    return error;
}

/*
 * What fails for one service mostly fails for all: it is said once, until a save succeeds. A
 * file that was set aside will not be met again, and is more than a nuisance: the disk loses
 * data, or somebody else was at it.
 */
static void complain(const yr_cached *cached, const char *what, const yurpc_error *error)
{
    yr_disk_cache *cache = cached->cache;
    bool is_aside = cached->status == YURPC_PROTOCOL;
    yurpc_log_level level = is_aside            ? YURPC_LOG_ERROR
                            : cache->is_failing ? YURPC_LOG_DEBUG
                                                : YURPC_LOG_WARN;
    yr_log_write(&cache->log, level, "cache", "%s: %s: %s", cached->service, what,
                 yurpc_error_text(error));
    cache->is_failing |= !is_aside;
}

/* ---- Saving ---- */

static void on_saved(void *context);

/* False: it could not even begin. */
static bool begin_save(yr_cached *cached, const yurpc_snapshot *snapshot)
{
    yr_disk_cache *cache = cached->cache;
    cached->options = (yr_cache_save){
        .time_ms = cached->confirmed_ms,
        .random = yr_io_random(cache->io),
        .is_tidied = !cache->is_tidied,
        .is_synced = !cached->is_closed, /* who closes does not wait for the platter */
    };
    cached->work = (yr_work){.run = run_save, .done = on_saved, .context = cached};
    cached->saving = yr_snapshot_ref(snapshot);
    cached->begun_ms = yr_io_boot_ms(cache->io);
    if (yr_io_work(cache->io, &cached->work) != YURPC_OK) {
        yr_snapshot_unref(cached->saving);
        return false;
    }
    cache->is_tidied = true;
    cached->state = CACHED_SAVING;
    cached->is_dirty = false;
    return true;
}

/* Closed, and nothing is under way: save what is left, once, then go. */
static void finish(yr_cached *cached)
{
    const yurpc_snapshot *final = cached->final;
    cached->final = NULL;
    if (final == NULL || !begin_save(cached, final)) {
        yr_snapshot_unref(final);
        cached_free(cached);
        return;
    }
    yr_snapshot_unref(final);
}

static void start_timer(yr_cached *cached, int64_t min_ms, uint64_t span_ms)
{
    yr_io *io = cached->cache->io;
    yr_timer_start(io, &cached->timer, min_ms + (int64_t)(yr_io_random(io) % (span_ms + 1)));
}

static void save_later(yr_cached *cached)
{
    if (!cached->is_dirty || yr_timer_is_running(&cached->timer)) {
        return;
    }
    int64_t rest_ms = cached->took_ms < SAVE_REST_MAX_MS / SAVE_REST
                          ? cached->took_ms * SAVE_REST
                          : SAVE_REST_MAX_MS;
    start_timer(cached, SAVE_MIN_MS + rest_ms, SAVE_SPAN_MS);
}

static void on_saved(void *context)
{
    yr_cached *cached = context;
    yr_snapshot_unref(cached->saving);
    cached->saving = NULL;
    cached->state = CACHED_IDLE;
    cached->took_ms = yr_io_boot_ms(cached->cache->io) - cached->begun_ms;
    yurpc_error *error = take_error(cached);
    if (cached->status == YURPC_OK) {
        cached->cache->is_failing = false;
    } else {
        complain(cached, "its list is not kept on disk", error);
    }
    yurpc_error_free(error);
    if (cached->is_closed) {
        finish(cached);
        return;
    }
    if (cached->status != YURPC_OK) {
        cached->is_dirty = true;
        start_timer(cached, SAVE_RETRY_MS, SAVE_RETRY_MS);
        return;
    }
    save_later(cached);
}

/* ---- Loading ---- */

static void on_load_done(void *context);

static void begin_load(yr_cached *cached)
{
    cached->work = (yr_work){.run = run_load, .done = on_load_done, .context = cached};
    if (yr_io_work(cached->cache->io, &cached->work) == YURPC_OK) {
        cached->state = CACHED_LOADING;
    } else {
        yr_timer_start(cached->cache->io, &cached->timer, LOAD_RETRY_MS);
    }
}

/* When the list was right, on the clock that nobody sets. */
static int64_t right_at(yr_io *io, int64_t wall_ms)
{
    int64_t age_ms = yr_io_wall_ms(io) - wall_ms;
    return age_ms < 0 || age_ms > age_max_ms ? YR_RIGHT_AT_UNKNOWN : yr_io_boot_ms(io) - age_ms;
}

static void on_load_done(void *context)
{
    yr_cached *cached = context;
    yurpc_error *error = take_error(cached);
    cached->state = CACHED_UNLOADED;
    if (cached->is_closed) {
        yurpc_error_free(error);
        finish(cached);
        return;
    }
    if (cached->status == YURPC_NO_MEMORY) {
        yurpc_error_free(error);
        yr_timer_start(cached->cache->io, &cached->timer, LOAD_RETRY_MS);
        return;
    }
    if (cached->status != YURPC_OK && cached->status != YURPC_NOT_FOUND) {
        complain(cached, "there is no list on disk that can be used", error);
    }
    yurpc_error_free(error);
    cached->state = CACHED_IDLE;
    cached->has_list = cached->status == YURPC_OK;
    if (cached->has_list) {
        cached->right_at_ms = right_at(cached->cache->io, cached->time_ms);
    }
    save_later(cached);
    cached->on_loaded(cached->context);
}

static void on_timer(void *context)
{
    yr_cached *cached = context;
    if (cached->state == CACHED_UNLOADED) {
        begin_load(cached);
        return;
    }
    bool is_due = cached->state == CACHED_IDLE && cached->is_dirty;
    if (is_due && !begin_save(cached, yr_snapshot_cell_current(cached->cell))) {
        save_later(cached);
    }
}

/* ---- Services ---- */

yurpc_status yr_cached_open(yr_disk_cache *cache, const char *service,
                            const yr_snapshot_cell *cell, void (*on_loaded)(void *context),
                            void *context, yr_cached **ret_cached)
{
    yr_cached *cached = yr_calloc(1, sizeof *cached);
    char *name = yr_strdup(service);
    if (cached == NULL || name == NULL) {
        yr_free(cached);
        yr_free(name);
        return YURPC_NO_MEMORY;
    }
    cached->cache = cache;
    cached->service = name;
    cached->cell = cell;
    cached->on_loaded = on_loaded;
    cached->context = context;
    yr_timer_init(&cached->timer, on_timer, cached);
    yr_batch_init(&cached->batch);
    cache->count++;
    begin_load(cached);
    *ret_cached = cached;
    return YURPC_OK;
}

void yr_cached_close(yr_cached *cached)
{
    if (cached == NULL) {
        return;
    }
    if (cached->is_dirty) {
        cached->final = yr_snapshot_ref(yr_snapshot_cell_current(cached->cell));
    }
    cached->cell = NULL;
    cached->is_closed = true;
    yr_timer_stop(cached->cache->io, &cached->timer);
    if (cached->state == CACHED_IDLE || cached->state == CACHED_UNLOADED) {
        finish(cached);
    }
}

yr_cached_list yr_cached_get(yr_cached *cached)
{
    return cached->has_list ? (yr_cached_list){&cached->batch, cached->right_at_ms}
                            : (yr_cached_list){NULL, YR_RIGHT_AT_UNKNOWN};
}

void yr_cached_drop(yr_cached *cached)
{
    if (cached->has_list) {
        cached->has_list = false;
        yr_batch_deinit(&cached->batch);
    }
}

void yr_cached_confirm(yr_cached *cached)
{
    cached->is_dirty = true;
    cached->confirmed_ms = yr_io_wall_ms(cached->cache->io);
    if (cached->state == CACHED_IDLE) {
        save_later(cached);
    }
}

/* ---- The cache ---- */

yurpc_status yr_disk_cache_new(const yr_disk_cache_options *options, yr_disk_cache **ret_cache)
{
    yr_disk_cache *cache = yr_calloc(1, sizeof *cache);
    if (cache == NULL) {
        return YURPC_NO_MEMORY;
    }
    cache->io = options->io;
    cache->log = options->log;
    cache->dir = yr_strdup(options->dir);
    cache->registry = yr_strdup(options->registry);
    if (cache->dir == NULL || cache->registry == NULL) {
        cache_free(cache);
        return YURPC_NO_MEMORY;
    }
    *ret_cache = cache;
    return YURPC_OK;
}

void yr_disk_cache_close(yr_disk_cache *cache, void (*on_closed)(void *context), void *context)
{
    if (cache == NULL) {
        on_closed(context);
        return;
    }
    cache->on_closed = on_closed;
    cache->closed_context = context;
    close_if_over(cache);
}
