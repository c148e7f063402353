/*
 * Puts the parts of received messages together. The place where a streaming decoder will
 * take parts as they come.
 */
#ifndef YR_ETCD_GATHER_H
#define YR_ETCD_GATHER_H

#include "base/buf.h"
#include "grpc/call.h"

typedef struct yr_gather {
    yr_buf message; /* as much of it as there is */
    bool is_whole;
} yr_gather;

/* Allocates nothing and cannot fail. */
void yr_gather_init(yr_gather *gather);
void yr_gather_deinit(yr_gather *gather);

/* Take a part; the first of a message forgets the one before. Fails as yr_buf_append(). */
YURPC_NODISCARD yurpc_status yr_gather_add(yr_gather *gather, const yr_grpc_part *part);

/* The message; borrowed until the next part. */
yurpc_bytes yr_gather_message(const yr_gather *gather);

#endif /* YR_ETCD_GATHER_H */
