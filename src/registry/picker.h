/*
 * Pickers, and the quick way through one: a request takes it each time, so it is in a header.
 *
 * A thread remembers where it is in each service ("cursor") and nobody else reads or writes
 * that: threads that share a picker cost each other nothing.
 */
#ifndef YR_REGISTRY_PICKER_H
#define YR_REGISTRY_PICKER_H

#include "registry/snapshot_body.h"

#include <stdatomic.h>
#include <stdint.h>

enum {
    YR_CACHE_LINE = 64,
    YR_PICKER_SLOTS = 128, /* of a thread: 8 KiB; a power of two */
    YR_PICKER_WAYS = 4,    /* slots side by side, in any of which a cursor may be */
};

struct yurpc_picker {
    yurpc_picker_kind kind;
    uint64_t id;    /* no other picker of this process has or had it; not 0 */
    uint64_t place; /* of its first cursor: a random number */
    /* For threads that have no memory for cursors. They write it: its cache line is its own. */
    char space_before[YR_CACHE_LINE];
    _Atomic uint64_t turn;
    char space_behind[YR_CACHE_LINE];
};

/* Where a thread is in a service with a picker. */
typedef struct yr_picker_cursor {
    uint64_t snapshot; /* its id; 0: none */
    uint64_t picker;   /* its id; 0: the slot is free */
    uint64_t lineage;  /* the service, so to speak */
    yr_roster_run run; /* of the snapshot, not passed yet: good while that one is held */
    uint64_t turn;     /* whose turn it is after the run: a number, perhaps past the end */
    uint64_t used;     /* when: the more, the later */
    uint64_t unused;   /* so that each fills a cache line */
} yr_picker_cursor;

/* A thread's cursors, in cache lines of their own. When there are too many, one that was not
 * used for long is given up. */
typedef struct yr_picker_cursors {
    yr_picker_cursor slots[YR_PICKER_SLOTS];
    uint64_t now; /* counts what the quick way did not do */
} yr_picker_cursors;

extern _Thread_local yr_picker_cursors *yr_picker_own; /* NULL: none yet */

/* Where the cursor is looked for first. */
static inline size_t yr_picker_slot(const yurpc_picker *picker, const yurpc_snapshot *snapshot)
{
    return (picker->place + snapshot->lineage) % YR_PICKER_SLOTS;
}

/* Where the quick way does not go. */
const yurpc_instance *yr_picker_pick_slowly(yurpc_picker *picker,
                                            const yurpc_snapshot *snapshot);

/* What yurpc_snapshot_pick() does. */
static inline const yurpc_instance *yr_picker_pick(yurpc_picker *picker,
                                                   const yurpc_snapshot *snapshot)
{
    yr_picker_cursors *all = yr_picker_own;
    if (all != NULL) {
        yr_picker_cursor *mine = &all->slots[yr_picker_slot(picker, snapshot)];
        if (mine->snapshot == snapshot->id && mine->picker == picker->id &&
            mine->run.next < mine->run.end) {
            return *mine->run.next++;
        }
    }
    return yr_picker_pick_slowly(picker, snapshot);
}

#endif /* YR_REGISTRY_PICKER_H */
