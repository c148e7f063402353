/*
 * A scripted etcd for tests: what a client sees of etcd 3.4 and 3.5, on net/io.h.
 *
 * It runs on a real socket and in the simulated world. It keeps keys, leases and watches, and
 * speaks real HTTP/2 and gRPC (fake/grpc_server.h). Left alone it is a healthy etcd, which
 * tests/conformance holds against the real ones. What may go wrong has to be asked for:
 *
 *  - to the server as a whole: stop, start, wipe, silence, dropped connections;
 *  - to its data: a foreign put or delete, a revoked lease, compaction;
 *  - to single requests and events: rules;
 *  - to bytes, frames and connections: yr_fake_etcd_server() and what grpc_server.h offers.
 *
 * It records what it was asked, and when. The same calls at the same times give the same
 * bytes: no wall clock, no randomness.
 *
 * Loop only. yr_fake_etcd_free() not inside a callback of the fake's; everything else anywhere.
 * Running out of memory ends the program.
 */
#ifndef YR_FAKE_ETCD_H
#define YR_FAKE_ETCD_H

#include "fake/grpc_server.h"
#include "fake/lease.h"
#include "fake/store.h"

typedef struct yr_fake_etcd yr_fake_etcd;

typedef struct yr_fake_etcd_options {
    uint64_t cluster_id; /* 0: a fixed one */
    bool is_34;          /* as etcd 3.4.23, where it differs from 3.5.16 */

    /*
     * The witness: called after each transaction that wrote, whoever made it (expiry too), with
     * its writes, and with none when the data was wiped. May be NULL.
     */
    void (*on_commit)(void *context, const yr_fake_version *const *writes, size_t count);
    void *context;
} yr_fake_etcd_options;

enum {
    YR_FAKE_MEMBERS_MAX = 8,
    YR_FAKE_RULES_MAX = 128,
    YR_FAKE_REQUESTS_MAX = 100000, /* remembered; then the oldest are forgotten */
};

/* ---- Life ---- */

/* A cluster of one member, listening (port 0: the system chooses). @p options: NULL, or copied.
 */
YURPC_NODISCARD yurpc_status yr_fake_etcd_new(yr_io *io, const char *host, uint16_t port,
                                              const yr_fake_etcd_options *options,
                                              yr_fake_etcd **ret_fake);

/* Drops all connections. NULL is allowed. */
void yr_fake_etcd_free(yr_fake_etcd *fake);

/*
 * One more member: another address of the same data, on @p io, which may be another host of the
 * same simulated world (NULL: that of the first). Expiry and what is delayed run on the first
 * io: let that host live.
 */
YURPC_NODISCARD yurpc_status yr_fake_etcd_add_member(yr_fake_etcd *fake, yr_io *io,
                                                     const char *host, uint16_t port);

size_t yr_fake_etcd_member_count(const yr_fake_etcd *fake);

/* The member's transport: ports, statistics, and what may be broken there. */
yr_fake_server *yr_fake_etcd_server(yr_fake_etcd *fake, size_t member);

/* "http://host:port", and all members with commas between them. Borrowed. */
const char *yr_fake_etcd_address(const yr_fake_etcd *fake);

/* ---- Faults of the server ---- */

/* All members die: connections end, new ones are refused; time stands still for leases. */
void yr_fake_etcd_stop(yr_fake_etcd *fake);

/* Alive again, with its data: a higher raft term, every lease with its full TTL. */
YURPC_NODISCARD yurpc_status yr_fake_etcd_start(yr_fake_etcd *fake);

/* Both; with @p is_wiped the data is gone: revision 1, raft term 2, but the same cluster id. */
YURPC_NODISCARD yurpc_status yr_fake_etcd_restart(yr_fake_etcd *fake, bool is_wiped);

/* Connections of all members are lost; new ones are accepted. */
void yr_fake_etcd_drop_connections(yr_fake_etcd *fake);

/*
 * All members fall silent: old connections and new ones hear and say nothing; leases run on.
 * When they speak again, they answer what came meanwhile.
 */
void yr_fake_etcd_set_silent(yr_fake_etcd *fake, bool is_silent);

/* ---- Faults of members: as many as they are, more than half must be well ---- */

/*
 * One member: stopped and continued (SIGSTOP); killed and started; cut off from the others but
 * not from clients. If the leader is lost, the others have a new one after 1.5 s; without a
 * majority nothing is decided, and no lease expires. An election gives each its full TTL.
 */
