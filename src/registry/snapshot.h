/*
 * Snapshots of a service, and the cell in which the current one is published.
 *
 * A snapshot is immutable and ordered by node. The loop thread makes the next one from the
 * last and the changes, and publishes it; any thread reads the current one without a lock.
 * Reading is RCU's (liburcu, bp flavour), reclaiming reclaimer.h's.
 *
 * Two ways to hold a snapshot: inside acquire/release (wait-free, same thread, brief), or by a
 * reference (any thread, as long as one likes).
 *
 * After fork() the child may still read, and must not publish into cells that it has inherited
 * (README.md says more).
 */
#ifndef YR_REGISTRY_SNAPSHOT_H
#define YR_REGISTRY_SNAPSHOT_H

#include "net/io.h"

#include <yurpc/bytes.h>
#include <yurpc/service.h>

/* A node's new instance, or NULL when the node is gone. Borrowed. */
typedef struct yr_snapshot_change {
    yurpc_bytes node;
    const yurpc_instance *instance;
    const yurpc_instance *before; /* for batch.h's users; it need not be set */
    bool has_drained; /* of a node that is gone: it had announced that it would leave */
} yr_snapshot_change;

/*
 * The snapshot that follows @p old (NULL: an empty one) when @p changes are applied. They are
 * ordered by node (yr_bytes_compare), each node once; removing an absent node is no change.
 * Begins with one reference. YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_snapshot_apply(const yurpc_snapshot *old,
                                               const yr_snapshot_change *changes, size_t count,
                                               bool is_stale, yurpc_snapshot **ret_snapshot);

/* A list of which nobody knows when it was right. */
#define YR_RIGHT_AT_UNKNOWN INT64_MIN

/* What is to be said of a stale snapshot. */
typedef struct yr_staleness {
    yr_io *io;           /* whose clock tells the age; it outlives the snapshot's readers */
    int64_t right_at_ms; /* yr_io_boot_ms() when it was last known to be right */
    bool is_cached; /* it is from disk: this process has not had a list from the registry */
} yr_staleness;

/* Mark @p snapshot, which nobody else has seen yet. Without this its age is unknown. */
void yr_snapshot_mark(yurpc_snapshot *snapshot, const yr_staleness *staleness);

/* The instance of @p node, or NULL. */
const yurpc_instance *yr_snapshot_find(const yurpc_snapshot *snapshot, yurpc_bytes node);

/* How many of its instances are draining. */
size_t yr_snapshot_count_draining(const yurpc_snapshot *snapshot);

/* How many are suspect: others than those that are draining. */
size_t yr_snapshot_count_suspects(const yurpc_snapshot *snapshot);

typedef struct yr_snapshot_visitor {
    void (*on_up)(void *context, const yurpc_instance *instance);
    void (*on_down)(void *context, const yurpc_instance *instance);    /* as it was */
    void (*on_changed)(void *context, const yurpc_instance *instance); /* as it is */
} yr_snapshot_visitor;

/* Tell what happened between @p old (NULL: empty) and @p now, in the order of nodes. */
void yr_snapshot_diff(const yurpc_snapshot *old, const yurpc_snapshot *now,
                      const yr_snapshot_visitor *visitor, void *context);

yurpc_snapshot *yr_snapshot_ref(const yurpc_snapshot *snapshot);
void yr_snapshot_unref(const yurpc_snapshot *snapshot); /* NULL is allowed */

/* ---- Publication ---- */

typedef struct yr_snapshot_cell yr_snapshot_cell;

/* A cell with an empty, stale snapshot. YURPC_NO_MEMORY; YURPC_IO (no thread to be had). */
YURPC_NODISCARD yurpc_status yr_snapshot_cell_new(yr_snapshot_cell **ret_cell);

/* No reader may be inside. The cell's own reference goes. NULL is allowed. */
void yr_snapshot_cell_free(yr_snapshot_cell *cell);

/* The same when no reader is left inside, without waiting for that. */
void yr_snapshot_cell_retire(yr_snapshot_cell *cell);

/* One thread only. The cell owns the reference of @p snapshot now; the old one goes when no
 * reader is left. Does not wait. */
void yr_snapshot_cell_take(yr_snapshot_cell *cell, yurpc_snapshot *snapshot);

/* The publishing thread's own look: borrowed until the next take. */
const yurpc_snapshot *yr_snapshot_cell_current(const yr_snapshot_cell *cell);

/* Readers: snapshot_reading.h. */

#endif /* YR_REGISTRY_SNAPSHOT_H */
