/* The nodes of a roster's tree: for roster.c, which makes them, and roster_diff.c. */
#ifndef YR_REGISTRY_ROSTER_NODE_H
#define YR_REGISTRY_ROSTER_NODE_H

#include "base/assert.h"
#include "registry/roster.h"

#include <stdatomic.h>
#include <stdint.h>

enum { YR_ROSTER_LEVELS_MAX = 16 }; /* far above what 32 bits of instances need */

/* What every node begins with. */
struct yr_roster {
    _Alignas(void *) _Atomic uint32_t refs; /* slots follow, which are pointers */
    uint16_t level;                         /* 0: a leaf; else one more than the children's */
    uint16_t width;                         /* slots in use, 1 … YR_ROSTER_WIDTH_MAX */
    uint32_t count;                         /* instances below */
    uint32_t draining;
    uint32_t suspects;
};

typedef struct yr_roster_leaf {
    yr_roster head;
    const yurpc_instance *instances[];
} yr_roster_leaf;

typedef struct yr_roster_branch {
    const yr_roster *child;
    const yurpc_instance *first; /* the child's first, at hand for searching; borrowed */
} yr_roster_branch;

typedef struct yr_roster_inner {
    yr_roster head;
    uint32_t ends[YR_ROSTER_WIDTH_MAX]; /* instances in a branch and those before it; UINT32_MAX
                                           where there is no branch */
    yr_roster_branch branches[];
} yr_roster_inner;

static inline const yr_roster_leaf *yr_roster_as_leaf(const yr_roster *node)
{
    YR_ASSERT(node->level == 0);
    return (const yr_roster_leaf *)node;
}

static inline const yr_roster_inner *yr_roster_as_inner(const yr_roster *node)
{
    YR_ASSERT(node->level > 0);
    return (const yr_roster_inner *)node;
}

#endif /* YR_REGISTRY_ROSTER_NODE_H */
