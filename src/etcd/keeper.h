/*
 * Keeping leases alive: all of a client on one stream.
 *
 * Each lease is renewed every third of its TTL: one message, never earlier. It lasts, for us,
 * until its TTL after the renewal that was answered was *sent*: so we never believe in it
 * longer than etcd does. A renewal that stays unanswered for YR_KEEPER_ANSWER_MAX_MS (or a
 * third of the TTL) is tried again on another connection.
 */
#ifndef YR_ETCD_KEEPER_H
#define YR_ETCD_KEEPER_H

#include "base/map.h"
#include "etcd/duplex.h"

enum { YR_KEEPER_ANSWER_MAX_MS = 3000, YR_KEEPER_LEASES_MAX = 100000 };

typedef struct yr_keeper {
    yr_etcd *client;
    yr_duplex stream;
    yr_map by_id;
    yr_list keepalives;
    yurpc_error *error; /* why the stream ended last */
} yr_keeper;

void yr_keeper_init(yr_keeper *keeper, yr_etcd *client);

/*
 * How long the leases can do without a connection: a sixth of the TTL is left then, for
 * connecting and renewing. But at least as long, so that nobody hurries at last. INT64_MAX:
 * there is no lease.
 */
int64_t yr_keeper_patience_ms(const yr_keeper *keeper);

/* Stops all; silent. */
void yr_keeper_deinit(yr_keeper *keeper);

#endif /* YR_ETCD_KEEPER_H */
