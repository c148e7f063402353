#include "etcd/status_table.h"

#include "grpc/call.h"

#include <stddef.h>
#include <string.h>

enum { ANY = -1 };

typedef struct table_row {
    const char *text; /* a part of the message; NULL: whatever it says */
    int code;         /* gRPC's, or ANY */
    yr_etcd_verdict verdict;
} table_row;

/*
 * The first row that fits counts. Texts are those of etcd's api/v3rpc/rpctypes; they stand
 * before the codes because etcd changes codes between patch releases, and repeats the texts in
 * the cancel_reason of watches, where there is no code.
 */
static const table_row table[] = {
    {"requested lease not found", ANY, {YURPC_LEASE_LOST, true, YR_REMEDY_GRANT}},
    {"lease already exists", ANY, {YURPC_EXISTS, true, YR_REMEDY_NONE}},
    {"too large lease TTL", ANY, {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {"has been compacted", ANY, {YURPC_COMPACTED, true, YR_REMEDY_LIST}},
    {"is a future revision", ANY, {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {"watcher range is empty", ANY, {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {"duplicate watch ID", ANY, {YURPC_PROTOCOL, true, YR_REMEDY_NONE}},
    {"request is too large", ANY, {YURPC_TOO_LARGE, true, YR_REMEDY_NONE}},
    {"too many operations in txn", ANY, {YURPC_TOO_LARGE, true, YR_REMEDY_NONE}},
    {"received message larger than max", ANY, {YURPC_TOO_LARGE, true, YR_REMEDY_NONE}},
    {"database space exceeded", ANY, {YURPC_EXHAUSTED, true, YR_REMEDY_NONE}},
    {"too many requests", ANY, {YURPC_EXHAUSTED, true, YR_REMEDY_NONE}},
    {"user name is empty", ANY, {YURPC_UNAUTHENTICATED, true, YR_REMEDY_LOG_IN}},
    {"revision of auth store is old", ANY, {YURPC_UNAUTHENTICATED, true, YR_REMEDY_LOG_IN}},
    {"authentication failed", ANY, {YURPC_UNAUTHENTICATED, true, YR_REMEDY_NONE}},
    {"invalid auth token", ANY, {YURPC_UNAUTHENTICATED, true, YR_REMEDY_LOG_IN}},
    {"authentication is not enabled", ANY, {YURPC_UNSUPPORTED, true, YR_REMEDY_NONE}},
    {"permission denied", ANY, {YURPC_DENIED, true, YR_REMEDY_NONE}},
    {"no leader", ANY, {YURPC_UNAVAILABLE, true, YR_REMEDY_RETRY}},
    {"request timed out", ANY, {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {"leader changed", ANY, {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {"server stopped", ANY, {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {"context deadline exceeded", ANY, {YURPC_TIMEOUT, false, YR_REMEDY_RETRY}},

    /* The server is going down. */
    {NULL, YR_GRPC_CANCELLED, {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {NULL, YR_GRPC_UNKNOWN, {YURPC_REMOTE, false, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_INVALID_ARGUMENT, {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_DEADLINE_EXCEEDED, {YURPC_TIMEOUT, false, YR_REMEDY_RETRY}},
    {NULL, YR_GRPC_NOT_FOUND, {YURPC_NOT_FOUND, true, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_ALREADY_EXISTS, {YURPC_EXISTS, true, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_PERMISSION_DENIED, {YURPC_DENIED, true, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_RESOURCE_EXHAUSTED, {YURPC_EXHAUSTED, false, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_FAILED_PRECONDITION, {YURPC_REMOTE, true, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_ABORTED, {YURPC_REMOTE, false, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_OUT_OF_RANGE, {YURPC_INVALID, true, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_UNIMPLEMENTED, {YURPC_UNSUPPORTED, true, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_INTERNAL, {YURPC_REMOTE, false, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_UNAVAILABLE, {YURPC_UNAVAILABLE, false, YR_REMEDY_RETRY}},
    {NULL, YR_GRPC_DATA_LOSS, {YURPC_CORRUPT, false, YR_REMEDY_NONE}},
    {NULL, YR_GRPC_UNAUTHENTICATED, {YURPC_UNAUTHENTICATED, true, YR_REMEDY_LOG_IN}},
    {NULL, ANY, {YURPC_REMOTE, false, YR_REMEDY_NONE}},
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
