/*
 * Batches of claims on their way to the registry: one operation of the driver for many claims.
 */
#ifndef YR_REGISTRY_ANNOUNCING_H
#define YR_REGISTRY_ANNOUNCING_H

#include "registry/provider/provider.h"

enum { YR_ANNOUNCE_BATCH_MAX = 4096 };

/* How an operation on one claim ended; @p session_id is the session it ran under. */
typedef void yr_claim_done_fn(yr_provider *provider, yr_claim *claim, int64_t session_id,
                              yurpc_status status, const yurpc_error *error);

/*
 * Announce the claims in @p batch (linked by claim->link; they move to provider->rest), or,
 * with @p is_draining, put their draining values. YURPC_NO_MEMORY: nothing was begun and the
 * claims are back in provider->todo.
 */
YURPC_NODISCARD yurpc_status yr_announcing_begin(yr_provider *provider, yr_list *batch,
                                                 size_t count, yr_announce_mode mode,
                                                 bool is_draining, yr_claim_done_fn *done);

#endif /* YR_REGISTRY_ANNOUNCING_H */
