/*
 * What a failure that etcd reports means: the one table {gRPC code, etcd's text} -> status.
 */
#ifndef YR_ETCD_STATUS_TABLE_H
#define YR_ETCD_STATUS_TABLE_H

#include <yurpc/status.h>

#include <stdbool.h>

typedef struct yr_etcd_verdict {
    yurpc_status status;
    bool is_rejected; /* the request has certainly changed nothing */
} yr_etcd_verdict;

/* Of a call that ended with @p code (not 0) and @p text. */
yr_etcd_verdict yr_etcd_verdict_of_end(int code, const char *text);

/* Of the cancel_reason of a watch, in which a gRPC code may be spelled out. */
yr_etcd_verdict yr_etcd_verdict_of_reason(const char *reason);

#endif /* YR_ETCD_STATUS_TABLE_H */
