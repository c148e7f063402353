/*
 * Watches the nodes that we claim, so that a key which was deleted, overwritten or taken by
 * another process is noticed at once: a keepalive that succeeds proves nothing about keys.
 *
 * One follow per service: of the very node while there is one claim, of the whole service
 * when there are more: as soon as none was added for 50 ms, at the latest after 2 s. Every few
 * minutes all of them list anew, because watches may lie.
 */
#ifndef YR_REGISTRY_GUARD_H
#define YR_REGISTRY_GUARD_H

#include "registry/core.h"
#include "registry/provider/claim.h"

/* What is heard of a claimed node; NULL: it is absent. May not free claims. */
typedef void yr_heard_fn(void *context, yr_claim *claim, const yr_fact *fact);

typedef struct yr_guards {
    yr_core *core;
    const yr_map *claims; /* by "service/node" */
    yr_map by_service;
    yr_heard_fn *heard;
    void *context;
    yr_timer reconcile_timer;
    bool is_closed; /* nothing is watched any more, nor will be */
} yr_guards;

/* @p claims, by "service/node", is borrowed: where a claim is found for a fact. */
void yr_guards_init(yr_guards *guards, yr_core *core, const yr_map *claims, yr_heard_fn *heard,
                    void *context);

/* Stops all; the claims must be gone or stay unguarded. */
void yr_guards_deinit(yr_guards *guards);

/* Begin to watch @p claim's node, if nobody does. YURPC_NO_MEMORY and the driver's errors: try
 * again later. */
YURPC_NODISCARD yurpc_status yr_guards_add(yr_guards *guards, yr_claim *claim);

/*
 * @p claim's node was just put: a list that does not name it may be from before. Then another
 * is asked for.
 */
void yr_guards_excuse(yr_claim *claim);

/* Stop watching it. */
void yr_guards_remove(yr_guards *guards, yr_claim *claim);

/* What is believed of @p claim is in doubt: have the registry say it again. */
void yr_guards_ask(yr_guards *guards, yr_claim *claim);

#endif /* YR_REGISTRY_GUARD_H */
