#include "registry/provider/registration.h"

#include "base/mem.h"
#include "registry/instance.h"

yurpc_status yr_registration_new(const yurpc_instance_spec *spec,
                                 const yurpc_register_options *options, yurpc_registry *handle,
                                 yurpc_registration **ret_registration)
{
    char *service = NULL;
    yurpc_registration *registration = NULL;
    yurpc_status status = yr_service_parse(spec->service, &service, NULL);
    if (status != YURPC_OK) {
        return status;
    }
    registration = yr_calloc(1, sizeof *registration);
    if (registration == NULL) {
        status = YURPC_NO_MEMORY;
        goto fail;
    }
    registration->handle = handle;
    yr_list_init(&registration->link);
    if (options != NULL) {
        registration->on_state = options->on_state;
        registration->context = options->context;
    }
    status = yr_claim_new(spec, service, &registration->claim);
    if (status != YURPC_OK) {
        goto fail;
    }
    registration->claim->registration = registration;
    yr_free(service);
    *ret_registration = registration;
    return YURPC_OK;
fail:
    yr_free(service);
    yr_registration_free(registration);
    return status;
}

yurpc_status yr_registration_report_on(yurpc_registration *registration, yr_executor *executor)
{
    yurpc_status status = yr_reporter_new(executor, registration->on_state,
                                          registration->context, &registration->reporter);
    if (status == YURPC_OK) {
        registration->on_state = yr_reporter_report;
        registration->context = registration->reporter;
    }
    return status;
}

void yr_registration_free(yurpc_registration *registration)
{
    if (registration == NULL) {
        return;
    }
    yr_list_remove(&registration->link);
    yr_claim_free(registration->claim);
    yr_reporter_unref(registration->reporter);
    yr_free(registration);
}

void yr_registration_set_state(yurpc_registration *registration, yurpc_registration_state state,
                               const yurpc_error *error)
{
    int before =
        atomic_exchange_explicit(&registration->state, (int)state, memory_order_relaxed);
    yr_counters *counters = &registration->core->counters;
    if (before != (int)state && state == YURPC_REGISTERED) {
        atomic_fetch_add_explicit(&counters->registered, 1, memory_order_relaxed);
    }
    if (before != (int)state && before == YURPC_REGISTERED) {
        atomic_fetch_sub_explicit(&counters->registered, 1, memory_order_relaxed);
    }
    registration->has_told_failure &= before == (int)state;
    if (registration->on_state != NULL && before != (int)state) {
        registration->on_state(registration->context, state, error);
    }
}

void yr_registration_attempt_failed(yurpc_registration *registration, const yurpc_error *error)
{
    int64_t now_ms = yr_io_now_ms(registration->core->io);
    bool is_silent = registration->has_told_failure &&
                     now_ms - registration->told_failure_ms < YR_TROUBLE_PAUSE_MS;
    yurpc_registration_state state = yurpc_registration_get_state(registration);
    if (registration->on_state == NULL || state != YURPC_REGISTERING || is_silent) {
        return;
    }
    registration->has_told_failure = true;
    registration->told_failure_ms = now_ms;
    registration->on_state(registration->context, state, error);
}

yurpc_registration_state yurpc_registration_get_state(const yurpc_registration *registration)
{
    return (yurpc_registration_state)atomic_load_explicit(&registration->state,
                                                          memory_order_relaxed);
}

const char *yurpc_registration_state_name(yurpc_registration_state state)
{
    switch (state) {
    case YURPC_REGISTERING:
        return "REGISTERING";
    case YURPC_REGISTERED:
        return "REGISTERED";
    case YURPC_LOST:
        return "LOST";
    case YURPC_CONFLICT_STATE:
        return "CONFLICT";
    case YURPC_DRAINING:
        return "DRAINING";
    case YURPC_GONE:
        return "GONE";
    }
    return "UNKNOWN";
}
