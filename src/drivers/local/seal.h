/*
 * Checksums over the rows of the registry's file: SQLite does not notice a flipped bit. A
 * seal covers every column that is believed.
 */
#ifndef YR_LOCAL_SEAL_H
#define YR_LOCAL_SEAL_H

#include <yurpc/bytes.h>

#include <stdint.h>

int64_t yr_local_seal_record(yurpc_bytes key, yurpc_bytes value, int64_t owner,
                             int64_t revision);
int64_t yr_local_seal_tombstone(yurpc_bytes key, int64_t revision);
int64_t yr_local_seal_state(int64_t revision, int64_t horizon);

typedef struct yr_local_seal_lease {
    int64_t id;
    int64_t process;
    int64_t deadline_ms;
    int64_t ttl_ms;
} yr_local_seal_lease;

int64_t yr_local_seal_session(const yr_local_seal_lease *lease, yurpc_bytes boot);

#endif /* YR_LOCAL_SEAL_H */
