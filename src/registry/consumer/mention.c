#include "registry/consumer/mention.h"

#include "base/mem.h"
#include "base/siphash.h"

enum { CAP_MIN = 8 };

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

static bool reserve(yr_mentions *mentions)
{
    if (mentions->count < mentions->cap) {
        return true;
    }
    size_t cap = mentions->cap > 0 ? mentions->cap * 2 : CAP_MIN;
    uint64_t *hashes = yr_realloc(mentions->hashes, cap * sizeof *hashes);
    if (hashes == NULL) {
        return false;
    }
    mentions->hashes = hashes;
    mentions->cap = cap;
    return true;
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
    if (reserve(mentions)) {
        mentions->hashes[mentions->count++] = hash;
    }
    return true;
}
