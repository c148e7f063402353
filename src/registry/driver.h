/*
 * What the registry's core needs of a back end, and what it tells the core.
 *
 * A driver moves facts; the core decides. A driver announces, withdraws, lists, follows, and
 * reports what happened to its connection and its session. Desired state, retry, backoff,
 * taking over and giving way, states and counters are the core's, and written once.
 *
 * Nouns. A *service* is "name:version". A *node* is "host:port" under a service. A *record* is
 * a node with its value. A *session* is the proof of life under which a process announces its
 * records: etcd's lease, ZooKeeper's session, a locked row of the local file. When the
 * session ends, the registry removes its records.
 *
 * Rules:
 *  - Everything runs on the loop of the yr_io given at opening. Callbacks never run inside
 *    the call that caused them.
 *  - Each operation ends with exactly one callback, at the latest at its deadline; closing
 *    ends the open ones with YURPC_CANCELED before on_closed.
 *  - An operation is tried within its deadline as the driver sees fit, if that cannot do harm
 *    (all of these are idempotent); there is no other retry in a driver. Reconnecting is the
 * driver's.
 *  - When there is no memory to begin an operation, its callback may run inside the call.
 *  - Errors and records are borrowed for the callback.
 */
#ifndef YR_REGISTRY_DRIVER_H
#define YR_REGISTRY_DRIVER_H

#include "base/buf.h"
#include "base/log.h"
#include "net/io.h"

#include <yurpc/bytes.h>
#include <yurpc/error.h>

#include <stdbool.h>
#include <stdint.h>

enum { YR_DRIVER_VERSION = 1 };

typedef struct yr_driver yr_driver; /* each driver's own */
typedef struct yr_follow yr_follow; /* each driver's own */

/* ---- Facts ---- */

typedef enum yr_fact_kind {
    YR_FACT_PUT,    /* the node exists with this value */
    YR_FACT_DELETE, /* the node is gone; value and owner are not set */
} yr_fact_kind;

/* One thing known about one node. Everything is borrowed. */
typedef struct yr_fact {
    yr_fact_kind kind;
    yurpc_bytes service; /* "name:version" */
    yurpc_bytes node;    /* "host:port" */
    yurpc_bytes value;   /* JSON, as in the contract */
    int64_t revision; /* of this change; never goes back for one node, unless the registry was
                         replaced */
    int64_t owner;    /* the session; 0: nobody's, permanent */
} yr_fact;

/* ---- What the driver reports at any time ---- */

typedef struct yr_driver_events {
    /* The connection came (error NULL) or went. Only changes are reported; a driver begins as
     * gone. */
    void (*on_connection)(void *context, bool is_connected, const yurpc_error *error);

    /*
     * The session does not prove life any more: the registry said so, or did not answer for
     * a whole TTL. The driver has forgotten it; the core opens another when it wants one.
     */
    void (*on_session_lost)(void *context, const yurpc_error *error);
} yr_driver_events;

/* ---- Operations ---- */

typedef void yr_done_fn(void *context, yurpc_status status, const yurpc_error *error);

typedef struct yr_session {
    int64_t id;     /* what records' owner will be; never 0 */
    int64_t ttl_ms; /* as granted */
} yr_session;

/* @p session is NULL on failure. */
typedef void yr_session_fn(void *context, const yr_session *session, const yurpc_error *error);

/* When a record may be put. "Ours": its owner is a session this driver has or had. */
typedef enum yr_announce_mode {
    YR_ANNOUNCE_TAKE,    /* always: the key is taken over */
    YR_ANNOUNCE_IF_FREE, /* the node is absent, ours, or permanent; else YURPC_CONFLICT */
    YR_ANNOUNCE_IF_OURS, /* the node is ours; else YURPC_NOT_FOUND (absent) or YURPC_CONFLICT */
} yr_announce_mode;

typedef struct yr_announcement {
    yurpc_bytes service;
    yurpc_bytes node;
    yurpc_bytes value;
} yr_announcement;

/* Records to be put. Copied. */
typedef struct yr_announce_request {
    yr_announce_mode mode;
    const yr_announcement *items;
    size_t count;
    int64_t deadline_ms; /* from now */
} yr_announce_request;

/* Called once for each announcement, @p index being its place; the last call ends the
 * operation. */
typedef void yr_announced_fn(void *context, size_t index, yurpc_status status,
                             const yurpc_error *error);

typedef void yr_service_fn(void *context, yurpc_bytes service, uint64_t node_count);

/* Part of what a follow sees. */
typedef struct yr_facts {
    /*
     * A list begins anew (first part), or goes on. When its last part was given, every node
     * in scope that no part of the list named is gone. False: changes since.
     */
    bool is_list;
    bool is_first;    /* of this list; set in its first part only */
    bool is_last;     /* of this list, or of the changes that belong together: a good time to
                         publish */
    int64_t revision; /* of the registry as a whole; for people, not for logic */
    const yr_fact *facts;
    size_t count;
} yr_facts;

