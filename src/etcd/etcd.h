/*
 * The etcd v3 client, on the loop of a yr_io. The thread-safe one for users, <yurpc/etcd.h>,
 * is a layer over this.
 *
 * Rules:
 *  - Everything is loop-only. Callbacks never run inside the call that caused them; any
 *    function may be called inside any callback.
 *  - A call, a keepalive and a watch each have one last callback. The handle lives until that
 *    callback returns, or until it is cancelled, stopped or closed, which is silent: then no
 *    callback follows. When beginning one fails (NO_MEMORY, TOO_LARGE, INVALID), there is no
 *    handle and no callback.
 *  - What comes with a callback is borrowed for the callback; what is given to a function is
 *    copied.
 *  - The client is on one endpoint at a time and reconnects by itself. Calls wait for a
 *    connection within their deadline.
 *
 * What is repeated: a call that certainly was not processed, always; one whose outcome is
 * unknown only when it is idempotent (reads are; of writes the caller says so), and else it
 * fails with YURPC_UNKNOWN_OUTCOME, or YURPC_TIMEOUT at its deadline.
 */
#ifndef YR_ETCD_ETCD_H
#define YR_ETCD_ETCD_H

#include "base/log.h"
#include "net/io.h"

#include <yurpc/etcd_data.h>

typedef struct yr_etcd yr_etcd;
typedef struct yr_etcd_call yr_etcd_call;
typedef struct yr_etcd_keepalive yr_etcd_keepalive;
typedef struct yr_etcd_watch yr_etcd_watch;

/* ---- The client ---- */

typedef struct yr_etcd_events {
    /*
     * The connection came (error NULL) or went. Only changes are reported; a client begins as
     * gone. An endpoint that cannot be reached at first is reported once, too; so is it when
     * TLS is refused (YURPC_TLS) after other failures. A user whom etcd refuses has no
     * connection; each such refusal (YURPC_UNAUTHENTICATED) that follows a success or another
     * failure is reported. May be NULL.
     */
    void (*on_connection)(void *context, bool is_connected, const yurpc_error *error);

    /*
     * The cluster's data went back (wiped or restored): revisions known so far mean nothing.
     * After this all watches end with YURPC_COMPACTED. May be NULL.
     */
    void (*on_regressed)(void *context, int64_t revision_was, int64_t revision_is);
} yr_etcd_events;

enum {
    YR_ETCD_CONNECT_TIMEOUT_MS = 2000, /* defaults of the options */
    YR_ETCD_TIMEOUT_MS = 3000,
};

typedef struct yr_etcd_options {
    const char *endpoints;      /* "http://host:port[,https://host:port…]"; NULL: localhost */
    yr_tls_options tls;         /* for https; an endpoint without a scheme is, when files are
                                   given or is_insecure */
    int64_t connect_timeout_ms; /* one attempt, up to etcd's first answer; 0: the default */
    int64_t timeout_ms; /* of calls that name none, and of each attempt of a call; 0: default */
    yr_log log;

    /* Who we are; NULL: nobody. With one of the two below, and they with it. */
    const char *username;
    const char *password;
    const char *password_file; /* read at each login; see base/secret.h for what it must be */
} yr_etcd_options;

/*
 * A new client, which begins to connect. YURPC_INVALID with what is wrong with the endpoints
 * and what would be right, or with the user; YURPC_IO: the password file; the errors of
 * yr_tls_new(); YURPC_NO_MEMORY. @p events is copied.
 */
YURPC_NODISCARD yurpc_status yr_etcd_new(yr_io *io, const yr_etcd_options *options,
                                         const yr_etcd_events *events, void *context,
                                         yr_etcd **ret_client, yurpc_error **ret_error);

/*
 * Close and free: watches and keepalives stop silently, at once; then, on a later turn, open
 * calls end with YURPC_CANCELED, and then @p on_closed (may be NULL) is called, after which
 * nothing is. The client and its handles must not be used any more. NULL is not allowed.
 */
