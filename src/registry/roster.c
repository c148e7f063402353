#include "registry/roster.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"

#include <stdatomic.h>

struct yr_roster {
    _Atomic uint32_t refs;
    size_t count;
    size_t draining;
    const yurpc_instance *instances[];
};

static int compare_at(const yr_roster *roster, size_t index, yurpc_bytes node)
{
    return yr_bytes_compare(yr_instance_node(roster->instances[index]), node);
}

static void add(yr_roster *roster, const yurpc_instance *instance)
{
    roster->instances[roster->count++] = yr_instance_ref(instance);
    roster->draining += yurpc_instance_is_draining(instance);
}

yurpc_status yr_roster_apply(const yr_roster *old, const yr_snapshot_change *changes,
                             size_t count, const yr_roster **ret_roster)
{
    size_t old_count = yr_roster_count(old);
    yr_roster *roster =
        yr_calloc(1, sizeof *roster + (old_count + count) * sizeof roster->instances[0]);
    if (roster == NULL) {
        return YURPC_NO_MEMORY;
    }
    atomic_init(&roster->refs, 1);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < old_count && compare_at(old, at, changes[i].node) < 0) {
            add(roster, old->instances[at++]);
        }
        if (at < old_count && compare_at(old, at, changes[i].node) == 0) {
            at++;
        }
        if (changes[i].instance != NULL) {
            add(roster, changes[i].instance);
        }
    }
    while (at < old_count) {
        add(roster, old->instances[at++]);
    }
    *ret_roster = roster;
    return YURPC_OK;
}

static yr_roster *shared(const yr_roster *roster)
{
    union {
        const yr_roster *in;
        yr_roster *out;
    } pointer = {.in = roster};
    return pointer.out;
}

const yr_roster *yr_roster_ref(const yr_roster *roster)
{
    if (roster != NULL) {
        atomic_fetch_add_explicit(&shared(roster)->refs, 1, memory_order_relaxed);
    }
    return roster;
}

void yr_roster_unref(const yr_roster *roster)
{
    if (roster == NULL ||
        atomic_fetch_sub_explicit(&shared(roster)->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < roster->count; i++) {
        yr_instance_unref(roster->instances[i]);
    }
    yr_free(shared(roster));
}

size_t yr_roster_count(const yr_roster *roster)
{
    return roster != NULL ? roster->count : 0;
}

size_t yr_roster_count_draining(const yr_roster *roster)
{
    return roster != NULL ? roster->draining : 0;
}

const yurpc_instance *yr_roster_at(const yr_roster *roster, size_t index)
{
    YR_ASSERT(index < yr_roster_count(roster));
    return roster->instances[index];
}

const yurpc_instance *yr_roster_find(const yr_roster *roster, yurpc_bytes node)
{
    size_t from = 0;
    size_t to = yr_roster_count(roster);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare_at(roster, middle, node);
        if (order == 0) {
            return roster->instances[middle];
        }
        if (order < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return NULL;
}

void yr_roster_diff(const yr_roster *old, const yr_roster *now,
                    const yr_snapshot_visitor *visitor, void *context)
{
    size_t old_count = yr_roster_count(old);
    size_t now_count = yr_roster_count(now);
    size_t i = 0;
    size_t k = 0;
    while (i < old_count || k < now_count) {
        const yurpc_instance *was = i < old_count ? old->instances[i] : NULL;
        const yurpc_instance *is = k < now_count ? now->instances[k] : NULL;
        int order = was == NULL ? 1
                    : is == NULL
                        ? -1
                        : yr_bytes_compare(yr_instance_node(was), yr_instance_node(is));
        if (order < 0) {
            visitor->on_down(context, was);
        } else if (order > 0) {
            visitor->on_up(context, is);
        } else if (!yr_instance_is_equal(was, is)) {
            visitor->on_changed(context, is);
        }
        i += order <= 0;
        k += order >= 0;
    }
}
