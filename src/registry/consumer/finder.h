/*
 * From a service's name to its cell, on any thread and without a lock: a hash table that is
 * read inside read sections and written by the loop alone.
 *
 * What is taken out, and a table that became too small, wait for their readers (reclaimer.h).
 */
#ifndef YR_REGISTRY_FINDER_H
#define YR_REGISTRY_FINDER_H

#include "registry/snapshot.h"

#include <stdint.h>

typedef struct yr_finder_item yr_finder_item;
typedef struct yr_finder_table yr_finder_table;

typedef struct yr_finder {
    _Atomic(yr_finder_table *) table; /* NULL: empty */
    uint64_t seed[2];                 /* names may come from strangers */
} yr_finder;

void yr_finder_init(yr_finder *finder, const uint64_t seed[2]);

/* Everything was taken out, and nobody is reading. */
void yr_finder_deinit(yr_finder *finder);

/*
 * Let @p cell be found by @p name (copied), "name:version", which must not be in it. To be
 * taken out before the cell is retired. YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_finder_add(yr_finder *finder, const char *name,
                                           const yr_snapshot_cell *cell,
                                           yr_finder_item **ret_item);

/* Take out and free; NULL is allowed. */
void yr_finder_remove(yr_finder *finder, yr_finder_item *item);

/* The cell of @p name, "name:version" or "name" for "name:1.0"; NULL: none. Any thread, inside
 * a read section, and good until its end. */
const yr_snapshot_cell *yr_finder_find(const yr_finder *finder, const char *name);

#endif /* YR_REGISTRY_FINDER_H */
