/*
 * What each of etcd's methods is asked, as a request that is ready to be sent. These make no
 * use of a client, and may run on any thread. They fail as encode.h says.
 */
#ifndef YR_ETCD_METHODS_H
#define YR_ETCD_METHODS_H

#include "etcd/call.h"

/* Allocates nothing and cannot fail; the ones below do this first. */
void yr_call_request_init(yr_call_request *request, const yr_method *method);
void yr_call_request_deinit(yr_call_request *request);

YURPC_NODISCARD yurpc_status yr_call_request_op(yr_call_request *request,
                                                const yurpc_etcd_op *op);
YURPC_NODISCARD yurpc_status yr_call_request_txn(yr_call_request *request,
                                                 const yurpc_etcd_txn_request *txn);
YURPC_NODISCARD yurpc_status yr_call_request_compact(yr_call_request *request, int64_t revision,
                                                     const yr_etcd_call_options *options);
YURPC_NODISCARD yurpc_status yr_call_request_grant(yr_call_request *request,
                                                   const yr_etcd_grant *grant);
YURPC_NODISCARD yurpc_status yr_call_request_revoke(yr_call_request *request, int64_t id,
                                                    const yr_etcd_call_options *options);
YURPC_NODISCARD yurpc_status yr_call_request_ttl(yr_call_request *request,
                                                 const yr_etcd_lease_query *query);
void yr_call_request_status(yr_call_request *request, const yr_etcd_call_options *options);

/* What asks whether a lease exists; see call.c. */
extern const yr_method yr_method_lease_ttl;

#endif /* YR_ETCD_METHODS_H */
