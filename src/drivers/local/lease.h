/*
 * Sessions in the registry's file. A session lives as long as its row is there and sound, is
 * of this boot, has not passed its deadline, and its process holds the session's lock.
 *
 * A dead session is removed by whoever notices first, with its records.
 */
#ifndef YR_LOCAL_LEASE_H
#define YR_LOCAL_LEASE_H

#include "drivers/local/record.h"
#include "drivers/local/store.h"

/* The dead that could not be removed, because the file cannot be written for now. */
typedef struct yr_local_dead {
    int64_t *ids; /* ascending */
    size_t count;
    size_t cap;
} yr_local_dead;

void yr_local_dead_deinit(yr_local_dead *dead);

/*
 * Look who is dead, and remove them. If only that fails, the status is YURPC_OK, *@p ret_dead
 * names them, and others must not be told of their records. Replaces what it held.
 */
YURPC_NODISCARD yurpc_status yr_local_lease_reap(yr_local_store *store, yr_local_dead *ret_dead,
                                                 yurpc_error **ret_error);

/* Once after opening: remove what no living session stands behind: records, and lock files. */
YURPC_NODISCARD yurpc_status yr_local_lease_tidy(yr_local_store *store,
                                                 yurpc_error **ret_error);

/* Make the session @p id and its lock. */
YURPC_NODISCARD yurpc_status yr_local_lease_open(yr_local_store *store, int64_t id,
                                                 int64_t ttl_ms, int *ret_lock_fd,
                                                 yurpc_error **ret_error);

/* Move its deadline. YURPC_LEASE_LOST: it is dead. */
YURPC_NODISCARD yurpc_status yr_local_lease_renew(yr_local_store *store, int64_t id,
                                                  int64_t ttl_ms, yurpc_error **ret_error);

/* Remove it with its records; then its lock. The lock goes even if the rest fails. */
YURPC_NODISCARD yurpc_status yr_local_lease_end(yr_local_store *store, int64_t id, int lock_fd,
                                                yurpc_error **ret_error);

/* Inside a transaction: YURPC_LEASE_LOST when @p id does not live. */
YURPC_NODISCARD yurpc_status yr_local_lease_check(yr_local_store *store, int64_t id,
                                                  yurpc_error **ret_error);

#endif /* YR_LOCAL_LEASE_H */
