/*
 * What is known of our claims: how the results of operations, and what is heard of our own
 * keys, change it. Nothing is begun here; the claims are marked for the reconciler.
 */
#ifndef YR_REGISTRY_BELIEF_H
#define YR_REGISTRY_BELIEF_H

#include "registry/provider/provider.h"

/* A guard heard of @p claim's node; @p fact NULL: it is absent. @p context is the provider. */
void yr_belief_heard(void *context, yr_claim *claim, const yr_fact *fact);

/* An announcement of the value, under the session @p session_id, ended. */
void yr_belief_announced(yr_provider *provider, yr_claim *claim, int64_t session_id,
                         yurpc_status status, const yurpc_error *error);

/* An announcement of the draining value ended. */
void yr_belief_drained(yr_provider *provider, yr_claim *claim, int64_t session_id,
                       yurpc_status status, const yurpc_error *error);

/* The same, while closing. */
void yr_belief_parted(yr_provider *provider, yr_claim *claim, int64_t session_id,
                      yurpc_status status, const yurpc_error *error);

/* A withdrawal ended. */
void yr_belief_withdrawn(yr_provider *provider, yr_claim *claim, yurpc_status status,
                         const yurpc_error *error);

#endif /* YR_REGISTRY_BELIEF_H */
