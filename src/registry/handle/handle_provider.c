/* The public functions of providers and operators: thread-safe, blocking, on the handle's loop.
 */
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "registry/handle/handle.h"
#include "registry/instance.h"
#include "registry/provider/enrolment.h"

/* ---- Registering ---- */

typedef struct enrolling {
    yr_request request;
    yr_enrolment enrolment;
    bool is_background;
} enrolling;

static void on_enrolled(void *context, yurpc_status status, const yurpc_error *error)
{
    enrolling *wanted = context;
    yr_request_end(&wanted->request, status, error);
}

static void free_registrations(yurpc_registration **registrations, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        yr_registration_free(registrations[i]);
    }
}

static void on_register(void *context)
{
    enrolling *wanted = YR_CONTAINER_OF(context, enrolling, request);
    yr_enrolment *enrolment = &wanted->enrolment;
    yr_provider *provider = &wanted->request.handle->core->provider;
    yurpc_error *error = NULL;
    yurpc_status status =
        yr_provider_add(provider, enrolment->registrations, enrolment->count, &error);
    if (status != YURPC_OK) {
        free_registrations(enrolment->registrations, enrolment->count);
    } else if (!wanted->is_background) {
        yr_enrolment_begin(enrolment, provider);
        return;
    }
    yr_request_end(&wanted->request, status, error);
    yurpc_error_free(error);
}

