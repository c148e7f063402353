#include "registry/consumer/mention.h"

#include "base/mem.h"
#include "base/siphash.h"

void yr_mentions_init(yr_mentions *mentions, const uint64_t seed[2])
{
    *mentions = (yr_mentions){.seed = {seed[0], seed[1]}};
}

void yr_mentions_deinit(yr_mentions *mentions)
{
    yr_free(mentions->hashes);
    mentions->hashes = NULL;
    mentions->count = 0;
    mentions->cap = 0;
}

bool yr_mentions_take(yr_mentions *mentions, yurpc_bytes node, yurpc_bytes value)
{
    uint64_t of_node = yr_siphash(mentions->seed, node);
    const uint64_t seed[2] = {mentions->seed[0], of_node};
    uint64_t hash = yr_siphash(seed, value);
    for (size_t i = 0; i < mentions->count; i++) {
        if (mentions->hashes[i] == hash) {
            return false;
        }
    }
    if (mentions->count == YR_MENTIONS_MAX) {
        return false;
    }
    uint64_t *hashes =
        yr_grow(mentions->hashes, mentions->count, &mentions->cap, sizeof *hashes);
    if (hashes != NULL) {
        mentions->hashes = hashes;
        hashes[mentions->count++] = hash;
    }
    return true;
}
