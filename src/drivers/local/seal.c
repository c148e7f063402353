#include "drivers/local/seal.h"

#include "base/bytes.h"
#include "base/siphash.h"

/* Different kinds of rows never have the same seal by having the same contents. */
enum { KIND_RECORD = 1, KIND_TOMBSTONE = 2, KIND_STATE = 3, KIND_SESSION = 4 };

/* Continue the seal @p before with @p word and @p bytes. */
static uint64_t extend(uint64_t before, int64_t word, yurpc_bytes bytes)
{
    const uint64_t seed[2] = {before, (uint64_t)word};
    return yr_siphash(seed, bytes);
}

int64_t yr_local_seal_record(yurpc_bytes key, yurpc_bytes value, int64_t owner,
                             int64_t revision)
{
    uint64_t seal = extend(KIND_RECORD, owner, key);
    return (int64_t)extend(seal, revision, value);
}

int64_t yr_local_seal_tombstone(yurpc_bytes key, int64_t revision)
{
    return (int64_t)extend(KIND_TOMBSTONE, revision, key);
}

int64_t yr_local_seal_state(int64_t revision, int64_t horizon)
{
    return (int64_t)extend(KIND_STATE, revision, yr_bytes(&horizon, sizeof horizon));
}

int64_t yr_local_seal_session(const yr_local_seal_lease *lease, yurpc_bytes boot)
{
    uint64_t seal = extend(KIND_SESSION, 0, yr_bytes(lease, sizeof *lease));
    return (int64_t)extend(seal, 0, boot);
}
