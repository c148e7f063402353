/**
 * @file
 * Leases: keys that go when their owner does.
 *
 * Grant a lease, write keys under it, keep it alive. All keepalives of a client share one
 * stream, and cost one message per lease and third of its TTL.
 */
#ifndef YURPC_ETCD_LEASE_H
#define YURPC_ETCD_LEASE_H

#include <yurpc/etcd_client.h>

YURPC_BEGIN_DECLS

/**
 * Grant a lease. With an id of the caller's it is repeated when its outcome is unknown, and
 * still granted once.
 *
 * @param client    The client.
 * @param id        Positive and random; 0: etcd chooses.
 * @param ttl_s     Asked for. What the reply says counts.
 * @param ret_reply Receives the reply (lease, ttl_s), to be freed. Untouched on failure.
 * @param ret_error May be NULL; receives the details, to be freed.
 * @retval YURPC_EXISTS   somebody else has that id.
 * @retval YURPC_INVALID  the TTL is more than etcd grants, or not positive.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_lease_grant(yurpc_etcd *client, int64_t id,
                                                              int64_t ttl_s,
                                                              yurpc_etcd_reply **ret_reply,
                                                              yurpc_error **ret_error);

/** yurpc_etcd_lease_grant() without waiting. */
YURPC_API YURPC_NODISCARD yurpc_status
yurpc_etcd_lease_grant_async(yurpc_etcd *client, int64_t id, int64_t ttl_s,
                             yurpc_etcd_reply_fn *callback, void *context);

/**
 * End a lease; its keys go with it.
 *
 * @param client    The client.
 * @param id        The lease.
 * @param ret_error May be NULL; receives the details, to be freed.
 * @retval YURPC_LEASE_LOST  there is no such lease (any more).
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_lease_revoke(yurpc_etcd *client, int64_t id,
                                                               yurpc_error **ret_error);

/** yurpc_etcd_lease_revoke() without waiting. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_lease_revoke_async(
    yurpc_etcd *client, int64_t id, yurpc_etcd_reply_fn *callback, void *context);

/**
 * How long a lease has to live, and what goes with it.
 *
 * @param client    The client.
 * @param id        The lease. That there is none is a success, with a ttl_s of -1.
 * @param has_keys  Whether its keys are wanted.
 * @param ret_reply Receives the reply (ttl_s, granted_ttl_s, keys), to be freed. Untouched on
 * failure.
 * @param ret_error May be NULL; receives the details, to be freed.
 */
YURPC_API YURPC_NODISCARD yurpc_status
yurpc_etcd_lease_time_to_live(yurpc_etcd *client, int64_t id, bool has_keys,
                              yurpc_etcd_reply **ret_reply, yurpc_error **ret_error);

/** yurpc_etcd_lease_time_to_live() without waiting. */
YURPC_API YURPC_NODISCARD yurpc_status
yurpc_etcd_lease_time_to_live_async(yurpc_etcd *client, int64_t id, bool has_keys,
                                    yurpc_etcd_reply_fn *callback, void *context);

/** A lease that is being kept alive. */
typedef struct yurpc_etcd_keepalive yurpc_etcd_keepalive;

/** What a keepalive reports. Runs on the client's loop; must not block. */
typedef struct yurpc_etcd_keepalive_events {
    size_t size; /**< set by the caller to sizeof(yurpc_etcd_keepalive_events) */

    /** The lease was renewed, for @p ttl_s seconds. NULL: not reported. */
    void (*on_renewed)(void *context, int64_t ttl_s);

    /**
     * Once, last: the lease is gone, because etcd said so (YURPC_LEASE_LOST), or because none
     * of its answers came within a whole TTL (YURPC_TIMEOUT). NULL: not reported.
     */
    void (*on_lost)(void *context, const yurpc_error *error);
} yurpc_etcd_keepalive_events;

/**
 * Keep a lease alive, from its grant on: now, and then every third of its TTL.
 *
 * @param client        The client.
 * @param id            The lease, granted just now.
 * @param ttl_s         As granted.
 * @param events        Copied.
 * @param context       Passed back; never dereferenced.
 * @param ret_keepalive Receives the keepalive, to be passed to yurpc_etcd_keepalive_stop().
 *                      Untouched on failure.
 * @retval YURPC_EXISTS     this client keeps that lease alive already.
 * @retval YURPC_INVALID    id or TTL cannot be those of a lease.
 * @retval YURPC_NO_MEMORY  nothing was started.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_keepalive_start(
    yurpc_etcd *client, int64_t id, int64_t ttl_s, const yurpc_etcd_keepalive_events *events,
    void *context, yurpc_etcd_keepalive **ret_keepalive);

/**
 * Stop and free @p keepalive; NULL is allowed. The lease is not revoked. When it returns no
 * callback is running nor will run, except when called inside one, which is then the last.
 */
YURPC_API void yurpc_etcd_keepalive_stop(yurpc_etcd_keepalive *keepalive);

YURPC_END_DECLS

#endif /* YURPC_ETCD_LEASE_H */
