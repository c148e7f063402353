/*
 * The fake etcd's leases: who lives, and until when. Which keys hang on a lease is in the
 * store.
 *
 * As in etcd, the shortest TTL is 2 s, and a lease ends when the server next looks, every
 * 500 ms: up to half a second late. At most YR_FAKE_LEASE_SWEEP_MAX end at one look.
 */
#ifndef YR_FAKE_LEASE_H
#define YR_FAKE_LEASE_H

#include "base/list.h"

#include <stdint.h>

enum {
    YR_FAKE_LEASE_TTL_MIN_S = 2,
    YR_FAKE_LEASE_LOOK_MS = 500,
    YR_FAKE_LEASE_SWEEP_MAX = 500,
};

/* As in etcd, far more seconds than a client can mean. */
#define YR_FAKE_LEASE_TTL_MAX_S INT64_C(9000000000)

typedef struct yr_fake_lease {
    yr_list link; /* in the order of granting */
    int64_t id;
    int64_t ttl_s;
    int64_t expires_at_ms;
} yr_fake_lease;

typedef struct yr_fake_leases {
    yr_list all;
    size_t count;
} yr_fake_leases;

void yr_fake_leases_init(yr_fake_leases *leases);
void yr_fake_leases_clear(yr_fake_leases *leases);

/* NULL: there is none. */
yr_fake_lease *yr_fake_lease_find(const yr_fake_leases *leases, int64_t id);

/* @p id must be free, and @p ttl_s within the limits; a shorter one becomes the shortest. */
yr_fake_lease *yr_fake_lease_grant(yr_fake_leases *leases, int64_t id, int64_t ttl_s,
                                   int64_t now_ms);
void yr_fake_lease_renew(yr_fake_lease *lease, int64_t now_ms);
void yr_fake_lease_remove(yr_fake_leases *leases, yr_fake_lease *lease);

/* Each lease has its full TTL again, as after a start of the server or an election. */
void yr_fake_leases_renew_all(yr_fake_leases *leases, int64_t now_ms);

/* The lease that expires first; NULL: there are none. */
yr_fake_lease *yr_fake_leases_first(const yr_fake_leases *leases);

#endif /* YR_FAKE_LEASE_H */
