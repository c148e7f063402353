/*
 * Remembers which bad values were mentioned in the log, so that each is mentioned once: its
 * writer may write it again every few seconds, and every list brings it again.
 */
#ifndef YR_REGISTRY_MENTION_H
#define YR_REGISTRY_MENTION_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { YR_MENTIONS_MAX = 1024 }; /* what is bad beyond that is only counted */

typedef struct yr_mentions {
    uint64_t seed[2];
    uint64_t *hashes;
    size_t count;
    size_t cap;
} yr_mentions;

void yr_mentions_init(yr_mentions *mentions, const uint64_t seed[2]);
void yr_mentions_deinit(yr_mentions *mentions);

/* Whether this value of @p node is to be mentioned now; from now on it was. Without memory it
 * is rather mentioned twice than never. */
bool yr_mentions_take(yr_mentions *mentions, yurpc_bytes node, yurpc_bytes value);

#endif /* YR_REGISTRY_MENTION_H */
