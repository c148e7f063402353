/*
 * What every part of a registry handle shares: the loop, the driver, settings, counters.
 *
 * Loop-only, except the counters, which any thread may read.
 */
#ifndef YR_REGISTRY_CORE_H
#define YR_REGISTRY_CORE_H

#include "base/log.h"
#include "net/io.h"
#include "registry/driver.h"

#include <stdatomic.h>

enum {
    YR_CLOSE_MS = 3000, /* closing takes no longer, even right after unregistering in vain */
    YR_LEAVE_MS = 2600, /* of that for unregistering; the rest is for a last try at closing */
};

/* See yurpc_registry_stats for the meanings. Written on the loop, read anywhere. */
typedef struct yr_counters {
    _Atomic uint64_t connections;
    _Atomic uint64_t leases;
    _Atomic uint64_t leases_lost;
    _Atomic uint64_t announcements;
    _Atomic uint64_t repairs;
    _Atomic uint64_t conflicts;
    _Atomic uint64_t changes;
    _Atomic uint64_t unchanged;
    _Atomic uint64_t skipped;
    _Atomic uint64_t mismatches;
    _Atomic uint64_t lists;
    _Atomic uint64_t reconcile_repairs;
    _Atomic uint32_t registrations;
    _Atomic uint32_t registered;
    _Atomic uint64_t suspected;
    _Atomic uint32_t services;
    _Atomic uint32_t suspects;
    _Atomic int64_t lease_id;
    _Atomic bool is_connected;
    _Atomic uint64_t cached_lists;
    _Atomic uint64_t disallowed;
    _Atomic int64_t stale_since_ms; /* yr_io_boot_ms(); INT64_MAX: no list is stale */
} yr_counters;

typedef struct yr_core {
    yr_io *io;
    const yr_driver_ops *ops;
    struct yr_disk_cache *cache;      /* NULL: none */
    struct yr_allow_list *allow_list; /* whom consumers see; NULL: all */
    yr_driver *driver;                /* NULL while it is being closed or was never opened */
    yr_log log;
    int64_t timeout_ms;
    int64_t ttl_ms;
    int64_t reconcile_ms;    /* mean time between two periodic lists of a service; +- 20 % */
    yurpc_error *last_error; /* why the connection is away; NULL while it is there */
    bool is_unprotected;     /* no mass disappearance is doubted */
    uint64_t map_seed[2];
    yr_counters counters;
} yr_core;

static inline void yr_count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* The longest that one operation of the driver may take. */
static inline int64_t yr_core_attempt_ms(const yr_core *core)
{
    enum { ATTEMPT_MAX_MS = 5000 };
    return core->timeout_ms < ATTEMPT_MAX_MS ? core->timeout_ms : ATTEMPT_MAX_MS;
}

/* How long until the next periodic list: the mean, +- 20 %, so that a fleet does not list at
 * once. */
static inline int64_t yr_core_reconcile_delay_ms(const yr_core *core)
{
    int64_t mean = core->reconcile_ms;
    uint64_t span = (uint64_t)(mean * 2 / 5);
    return mean - (int64_t)(span / 2) + (int64_t)(yr_io_random(core->io) % (span + 1));
}

#endif /* YR_REGISTRY_CORE_H */
