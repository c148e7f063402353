#include "etcd/status_table.h"

#include "grpc/call.h"

#include <stddef.h>
#include <string.h>

enum { ANY = -1 };

typedef struct table_row {
    int code;         /* gRPC's, or ANY */
    const char *text; /* a part of the message; NULL: whatever it says */
    yr_etcd_verdict verdict;
} table_row;

/*
 * The first row that fits counts. Texts are those of etcd's api/v3rpc/rpctypes; they stand
 * before the codes because etcd changes codes between patch releases, and repeats the texts in
 * the cancel_reason of watches, where there is no code.
 */
static const table_row table[] = {
    {ANY, "requested lease not found", {YURPC_LEASE_LOST, true, YR_REMEDY_GRANT}},
    {ANY, "lease already exists", {YURPC_EXISTS, true, YR_REMEDY_NONE}},
    {ANY, "too large lease TTL", {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {ANY, "has been compacted", {YURPC_COMPACTED, true, YR_REMEDY_LIST}},
    {ANY, "is a future revision", {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {ANY, "watcher range is empty", {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {ANY, "duplicate watch ID", {YURPC_PROTOCOL, true, YR_REMEDY_NONE}},
    {ANY, "request is too large", {YURPC_TOO_LARGE, true, YR_REMEDY_NONE}},
    {ANY, "too many operations in txn", {YURPC_TOO_LARGE, true, YR_REMEDY_NONE}},
    {ANY, "received message larger than max", {YURPC_TOO_LARGE, true, YR_REMEDY_NONE}},
    {ANY, "database space exceeded", {YURPC_EXHAUSTED, true, YR_REMEDY_NONE}},
    {ANY, "too many requests", {YURPC_EXHAUSTED, true, YR_REMEDY_NONE}},
    {ANY, "user name is empty", {YURPC_UNAUTHENTICATED, true, YR_REMEDY_LOG_IN}},
    {ANY, "revision of auth store is old", {YURPC_UNAUTHENTICATED, true, YR_REMEDY_LOG_IN}},
    {ANY, "authentication failed", {YURPC_UNAUTHENTICATED, true, YR_REMEDY_NONE}},
    {ANY, "invalid auth token", {YURPC_UNAUTHENTICATED, true, YR_REMEDY_LOG_IN}},
    {ANY, "authentication is not enabled", {YURPC_UNSUPPORTED, true, YR_REMEDY_NONE}},
    {ANY, "permission denied", {YURPC_DENIED, true, YR_REMEDY_NONE}},
    {ANY, "no leader", {YURPC_UNAVAILABLE, true, YR_REMEDY_RETRY}},
    {ANY, "request timed out", {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {ANY, "leader changed", {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {ANY, "server stopped", {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {ANY, "context deadline exceeded", {YURPC_TIMEOUT, false, YR_REMEDY_RETRY}},

    {YR_GRPC_CANCELLED,
     NULL,
     {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}}, /* the server is going down */
    {YR_GRPC_UNKNOWN, NULL, {YURPC_REMOTE, false, YR_REMEDY_NONE}},
    {YR_GRPC_INVALID_ARGUMENT, NULL, {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {YR_GRPC_DEADLINE_EXCEEDED, NULL, {YURPC_TIMEOUT, false, YR_REMEDY_RETRY}},
    {YR_GRPC_NOT_FOUND, NULL, {YURPC_NOT_FOUND, true, YR_REMEDY_NONE}},
    {YR_GRPC_ALREADY_EXISTS, NULL, {YURPC_EXISTS, true, YR_REMEDY_NONE}},
    {YR_GRPC_PERMISSION_DENIED, NULL, {YURPC_DENIED, true, YR_REMEDY_NONE}},
    {YR_GRPC_RESOURCE_EXHAUSTED, NULL, {YURPC_EXHAUSTED, false, YR_REMEDY_NONE}},
    {YR_GRPC_FAILED_PRECONDITION, NULL, {YURPC_REMOTE, true, YR_REMEDY_NONE}},
    {YR_GRPC_ABORTED, NULL, {YURPC_REMOTE, false, YR_REMEDY_NONE}},
    {YR_GRPC_OUT_OF_RANGE, NULL, {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {YR_GRPC_UNIMPLEMENTED, NULL, {YURPC_UNSUPPORTED, true, YR_REMEDY_NONE}},
    {YR_GRPC_INTERNAL, NULL, {YURPC_REMOTE, false, YR_REMEDY_NONE}},
    {YR_GRPC_UNAVAILABLE, NULL, {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {YR_GRPC_DATA_LOSS, NULL, {YURPC_CORRUPT, false, YR_REMEDY_NONE}},
    {YR_GRPC_UNAUTHENTICATED, NULL, {YURPC_UNAUTHENTICATED, true, YR_REMEDY_LOG_IN}},
    {ANY, NULL, {YURPC_REMOTE, false, YR_REMEDY_NONE}},
};

enum { ROW_COUNT = sizeof table / sizeof table[0] };

yr_etcd_verdict yr_etcd_verdict_of_end(int code, const char *text)
{
    size_t i = 0;
    while (i < ROW_COUNT - 1 &&
           ((table[i].code != ANY && table[i].code != code) ||
            (table[i].text != NULL && strstr(text, table[i].text) == NULL))) {
        i++;
    }
    return table[i].verdict;
}

/* As Go's codes.Code prints them; "" has no name worth knowing. */
static const char *const code_names[] = {
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
};

static yr_etcd_verdict verdict_of_reason(const char *reason)
{
    static const char start[] = "rpc error: code = ";
    if (strncmp(reason, start, sizeof start - 1) != 0) {
        return yr_etcd_verdict_of_end(YR_GRPC_UNKNOWN, reason);
    }
    const char *name = reason + sizeof start - 1;
    size_t len = strcspn(name, " ");
    for (int code = 0; code <= YR_GRPC_UNAUTHENTICATED; code++) {
        if (strlen(code_names[code]) == len && strncmp(code_names[code], name, len) == 0) {
            return yr_etcd_verdict_of_end(code, reason);
        }
    }
    return yr_etcd_verdict_of_end(YR_GRPC_UNKNOWN, reason);
}

yr_etcd_verdict yr_etcd_verdict_of_reason(const char *reason)
{
    yr_etcd_verdict verdict = verdict_of_reason(reason);
    if (verdict.status == YURPC_DENIED) {
        verdict.remedy = YR_REMEDY_LOG_IN;
    }
    return verdict;
}
