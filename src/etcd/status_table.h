/*
 * What a failure that etcd reports means: the one table {gRPC code, etcd's text} -> status.
 */
#ifndef YR_ETCD_STATUS_TABLE_H
#define YR_ETCD_STATUS_TABLE_H

#include <yurpc/status.h>

#include <stdbool.h>

/* What helps. */
typedef enum yr_remedy {
    YR_REMEDY_NONE,   /* nothing: whoever asked has to know */
    YR_REMEDY_RETRY,  /* the same again, here or at another member */
    YR_REMEDY_LOG_IN, /* another token, and then the same again; see auth.h */
    YR_REMEDY_GRANT,  /* another lease: the status tells (LEASE_LOST) */
    YR_REMEDY_LIST,   /* reading everything anew: the status tells (COMPACTED) */
} yr_remedy;

typedef struct yr_etcd_verdict {
    yurpc_status status;
    bool is_rejected; /* the request has certainly changed nothing */
    yr_remedy remedy;
} yr_etcd_verdict;

/* Of a call that ended with @p code (not 0) and @p text. */
yr_etcd_verdict yr_etcd_verdict_of_end(int code, const char *text);

/*
 * Of the cancel_reason of a watch, in which a gRPC code may be spelled out. Some versions say
 * there that permission was denied when the token has expired, so this has a remedy there.
 */
yr_etcd_verdict yr_etcd_verdict_of_reason(const char *reason);

#endif /* YR_ETCD_STATUS_TABLE_H */
