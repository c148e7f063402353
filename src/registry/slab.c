#include "registry/slab.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdatomic.h>

enum {
    UNIT = 8,            /* pieces are aligned to it, and places counted in it */
    SLAB_MIN = 4 * 1024, /* of the first slab; the next is twice as large */
    SLAB_MAX =
        256 * 1024, /* as much as 16 bits place, and so that it comes in pages of its own */
};

struct yr_slab {
    _Alignas(UNIT) _Atomic uint32_t users; /* pieces, and whoever takes them */
    uint32_t size;
    uint32_t used;
};

_Static_assert(SLAB_MAX / UNIT <= UINT16_MAX, "every place fits into 16 bits");

static yr_slab *slab_new(size_t size)
{
    yr_slab *slab = yr_calloc(1, size);
    if (slab != NULL) {
        atomic_init(&slab->users, 1);
        slab->size = (uint32_t)size;
        slab->used = sizeof *slab;
    }
    return slab;
}

static void unuse(yr_slab *slab)
{
    uint32_t before = atomic_fetch_sub_explicit(&slab->users, 1, memory_order_acq_rel);
    YR_ASSERT(before > 0);
    if (before == 1) {
        yr_free(slab);
    }
}

void *yr_slab_take(yr_slab **slab, size_t size, uint16_t *ret_at)
{
    if (size > YR_SLAB_PIECE_MAX) {
        return NULL;
    }
    uint32_t taken = (uint32_t)((size + UNIT - 1) / UNIT * UNIT);
    yr_slab *current = *slab;
    if (current == NULL || current->size - current->used < taken) {
        size_t next = current == NULL ? SLAB_MIN : (size_t)current->size * 2;
        yr_slab *more = slab_new(next < SLAB_MAX ? next : SLAB_MAX);
        if (more == NULL) {
            return NULL;
        }
        yr_slab_leave(slab);
        *slab = current = more;
    }
    void *piece = (char *)current + current->used;
    *ret_at = (uint16_t)(current->used / UNIT);
    current->used += taken;
    atomic_fetch_add_explicit(&current->users, 1, memory_order_relaxed);
    return piece;
}

void yr_slab_give_back(void *piece, uint16_t at)
{
    YR_ASSERT(at > 0);
    unuse((yr_slab *)(void *)((char *)piece - (size_t)at * UNIT));
}

void yr_slab_leave(yr_slab **slab)
{
    if (*slab != NULL) {
        unuse(*slab);
        *slab = NULL;
    }
}