void yr_fake_etcd_set_member_silent(yr_fake_etcd *fake, size_t member, bool is_silent);
void yr_fake_etcd_set_member_down(yr_fake_etcd *fake, size_t member, bool is_down);
void yr_fake_etcd_set_member_isolated(yr_fake_etcd *fake, size_t member, bool is_isolated);

/* All members are isolated from each other, or none is. */
void yr_fake_etcd_set_quorum(yr_fake_etcd *fake, bool has_quorum);

size_t yr_fake_etcd_leader(const yr_fake_etcd *fake);

/* ---- Its data ---- */

int64_t yr_fake_etcd_revision(const yr_fake_etcd *fake);
const yr_fake_store *yr_fake_etcd_store(const yr_fake_etcd *fake);
const yr_fake_leases *yr_fake_etcd_leases(const yr_fake_etcd *fake);

/* How many live keys begin with @p prefix. */
size_t yr_fake_etcd_key_count(const yr_fake_etcd *fake, const char *prefix);

/* The live key, or NULL. */
const yr_fake_version *yr_fake_etcd_get(const yr_fake_etcd *fake, const char *key);

/* As a foreign client would: watchers see it. @p lease: 0, or one that exists. */
void yr_fake_etcd_put(yr_fake_etcd *fake, const char *key, const char *value, int64_t lease);
void yr_fake_etcd_delete(yr_fake_etcd *fake, const char *key);

/* A new lease; its id. */
int64_t yr_fake_etcd_grant(yr_fake_etcd *fake, int64_t ttl_s);

/* End a lease, or all of them one by one, as if revoked; how many there were. */
size_t yr_fake_etcd_revoke(yr_fake_etcd *fake, int64_t lease);
size_t yr_fake_etcd_revoke_all(yr_fake_etcd *fake);

/* NOSPACE: what writes is refused, except deleting and keeping alive. */
void yr_fake_etcd_set_full(yr_fake_etcd *fake, bool is_full);

/*
 * The data as they were at @p revision, which must not be compacted, as from a backup: ids stay
 * the same, the raft term is higher. Leases of restored keys live again, for 10 s if they had
 * ended; leases without a key end. Connections are lost. The witness is told of a wipe, and
 * then of every key that is there.
 */
YURPC_NODISCARD yurpc_status yr_fake_etcd_restore(yr_fake_etcd *fake, int64_t revision);

/* Compact at @p revision (0: the current one). Does nothing when that is compacted already. */
void yr_fake_etcd_compact(yr_fake_etcd *fake, int64_t revision);

/* Watches that clients have now. */
size_t yr_fake_etcd_watch_count(const yr_fake_etcd *fake);

/* ---- Rules ---- */

