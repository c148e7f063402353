#include "registry/provider/belief.h"

#include "base/bytes.h"
#include "base/error.h"
#include "registry/provider/enrolment.h"

static void write_failed(yr_provider *provider, yr_claim *claim, yurpc_status status,
                         const yurpc_error *error)
{
    int64_t now = yr_io_now_ms(provider->core->io);
    uint64_t random = yr_io_random(provider->core->io);
    if (yr_status_is_retriable(status) || status == YURPC_UNAUTHENTICATED ||
        status == YURPC_TLS) {
        /* One trouble of the registry, met by many claims: they wait together. */
        if (now >= provider->not_before_ms) {
            provider->not_before_ms = now + yr_backoff_next_ms(&provider->backoff, random);
        }
    } else {
        claim->not_before_ms = now + yr_backoff_next_ms(&claim->backoff, random);
    }
    yurpc_registration *registration = claim->registration;
    if (registration == NULL) {
        return;
    }
    yr_provider_complain(provider, error);
    yr_registration_attempt_failed(registration, error);
    if (registration->enrolment != NULL) {
        yr_enrolment_failed(registration->enrolment, status, error);
    }
}

static void became_ours(yr_claim *claim)
{
    claim->known = YR_CLAIM_OURS;
    claim->is_taking = false;
    yr_backoff_reset(&claim->backoff);
    yurpc_registration *registration = claim->registration;
    if (registration != NULL) {
        yr_registration_set_state(registration, YURPC_REGISTERED, NULL);
        if (registration->enrolment != NULL) {
            yr_enrolment_succeeded(registration);
        }
    }
}

static void became_foreign(yr_provider *provider, yr_claim *claim)
{
    bool is_new = claim->known != YR_CLAIM_FOREIGN;
    claim->known = YR_CLAIM_FOREIGN;
    yurpc_registration *registration = claim->registration;
    if (registration == NULL || !is_new) {
        return;
    }
    claim->is_taking = false;
    yr_count(&provider->core->counters.conflicts, 1);
    yurpc_error *error =
        yr_error_new(YURPC_CONFLICT, -1,
                     "another process has registered %s; waiting until it is free", claim->key);
    yr_log_write(&provider->core->log, YURPC_LOG_WARN, "registry", "%s",
                 yurpc_error_text(error));
    yr_registration_set_state(registration, YURPC_CONFLICT_STATE, error);
    yurpc_error_free(error);
}

/* Our key was found missing, overwritten or without owner. */
static void became_missing(yr_provider *provider, yr_claim *claim, const char *what)
{
    yr_claim_known before = claim->known;
    claim->known = YR_CLAIM_ABSENT;
    yurpc_registration *registration = claim->registration;
    if (before != YR_CLAIM_OURS || registration == NULL) {
        return;
    }
    yr_count(&provider->core->counters.repairs, 1);
    yurpc_error *error = yr_error_new(YURPC_NOT_FOUND, -1, "%s was %s", claim->key, what);
    yr_log_write(&provider->core->log, YURPC_LOG_WARN, "registry", "%s",
                 yurpc_error_text(error));
    yr_registration_set_state(registration, YURPC_LOST, error);
    yurpc_error_free(error);
}

static bool is_past_session(const yr_provider *provider, int64_t owner)
{
    for (size_t i = 0; i < YR_PAST_SESSIONS; i++) {
        if (owner != 0 && provider->past_sessions[i] == owner) {
            return true;
        }
    }
    return false;
}

/* A claim on its way out: whatever is ours has still to be removed, whatever its value. */
static void heard_of_unwanted(const yr_provider *provider, yr_claim *claim, const yr_fact *fact,
                              bool is_ours)
{
    if (fact == NULL) {
        claim->known = YR_CLAIM_ABSENT;
    } else if (is_ours) {
        claim->known = YR_CLAIM_OURS;
    } else {
        claim->known =
            is_past_session(provider, fact->owner) ? YR_CLAIM_UNKNOWN : YR_CLAIM_FOREIGN;
    }
}

