/*
 * Unary calls: waiting for a connection, sending, repeating what may be repeated, ending.
 */
#ifndef YR_ETCD_CALL_H
#define YR_ETCD_CALL_H

#include "base/backoff.h"
#include "etcd/decode.h"
#include "etcd/etcd.h"
#include "etcd/gather.h"
#include "etcd/status_table.h"
#include "grpc/channel.h"

enum {
    YR_ETCD_CALLS_MAX = 10000,                  /* open at once */
    YR_ETCD_CALL_BYTES_MAX = 256 * 1024 * 1024, /* of their requests */
    YR_ETCD_RETRY_MS = 50,                      /* backoff between attempts */
    YR_ETCD_RETRY_MAX_MS = 1000,
    YR_ETCD_RENEWALS_MAX =
        3, /* tokens that are got for one call or watch, one after the other */
};

/* One of etcd's methods. */
typedef struct yr_method {
    const char *path;
    yr_decode_fn *decode;
    bool is_read;         /* repeating it is harmless, and not repeating it leaves no doubt */
    bool is_linearizable; /* its answer shows how far the cluster was; see history.h */
} yr_method;

typedef struct yr_call_list {
    yr_list waiting; /* for a connection, or a token */
    yr_list others;  /* sent, or waiting to be repeated */
    size_t count;
    size_t bytes; /* of their requests */
} yr_call_list;

/* A call that is about to begin. Made by methods.h, on any thread. */
typedef struct yr_call_request {
    const yr_method *method;
    yr_buf message; /* taken when the call begins */
    int64_t timeout_ms;
    bool is_idempotent;
    int64_t granted_id;     /* of a lease grant that may be repeated; see call.c */
    yr_etcd_kvs_fn *on_kvs; /* of a range that is read as it comes; else NULL */
} yr_call_request;

void yr_call_list_init(yr_call_list *calls);

/* YURPC_TOO_LARGE, YURPC_NO_MEMORY, YURPC_CLOSED. @p ret_call may be NULL. */
YURPC_NODISCARD yurpc_status yr_call_begin(yr_etcd *client, yr_call_request *request,
                                           yurpc_etcd_reply_fn *fn, void *context,
                                           yr_etcd_call **ret_call);

/* There is a channel, and a token if one is needed: send what waits. */
void yr_calls_on_up(yr_etcd *client);

/* The user is refused: so are all that wait for a token. */
void yr_calls_on_refused(yr_etcd *client);

/* A channel was closed, and the calls on it ended silently. */
void yr_calls_on_closed(yr_etcd *client, const yr_grpc_channel *channel);

/* End all with YURPC_CANCELED. */
void yr_calls_cancel_all(yr_etcd *client);

#endif /* YR_ETCD_CALL_H */
