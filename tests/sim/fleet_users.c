/* What the fleet's users do: register, follow, and leave; and what they are told. */
#include "base/bytes.h"
#include "registry/instance.h"
#include "sim/fleet_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Providers ---- */

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    yr_life *life = context;
    yr_wanted *wanted = life->wanted;
    (void)error;
    const yr_fleet_observer *observer = life->process->fleet->observer;
    if (observer != NULL) {
        observer->on_state(observer->context, life, state);
    }
    yr_fleet_must(observer != NULL || state != YURPC_LOST || life->state == YURPC_REGISTERED ||
                      life->state == YURPC_LOST,
                  "what was not registered was lost");
    life->state = state;
    life->endings += state == YURPC_GONE;
    if (wanted != NULL) {
        wanted->state = state;
        wanted->losses += state == YURPC_LOST;
        wanted->conflicts += state == YURPC_CONFLICT_STATE;
    }
}

yr_wanted *yr_process_try_register(yr_process *process, const char *service, uint16_t port,
                                   uint32_t weight)
{
    yr_wanted *slot = NULL;
    yr_fleet *fleet = process->fleet;
    for (size_t i = 0; i < YR_FLEET_WANTED_MAX && slot == NULL; i++) {
        slot = process->wanted[i].registration == NULL ? &process->wanted[i] : NULL;
    }
    yr_fleet_must(slot != NULL, "too many registrations");
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = service;
    spec.host = "10.0.0.1";
    spec.port = port;
    spec.weight = weight;
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.on_state = on_state;
    yr_life *life = yr_fleet_alloc(sizeof *life);
    *life = (yr_life){.process = process, .wanted = slot, .port = port, .next = fleet->lives};
    fleet->lives = life;
    options.context = life;
    *slot = (yr_wanted){.life = life, .port = port, .weight = weight != 0 ? weight : 100};
    yr_fleet_must(snprintf(slot->service, sizeof slot->service, "%s", service) > 0,
                  "no service");
    yurpc_registration *registration = NULL;
    if (yr_registration_new(&spec, &options, NULL, &registration) != YURPC_OK) {
        return NULL;
    }
    yr_fleet_must(yr_provider_add(&process->registry->provider, &registration, 1, NULL) ==
                      YURPC_OK,
                  "the address is registered already");
    slot->registration = registration;
    return slot;
}

yr_wanted *yr_process_register(yr_process *process, const char *service, uint16_t port)
{
    yr_wanted *wanted = yr_process_try_register(process, service, port, 0);
    yr_fleet_must(wanted != NULL, "no registration");
    return wanted;
}

static void on_enrolled(void *context, yurpc_status status, const yurpc_error *error)
{
    yr_life *life = context;
    (void)error;
    yr_fleet_call_end(&life->call, life->process);
    if (status != YURPC_OK && life->wanted != NULL) {
        life->wanted->registration = NULL;
        life->wanted = NULL;
    }
}

yr_wanted *yr_process_enrol(yr_process *process, const char *service, uint16_t port)
{
    yr_wanted *wanted = yr_process_register(process, service, port);
    yr_life *life = wanted->life;
    life->enrolled = wanted->registration;
    life->enrolment = (yr_enrolment){.registrations = &life->enrolled,
                                     .count = 1,
                                     .timeout_ms = YR_FLEET_TIMEOUT_MS,
                                     .done = on_enrolled,
                                     .context = life};
    yr_fleet_call_begin(&life->call, process, "register()", YR_FLEET_TIMEOUT_MS);
    yr_enrolment_begin(&life->enrolment, &process->registry->provider);
    return wanted;
}

static void on_left(void *context, yurpc_status status, const yurpc_error *error)
{
    yr_life *life = context;
    (void)status;
    (void)error;
    yr_fleet_call_end(&life->call, life->process);
}

static yr_life *let_go(yr_wanted *wanted)
{
    yr_life *life = wanted->life;
    wanted->registration = NULL;
    life->wanted = NULL;
    return life;
}

void yr_process_unregister(yr_process *process, yr_wanted *wanted)
{
    yurpc_registration *registration = wanted->registration;
    yr_life *life = let_go(wanted);
    yr_fleet_call_begin(&life->call, process, "unregister()", YR_LEAVE_MS);
    yr_provider_leave(&process->registry->provider, registration, on_left, life);
}

/* ---- Consumers ---- */

static void tell(yr_view *view, const char *address, bool is_up)
{
    char *at = strstr(view->told, address);
    size_t len = strlen(address);
    if ((at == NULL) != is_up) {
        yr_fleet_must(view->process->fleet->observer != NULL,
                      is_up ? "an instance came up twice" : "an unknown one went");
        return; /* the observer has seen it, too */
    }
    if (!is_up) {
        memmove(at, at + len, strlen(at + len) + 1);
        return;
    }
    /* In the order of addresses, to be compared as text. */
    size_t told_len = strlen(view->told);
    yr_fleet_must(told_len + len < sizeof view->told, "too much is told");
    char *before = view->told;
    while (*before != '\0' && strncmp(before, address, len) < 0) {
        before = strchr(before, ' ') + 1;
    }
    memmove(before + len, before, told_len - (size_t)(before - view->told) + 1);
    memcpy(before, address, len);
}