void yr_etcd_close(yr_etcd *client, void (*on_closed)(void *context), void *context);

/* Where it is or tries to connect, for people: "127.0.0.1:2379". Borrowed until the next turn.
 */
const char *yr_etcd_endpoint(const yr_etcd *client);

/* ---- Calls: the reply's fields are described with yurpc_etcd_reply ---- */

/* Range, put or delete. */
YURPC_NODISCARD yurpc_status yr_etcd_do(yr_etcd *client, const yurpc_etcd_op *op,
                                        yurpc_etcd_reply_fn *fn, void *context,
                                        yr_etcd_call **ret_call);

/* Keys of a range, in their order; borrowed. */
typedef void yr_etcd_kvs_fn(void *context, const yurpc_etcd_kv *kvs, size_t count);

/*
 * A range whose keys are given to @p on_kvs as they come, and are not in the reply: what such a
 * list costs does not depend on its length. They are true only if a reply follows: it may turn
 * out to be another cluster's, or broken. Once some were given the call is not repeated.
 */
YURPC_NODISCARD yurpc_status yr_etcd_range(yr_etcd *client, const yurpc_etcd_op *range,
                                           yr_etcd_kvs_fn *on_kvs, yurpc_etcd_reply_fn *fn,
                                           void *context, yr_etcd_call **ret_call);

YURPC_NODISCARD yurpc_status yr_etcd_txn(yr_etcd *client, const yurpc_etcd_txn_request *txn,
                                         yurpc_etcd_reply_fn *fn, void *context,
                                         yr_etcd_call **ret_call);

/* What the other calls may say. NULL: the defaults. */
typedef struct yr_etcd_call_options {
    int64_t timeout_ms; /* 0: the client's */
    bool is_idempotent;
} yr_etcd_call_options;

/* Forget history before @p revision. */
YURPC_NODISCARD yurpc_status yr_etcd_compact(yr_etcd *client, int64_t revision,
                                             const yr_etcd_call_options *options,
                                             yurpc_etcd_reply_fn *fn, void *context,
                                             yr_etcd_call **ret_call);

typedef struct yr_etcd_grant {
    int64_t id; /* positive, random; 0: the server chooses (then it cannot be repeated) */
    int64_t ttl_s;
    int64_t timeout_ms; /* 0: the client's */
    bool is_idempotent; /* with an id of ours it is */
} yr_etcd_grant;

/*
 * Grant a lease. When it had to be repeated and the first attempt turns out to have worked,
 * that is a success. YURPC_EXISTS: somebody else has that id. Use the TTL of the reply.
 */
YURPC_NODISCARD yurpc_status yr_etcd_lease_grant(yr_etcd *client, const yr_etcd_grant *grant,
                                                 yurpc_etcd_reply_fn *fn, void *context,
                                                 yr_etcd_call **ret_call);

/* End a lease; its keys go with it. YURPC_LEASE_LOST: there is none. */
YURPC_NODISCARD yurpc_status yr_etcd_lease_revoke(yr_etcd *client, int64_t id,
                                                  const yr_etcd_call_options *options,
                                                  yurpc_etcd_reply_fn *fn, void *context,
                                                  yr_etcd_call **ret_call);

/* ttl_s is -1 when there is no such lease. */
typedef struct yr_etcd_lease_query {
    int64_t id;
    bool has_keys;
    int64_t timeout_ms; /* 0: the client's */
} yr_etcd_lease_query;

YURPC_NODISCARD yurpc_status yr_etcd_lease_ttl(yr_etcd *client,
                                               const yr_etcd_lease_query *query,
                                               yurpc_etcd_reply_fn *fn, void *context,
                                               yr_etcd_call **ret_call);

