#include "registry/provider/provider.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/provider/belief.h"
#include "registry/provider/enrolment.h"
#include "registry/provider/reconcile.h"

enum {
    BACKOFF_BASE_MS = 100,
    BACKOFF_CAP_MS = 5000,
    /* A registry that loses a session mostly loses them all. In any half second no more than
     * half of 50 shall come back: over 2.5 s that fails less often than once in 20,000 times.
     */
    SESSION_SPREAD_MS = 2500,
};

static void reconcile(void *context)
{
    yr_reconcile(context);
}

static void on_drain_deadline(void *context);

void yr_provider_init(yr_provider *provider, yr_core *core)
{
    *provider = (yr_provider){.core = core};
    yr_map_init(&provider->claims, core->map_seed);
    yr_list_init(&provider->todo);
    yr_list_init(&provider->rest);
    yr_list_init(&provider->registrations);
    yr_list_init(&provider->enrolments);
    yr_guards_init(&provider->guards, core, &provider->claims, yr_belief_heard, provider);
    yr_backoff_init(&provider->backoff, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
    yr_task_init(&provider->reconcile_task, reconcile, provider);
    yr_timer_init(&provider->retry_timer, reconcile, provider);
    yr_timer_init(&provider->drain_deadline, on_drain_deadline, provider);
}

/* ---- What is wanted ---- */

static void leave_ended(yr_provider *provider, yurpc_registration *registration,
                        yurpc_status status, const yurpc_error *error);

static void wake(yr_provider *provider)
{
    if (!yr_io_post(provider->core->io, &provider->reconcile_task)) {
        return; /* posted already */
    }
}

void yr_provider_touch(yr_provider *provider, yr_claim *claim)
{
    if (provider->is_closing) {
        return;
    }
    yr_list_remove(&claim->link);
    yr_list_append(&provider->todo, &claim->link);
    wake(provider);
}

static void on_leave_task(void *context)
{
    yurpc_registration *registration = context;
    yr_provider_leave(registration->provider, registration, NULL, NULL);
}

static void add_one(yr_provider *provider, yurpc_registration *registration)
{
    yr_claim *claim = registration->claim;
    bool is_mapped = claim->map_node.key.data != NULL; /* else another claim to its node is */
    if (!is_mapped) {
        yr_map_node *node = yr_map_find(&provider->claims, yr_bytes_of_text(claim->key));
        yr_claim *present = YR_CONTAINER_OF(node, yr_claim, map_node);
        if (present->leaver != NULL) {
            leave_ended(provider, present->leaver, YURPC_OK, NULL); /* its wish is overtaken */
        }
        yr_claim_take_over(present, claim);
        claim = present;
    }
    registration->core = provider->core;
    registration->provider = provider;
    yr_task_init(&registration->leave_task, on_leave_task, registration);
    yr_list_append(&provider->registrations, &registration->link);
    yr_counters *counters = &provider->core->counters;
    atomic_fetch_add_explicit(&counters->registrations, 1, memory_order_relaxed);
    yr_provider_touch(provider, claim);
}

/* The first @p count are not to be taken after all: nothing has been begun for them yet. */
static void take_back(yr_provider *provider, yurpc_registration *const *registrations,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        yr_claim *claim = registrations[i]->claim;
        yr_map_node *node = yr_map_find(&provider->claims, yr_bytes_of_text(claim->key));
        if (node == &claim->map_node) {
            yr_map_remove(&provider->claims, node);
        } else {
            YR_CONTAINER_OF(node, yr_claim, map_node)->registration = NULL;
        }
    }
}

