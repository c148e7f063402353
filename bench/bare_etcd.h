/*
 * The few requests to etcd that the yardsticks make, encoded by hand.
 */
#ifndef YR_BARE_ETCD_H
#define YR_BARE_ETCD_H

#include <yurpc/bytes.h>

#include <stddef.h>
#include <stdint.h>

#define YR_PATH_RANGE  "/etcdserverpb.KV/Range"
#define YR_PATH_PUT    "/etcdserverpb.KV/Put"
#define YR_PATH_TXN    "/etcdserverpb.KV/Txn"
#define YR_PATH_GRANT  "/etcdserverpb.Lease/LeaseGrant"
#define YR_PATH_REVOKE "/etcdserverpb.Lease/LeaseRevoke"
#define YR_PATH_WATCH  "/etcdserverpb.Watch/Watch"

enum { YR_MESSAGE_SIZE = 48 * 1024, YR_TXN_OPS_MAX = 128 };

/* A request being written. What does not fit makes it useless: the sizes here are known. */
typedef struct yr_message {
    size_t len;
    uint8_t data[YR_MESSAGE_SIZE];
} yr_message;

/* Each clears the message first, and gives it. The prefix is that of all works (names.h). */
yurpc_bytes yr_message_range(yr_message *message);
yurpc_bytes yr_message_range_one(yr_message *message, size_t index);
yurpc_bytes yr_message_watch(yr_message *message);
yurpc_bytes yr_message_put(yr_message *message, size_t index, unsigned weight, int64_t lease);
yurpc_bytes yr_message_grant(yr_message *message, int64_t lease, int64_t ttl_s);
yurpc_bytes yr_message_revoke(yr_message *message, int64_t lease);

/* Puts of instances @p first and on, at most YR_TXN_OPS_MAX. */
yurpc_bytes yr_message_txn(yr_message *message, size_t first, size_t count, int64_t lease);

#endif /* YR_BARE_ETCD_H */
