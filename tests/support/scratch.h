/*
 * A directory for one test, in memory where the machine has such a place.
 *
 * A lock in it tells that it is in use. One that a killed test has left is removed by the next
 * that makes a directory with the same prefix.
 */
#ifndef YR_SCRATCH_H
#define YR_SCRATCH_H

#include <yurpc/status.h>

typedef struct yr_scratch {
    char path[96]; /* empty: there is none */
    int lock;
} yr_scratch;

/* @p prefix begins the directory's name: "yurpc-engine.". YURPC_IO: none could be made. */
YURPC_NODISCARD yurpc_status yr_scratch_init(yr_scratch *scratch, const char *prefix);

/* Remove it and all in it. Twice is once. */
void yr_scratch_deinit(yr_scratch *scratch);

/* rm -rf; what cannot be removed stays. */
void yr_scratch_remove(const char *path);

#endif /* YR_SCRATCH_H */
