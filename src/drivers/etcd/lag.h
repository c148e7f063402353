/*
 * Whether a watch lags so far behind that listing again is the quicker way.
 *
 * etcd feeds a watcher that has fallen behind a thousand revisions at a time, a few times a
 * second, and reads all that is missing again for each: about 5,000 changes a second, however
 * fast the client is. Each message says where the store is. That alone proves nothing, for the
 * store's revision moves with everybody's keys, and what brings a quiet service up to date in
 * a busy store is behind it, too. But a change from before the revision that an earlier
 * message named was already late when that message was sent: the watch lags. How much of what
 * is missing is ours, is taken from what came: so many revisions of ours in so many of the
 * store's.
 *
 * Pure: no clock, no chance of its own.
 */
#ifndef YR_DRIVERS_ETCD_LAG_H
#define YR_DRIVERS_ETCD_LAG_H

#include <yurpc/etcd_data.h>

#include <stdbool.h>

/* All zero: nothing was listed or heard yet. */
typedef struct yr_lag {
    int64_t named;         /* the store's revision, as the newest message named it */
    size_t listed;         /* keys of the newest list */
    int64_t not_before_ms; /* no list because of a lag before */
    int64_t pause_ms;      /* the newest pause; longer with each list that did not help */
} yr_lag;

/* A list of @p count keys is complete, and a new watch begins behind it. */
void yr_lag_listed(yr_lag *lag, size_t count);

/*
 * @p changes came, the first since revision @p from: whether what is still missing takes longer
 * than a second, and longer than a list. Not while a pause lasts.
 */
bool yr_lag_take(yr_lag *lag, int64_t from, const yurpc_etcd_changes *changes, int64_t now_ms);

/* It is listed because of that. Whatever comes now, it is not done again for a while. */
void yr_lag_pause(yr_lag *lag, int64_t now_ms, uint64_t random);

#endif /* YR_DRIVERS_ETCD_LAG_H */
