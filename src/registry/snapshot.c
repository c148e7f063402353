#include "registry/snapshot.h"

#include "base/assert.h"
#include "base/mem.h"
#include "registry/snapshot_body.h"
#include "registry/snapshot_reading.h"

#include <stdatomic.h>
#include <stdint.h>

/* Of snapshots; 0 is none. */
static _Atomic uint64_t last_id;

char yr_read_sections;

/* ---- Snapshots ---- */

yurpc_status yr_snapshot_apply(const yurpc_snapshot *old, const yr_snapshot_change *changes,
                               size_t count, bool is_stale, yurpc_snapshot **ret_snapshot)
{
    const yr_roster *roster = NULL;
    yurpc_status status =
        yr_roster_apply(old != NULL ? old->roster : NULL, changes, count, &roster);
    if (status != YURPC_OK) {
        return status;
    }
    yurpc_snapshot *snapshot = yr_calloc(1, sizeof *snapshot);
    if (snapshot == NULL) {
        yr_roster_unref(roster);
        return YURPC_NO_MEMORY;
    }
    atomic_init(&snapshot->refs, 1);
    snapshot->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    snapshot->lineage = old != NULL ? old->lineage : snapshot->id;
    snapshot->is_stale = is_stale;
    snapshot->roster = roster;
    snapshot->count = yr_roster_count(roster);
    snapshot->draining = yr_roster_count_draining(roster);
    snapshot->suspects = yr_roster_count_suspects(roster);
    *ret_snapshot = snapshot;
    return YURPC_OK;
}

void yr_snapshot_mark(yurpc_snapshot *snapshot, const yr_staleness *staleness)
{
    YR_ASSERT(!snapshot->is_taken);
    snapshot->staleness = *staleness;
}

const yurpc_instance *yr_snapshot_find(const yurpc_snapshot *snapshot, yurpc_bytes node)
{
    return yr_roster_find(snapshot->roster, node);
}

void yr_snapshot_diff(const yurpc_snapshot *old, const yurpc_snapshot *now,
                      const yr_snapshot_visitor *visitor, void *context)
{
    yr_roster_diff(old != NULL ? old->roster : NULL, now->roster, visitor, context);
}

/* The count is what changes in a snapshot, behind a const: the rest stands. */
static yurpc_snapshot *shared(const yurpc_snapshot *snapshot)
{
    union {
        const yurpc_snapshot *in;
        yurpc_snapshot *out;
    } pointer = {.in = snapshot};
    return pointer.out;
}

yurpc_snapshot *yr_snapshot_ref(const yurpc_snapshot *snapshot)
{
    yurpc_snapshot *mine = shared(snapshot);
    uint32_t before = atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
    YR_ASSERT(before > 0 && before < UINT32_MAX);
    return mine;
}

void yr_snapshot_unref(const yurpc_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    yurpc_snapshot *mine = shared(snapshot);
    uint32_t before = atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel);
    YR_ASSERT(before > 0);
    if (before == 1) {
        yr_roster_unref(mine->roster);
        yr_free(mine);
    }
}

size_t yurpc_snapshot_count(const yurpc_snapshot *snapshot)
{
    return snapshot->count;
}

const yurpc_instance *yurpc_snapshot_at(const yurpc_snapshot *snapshot, size_t index)
{
    return index < snapshot->count ? yr_roster_at(snapshot->roster, index) : NULL;
}

bool yurpc_snapshot_is_stale(const yurpc_snapshot *snapshot)
{
    return snapshot->is_stale;
}

bool yurpc_snapshot_is_cached(const yurpc_snapshot *snapshot)
{
    return snapshot->staleness.is_cached;
}

int64_t yurpc_snapshot_age_ms(const yurpc_snapshot *snapshot)
{
    const yr_staleness *staleness = &snapshot->staleness;
    if (!snapshot->is_stale) {
        return 0;
    }
    if (staleness->io == NULL || staleness->right_at_ms == YR_RIGHT_AT_UNKNOWN) {
        return -1;
    }
    int64_t age_ms = yr_io_boot_ms(staleness->io) - staleness->right_at_ms;
    return age_ms > 0 ? age_ms : 0;
}

size_t yr_snapshot_count_draining(const yurpc_snapshot *snapshot)
{
    return snapshot->draining;
}

size_t yr_snapshot_count_suspects(const yurpc_snapshot *snapshot)
{
    return snapshot->suspects;
}

/* ---- Publication ---- */

yurpc_status yr_snapshot_cell_new(yr_snapshot_cell **ret_cell)
{
    yurpc_status status = yr_reclaimer_start();
    if (status != YURPC_OK) {
        return status;
    }
    yr_snapshot_cell *cell = yr_calloc(1, sizeof *cell);
    if (cell == NULL) {
        return YURPC_NO_MEMORY;
    }
    yurpc_snapshot *empty = NULL;
    status = yr_snapshot_apply(NULL, NULL, 0, true, &empty);
    if (status != YURPC_OK) {
        yr_free(cell);
        return status;
    }
    empty->is_taken = true;
    atomic_init(&cell->current, empty);
    *ret_cell = cell;
    return YURPC_OK;
}

void yr_snapshot_cell_free(yr_snapshot_cell *cell)
{
    if (cell == NULL) {
        return;
    }
    YR_TSAN_ACQUIRE(&yr_read_sections);
    yr_snapshot_unref(atomic_load_explicit(&cell->current, memory_order_relaxed));
    yr_free(cell);
}

static void free_cell(yr_retired *retired)
{
    yr_snapshot_cell_free(YR_CONTAINER_OF(retired, yr_snapshot_cell, retired));
}

void yr_snapshot_cell_retire(yr_snapshot_cell *cell)
{
    if (cell != NULL) {
        cell->retired.release = free_cell;
        yr_reclaimer_retire(&cell->retired);
    }
}

/* No read section is left that could have seen the snapshot. */
static void release(yr_retired *retired)
{
    YR_TSAN_ACQUIRE(&yr_read_sections);
    yr_snapshot_unref(YR_CONTAINER_OF(retired, yurpc_snapshot, retired));
}

void yr_snapshot_cell_take(yr_snapshot_cell *cell, yurpc_snapshot *snapshot)
{
    YR_ASSERT(!snapshot->is_taken);
    snapshot->is_taken = true;
    yurpc_snapshot *old =
        atomic_exchange_explicit(&cell->current, snapshot, memory_order_acq_rel);
    old->retired.release = release;
    yr_reclaimer_retire(&old->retired);
}

const yurpc_snapshot *yr_snapshot_cell_current(const yr_snapshot_cell *cell)
{
    return atomic_load_explicit(&cell->current, memory_order_relaxed);
}

void yr_snapshot_enter_first(void)
{
    urcu_bp_read_lock();
}
