/*
 * Room for many small pieces that are made together and mostly live together: the records of a
 * first list. A slab is freed when the last of its pieces is, so one that stays keeps its
 * neighbours' room; for what comes one by one, use yr_calloc().
 *
 * Pieces are given out by one thread, and given back by any.
 */
#ifndef YR_REGISTRY_SLAB_H
#define YR_REGISTRY_SLAB_H

#include <stddef.h>
#include <stdint.h>

typedef struct yr_slab yr_slab;

/* Larger pieces are not given out. */
enum { YR_SLAB_PIECE_MAX = 1024 };

/*
 * A zeroed piece of *@p slab, or of a new one that takes its place. *@p ret_at, never 0, is to
 * be given back with the piece. NULL: no memory, or too large.
 */
void *yr_slab_take(yr_slab **slab, size_t size, uint16_t *ret_at);

/* Give back @p piece. */
void yr_slab_give_back(void *piece, uint16_t at);

/* No more pieces are wanted: *@p slab is NULL again. */
void yr_slab_leave(yr_slab **slab);

#endif /* YR_REGISTRY_SLAB_H */