static yurpc_status make_registration(yurpc_registry *registry, const yurpc_instance_spec *spec,
                                      const yurpc_register_options *options,
                                      yurpc_registration **ret_registration,
                                      yurpc_error **ret_error)
{
    yurpc_status status = yr_instance_spec_check(spec, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    status = yr_registration_new(spec, options, registry, ret_registration);
    return status == YURPC_OK ? YURPC_OK : yr_error_set_status(ret_error, status);
}

/* Have the states of @p count registrations told on the handle's callback thread. */
static yurpc_status report_elsewhere(yurpc_registry *registry,
                                     yurpc_registration *const *registrations, size_t count)
{
    yr_executor *executor = NULL;
    yurpc_status status = yr_handle_executor(registry, &executor);
    for (size_t i = 0; i < count && status == YURPC_OK; i++) {
        status = yr_registration_report_on(registrations[i], executor);
    }
    return status;
}

static yurpc_status make_all(yurpc_registry *registry, const yurpc_instance_spec *specs,
                             size_t count, const yurpc_register_options *options,
                             yurpc_registration **made, yurpc_error **ret_error)
{
    for (size_t i = 0; i < count; i++) {
        yurpc_status status =
            make_registration(registry, &specs[i], options, &made[i], ret_error);
        if (status != YURPC_OK) {
            return status;
        }
    }
    if (options == NULL || options->on_state == NULL || registry->is_host_driven) {
        return YURPC_OK;
    }
    yurpc_status status = report_elsewhere(registry, made, count);
    return status == YURPC_OK ? status : yr_error_set_status(ret_error, status);
}

/* Nobody expects to be called any more about what was not registered. */
static void finish_reporters(yr_reporter **reporters, size_t count, bool is_registered)
{
    int64_t timeout_ms = YR_CLOSE_MS;
    for (size_t i = 0; i < count && reporters[i] != NULL; i++) {
        if (!is_registered && !yr_reporter_finish(reporters[i], timeout_ms)) {
            timeout_ms = 0; /* they share a thread, on which a callback hangs */
        }
        yr_reporter_unref(reporters[i]);
    }
}

/* Takes what was @p made. */
static yurpc_status enroll(yurpc_registry *registry, yurpc_registration **made, size_t count,
                           bool is_background, yurpc_error **ret_error)
{
    yr_reporter **reporters = yr_calloc(count, sizeof(yr_reporter *));
    if (reporters == NULL) {
        free_registrations(made, count);
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    for (size_t i = 0; i < count && made[i]->reporter != NULL; i++) {
        reporters[i] = yr_reporter_ref(made[i]->reporter);
    }
    enrolling wanted = {
        .enrolment = {.registrations = made,
                      .count = count,
                      .timeout_ms = registry->timeout_ms,
                      .done = on_enrolled,
                      .context = &wanted},
        .is_background = is_background,
    };
    yurpc_status status = yr_request_run(registry, &wanted.request, on_register, ret_error);
    finish_reporters(reporters, count, status == YURPC_OK);
    yr_free(reporters);
    return status;
}

yurpc_status yurpc_registry_register_many(yurpc_registry *registry,
                                          const yurpc_instance_spec *specs, size_t count,
                                          const yurpc_register_options *options,
                                          yurpc_registration **ret_registrations,
                                          yurpc_error **ret_error)
{
    if (registry == NULL || specs == NULL || count == 0 || ret_registrations == NULL) {
        return yr_error_set_status(ret_error, YURPC_INVALID);
    }
    yurpc_status status = yr_loop_check_wait(registry->loop);
    if (status != YURPC_OK) {
        return yr_error_set_status(ret_error, status);
    }
    yurpc_registration **made = yr_calloc(count, sizeof(yurpc_registration *));
    if (made == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    status = make_all(registry, specs, count, options, made, ret_error);
    if (status != YURPC_OK) {
        free_registrations(made, count);
        yr_free(made);
        return status;
    }
    bool is_background = options != NULL && options->is_background;
    status = enroll(registry, made, count, is_background, ret_error);
    if (status == YURPC_OK) {
        memcpy(ret_registrations, made, count * sizeof(yurpc_registration *));
    }
    yr_free(made);
    return status;
}

yurpc_status yurpc_registry_register(yurpc_registry *registry, const yurpc_instance_spec *spec,
                                     const yurpc_register_options *options,
                                     yurpc_registration **ret_registration,
                                     yurpc_error **ret_error)
{
    return yurpc_registry_register_many(registry, spec, 1, options, ret_registration,
                                        ret_error);
}

/* ---- Unregistering ---- */

typedef struct leaving {
    yr_request request;
    yurpc_registration *registration;
} leaving;

static void on_left(void *context, yurpc_status status, const yurpc_error *error)
{
    leaving *wanted = context;
    yr_request_end(&wanted->request, status, error);
}

static void on_leave(void *context)
{
    leaving *wanted = YR_CONTAINER_OF(context, leaving, request);
    yr_provider_leave(&wanted->request.handle->core->provider, wanted->registration, on_left,
                      wanted);
}

yurpc_status yurpc_registration_unregister(yurpc_registration *registration,
                                           yurpc_error **ret_error)
{
    if (registration == NULL) {
        return YURPC_OK;
    }
    yr_reporter *reporter = registration->reporter;
    if (reporter != NULL) {
        yr_reporter_ref(reporter);
    }
    leaving wanted = {.registration = registration};
    yurpc_status status =
        yr_request_run(registration->handle, &wanted.request, on_leave, ret_error);
    bool is_gone = status != YURPC_FORKED && status != YURPC_WOULD_DEADLOCK;
    if (reporter != NULL && is_gone && !yr_reporter_finish(reporter, YR_CLOSE_MS)) {
        /* A callback hangs: it is the last. */
    }
    yr_reporter_unref(reporter);
    return status;
}

void yurpc_registration_unregister_async(yurpc_registration *registration)
{
    if (registration == NULL || yr_loop_is_forked(registration->handle->loop)) {
        return;
    }
    if (!yr_io_post(yr_loop_io(registration->handle->loop), &registration->leave_task)) {
        return; /* it is leaving already */
    }
}

/* ---- Operators ---- */

typedef struct counted {
    char *service;
    uint64_t count;
} counted;

typedef struct listing {
    yr_request request;
    counted *services;
    size_t count;
    size_t cap;
    bool is_incomplete; /* memory was short */
} listing;

static void on_service(void *context, yurpc_bytes service, uint64_t node_count)
{
    listing *wanted = context;
    counted *services =
        yr_grow(wanted->services, wanted->count, &wanted->cap, sizeof *services);
    if (services != NULL) {
        wanted->services = services;
    }
    char *copy = yr_memdup0(service.data, service.len);
    if (services == NULL || copy == NULL) {
        yr_free(copy);
        wanted->is_incomplete = true;
        return;
    }
    wanted->services[wanted->count++] = (counted){copy, node_count};
}

static void on_listed(void *context, yurpc_status status, const yurpc_error *error)
{
    listing *wanted = context;
    if (status == YURPC_OK && wanted->is_incomplete) {
        status = YURPC_NO_MEMORY;
    }
    yr_request_end(&wanted->request, status, error);
}

static void on_list(void *context)
{
    listing *wanted = YR_CONTAINER_OF(context, listing, request);
    const yr_core *core = &wanted->request.handle->core->core;
    core->ops->list_services(core->driver, core->timeout_ms, on_service, on_listed, wanted);
}

yurpc_status yurpc_registry_list_services(yurpc_registry *registry,
                                          yurpc_service_count_fn *each, void *context,
                                          yurpc_error **ret_error)
{
    if (registry == NULL || each == NULL) {
        return yr_error_set_status(ret_error, YURPC_INVALID);
    }
    listing wanted = {.count = 0};
    yurpc_status status = yr_request_run(registry, &wanted.request, on_list, ret_error);
    for (size_t i = 0; i < wanted.count; i++) {
        if (status == YURPC_OK) {
            each(context, wanted.services[i].service, wanted.services[i].count);
        }
        yr_free(wanted.services[i].service);
    }
    yr_free(wanted.services);
    return status;
}

typedef struct removing {
    yr_request request;
    const char *service;
    char *node;
} removing;

static void on_removed(void *context, yurpc_status status, const yurpc_error *error)
{
    removing *wanted = context;
    yr_request_end(&wanted->request, status, error);
}

static void on_remove(void *context)
{
    removing *wanted = YR_CONTAINER_OF(context, removing, request);
    const yr_core *core = &wanted->request.handle->core->core;
    core->ops->remove(core->driver, yr_bytes_of_text(wanted->service),
                      yr_bytes_of_text(wanted->node), core->timeout_ms, on_removed, wanted);
}

yurpc_status yurpc_registry_remove(yurpc_registry *registry, const char *service,
                                   const char *host, uint16_t port, yurpc_error **ret_error)
{
    if (registry == NULL || service == NULL || host == NULL) {
        return yr_error_set_status(ret_error, YURPC_INVALID);
    }
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = service;
    spec.host = host;
    spec.port = port;
    yurpc_status status = yr_instance_spec_check(&spec, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    char *key_service = NULL;
    status = yr_service_parse(service, &key_service, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    removing wanted = {.service = key_service, .node = yr_node_new(host, port)};
    status = wanted.node == NULL
                 ? yr_error_set_status(ret_error, YURPC_NO_MEMORY)
                 : yr_request_run(registry, &wanted.request, on_remove, ret_error);
    yr_free(wanted.node);
    yr_free(key_service);
    return status;
}
