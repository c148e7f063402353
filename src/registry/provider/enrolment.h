/*
 * A call that waits until registrations have succeeded for the first time: all or nothing.
 *
 * Loop-only. A background registration has no enrolment: nobody waits for it.
 */
#ifndef YR_REGISTRY_ENROLMENT_H
#define YR_REGISTRY_ENROLMENT_H

#include "registry/provider/provider.h"

typedef struct yr_enrolment yr_enrolment;

/* Its owner keeps it alive until done ran. */
struct yr_enrolment {
    yurpc_registration **registrations; /* on failure they are freed */
    size_t count;
    int64_t timeout_ms;
    yr_done_fn *done; /* exactly once; not inside the call */
    void *context;
    /* This file's own: */
    yr_provider *provider;
    yr_list link; /* in the provider's enrolments */
    size_t waiting;
    yr_timer deadline;
    yurpc_error *last_error; /* of a failure that may pass */
};

/* Begin to wait; the registrations are the provider's now. */
void yr_enrolment_begin(yr_enrolment *enrolment, yr_provider *provider);

/* @p registration, which has an enrolment, succeeded. */
void yr_enrolment_succeeded(yurpc_registration *registration);

/* An attempt failed: remembered if it may pass, else the end. Frees the registrations at the
 * end. */
void yr_enrolment_failed(yr_enrolment *enrolment, yurpc_status status,
                         const yurpc_error *error);

/* The same for every enrolment of @p provider. */
void yr_enrolments_failed(yr_provider *provider, yurpc_status status, const yurpc_error *error);

#endif /* YR_REGISTRY_ENROLMENT_H */
