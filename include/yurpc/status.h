/**
 * @file
 * Result codes. Every fallible function in this library returns a yurpc_status.
 */
#ifndef YURPC_STATUS_H
#define YURPC_STATUS_H

#include <yurpc/export.h>

YURPC_BEGIN_DECLS

/* clang-format off */
/** The one list of status codes: XX(name, value, text). */
#define YURPC_STATUS_MAP(XX)                                                             \
    XX(OK,                0, "success")                                                  \
    XX(INVALID,          -1, "invalid argument")                                         \
    XX(NO_MEMORY,        -2, "out of memory")                                            \
    XX(TOO_LARGE,        -3, "a configured limit was exceeded")                          \
    XX(PROTOCOL,         -4, "the peer violated the protocol")                           \
    XX(UNAVAILABLE,      -5, "the registry cannot be reached")                           \
    XX(TIMEOUT,          -6, "the deadline passed; a write may have happened or not")    \
    XX(CANCELED,         -7, "the operation was cancelled")                              \
    XX(CLOSED,           -8, "the handle is closed")                                     \
    XX(NOT_FOUND,        -9, "no such object")                                           \
    XX(EXISTS,          -10, "the object exists already")                                \
    XX(CONFLICT,        -11, "another owner holds the object")                           \
    XX(LEASE_LOST,      -12, "the lease does not exist any more")                        \
    XX(COMPACTED,       -13, "the requested revision was compacted away")                \
    XX(EXHAUSTED,       -14, "the server refuses for lack of resources")                 \
    XX(UNAUTHENTICATED, -15, "the credentials are missing, wrong or expired")            \
    XX(DENIED,          -16, "permission denied")                                        \
    XX(TLS,             -17, "the secure connection was refused")                        \
    XX(UNSUPPORTED,     -18, "not supported here")                                       \
    XX(IO,              -19, "a local file or system call failed")                       \
    XX(CORRUPT,         -20, "stored data is damaged")                                   \
    XX(WOULD_DEADLOCK,  -21, "a blocking call was made on the loop thread")              \
    XX(FORKED,          -22, "the handle belongs to the parent process")                 \
    XX(UNKNOWN_OUTCOME, -23, "the connection broke; a write may have happened or not")   \
    XX(REMOTE,          -24, "the server reported an error")
/* clang-format on */

/** Result of an operation: zero on success, negative on failure. */
typedef enum yurpc_status {
#define XX(name, value, text) YURPC_##name = (value),
    YURPC_STATUS_MAP(XX)
#undef XX
} yurpc_status;

/** Symbolic name of @p status, for example "YURPC_PROTOCOL". Never NULL. */
YURPC_API const char *yurpc_status_name(yurpc_status status);

/** One-line English description of @p status. Never NULL. */
YURPC_API const char *yurpc_status_text(yurpc_status status);

YURPC_END_DECLS

#endif /* YURPC_STATUS_H */
