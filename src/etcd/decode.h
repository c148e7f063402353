/*
 * Answers of etcd from bytes.
 *
 * All that belongs to one message lives in one arena, whose ceiling grows with the message, so
 * that a hostile one cannot make much out of little. Each function fails with YURPC_PROTOCOL
 * (that is not such a message), YURPC_TOO_LARGE or YURPC_NO_MEMORY.
 */
#ifndef YR_ETCD_DECODE_H
#define YR_ETCD_DECODE_H

#include "base/arena.h"
#include "etcd/history.h"

#include <yurpc/etcd_data.h>

/* A reply and its memory. */
typedef struct yr_reply {
    yr_arena arena;
    bool *ret_detached; /* told when its receiver keeps it, who may then free it at any time */
    yurpc_etcd_reply reply;
} yr_reply;

/* An empty one, whose arena may grow to @p size_max. NULL: no memory. */
yr_reply *yr_reply_new(size_t size_max);

/* NULL is allowed. */
void yr_reply_free(yr_reply *reply);

/* The receiver of a callback keeps @p reply; see yurpc_etcd_reply_detach(). */
yurpc_etcd_reply *yr_reply_detach(const yurpc_etcd_reply *reply);

/* The box around what a callback was given. Only for whole replies, not for those in a txn. */
yr_reply *yr_reply_of(const yurpc_etcd_reply *reply);

/* The part of @p reply that tells where it comes from. */
yr_header yr_reply_header(const yurpc_etcd_reply *reply);

typedef yurpc_status yr_decode_fn(yurpc_bytes message, yr_reply **ret_reply);

yr_decode_fn yr_decode_range;
yr_decode_fn yr_decode_put;
yr_decode_fn yr_decode_delete;
yr_decode_fn yr_decode_txn;
yr_decode_fn yr_decode_compact;
yr_decode_fn yr_decode_lease_grant;
yr_decode_fn yr_decode_lease_revoke;
yr_decode_fn yr_decode_lease_ttl;
yr_decode_fn yr_decode_status;

typedef struct yr_keepalive_answer {
    yr_header header;
    int64_t id;
    int64_t ttl_s; /* 0: there is no such lease */
} yr_keepalive_answer;

YURPC_NODISCARD yurpc_status yr_decode_keepalive(yurpc_bytes message,
                                                 yr_keepalive_answer *ret_answer);

/*
 * The token of an AuthenticateResponse, to be given to yr_secret_free(). YURPC_PROTOCOL also
 * for one that is empty, longer than YR_SECRET_LEN_MAX, or no value of a header.
 */
YURPC_NODISCARD yurpc_status yr_decode_authenticate(yurpc_bytes message, char **ret_token);

/* One message of a watch stream. */
typedef struct yr_watch_message yr_watch_message;
struct yr_watch_message {
    yr_watch_message *next; /* for the receiver's use */
    yr_arena arena;
    yr_header header;
    int64_t watch_id; /* -1: of a watch that could not be made, or of all */
    bool is_created;
    bool is_canceled;
    bool is_fragment; /* the next message goes on with the same revision */
    int64_t compact_revision;
    const char *reason; /* of the cancel; may be "" */
    yurpc_etcd_event *events;
    size_t event_count;
};

YURPC_NODISCARD yurpc_status yr_decode_watch(yurpc_bytes message,
                                             yr_watch_message **ret_message);

/* NULL is allowed. */
void yr_watch_message_free(yr_watch_message *message);

#endif /* YR_ETCD_DECODE_H */