static void on_list_event(yr_view *view, const yurpc_event *event)
{
    const yr_fleet_observer *observer = view->process->fleet->observer;
    if (observer != NULL) {
        observer->on_event(observer->context, view, event->kind, NULL);
    }
    yr_fleet_must(observer != NULL || view->is_told_stale == (event->kind == YURPC_EVENT_FRESH),
                  "stale or fresh twice");
    view->stales += event->kind == YURPC_EVENT_STALE;
    view->is_told_stale = event->kind == YURPC_EVENT_STALE;
}

static void on_instance(yr_view *view, yurpc_event_kind kind, const yurpc_instance *instance)
{
    const yr_fleet *fleet = view->process->fleet;
    char address[64];
    yr_fleet_must(snprintf(address, sizeof address, "%s ", yurpc_instance_address(instance)) >
                      0,
                  "no address");
    if (fleet->is_loud) {
        printf("%8lld %s %s %s\n", (long long)yr_sim_now_ms(fleet->sim), view->process->name,
               yurpc_event_kind_name(kind), address);
    }
    if (fleet->observer != NULL) {
        fleet->observer->on_event(fleet->observer->context, view, kind, instance);
    }
    view->ups += kind == YURPC_EVENT_UP;
    view->downs += kind == YURPC_EVENT_DOWN;
    view->changes += kind == YURPC_EVENT_CHANGED;
    if (kind == YURPC_EVENT_UP || kind == YURPC_EVENT_DOWN) {
        tell(view, address, kind == YURPC_EVENT_UP);
    }
}

static void on_event(void *context, const yurpc_event *event)
{
    yr_view *view = context;
    if (event->kind == YURPC_EVENT_STALE || event->kind == YURPC_EVENT_FRESH) {
        on_list_event(view, event);
    }
    for (size_t i = 0; i < event->count; i++) {
        on_instance(view, event->kind, event->instances[i]);
    }
}

static yr_view *view_new(yr_process *process, const char *service)
{
    size_t slot = 0;
    while (slot < YR_FLEET_FOLLOWED_MAX && process->views[slot] != NULL) {
        slot++;
    }
    yr_fleet_must(slot < YR_FLEET_FOLLOWED_MAX, "too many services");
    yr_view *view = yr_fleet_alloc(sizeof *view);
    view->process = process;
    view->service = service;
    if (yr_directory_open(&process->registry->directory, service, &view->entry) != YURPC_OK) {
        free(view);
        return NULL;
    }
    view->next = process->fleet->views;
    process->fleet->views = view;
    process->views[slot] = view;
    return view;
}

/* No event comes any more; its entry stays. */
static void view_stop(yr_view *view)
{
    for (size_t i = 0; i < YR_FLEET_FOLLOWED_MAX; i++) {
        if (view->process->views[i] == view) {
            view->process->views[i] = NULL;
        }
    }
    if (view->watch != NULL) {
        yr_subscription_detach(view->watch);
        yr_subscription_free(view->watch);
        view->watch = NULL;
    }
}

static void view_close(yr_view *view)
{
    view_stop(view);
    yr_directory_close(&view->process->registry->directory, view->entry);
    view->entry = NULL;
}

static bool view_watch(yr_view *view)
{
    return yr_subscription_new(view->entry, view->process->executor, on_event, view,
                               &view->watch) == YURPC_OK;
}

yr_view *yr_process_try_follow(yr_process *process, const char *service)
{
    yr_view *view = view_new(process, service);
    if (view != NULL && !view_watch(view)) {
        view_close(view);
        return NULL;
    }
    return view;
}

yr_view *yr_process_follow(yr_process *process, const char *service)
{
    yr_view *view = yr_process_try_follow(process, service);
    yr_fleet_must(view != NULL, "the service cannot be followed");
    return view;
}

static void on_discovered(void *context, yurpc_status status, const yurpc_error *error)
{
    yr_view *view = context;
    (void)error;
    yr_fleet_call_end(&view->call, view->process);
    if (status != YURPC_OK) {
        view_close(view);
        return;
    }
    yr_fleet_must(view_watch(view), "no memory");
}

yr_view *yr_process_discover(yr_process *process, const char *service)
{
    yr_view *view = view_new(process, service);
    yr_fleet_must(view != NULL, "no memory");
    yr_fleet_call_begin(&view->call, process, "discover()", YR_FLEET_TIMEOUT_MS);
    view->waiter.done = on_discovered;
    view->waiter.context = view;
    yr_entry_wait(view->entry, &view->waiter, YR_FLEET_TIMEOUT_MS);
    return view;
}

void yr_process_unfollow(yr_view *view)
{
    yr_fleet_must(view->call.what == NULL, "its discover() has not returned");
    view_close(view);
}

void yr_process_leave_all(yr_process *process)
{
    for (size_t i = 0; i < YR_FLEET_FOLLOWED_MAX; i++) {
        yr_view *view = process->views[i];
        if (view != NULL && view->call.what == NULL) {
            view_close(view); /* else closing the registry ends its discover() */
        }
    }
    for (size_t i = 0; i < YR_FLEET_WANTED_MAX; i++) {
        if (process->wanted[i].registration != NULL) {
            let_go(&process->wanted[i]);
        }
    }
}