void yr_belief_heard(void *context, yr_claim *claim, const yr_fact *fact)
{
    yr_provider *provider = context;
    bool is_ours =
        fact != NULL && provider->session.id != 0 && fact->owner == provider->session.id;
    if (claim->is_in_flight) {
        claim->is_doubtful = claim->is_doubtful || !is_ours;
        return;
    }
    if (claim->registration == NULL) {
        heard_of_unwanted(provider, claim, fact, is_ours);
    } else if (is_ours && yr_bytes_equal(fact->value, yr_bytes_of_text(claim->value))) {
        became_ours(claim);
    } else if (claim->is_taking) {
        return; /* whatever is there now, it is about to be taken over */
    } else if (fact == NULL) {
        became_missing(provider, claim, "deleted");
    } else if (is_ours || fact->owner == 0 || is_past_session(provider, fact->owner)) {
        became_missing(provider, claim, "overwritten");
    } else {
        became_foreign(provider, claim);
    }
    yr_provider_touch(provider, claim);
}

static void settle(yr_provider *provider, yr_claim *claim)
{
    if (claim->is_doubtful) {
        claim->is_doubtful = false;
        yr_guards_ask(&provider->guards, claim);
    }
    yr_provider_touch(provider, claim);
}

/* The operation that ended was about a value that nobody wants any more: it proves nothing. */
static bool was_replaced(yr_provider *provider, yr_claim *claim)
{
    if (!claim->is_replaced) {
        return false;
    }
    claim->is_replaced = false;
    claim->known = YR_CLAIM_UNKNOWN;
    yr_provider_touch(provider, claim);
    return true;
}

void yr_belief_announced(yr_provider *provider, yr_claim *claim, int64_t session_id,
                         yurpc_status status, const yurpc_error *error)
{
    if (was_replaced(provider, claim)) {
        return;
    }
    if (status == YURPC_OK && session_id == provider->session.id) {
        yr_count(&provider->core->counters.announcements, 1);
        yr_backoff_reset(&provider->backoff);
        became_ours(claim);
        if (!claim->is_doubtful) {
            yr_guards_excuse(claim);
        }
    } else if (status == YURPC_OK || status == YURPC_LEASE_LOST) {
        claim->known = YR_CLAIM_ABSENT;
        if (session_id == provider->session.id && status == YURPC_LEASE_LOST) {
            write_failed(provider, claim, status, error);
        }
    } else if (status == YURPC_CONFLICT) {
        became_foreign(provider, claim);
    } else {
        if (yr_status_is_retriable(status) && claim->known != YR_CLAIM_FOREIGN) {
            claim->known = YR_CLAIM_UNKNOWN;
        }
        write_failed(provider, claim, status, error);
    }
    settle(provider, claim);
}

void yr_belief_drained(yr_provider *provider, yr_claim *claim, int64_t session_id,
                       yurpc_status status, const yurpc_error *error)
{
    (void)session_id;
    (void)error;
    if (was_replaced(provider, claim)) {
        return;
    }
    claim->is_drained = true; /* a courtesy: tried once */
    if (status == YURPC_NOT_FOUND) {
        claim->known = YR_CLAIM_ABSENT;
    } else if (status == YURPC_CONFLICT) {
        claim->known = YR_CLAIM_FOREIGN;
    } else if (status != YURPC_OK) {
        claim->known = YR_CLAIM_UNKNOWN;
    }
    yr_provider_touch(provider, claim);
}

void yr_belief_parted(yr_provider *provider, yr_claim *claim, int64_t session_id,
                      yurpc_status status, const yurpc_error *error)
{
    (void)claim; /* it ends with the session in any case */
    (void)session_id;
    (void)status;
    (void)error;
    yr_provider_drained_one(provider);
}

void yr_belief_withdrawn(yr_provider *provider, yr_claim *claim, yurpc_status status,
                         const yurpc_error *error)
{
    if (was_replaced(provider, claim)) {
        return;
    }
    if (status == YURPC_OK || status == YURPC_NOT_FOUND) {
        claim->known = YR_CLAIM_ABSENT;
    } else if (status == YURPC_CONFLICT) {
        claim->known = YR_CLAIM_FOREIGN;
    } else {
        claim->known = YR_CLAIM_UNKNOWN;
        write_failed(provider, claim, status, error);
    }
    settle(provider, claim);
}
