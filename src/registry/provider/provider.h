/*
 * The provider's side: a reconciler of desired state.
 *
 * It holds a claim for every node that a registration wants, or that may still have to be
 * removed; keeps one session open as long as a claim is wanted; and, whenever something
 * changed, compares what is wanted with what is known and begins what is missing, in
 * batches. Nothing that is heard is acted upon at once: it only changes what is known.
 *
 *   events (done, heard, session, connection, user) -> claims change -> reconcile -> driver
 *
 * Loop-only.
 */
#ifndef YR_REGISTRY_PROVIDER_H
#define YR_REGISTRY_PROVIDER_H

#include "base/backoff.h"
#include "registry/provider/guard.h"
#include "registry/provider/registration.h"

enum { YR_PAST_SESSIONS = 4 };

typedef struct yr_provider {
    yr_core *core;
    yr_map claims;         /* by key */
    yr_list todo;          /* claims to look at */
    yr_list rest;          /* claims with nothing to do, until something is heard */
    yr_list registrations; /* whoever holds a registration */
    yr_list enrolments;    /* calls that wait for a first success */
    yr_guards guards;
    yr_session session;                      /* id 0: none */
    int64_t past_sessions[YR_PAST_SESSIONS]; /* ids of ours that are over */
    bool is_opening;
    bool is_closing;
    size_t withdrawing; /* withdrawals under way */
    yr_backoff backoff; /* of the session and of writes that failed for all */
    int64_t not_before_ms;
    bool has_complained; /* in the log, at … */
    int64_t complained_ms;
    int64_t vain_ms; /* a call waited for so long in vain since the registry was last heard */
    yr_task reconcile_task;
    yr_timer retry_timer;
    size_t draining;     /* claims whose draining value is being put, while closing */
    yr_done_fn *drained; /* who waits for yr_provider_drain(); NULL: nobody */
    void *drained_context;
    yr_timer drain_deadline;
} yr_provider;

void yr_provider_init(yr_provider *provider, yr_core *core);

/* The driver is closed: nothing comes back any more. Frees claims and registrations. */
void yr_provider_deinit(yr_provider *provider);

/*
 * Take over @p registrations, each with its claim. Either all are taken, or (YURPC_EXISTS: the
 * node is registered through this handle already; YURPC_CLOSED) none, and they stay the
 * caller's.
 */
YURPC_NODISCARD yurpc_status yr_provider_add(yr_provider *provider,
                                             yurpc_registration *const *registrations,
                                             size_t count, yurpc_error **ret_error);

/* Nobody wants @p registration any more; it is freed at once. Its node is cleaned up in the
 * background. */
void yr_provider_forget(yr_provider *provider, yurpc_registration *registration);

/*
 * Nobody wants @p registration any more. It is freed when @p done (may be NULL) runs: when the
 * registry confirmed (which may be known already: then inside the call), or after YR_LEAVE_MS.
 * What could not be confirmed is tried on in the background. Leaving twice is leaving once: a
 * second @p done replaces none, or is refused with YURPC_INVALID.
 */
void yr_provider_leave(yr_provider *provider, yurpc_registration *registration,
                       yr_done_fn *done, void *context);

/*
 * Before closing: put the draining value of all that is registered, then call @p done, at the
 * latest after
 * @p timeout_ms. Nothing else is begun from now on.
 */
void yr_provider_drain(yr_provider *provider, int64_t timeout_ms, yr_done_fn *done,
                       void *context);

/* ---- For the parts of the provider: belief, reconcile, enrolment ---- */

/* Look at @p claim in the next turn. */
void yr_provider_touch(yr_provider *provider, yr_claim *claim);

/* Nobody wants @p claim, and the registry does not hold it for us: tell who waits. */
void yr_provider_claim_left(yr_provider *provider, yr_claim *claim);

/* The same, and nothing of ours can come late: free it, too. */
void yr_provider_claim_done(yr_provider *provider, yr_claim *claim);

/* An operation of the driver has ended with @p status; a call has waited for @p ms in vain. */
void yr_provider_heard(yr_provider *provider, yurpc_status status);
void yr_provider_waited_in_vain(yr_provider *provider, int64_t ms);

/* Say in the log why what is wanted is not registered, unless it was said a moment ago. */
void yr_provider_complain(yr_provider *provider, const yurpc_error *error);

/* Unless there is one, or one is being opened. */
void yr_provider_open_session(yr_provider *provider);

/* While closing: one draining value was put, or could not be. */
void yr_provider_drained_one(yr_provider *provider);

/* ---- What the driver reports ---- */

void yr_provider_on_connected(yr_provider *provider);
void yr_provider_on_session_lost(yr_provider *provider, const yurpc_error *error);

#endif /* YR_REGISTRY_PROVIDER_H */
