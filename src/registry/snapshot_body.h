/* What a snapshot consists of: for snapshot.c, which makes them, and picker.c, which looks into
 * one for every request. */
#ifndef YR_REGISTRY_SNAPSHOT_BODY_H
#define YR_REGISTRY_SNAPSHOT_BODY_H

#include "registry/reclaimer.h"
#include "registry/roster.h"

#include <stdatomic.h>
#include <stdint.h>

struct yurpc_snapshot {
    /* For readers, in one cache line that nobody writes. */
    uint64_t id;      /* no other snapshot of this process has or had it */
    uint64_t lineage; /* the id of the first one, of which this and others were made */
    size_t count;     /* the roster's, as the next two */
    size_t draining;
    size_t suspects;
    const yr_roster *roster;
    bool is_stale;
    bool is_taken;          /* by a cell, once: `retired` serves once */
    yr_staleness staleness; /* io is NULL: nothing more is known */
    yr_retired retired;     /* after the cell let go of it */
    _Atomic uint32_t refs;
};

#endif /* YR_REGISTRY_SNAPSHOT_BODY_H */
