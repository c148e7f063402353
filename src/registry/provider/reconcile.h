/*
 * The comparison of what is wanted with what is known, and the beginning of what is missing.
 */
#ifndef YR_REGISTRY_RECONCILE_H
#define YR_REGISTRY_RECONCILE_H

#include "registry/provider/provider.h"

/* Look at every claim in provider->todo, and begin what it needs, in batches. */
void yr_reconcile(yr_provider *provider);

/* Announce the @p count claims in @p batch, as many operations as it takes. */
void yr_reconcile_announce(yr_provider *provider, yr_list *batch, size_t count,
                           yr_announce_mode mode, bool is_draining);

#endif /* YR_REGISTRY_RECONCILE_H */
