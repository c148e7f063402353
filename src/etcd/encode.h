/*
 * Requests to etcd as bytes. Each function appends one message to @p out, or nothing and
 * fails: YURPC_INVALID (the request makes no sense), YURPC_TOO_LARGE, YURPC_NO_MEMORY.
 */
#ifndef YR_ETCD_ENCODE_H
#define YR_ETCD_ENCODE_H

#include "base/buf.h"
#include "etcd/etcd.h"

enum { YR_ETCD_REQUEST_MAX = 16 * 1024 * 1024 }; /* bytes; etcd's own default is 1.5 MiB */

/* As the request of its own method: RangeRequest, PutRequest or DeleteRangeRequest. */
YURPC_NODISCARD yurpc_status yr_encode_op(const yurpc_etcd_op *op, yr_buf *out);
YURPC_NODISCARD yurpc_status yr_encode_txn(const yurpc_etcd_txn_request *txn, yr_buf *out);
YURPC_NODISCARD yurpc_status yr_encode_compact(int64_t revision, yr_buf *out);

YURPC_NODISCARD yurpc_status yr_encode_lease_grant(int64_t id, int64_t ttl_s, yr_buf *out);
YURPC_NODISCARD yurpc_status yr_encode_lease_revoke(int64_t id, yr_buf *out);
YURPC_NODISCARD yurpc_status yr_encode_lease_ttl(int64_t id, bool has_keys, yr_buf *out);
YURPC_NODISCARD yurpc_status yr_encode_lease_keepalive(int64_t id, yr_buf *out);

/* The options' start_revision is not used, @p start_revision is. */
YURPC_NODISCARD yurpc_status yr_encode_watch_create(int64_t watch_id, int64_t start_revision,
                                                    const yr_etcd_watch_options *options,
                                                    yr_buf *out);
/* @p out is to be wiped; nothing else holds the password afterwards. */
YURPC_NODISCARD yurpc_status yr_encode_authenticate(const char *username, const char *password,
                                                    yr_buf *out);

YURPC_NODISCARD yurpc_status yr_encode_watch_cancel(int64_t watch_id, yr_buf *out);
YURPC_NODISCARD yurpc_status yr_encode_watch_progress(yr_buf *out);

#endif /* YR_ETCD_ENCODE_H */
