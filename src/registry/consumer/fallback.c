#include "registry/consumer/fallback.h"

enum {
    GRACE_MS = 1000,
    FAILOVER_MS = 50, /* for a connection to another member */
    RETRY_MS = 200,   /* after a lack of memory */
};

static bool is_connected(const yr_fallback *fallback)
{
    return atomic_load(&fallback->core->counters.is_connected);
}

/* True: used, and @p fallback may be gone. */
static bool use(yr_fallback *fallback)
{
    yr_cached_list list = yr_cached_get(fallback->cached);
    if (list.batch == NULL) {
        return false;
    }
    if (fallback->events->publish(fallback->context, &list) != YURPC_OK) {
        yr_timer_start(fallback->core->io, &fallback->timer, RETRY_MS);
        return false;
    }
    fallback->is_over = true;
    yr_timer_stop(fallback->core->io, &fallback->timer);
    yr_cached_drop(fallback->cached);
    fallback->events->on_published(fallback->context);
    return true;
}

static void use_if_due(yr_fallback *fallback)
{
    if (fallback->is_loaded && fallback->is_due && !fallback->is_over && use(fallback)) {
        return; /* it may be gone */
    }
}

static void on_timer(void *context)
{
    yr_fallback *fallback = context;
    fallback->is_due = !is_connected(fallback);
    use_if_due(fallback);
}

static void on_loaded(void *context)
{
    yr_fallback *fallback = context;
    fallback->is_loaded = true;
    fallback->is_due = fallback->is_due && !is_connected(fallback);
    use_if_due(fallback);
}

void yr_fallback_init(yr_fallback *fallback, const yr_core *core,
                      const yr_fallback_events *events, void *context)
{
    *fallback = (yr_fallback){.core = core, .events = events, .context = context};
    yr_timer_init(&fallback->timer, on_timer, fallback);
}

yurpc_status yr_fallback_begin(yr_fallback *fallback, const char *service,
                               const yr_snapshot_cell *cell)
{
    const yr_core *core = fallback->core;
    if (core->cache == NULL) {
        return YURPC_OK;
    }
    yurpc_status status =
        yr_cached_open(core->cache, service, cell, on_loaded, fallback, &fallback->cached);
    if (status == YURPC_OK) {
        bool is_away = core->last_error != NULL;
        yr_timer_start(core->io, &fallback->timer, is_away ? FAILOVER_MS : GRACE_MS);
    }
    return status;
}

void yr_fallback_deinit(yr_fallback *fallback)
{
    yr_timer_stop(fallback->core->io, &fallback->timer);
    yr_cached_close(fallback->cached);
    fallback->cached = NULL;
    fallback->is_over = true;
}

void yr_fallback_on_disconnected(yr_fallback *fallback)
{
    if (fallback->cached != NULL && !fallback->is_over && !fallback->is_due) {
        yr_timer_start(fallback->core->io, &fallback->timer, FAILOVER_MS);
    }
}

bool yr_fallback_force(yr_fallback *fallback)
{
    return fallback->cached != NULL && fallback->is_loaded && !fallback->is_over &&
           use(fallback);
}

void yr_fallback_confirm(yr_fallback *fallback)
{
    if (fallback->cached == NULL) {
        return;
    }
    fallback->is_over = true;
    yr_timer_stop(fallback->core->io, &fallback->timer);
    yr_cached_drop(fallback->cached);
    yr_cached_confirm(fallback->cached);
}
