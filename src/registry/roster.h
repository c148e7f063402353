/*
 * The instances of a service, ordered by node: an immutable set, from which the next one is
 * made by applying changes. Rosters are shared by reference; NULL is the empty one.
 */
#ifndef YR_REGISTRY_ROSTER_H
#define YR_REGISTRY_ROSTER_H

#include "registry/snapshot.h"

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

/* The instance at @p index, which must be less than the count. */
const yurpc_instance *yr_roster_at(const yr_roster *roster, size_t index);

/* The instance of @p node, or NULL. */
const yurpc_instance *yr_roster_find(const yr_roster *roster, yurpc_bytes node);

/* Tell what is different in @p now, in the order of nodes. */
void yr_roster_diff(const yr_roster *old, const yr_roster *now,
                    const yr_snapshot_visitor *visitor, void *context);

#endif /* YR_REGISTRY_ROSTER_H */