yurpc_status yr_provider_add(yr_provider *provider, yurpc_registration *const *registrations,
                             size_t count, yurpc_error **ret_error)
{
    if (provider->is_closing) {
        return yr_error_set_status(ret_error, YURPC_CLOSED);
    }
    for (size_t i = 0; i < count; i++) {
        yr_claim *claim = registrations[i]->claim;
        yurpc_bytes key = yr_bytes_of_text(claim->key);
        yr_map_node *node = yr_map_find(&provider->claims, key);
        if (node == NULL) {
            yr_map_insert(&provider->claims, &claim->map_node, key);
            continue;
        }
        yr_claim *present = YR_CONTAINER_OF(node, yr_claim, map_node);
        if (present->registration == NULL) {
            present->registration = registrations[i]; /* so that it is taken but once */
            continue;
        }
        take_back(provider, registrations, i);
        return yr_error_set(ret_error, YURPC_EXISTS, -1,
                            "%s is registered through this handle already", claim->key);
    }
    for (size_t i = 0; i < count; i++) {
        add_one(provider, registrations[i]);
    }
    return YURPC_OK;
}

/* Tell for the last time; who is told may ask for its leaving once more. */
static void discharge(yr_provider *provider, yurpc_registration *registration)
{
    yr_core *core = provider->core;
    atomic_fetch_sub_explicit(&core->counters.registrations, 1, memory_order_relaxed);
    yr_registration_set_state(registration, YURPC_GONE, NULL);
    if (yr_io_unpost(core->io, &registration->leave_task)) {
        /* It would have left, and has. */
    }
}

void yr_provider_forget(yr_provider *provider, yurpc_registration *registration)
{
    yr_claim *claim = registration->claim;
    if (claim != NULL) {
        claim->registration = NULL;
        registration->claim = NULL;
        yr_provider_touch(provider, claim);
    }
    discharge(provider, registration);
    yr_registration_free(registration);
}

static void leave_ended(yr_provider *provider, yurpc_registration *registration,
                        yurpc_status status, const yurpc_error *error)
{
    yr_timer_stop(provider->core->io, &registration->leave_deadline);
    if (registration->claim != NULL) {
        registration->claim->leaver = NULL;
        registration->claim = NULL;
    }
    discharge(provider, registration);
    if (registration->left != NULL) {
        registration->left(registration->left_context, status, error);
    }
    yr_registration_free(registration);
}

void yr_provider_claim_left(yr_provider *provider, yr_claim *claim)
{
    if (claim->leaver == NULL) {
        return;
    }
    yurpc_error *error = NULL;
    if (claim->known == YR_CLAIM_FOREIGN) {
        error = yr_error_new(YURPC_CONFLICT, -1,
                             "another process holds the address; it was left alone");
    }
    leave_ended(provider, claim->leaver, yurpc_error_status(error), error);
    yurpc_error_free(error);
}

void yr_provider_claim_done(yr_provider *provider, yr_claim *claim)
{
    yr_provider_claim_left(provider, claim);
    yr_guards_remove(&provider->guards, claim);
    yr_map_remove(&provider->claims, &claim->map_node);
    yr_claim_free(claim);
}

/* Closing does not wait again for what a call has waited for: it would be as much in vain. */
void yr_provider_waited_in_vain(yr_provider *provider, int64_t ms)
{
    ms = ms < YR_LEAVE_MS ? ms : YR_LEAVE_MS;
    provider->vain_ms = ms > provider->vain_ms ? ms : provider->vain_ms;
}

void yr_provider_heard(yr_provider *provider, yurpc_status status)
{
    if (status == YURPC_OK) {
        provider->vain_ms = 0;
    }
}

static void on_leave_deadline(void *context)
{
    yurpc_registration *registration = context;
    yr_provider_waited_in_vain(registration->provider, YR_LEAVE_MS);
    yurpc_error *error =
        yr_error_new(YURPC_TIMEOUT, -1,
                     "the registry did not confirm; the instance disappears with its lease");
    leave_ended(registration->provider, registration, YURPC_TIMEOUT, error);
    yurpc_error_free(error);
}

