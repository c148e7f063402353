/*
 * Changes of a service on their way into a snapshot: collected as the driver reports them,
 * then settled into what really differs from the current snapshot.
 *
 * A batch is either a list (complete: what it does not name is gone) or a set of changes.
 */
#ifndef YR_REGISTRY_BATCH_H
#define YR_REGISTRY_BATCH_H

#include "base/map.h"
#include "registry/slab.h"
#include "registry/snapshot.h"

enum { YR_SERVICE_INSTANCES_MAX = 1000000 };

/* A node that is gone. */
typedef struct yr_departure {
    size_t len;
    char node[];
} yr_departure;

/* One of the two, owned. A hundred thousand of these make a list. */
typedef struct yr_batch_item {
    const yurpc_instance *instance; /* one reference */
    yr_departure *departure;
} yr_batch_item;

typedef struct yr_batch {
    yr_batch_item *items;
    size_t count;
    size_t cap;
    bool is_list;
    bool is_unsorted; /* the items are not in the order of nodes, each node once */
    yr_slab *slab;    /* for the records of a first list, of which all stay; see slab.h */
} yr_batch;

/* What settling found. */
typedef struct yr_batch_result {
    yr_snapshot_change
        *changes; /* to be freed; borrows from the batch and from the current snapshot */
    size_t count;
    size_t unchanged; /* values that were the same as before */
    size_t renewed;   /* changes, of which only the revision is another */
    size_t held;      /* departures that were taken out, for the first time (absence.h) */
} yr_batch_result;

/* The node that @p item is about; borrowed. */
yurpc_bytes yr_batch_node(const yr_batch_item *item);

void yr_batch_init(yr_batch *batch);

/* Drop everything; ready for reuse. */
void yr_batch_clear(yr_batch *batch);
void yr_batch_deinit(yr_batch *batch);

/* The batch owns the reference of @p instance, on failure too. YURPC_NO_MEMORY;
 * YURPC_TOO_LARGE. */
YURPC_NODISCARD yurpc_status yr_batch_take_put(yr_batch *batch, const yurpc_instance *instance);

/* @p node is copied. YURPC_NO_MEMORY; YURPC_TOO_LARGE. */
YURPC_NODISCARD yurpc_status yr_batch_delete(yr_batch *batch, yurpc_bytes node);

/*
 * What differs from @p current: ordered, each node once, equal values and outdated revisions
 * left out; for a list also the deletion of what it does not name. @p absent (may be NULL) are
 * nodes that were deleted, though they are still in @p current: no revision of theirs is
 * outdated, for the registry may have been wiped. YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_batch_settle(yr_batch *batch, const yurpc_snapshot *current,
                                             const yr_map *absent, yr_batch_result *ret_result);

#endif /* YR_REGISTRY_BATCH_H */
