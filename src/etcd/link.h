/*
 * The way to the cluster: one channel at a time, to one endpoint after the other.
 *
 * A channel counts as up when etcd has answered on it (Maintenance Status): so a listener that
 * is not etcd, a peer port, and a member of another cluster are found out before anything is
 * sent there. After a whole round of failed endpoints there is a pause (exponential backoff,
 * full jitter); so there is after a channel that lived only briefly, lest a server that hangs
 * up at once makes us spin. After one that lived well another endpoint is tried at once, the
 * same one within YR_LINK_SPREAD_MS. After an outage a channel whose first answer took long is
 * up only after as long again, because everybody got that answer at the same moment.
 *
 * No wait is longer than the patience of the leases that live (keeper.h): an interruption of a
 * third of their TTL must not cost them. Who has lost his lease waits as others do.
 *
 * Another cluster than the one first met is refused, so that two are never mixed. But when
 * every endpoint belongs to one and the same other cluster, for a while, then ours was
 * replaced.
 */
#ifndef YR_ETCD_LINK_H
#define YR_ETCD_LINK_H

#include "base/backoff.h"
#include "base/log.h"
#include "etcd/endpoints.h"
#include "etcd/history.h"
#include "grpc/channel.h"

enum {
    YR_LINK_BACKOFF_MS = 100,
    YR_LINK_BACKOFF_MAX_MS = 5000,
    YR_LINK_SPACING_MS = 1000,            /* up to that between endpoints, once all failed */
    YR_LINK_SPREAD_MS = 1500,             /* of coming back to the only endpoint */
    YR_LINK_PROMPT_MS = 100,              /* an answer as soon did not make anybody wait */
    YR_LINK_ECHO_MAX_MS = 2000,           /* of waiting once more as long as for the answer */
    YR_LINK_SETTLED_MS = 5000,            /* a channel that lived as long was no failure */
    YR_LINK_DRAINING_MAX = 8,             /* channels that wait for their last calls */
    YR_LINK_SWEEP_MS = 500,               /* how often they are looked at */
    YR_LINK_FOREIGN_LOG_MS = 3600 * 1000, /* how often a foreign cluster is logged */
    YR_LINK_REPLACED_MS = 3000, /* that long all endpoints must be another cluster's */
};

typedef struct yr_link_slot yr_link_slot; /* one channel */

typedef struct yr_link_events {
    void (*on_replaced)(void *context, const yr_header *header); /* then comes on_up */
    void (*on_up)(void *context);
    void (*on_down)(void *context, const yurpc_error *error); /* also after each failed try */
    void (*on_closed)(void *context, const yr_grpc_channel *channel); /* calls ended silently */
    int64_t (*patience_ms)(void *context); /* of leases; INT64_MAX: there is none */
} yr_link_events;

typedef struct yr_link_options {
    yr_io *io;
    const char *endpoints;
    yr_tls_options tls; /* used for endpoints of https; wanted for those without a scheme */
    int64_t connect_timeout_ms;
    bool has_secret; /* a password goes along: https and plain text are not to be mixed */
    yr_log log;
    yr_history *history; /* borrowed */
} yr_link_options;

typedef struct yr_link {
    yr_link_options options;
    yr_link_events events;
    void *context;
    yr_endpoints endpoints;
    yr_tls *tls; /* NULL: no endpoint wants it */
    yr_link_slot *opening;
    yr_link_slot *current;
    yr_list draining; /* of slots */
    size_t draining_count;
    yr_timer connect_timer;
    yr_timer sweep_timer;
    yr_backoff backoff;
    size_t failures;    /* in this round */
    yurpc_error *error; /* of the last failure; NULL while up */
    bool is_failing;    /* a failure was logged and there was no success since */
    bool is_refused;    /* and one of TLS was among them */
    size_t refusals;    /* of TLS, one after the other */
    int64_t foreign_logged_ms;
    uint64_t foreign_id; /* the other cluster that was met last; 0: none since we were up */
    uint64_t foreign_members; /* which endpoints belong to it: a bit each */
    int64_t foreign_since_ms;
    uint32_t server_version; /* of the endpoint: 3.4.23 is 30423; 0: unknown */
} yr_link;

/* Fails as yr_endpoints_init() and yr_tls_new(). @p options' log is copied, its texts are not
 * kept. */
YURPC_NODISCARD yurpc_status yr_link_init(yr_link *link, const yr_link_options *options,
                                          const yr_link_events *events, void *context,
                                          yurpc_error **ret_error);

/* Closes all channels; silent. A link that was zeroed is allowed. */
void yr_link_deinit(yr_link *link);

/* Begin to connect, on a later turn. */
void yr_link_start(yr_link *link);

/* Where new calls go; NULL while there is no connection. */
yr_grpc_channel *yr_link_channel(const yr_link *link);

/*
 * Why no endpoint lets us in by TLS, so that waiting for a connection is in vain; NULL: it may
 * help. Attempts go on all the same. Borrowed until the next turn.
 */
const yurpc_error *yr_link_refusal(const yr_link *link);

/*
 * The endpoint does not answer (@p is_silent), or it answers that it cannot serve: let open
 * calls end, and go to the next endpoint, which for a silent one may be the same again.
 */
void yr_link_suspect(yr_link *link, bool is_silent);

/* Where the link is or tries to get. */
const char *yr_link_endpoint_name(const yr_link *link);

#endif /* YR_ETCD_LINK_H */