void yr_provider_leave(yr_provider *provider, yurpc_registration *registration,
                       yr_done_fn *done, void *context)
{
    yr_claim *claim = registration->claim;
    bool was_leaving = registration->is_leaving;
    if (registration->left == NULL) {
        registration->left = done;
        registration->left_context = context;
    } else if (done != NULL) {
        done(context, YURPC_INVALID, NULL);
    }
    registration->is_leaving = true;
    if (was_leaving) {
        return;
    }
    yr_registration_set_state(registration, YURPC_DRAINING, NULL);
    if (provider->is_closing) {
        return; /* closing ends all */
    }
    claim->registration = NULL;
    claim->leaver = registration;
    claim->not_before_ms = 0;
    yr_timer_init(&registration->leave_deadline, on_leave_deadline, registration);
    yr_timer_start(provider->core->io, &registration->leave_deadline, YR_LEAVE_MS);
    if (yr_claim_is_out(claim)) {
        yr_provider_claim_left(provider, claim); /* whatever else has to wait */
    }
    yr_provider_touch(provider, claim);
}

/* ---- What fails for long ---- */

void yr_provider_complain(yr_provider *provider, const yurpc_error *error)
{
    yr_core *core = provider->core;
    int64_t now_ms = yr_io_now_ms(core->io);
    bool is_silent =
        provider->has_complained && now_ms - provider->complained_ms < YR_TROUBLE_PAUSE_MS;
    /* Who waits is answered; and that there is no connection was said. */
    if (is_silent || !yr_list_is_empty(&provider->enrolments) || core->last_error != NULL) {
        return;
    }
    provider->has_complained = true;
    provider->complained_ms = now_ms;
    yr_log_write(&core->log, YURPC_LOG_WARN, "provider", "%u of %u are not registered: %s",
                 core->counters.registrations - core->counters.registered,
                 core->counters.registrations, yurpc_error_text(error));
}

/* No session, and it is not that there is no connection: nobody was told of that yet. */
static void session_failed(yr_provider *provider, const yurpc_error *error)
{
    yr_provider_complain(provider, error);
    yr_list *link = provider->registrations.next;
    while (link != &provider->registrations && provider->core->last_error == NULL) {
        yurpc_registration *one = YR_CONTAINER_OF(link, yurpc_registration, link);
        link = link->next; /* a host's callback may free this one */
        yr_registration_attempt_failed(one, error);
    }
}

/* ---- The session ---- */

static void look_at_all(yr_provider *provider)
{
    yr_list_move_all(&provider->todo, &provider->rest);
    wake(provider);
}

static void on_session(void *context, const yr_session *session, const yurpc_error *error)
{
    yr_provider *provider = context;
    yr_core *core = provider->core;
    provider->is_opening = false;
    yr_provider_heard(provider, yurpc_error_status(error));
    if (session != NULL) {
        provider->session = *session;
        yr_count(&core->counters.leases, 1);
        atomic_store(&core->counters.lease_id, session->id);
        look_at_all(provider);
        return;
    }
    provider->not_before_ms =
        yr_io_now_ms(core->io) + yr_backoff_next_ms(&provider->backoff, yr_io_random(core->io));
    session_failed(provider, error);
    yr_enrolments_failed(provider, yurpc_error_status(error), error);
    look_at_all(provider);
}

void yr_provider_open_session(yr_provider *provider)
{
    yr_core *core = provider->core;
    if (provider->session.id != 0 || provider->is_opening) {
        return;
    }
    provider->is_opening = true;
    core->ops->open_session(core->driver, yr_core_attempt_ms(core), on_session, provider);
}

void yr_provider_on_session_lost(yr_provider *provider, const yurpc_error *error)
{
    yr_core *core = provider->core;
    for (size_t i = YR_PAST_SESSIONS - 1; i > 0; i--) {
        provider->past_sessions[i] = provider->past_sessions[i - 1];
    }
    provider->past_sessions[0] = provider->session.id;
    provider->session = (yr_session){.id = 0};
    yr_count(&core->counters.leases_lost, 1);
    atomic_store(&core->counters.lease_id, 0);
    yr_log_write(&core->log, YURPC_LOG_WARN, "registry", "the lease was lost: %s",
                 yurpc_error_text(error));
    int64_t most_ms = core->ttl_ms * 2 / 3; /* consumers doubt for one TTL */
    most_ms = most_ms < SESSION_SPREAD_MS ? most_ms : SESSION_SPREAD_MS;
    provider->not_before_ms =
        yr_io_now_ms(core->io) + (int64_t)(yr_io_random(core->io) % ((uint64_t)most_ms + 1));
    yr_list_move_all(&provider->todo, &provider->rest);
    for (yr_list *link = provider->todo.next; link != &provider->todo; link = link->next) {
        yr_claim *claim = YR_CONTAINER_OF(link, yr_claim, link);
        bool was_ours = claim->known == YR_CLAIM_OURS;
        yr_claim_lose_session(claim);
        if (was_ours && claim->registration != NULL) {
            yr_registration_set_state(claim->registration, YURPC_LOST, error);
        }
    }
    wake(provider);
}