typedef struct yr_follow_events {
    void (*on_facts)(void *context, const yr_facts *facts);

    /*
     * The connection is lost, or back and caught up: between the two, what was reported may
     * be out of date. Begins as stale; the first list makes it fresh, reported after that list.
     * Only changes are reported.
     */
    void (*on_stale)(void *context, bool is_stale, const yurpc_error *error);

    /*
     * The registry refuses to list (the user, for want of a right): no matter of time, though
     * it is asked again. Each time. May be NULL.
     */
    void (*on_refused)(void *context, const yurpc_error *error);
} yr_follow_events;

/* What to follow: a service, or a span of its nodes (byte order, both inclusive). Copied. */
typedef struct yr_scope {
    yurpc_bytes service;
    yurpc_bytes node_first; /* empty: from the first */
    yurpc_bytes node_last;  /* empty: to the last */
} yr_scope;

typedef struct yr_driver_config {
    const char *address; /* the driver's own syntax; NULL: its default */
    const char *username;
    const char *password;
    const char *password_file; /* to be read each time a password is needed; NULL: none */
    yr_tls_options tls;        /* for connections that are to be encrypted */
    int64_t timeout_ms;        /* the longest that one connection attempt or call may take */
    int64_t ttl_ms;            /* of the session, to be asked for */
    yr_log log;
} yr_driver_config;

typedef struct yr_driver_ops {
    uint32_t version;   /* YR_DRIVER_VERSION */
    const char *name;   /* what -r says: "etcd" */
    int64_t ttl_min_ms; /* the shortest TTL that makes sense here: etcd 2 s */

    /*
     * Append to @p out which registry @p config (which open() accepts) means, on which way and
     * as whom, for who may see other keys has other lists: the same text for every way of
     * writing it, nothing secret. What is kept on disk is kept under this. NULL: nothing is,
     * because this registry is a file itself. YURPC_NO_MEMORY; YURPC_TOO_LARGE.
     */
    yurpc_status (*identify)(const yr_driver_config *config, yr_buf *out);

    /*
     * Open. Checks the address (YURPC_INVALID with what is wrong and what would be right),
     * begins to connect, waits for nothing. @p config is copied.
     */
    yurpc_status (*open)(yr_io *io, const yr_driver_config *config,
                         const yr_driver_events *events, void *context, yr_driver **ret_driver,
                         yurpc_error **ret_error);

    /*
     * End the session in the registry (so that its records go at once), close and free.
     * Bounded by @p deadline_ms. on_closed is the last callback of all; follows end silently,
     * and are freed: they must not be unfollowed any more.
     */
    void (*close)(yr_driver *driver, int64_t deadline_ms, void (*on_closed)(void *context),
                  void *context);

    /* Open a session and keep it alive; at most one at a time. YURPC_EXISTS when there is one.
     */
    void (*open_session)(yr_driver *driver, int64_t deadline_ms, yr_session_fn *done,
                         void *context);

    /*
     * Put records under the open session (YURPC_LEASE_LOST without one), in as few requests
     * as possible. One bad record fails alone.
     */
    void (*announce)(yr_driver *driver, const yr_announce_request *request,
                     yr_announced_fn *done, void *context);

    /* Delete the node if it is ours. Absent: YURPC_OK. Another's: YURPC_CONFLICT, untouched. */
    void (*withdraw)(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                     int64_t deadline_ms, yr_done_fn *done, void *context);

    /* Delete the node whoever owns it, as it was when read. YURPC_NOT_FOUND; YURPC_CONFLICT: it
     * changed meanwhile. */
    void (*remove)(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                   int64_t deadline_ms, yr_done_fn *done, void *context);

    /* Call @p each for every service with its number of nodes, in byte order, then @p done. */
    void (*list_services)(yr_driver *driver, int64_t deadline_ms, yr_service_fn *each,
                          yr_done_fn *done, void *context);

    /*
     * Report the nodes in scope, then every change, until stopped: through lost connections,
     * compaction, and a registry that was wiped or replaced. When continuity cannot be kept a
     * new list is reported. @p ret_follow is freed by unfollow. YURPC_NO_MEMORY; YURPC_INVALID.
     */
    yurpc_status (*follow)(yr_driver *driver, const yr_scope *scope,
                           const yr_follow_events *events, void *context,
                           yr_follow **ret_follow);
    void (*unfollow)(yr_follow *follow);

    /* Ask for a new list, begun after this call: the core's doubt (reconciliation). */
    void (*relist)(yr_follow *follow);
} yr_driver_ops;

/* The built-in drivers, each in its folder. */
extern const yr_driver_ops yr_driver_etcd;
extern const yr_driver_ops yr_driver_local;

#endif /* YR_REGISTRY_DRIVER_H */
