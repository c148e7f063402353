#include "drivers/etcd/lag.h"

enum {
    CAUGHT_UP_PER_MS = 5, /* revisions that etcd feeds to a watcher that has fallen behind */
    LISTED_PER_MS = 100,  /* keys that etcd lists, and a client takes, at the slowest */
    LAG_MIN_MS = 1000,
    REVISIONS_MAX = 1000000000, /* what is more counts as that many */

    /* A list that does not help, because the burst goes on, is worth less and less. */
    PAUSE_MIN_MS = 1000,
    PAUSE_MAX_MS = 16000,
    PAUSE_LISTS = 4, /* times what a list takes: it must not be all that etcd does */
};

void yr_lag_listed(yr_lag *lag, size_t count)
{
    lag->named = 0;
    lag->listed = count;
}

/* How many revisions the changes are of. */
static int64_t count_revisions(const yurpc_etcd_changes *changes)
{
    int64_t revision = 0;
    int64_t count = 0;
    for (size_t i = 0; i < changes->count; i++) {
        count += changes->events[i].kv.mod_revision != revision;
        revision = changes->events[i].kv.mod_revision;
    }
    return count;
}

static int64_t list_ms(const yr_lag *lag)
{
    return (int64_t)(lag->listed / LISTED_PER_MS);
}

/* How long etcd will take for what it still has for us. */
static int64_t rest_ms(int64_t from, const yurpc_etcd_changes *changes)
{
    int64_t rest = changes->store_revision - changes->revision;
    int64_t span = changes->revision - from;
    if (rest < (int64_t)CAUGHT_UP_PER_MS * LAG_MIN_MS || span <= 0) {
        return 0; /* as in most cases: nothing is to be counted */
    }
    int64_t ours = count_revisions(changes);
    rest = rest < REVISIONS_MAX ? rest : REVISIONS_MAX;
    return rest * (ours < span ? ours : span) / span / CAUGHT_UP_PER_MS;
}

bool yr_lag_take(yr_lag *lag, int64_t from, const yurpc_etcd_changes *changes, int64_t now_ms)
{
    bool is_late = changes->events[0].kv.mod_revision <= lag->named;
    if (changes->store_revision > lag->named) {
        lag->named = changes->store_revision;
    }
    if (!is_late || now_ms < lag->not_before_ms) {
        return false;
    }
    int64_t ms = rest_ms(from, changes);
    return ms >= LAG_MIN_MS && ms > list_ms(lag);
}

void yr_lag_pause(yr_lag *lag, int64_t now_ms, uint64_t random)
{
    int64_t least_ms = PAUSE_LISTS * list_ms(lag);
    least_ms = least_ms < PAUSE_MIN_MS ? PAUSE_MIN_MS : least_ms;
    bool is_another = now_ms - lag->not_before_ms < PAUSE_MAX_MS && lag->pause_ms > 0;
    int64_t pause_ms = is_another ? 2 * lag->pause_ms : least_ms;
    pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    lag->pause_ms = pause_ms < least_ms ? least_ms : pause_ms;
    lag->not_before_ms =
        now_ms + lag->pause_ms + (int64_t)(random % ((uint64_t)lag->pause_ms / 2 + 1));
}