void yr_provider_on_connected(yr_provider *provider)
{
    yr_backoff_reset(&provider->backoff);
    provider->not_before_ms = 0;
    yr_provider_heard(provider, YURPC_OK);
    wake(provider);
}

/* ---- Closing ---- */

static void drain_ended(yr_provider *provider, yurpc_status status)
{
    yr_done_fn *drained = provider->drained;
    if (drained == NULL) {
        return;
    }
    provider->drained = NULL;
    yr_timer_stop(provider->core->io, &provider->drain_deadline);
    drained(provider->drained_context, status, NULL);
}

static void on_drain_deadline(void *context)
{
    drain_ended(context, YURPC_TIMEOUT);
}

void yr_provider_drained_one(yr_provider *provider)
{
    if (provider->draining > 0 && --provider->draining == 0) {
        drain_ended(provider, YURPC_OK);
    }
}

void yr_provider_drain(yr_provider *provider, int64_t timeout_ms, yr_done_fn *done,
                       void *context)
{
    provider->is_closing = true;
    yurpc_error *error = yr_error_new(YURPC_CLOSED, -1, "the registry handle was closed");
    yr_enrolments_failed(provider, YURPC_CLOSED, error);
    yurpc_error_free(error);
    provider->drained = done;
    provider->drained_context = context;
    yr_timer_stop(provider->core->io, &provider->retry_timer);
    yr_guards_deinit(&provider->guards);
    yr_list batch;
    yr_list_init(&batch);
    yr_list_move_all(&provider->todo, &provider->rest);
    yr_list *link = provider->todo.next;
    while (link != &provider->todo) {
        yr_claim *claim = YR_CONTAINER_OF(link, yr_claim, link);
        link = link->next;
        if (claim->known == YR_CLAIM_OURS && !claim->is_in_flight && !claim->is_drained) {
            yr_list_remove(&claim->link);
            yr_list_append(&batch, &claim->link);
            provider->draining++;
        }
    }
    /* At least one turn passes before done, as for every operation. */
    yr_timer_start(provider->core->io, &provider->drain_deadline,
                   provider->draining > 0 ? timeout_ms : 0);
    yr_reconcile_announce(provider, &batch, provider->draining, YR_ANNOUNCE_IF_OURS, true);
}

void yr_provider_deinit(yr_provider *provider)
{
    yr_core *core = provider->core;
    provider->is_closing = true;
    yurpc_error *error = yr_error_new(YURPC_CLOSED, -1, "the registry handle was closed");
    yr_enrolments_failed(provider, YURPC_CLOSED, error);
    yr_list *link = NULL;
    while ((link = yr_list_take_first(&provider->registrations)) != NULL) {
        yurpc_registration *registration = YR_CONTAINER_OF(link, yurpc_registration, link);
        leave_ended(provider, registration, YURPC_CLOSED, error);
    }
    yurpc_error_free(error);
    yr_list_move_all(&provider->todo, &provider->rest);
    while ((link = yr_list_take_first(&provider->todo)) != NULL) {
        yr_claim *claim = YR_CONTAINER_OF(link, yr_claim, link);
        yr_guards_remove(&provider->guards, claim);
        yr_claim_free(claim);
    }
    yr_guards_deinit(&provider->guards);
    yr_map_deinit(&provider->claims);
    yr_timer_stop(core->io, &provider->retry_timer);
    yr_timer_stop(core->io, &provider->drain_deadline);
    if (yr_io_unpost(core->io, &provider->reconcile_task)) {
        return; /* it will not run any more */
    }
}
