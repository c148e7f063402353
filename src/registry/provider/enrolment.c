#include "registry/provider/enrolment.h"

#include "base/error.h"

static void on_deadline(void *context);

void yr_enrolment_begin(yr_enrolment *enrolment, yr_provider *provider)
{
    enrolment->provider = provider;
    enrolment->waiting = enrolment->count;
    enrolment->last_error = NULL;
    yr_list_append(&provider->enrolments, &enrolment->link);
    for (size_t i = 0; i < enrolment->count; i++) {
        enrolment->registrations[i]->enrolment = enrolment;
    }
    yr_timer_init(&enrolment->deadline, on_deadline, enrolment);
    yr_timer_start(provider->core->io, &enrolment->deadline, enrolment->timeout_ms);
}

static void end(yr_enrolment *enrolment, yurpc_status status, const yurpc_error *error)
{
    yr_provider *provider = enrolment->provider;
    yr_timer_stop(provider->core->io, &enrolment->deadline);
    yr_list_remove(&enrolment->link);
    for (size_t i = 0; i < enrolment->count; i++) {
        enrolment->registrations[i]->enrolment = NULL;
        if (status != YURPC_OK) {
            yr_provider_forget(provider, enrolment->registrations[i]);
        }
    }
    yurpc_error *last_error = enrolment->last_error;
    enrolment->last_error = NULL;
    enrolment->done(enrolment->context, status, error);
    yurpc_error_free(last_error); /* may be what @p error is */
}

static void on_deadline(void *context)
{
    yr_enrolment *enrolment = context;
    yr_provider_waited_in_vain(enrolment->provider, enrolment->timeout_ms);
    const yr_core *core = enrolment->provider->core;
    const yurpc_error *known =
        core->last_error != NULL ? core->last_error : enrolment->last_error;
    yurpc_error *error = NULL;
    if (known == NULL) {
        error = yr_error_new(YURPC_TIMEOUT, -1, "the registry did not answer within %lld ms",
                             (long long)enrolment->timeout_ms);
        known = error;
    }
    end(enrolment, yurpc_error_status(known), known);
    yurpc_error_free(error);
}

void yr_enrolment_succeeded(yurpc_registration *registration)
{
    yr_enrolment *enrolment = registration->enrolment;
    registration->enrolment = NULL;
    if (--enrolment->waiting == 0) {
        end(enrolment, YURPC_OK, NULL);
    }
}

void yr_enrolment_failed(yr_enrolment *enrolment, yurpc_status status, const yurpc_error *error)
{
    if (!yr_status_is_retriable(status)) {
        end(enrolment, status, error);
        return;
    }
    yurpc_error_free(enrolment->last_error);
    enrolment->last_error = yr_error_copy(error);
}

void yr_enrolments_failed(yr_provider *provider, yurpc_status status, const yurpc_error *error)
{
    yr_list *link = provider->enrolments.next;
    while (link != &provider->enrolments) {
        yr_enrolment *enrolment = YR_CONTAINER_OF(link, yr_enrolment, link);
        link = link->next; /* ending one touches no other */
        yr_enrolment_failed(enrolment, status, error);
    }
}