/* The state of the member the client is on. */
YURPC_NODISCARD yurpc_status yr_etcd_status(yr_etcd *client,
                                            const yr_etcd_call_options *options,
                                            yurpc_etcd_reply_fn *fn, void *context,
                                            yr_etcd_call **ret_call);

/* End the call without a callback; what was sent may take effect all the same. */
void yr_etcd_call_cancel(yr_etcd_call *call);

/* ---- Keeping leases alive: all of a client on one stream ---- */

typedef struct yr_etcd_keepalive_events {
    void (*on_renewed)(void *context, int64_t ttl_s); /* may be NULL */

    /*
     * Last callback: the lease is gone, because etcd said so (YURPC_LEASE_LOST), or because
     * none of its answers came within a whole TTL (YURPC_TIMEOUT).
     */
    void (*on_lost)(void *context, const yurpc_error *error);
} yr_etcd_keepalive_events;

typedef struct yr_etcd_lease {
    int64_t id;
    int64_t ttl_s;      /* as granted */
    int64_t granted_ms; /* yr_io_now_ms() when the grant was asked for: it lasts from then */
} yr_etcd_lease;

/* Renew @p lease every third of its TTL from now on. */
YURPC_NODISCARD yurpc_status yr_etcd_keepalive_start(yr_etcd *client,
                                                     const yr_etcd_lease *lease,
                                                     const yr_etcd_keepalive_events *events,
                                                     void *context,
                                                     yr_etcd_keepalive **ret_keepalive);

/* NULL is allowed. The lease is not revoked. */
void yr_etcd_keepalive_stop(yr_etcd_keepalive *keepalive);

/* When the lease ends unless it is renewed, in yr_io_now_ms() time. */
int64_t yr_etcd_keepalive_deadline_ms(const yr_etcd_keepalive *keepalive);

/* ---- Watching: all watches of a client on one stream ---- */

typedef struct yr_etcd_watch_options {
    yurpc_bytes key;
    yurpc_bytes range_end;  /* empty: only the key */
    bool is_prefix;         /* all keys that begin with the key */
    int64_t start_revision; /* the first revision to be reported; 0: from now */
    bool has_prev_kv;
    bool is_put_ignored;
    bool is_delete_ignored;
} yr_etcd_watch_options;

typedef struct yr_etcd_watch_events {
    /* etcd has accepted the watch, for the first time; its revision then. May be NULL. */
    void (*on_created)(void *context, int64_t revision);

    void (*on_changes)(void *context, const yurpc_etcd_changes *changes);

    /* Nothing happened up to @p revision that was not reported. May be NULL. */
    void (*on_progress)(void *context, int64_t revision);

    /*
     * The watch is cut off, or has caught up with what the store had when it was taken up
     * again. Begins as stale. Only changes are reported. Servers before 3.4.25 and 3.5.8 may
     * say up to 0.1 s too early that all was delivered. May be NULL.
     */
    void (*on_stale)(void *context, bool is_stale, const yurpc_error *error);

    /*
     * Last callback: the watch has ended and cannot go on. YURPC_COMPACTED: changes are lost
     * (@p compact_revision is the oldest that can still be had; 0 when the store's data went
     * back): read again, and watch from there. Others (YURPC_DENIED, …): as the text says.
     */
    void (*on_canceled)(void *context, const yurpc_error *error, int64_t compact_revision);
} yr_etcd_watch_events;

/* Report each change from options->start_revision on, through lost connections. */
YURPC_NODISCARD yurpc_status yr_etcd_watch_start(yr_etcd *client,
                                                 const yr_etcd_watch_options *options,
                                                 const yr_etcd_watch_events *events,
                                                 void *context, yr_etcd_watch **ret_watch);

/* NULL is allowed. */
void yr_etcd_watch_stop(yr_etcd_watch *watch);

/* Ask for on_progress on every watch of the client; not answered while there is no stream. */
void yr_etcd_watch_request_progress(yr_etcd *client);

#endif /* YR_ETCD_ETCD_H */
