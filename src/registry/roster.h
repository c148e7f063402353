/*
 * The instances of a service, ordered by node: an immutable set, from which the next one is
 * made by applying changes. Rosters are shared by reference; NULL is the empty one.
 *
 * A roster is a B+ tree whose nodes are shared between old and new ("path copying"): a change
 * costs O(log n) nodes of at most YR_ROSTER_WIDTH_MAX slots each, and two rosters are compared
 * without looking into what they share.
 *
 * Source of the technique: Driscoll, Sarnak, Sleator, Tarjan, "Making data structures
 * persistent", 1989.
 */
#ifndef YR_REGISTRY_ROSTER_H
#define YR_REGISTRY_ROSTER_H

#include "registry/snapshot.h"

enum { YR_ROSTER_WIDTH_MAX = 32 };

typedef struct yr_roster yr_roster;

/* What yr_snapshot_apply() does, of @p old (borrowed) and changes. YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_roster_apply(const yr_roster *old,
                                             const yr_snapshot_change *changes, size_t count,
                                             const yr_roster **ret_roster);

const yr_roster *yr_roster_ref(const yr_roster *roster);
void yr_roster_unref(const yr_roster *roster);

size_t yr_roster_count(const yr_roster *roster);

/* How many of them are draining. */
size_t yr_roster_count_draining(const yr_roster *roster);

/* How many of them are suspect: others than those that are draining. */
size_t yr_roster_count_suspects(const yr_roster *roster);

/* The instance at @p index, which must be less than the count. */
const yurpc_instance *yr_roster_at(const yr_roster *roster, size_t index);

/* Which instances are counted. */
typedef enum yr_roster_kind {
    YR_ROSTER_ALL,
    YR_ROSTER_ORDINARY, /* neither of the next two */
    YR_ROSTER_DRAINING,
    YR_ROSTER_SUSPECT,
} yr_roster_kind;

/* A piece of a roster, which lives as long: instances side by side. */
typedef struct yr_roster_run {
    const yurpc_instance *const *next;
    const yurpc_instance *const *end;
} yr_roster_run;

/* From the instance that is number @p index among those of @p kind, of which there must be
 * more, to wherever its leaf ends. */
yr_roster_run yr_roster_seek(const yr_roster *roster, yr_roster_kind kind, size_t index);

/* The instance of @p node, or NULL. */
const yurpc_instance *yr_roster_find(const yr_roster *roster, yurpc_bytes node);

/* Tell what is different in @p now, in the order of nodes. */
void yr_roster_diff(const yr_roster *old, const yr_roster *now,
                    const yr_snapshot_visitor *visitor, void *context);

/* For tests: whether the whole tree is in order. */
bool yr_roster_check(const yr_roster *roster);

#endif /* YR_REGISTRY_ROSTER_H */