typedef enum yr_fake_action {
    YR_FAKE_STATUS,             /* say code and text, and do nothing */
    YR_FAKE_STATUS_AFTER_APPLY, /* do it, then say code and text */
    YR_FAKE_DELAY,              /* do it number ms later, even when the call is gone */
    YR_FAKE_DELAY_ANSWER,       /* do it now, answer number ms later */
    YR_FAKE_SILENT,             /* do nothing, never answer */
    YR_FAKE_DROP_BEFORE_APPLY,  /* lose the connection, and do nothing */
    YR_FAKE_DROP_AFTER_APPLY,   /* do it, and lose the connection before the answer */
    YR_FAKE_DROP_AFTER_ANSWER,  /* lose the connection number ms after the answer */
    YR_FAKE_TTL,                /* LeaseKeepAlive: do nothing, and say number as the TTL */
    YR_FAKE_CANCEL,             /* Watch: created, then canceled with text as the reason and
                                   number as the compact revision */
    YR_FAKE_DUP_EVENTS,         /* Events: send the message twice */
    YR_FAKE_DROP_EVENTS,        /* Events: do not send it */
    YR_FAKE_FRAGMENT,           /* Events: at most number of them in a message, where the watch
                                   allows fragments */

    /* In place of the request, which is not done. */
    YR_FAKE_RESET,        /* RST_STREAM with code */
    YR_FAKE_GOAWAY_ABOVE, /* GOAWAY with code, and text: the call was not processed; FIN number
                             ms later (below 0: never) */
    YR_FAKE_PAGE,         /* HTTP status code, and text as HTML: a proxy's answer */
    YR_FAKE_HUGE_HEADERS, /* number bytes of headers, at most 60 KiB */
    YR_FAKE_RAW_DATA,     /* bytes where a framed message should be */
    YR_FAKE_RAW_MESSAGE,  /* bytes as a message; the call goes on */
    YR_FAKE_RAW_FRAMES,   /* bytes where a frame should be; no answer */
    YR_FAKE_RAW_STATUS,   /* text as the grpc-status; NULL: no trailers */

    /* The request is done. */
    YR_FAKE_RESET_AFTER_APPLY, /* RST_STREAM with code in place of the answer */
    YR_FAKE_DROP_IN_ANSWER,    /* FIN after number bytes of the answer, or (Events) of a message
                                */
    YR_FAKE_DUP_ANSWER,        /* answer twice */
    YR_FAKE_FOREIGN_ANSWER, /* LeaseKeepAlive: before the answer another, about the lease with
                               the next id: number is its TTL */
    YR_FAKE_GOAWAY_BELOW,   /* GOAWAY with code, and text, that lets the call go on; FIN number
                               ms later (below 0: never) */
    YR_FAKE_SETTINGS,       /* the setting code is number from now on */

    /* Watch */
    YR_FAKE_REFUSE_WATCH,     /* created and canceled in one message, watch id -1; text */
    YR_FAKE_CREATED_THEN_CUT, /* created at a revision number higher, no events, then FIN */
    YR_FAKE_EVENTS_FIRST,     /* what happened before goes before created */
    YR_FAKE_OWN_NUMBER,       /* the number of watches that the stream had before is its id */

    /* Events: YR_FAKE_DELAY sends them number ms later, overtaken by those that follow;
     * YR_FAKE_CANCEL cancels their watch in their place. */
    YR_FAKE_OLD_EVENTS,     /* behind them the number writes before, once more */
    YR_FAKE_EARLY_PROGRESS, /* first say that all is told; send them number ms later */
} yr_fake_action;

/*
 * What to do with some requests. @c method: "Range", "Put", "DeleteRange", "Txn", "Compact",
 * "LeaseGrant", "LeaseRevoke", "LeaseKeepAlive", "LeaseTimeToLive", "LeaseLeases", "Watch" (to
 * create one), "WatchCancel", "WatchProgress", "Status"; "Events" for a message of events about
 * to be sent; NULL for any request. The first rule that hits decides.
 */
typedef struct yr_fake_rule {
    const char *method;
    uint32_t nth;   /* begins with the nth that comes; 0 or 1: the next */
    uint32_t times; /* how many it hits; 0: all that follow */
    yr_fake_action action;
    int64_t number;
    int code;
    const char *text;  /* not NULL where the action says something; copied */
    yurpc_bytes bytes; /* copied */
    const void *owner; /* only for yr_fake_etcd_remove_rules() */
} yr_fake_rule;

void yr_fake_etcd_add_rule(yr_fake_etcd *fake, const yr_fake_rule *rule);
void yr_fake_etcd_clear_rules(yr_fake_etcd *fake);

/* Those of one owner. */
void yr_fake_etcd_remove_rules(yr_fake_etcd *fake, const void *owner);

/* ---- What clients asked ---- */

typedef struct yr_fake_request {
    int64_t at_ms;
    size_t member;
    const char *method;  /* as in rules */
    const void *conn;    /* to tell connections apart */
    int32_t stream_id;   /* of the call in its connection */
    bool has_leader;     /* metadata "hasleader: true" */
    yurpc_bytes message; /* as it came */
    yurpc_bytes key; /* the fields of the message that most tests want; zero when it has none */
    yurpc_bytes range_end;
    yurpc_bytes value;
    int64_t lease;    /* also the id of requests about leases */
    int64_t revision; /* Range, Compact; a watch's start */
    int64_t ttl_s;    /* LeaseGrant */
} yr_fake_request;

/* Those that are remembered, oldest first. A pointer is good until the next request. */
size_t yr_fake_etcd_request_count(const yr_fake_etcd *fake);
const yr_fake_request *yr_fake_etcd_request(const yr_fake_etcd *fake, size_t index);

/* How many of a method (NULL: of all) came at @p since_ms or later. */
size_t yr_fake_etcd_count_requests(const yr_fake_etcd *fake, const char *method,
                                   int64_t since_ms);

/* The newest request of a method; NULL: none. */
const yr_fake_request *yr_fake_etcd_last_request(const yr_fake_etcd *fake, const char *method);

void yr_fake_etcd_forget_requests(yr_fake_etcd *fake);

#endif /* YR_FAKE_ETCD_H */
