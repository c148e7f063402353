/*
 * Our claim to one node: what we want there, what the registry is known to hold, and, from
 * the two, what to do next. Pure: no driver, no loop.
 *
 * A claim is wanted as long as a registration stands behind it. An unwanted claim stays until
 * the registry is known not to hold it any more, and no put of ours can take effect late, so
 * that a write of unknown outcome is undone.
 */
#ifndef YR_REGISTRY_CLAIM_H
#define YR_REGISTRY_CLAIM_H

#include "base/arena.h"
#include "base/backoff.h"
#include "base/list.h"
#include "base/map.h"
#include "registry/driver.h"

#include <yurpc/registry.h>

typedef struct yr_claim yr_claim;

/*
 * How long a put that got lost on its way, or its answer, may still take effect: the longest
 * attempt, and what an etcd without a leader holds back.
 */
enum { YR_CLAIM_LATE_MS = 15000 };

/* What the registry holds under the node, as far as we know. */
typedef enum yr_claim_known {
    YR_CLAIM_ABSENT,  /* nothing of ours; nothing of anybody's, as far as we know */
    YR_CLAIM_UNKNOWN, /* perhaps ours: a write's outcome is unknown */
    YR_CLAIM_OURS,    /* our value under our session */
    YR_CLAIM_FOREIGN, /* another process' value under its living session */
} yr_claim_known;

/* What to do next. */
typedef enum yr_claim_action {
    YR_CLAIM_REST,     /* nothing, until something is heard */
    YR_CLAIM_ANNOUNCE, /* put the value */
    YR_CLAIM_DRAIN,    /* put the draining value */
    YR_CLAIM_WITHDRAW, /* delete what is ours */
    YR_CLAIM_DONE,     /* unwanted, and the registry does not hold it: free the claim */
} yr_claim_action;

struct yr_claim {
    yr_map_node map_node; /* in the provider's map; key: service '/' node */
    yr_list link;         /* in the provider's list of claims */
    char *key;            /* "service/node" */
    yurpc_bytes service;  /* within key */
    yurpc_bytes node;     /* within key */
    char *value;
    yurpc_registration *registration; /* who wants it; NULL: nobody */
    yurpc_registration *leaver;       /* who waits for it to be done; NULL: nobody */
    yr_claim_known known;
    bool is_in_flight;     /* an operation of the driver is under way */
    bool is_taking;        /* may take the node from another process: a fresh registration */
    bool is_replaced;      /* the operation under way is about a former value */
    bool is_drained;       /* the draining value was put, or need not be */
    bool is_doubtful;      /* what was heard during the operation may contradict its result */
    uint64_t list_seen;    /* the guard's list that named the node last */
    bool is_excused;       /* the guard's next list need not name it: it may be from before */
    yr_list guard_link;    /* in its guard's claims */
    void *guard;           /* who watches the node; NULL: nobody yet */
    int64_t not_before_ms; /* do nothing before: its own last attempt failed */
    int64_t late_until_ms; /* a put of ours may take effect until then, whatever was heard */
    yr_backoff backoff;
};

/* A claim to the node that @p spec (checked) describes under @p service ("name:version").
 * YURPC_NO_MEMORY, YURPC_TOO_LARGE. */
YURPC_NODISCARD yurpc_status yr_claim_new(const yurpc_instance_spec *spec, const char *service,
                                          yr_claim **ret_claim);
void yr_claim_free(yr_claim *claim);

/* The value that says that it is about to leave, in @p arena; NULL: out of memory. */
yurpc_bytes yr_claim_draining_value(const yr_claim *claim, yr_arena *arena);

/* What to do now; @p has_session: a session is open. */
yr_claim_action yr_claim_next(const yr_claim *claim, bool has_session, int64_t now_ms);

/* Whether nobody wants it, and the registry does not hold it for us. */
bool yr_claim_is_out(const yr_claim *claim);

/* Whether somebody has to tell us when the node changes: what to do next depends on it. */
bool yr_claim_needs_guard(const yr_claim *claim);

/* When to look at a claim at rest again, if nothing is heard; INT64_MAX: never. */
int64_t yr_claim_due_ms(const yr_claim *claim, int64_t now_ms);

/*
 * A new registration wants the node of @p claim, which nobody wants now: take over the value
 * and the registration of @p fresh, which is freed.
 */
void yr_claim_take_over(yr_claim *claim, yr_claim *fresh);

/* The session ended, and with it what it held. */
void yr_claim_lose_session(yr_claim *claim);

#endif /* YR_REGISTRY_CLAIM_H */
