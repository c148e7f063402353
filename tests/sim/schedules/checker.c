#include "sim/schedules/checker.h"

#include "base/bytes.h"
#include "registry/instance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAULTY_REQUESTS_PER_S = 20, /* while each of them fails: there is a backoff */
    REQUESTS_PER_S = 2,         /* of one client, on average … */
    LOGIN_REQUESTS = 3,         /* … besides a login, and what was refused before it */
    CONNECTS_PER_S = 8, /* to an endpoint: the backoff is a tenth of what it is in life */
    STREAMS_MAX = 1,    /* of an idle process: its connection */
    TIMERS_MORE = 5,    /* than a process that has never wanted anything */
};

const char *yr_invariant_name(yr_invariant invariant)
{
    static const char *const names[YR_INVARIANT_COUNT] = {
        "all hold",
        "I1 convergence",
        "I2 no ghost",
        "I3 per key monotone",
        "I4 no false removal",
        "I5 quiet",
        "I6 resources",
        "I7 callbacks",
        "I8 deadlines",
        "promises",
    };
    return names[invariant];
}

void yr_checker_fail(yr_checker *checker, yr_invariant invariant, const char *format, ...)
{
    yr_verdict *verdict = &checker->verdict;
    if (verdict->broken != YR_HOLDS) {
        return;
    }
    verdict->broken = invariant;
    bool is_going_on = checker->fleet != NULL;
    verdict->at_ms = is_going_on ? yr_sim_now_ms(checker->fleet->sim) : 0;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(verdict->text, sizeof verdict->text, format, args);
    va_end(args);
    if (is_going_on && checker->fleet->is_loud && len > 0) {
        printf("%8lld !!!! %s: %s\n", (long long)verdict->at_ms, yr_invariant_name(invariant),
               verdict->text);
    }
}

/* ---- What consumers are told ---- */

static yr_seen *find_seen(yr_checker *checker, const yr_view *view,
                          const yurpc_instance *instance)
{
    yurpc_bytes node = yr_instance_node(instance);
    for (size_t i = 0; i < checker->seen_count; i++) {
        yr_seen *seen = &checker->seen[i];
        if (seen->view == view && yr_bytes_equal(yr_bytes_of_text(seen->node), node)) {
            return seen;
        }
    }
    enum { STEP = 32 };
    if (checker->seen_count % STEP == 0) {
        yr_seen *more =
            realloc(checker->seen, (checker->seen_count + STEP) * sizeof *checker->seen);
        if (more == NULL) {
            abort();
        }
        checker->seen = more;
    }
    yr_seen *seen = &checker->seen[checker->seen_count++];
    *seen = (yr_seen){.view = view};
    if (snprintf(seen->node, sizeof seen->node, "%.*s", (int)node.len,
                 (const char *)node.data) < 0) {
        abort();
    }
    return seen;
}

/* I3: it was written just so, and not before what was seen last. */
static void on_present(yr_checker *checker, yr_seen *seen, yurpc_event_kind kind,
                       const yurpc_instance *instance)
{
    const yr_sighting sighting = {seen->view->service, instance};
    const char *name = seen->view->process->name;
    int64_t revision = yurpc_instance_revision(instance);
    uint32_t epoch = 0;
    bool is_up = kind == YURPC_EVENT_UP;
    if (is_up == seen->is_up) {
        yr_checker_fail(checker, YR_CALLBACKS, "%s: %s %s, although it was %s", name,
                        seen->node, yurpc_event_kind_name(kind), is_up ? "up" : "not");
        return;
    }
    int64_t revision_min = seen->revision + (is_up ? 1 : 0);
    if (!yr_witness_find(checker->witness, &sighting, seen->epoch, revision_min, &epoch)) {
        yr_checker_fail(checker, YR_MONOTONE,
                        "%s: %s %s as it was not written at revision %lld, or before %lld",
                        name, seen->node, yurpc_event_kind_name(kind), (long long)revision,
                        (long long)seen->revision);
        return;
    }
    seen->epoch = epoch;
    seen->revision = revision;
    seen->is_up = true;
}

/* I4: it had ended. */
static void on_absent(yr_checker *checker, yr_seen *seen, const yurpc_instance *instance)
{
    const yr_sighting sighting = {seen->view->service, instance};
    const char *name = seen->view->process->name;
    if (!seen->is_up) {
        yr_checker_fail(checker, YR_CALLBACKS, "%s: %s down, although it was not up", name,
                        seen->node);
    } else if (!yr_witness_saw_end(checker->witness, &sighting, seen->epoch)) {
        yr_checker_fail(checker, YR_NO_FALSE_REMOVAL,
                        "%s: %s down, although it stands in the registry since revision %lld",
                        name, seen->node, (long long)yurpc_instance_revision(instance));
    }
    seen->is_up = false;
}

static void on_event(void *context, const yr_view *view, yurpc_event_kind kind,
                     const yurpc_instance *instance)
{
    yr_checker *checker = context;
    const char *name = view->process->name;
    if (view->entry == NULL) {
        yr_checker_fail(checker, YR_CALLBACKS, "%s: an event after the end", name);
        return;
    }
    if (instance == NULL) {
        if (view->is_told_stale != (kind == YURPC_EVENT_FRESH)) {
            yr_checker_fail(checker, YR_CALLBACKS, "%s: %s twice", name,
                            yurpc_event_kind_name(kind));
        }
        return;
    }
    yr_seen *seen = find_seen(checker, view, instance);
    if (checker->is_hushed) {
        yr_checker_fail(checker, YR_PROMISES, "%s: %s %s because of a short interruption", name,
                        seen->node, yurpc_event_kind_name(kind));
    }
    if (kind == YURPC_EVENT_DOWN) {
        on_absent(checker, seen, instance);
    } else {
        on_present(checker, seen, kind, instance);
    }
}

/* ---- What providers are told ---- */

static void on_state(void *context, const yr_life *life, yurpc_registration_state state)
{
    yr_checker *checker = context;
    yurpc_registration_state before = life->state;
    bool is_lost_unregistered =
        state == YURPC_LOST && before != YURPC_REGISTERED && before != YURPC_LOST;
    bool is_registered_twice = state == YURPC_REGISTERED && before == YURPC_REGISTERED;
    bool is_back_from_leaving =
        before == YURPC_DRAINING && state != YURPC_GONE && state != YURPC_DRAINING;
    if (life->endings > 0 || is_lost_unregistered || is_registered_twice ||
        is_back_from_leaving) {
        yr_checker_fail(checker, YR_CALLBACKS, "%s: 10.0.0.1:%u %s after %s",
                        life->process->name, (unsigned)life->port,
                        yurpc_registration_state_name(state),
                        life->endings > 0 ? "its end" : yurpc_registration_state_name(before));
    }
    bool is_trouble = state == YURPC_LOST || state == YURPC_CONFLICT_STATE;
    if (checker->is_hushed && is_trouble) {
        yr_checker_fail(
            checker, YR_PROMISES, "%s: 10.0.0.1:%u %s because of a short interruption",
            life->process->name, (unsigned)life->port, yurpc_registration_state_name(state));
    }
}

static void on_call_end(void *context, const yr_process *process, const yr_fleet_call *call)
{
    yr_checker *checker = context;
    int64_t took_ms = yr_fleet_call_age_ms(call, process);
    if (took_ms > call->limit_ms + YR_FLEET_LATE_MS) {
        yr_checker_fail(checker, YR_DEADLINES, "%s: %s took %lld ms, its limit is %lld ms",
                        process->name, call->what, (long long)took_ms,
                        (long long)call->limit_ms);
    }
}

/* ---- Life ---- */

void yr_checker_init(yr_checker *checker, yr_fleet *fleet, const yr_witness *witness)
{
    *checker = (yr_checker){.fleet = fleet,
                            .witness = witness,
                            .observer = {on_event, on_state, on_call_end, checker}};
    fleet->observer = &checker->observer;
}

void yr_checker_deinit(yr_checker *checker)
{
    free(checker->seen);
}

/* ---- At the end ---- */

void yr_checker_look_for_ghosts(yr_checker *checker)
{
    const yr_fleet *fleet = checker->fleet;
    size_t living = 0;
    for (size_t i = 0; i < fleet->process_count; i++) {
        living += !fleet->processes[i]->is_dead;
    }
    size_t leases = yr_fake_etcd_leases(fleet->etcd)->count;
    if (leases > living) {
        yr_checker_fail(checker, YR_NO_GHOST, "%zu leases for %zu processes", leases, living);
    }
    yr_fake_span all = {{"/rpc/", 5}, {"/rpc0", 5}};
    const yr_fake_version *found = NULL;
    while ((found = yr_fake_store_next(yr_fake_etcd_store(fleet->etcd), &all, 0, found)) !=
           NULL) {
        if (found->lease == 0) {
            yr_checker_fail(checker, YR_NO_GHOST, "%.*s is left without a lease",
                            (int)found->key.len, (const char *)found->key.data);
        }
    }
}

void yr_checker_judge_traffic(yr_checker *checker, const yr_traffic *traffic)
{
    uint64_t seconds = (uint64_t)traffic->ms / 1000;
    uint64_t requests_per_s = traffic->is_faulty ? FAULTY_REQUESTS_PER_S : REQUESTS_PER_S;
    uint64_t more = LOGIN_REQUESTS * (uint64_t)traffic->logins;
    uint64_t more_then = LOGIN_REQUESTS * (uint64_t)traffic->logins_then;
    uint64_t expiries = (uint64_t)(traffic->ms / YR_CHECKER_TOKEN_MIN_MS) + 1;
    if (!traffic->is_faulty && traffic->logins > traffic->clients * expiries) {
        yr_checker_fail(checker, YR_QUIET, "%zu clients logged in %zu times within %llu s",
                        traffic->clients, traffic->logins, (unsigned long long)seconds);
    }
    if (traffic->requests > traffic->clients * requests_per_s * seconds + more ||
        (!traffic->is_faulty &&
         traffic->requests_most > requests_per_s * seconds + more_then)) {
        yr_checker_fail(checker, YR_QUIET,
                        "%zu requests of %zu clients, %zu on one connection, within %llu s in "
                        "which nothing happened",
                        traffic->requests, traffic->clients, traffic->requests_most,
                        (unsigned long long)seconds);
    }
    if (traffic->connects > traffic->endpoints * CONNECTS_PER_S * seconds) {
        yr_checker_fail(
            checker, YR_QUIET,
            "one client connected %llu times within %llu s in which nothing happened",
            (unsigned long long)traffic->connects, (unsigned long long)seconds);
    }
}

void yr_checker_judge_load(yr_checker *checker, const yr_process *process,
                           const yr_sim_load *base, const yr_sim_load *load)
{
    if (load->streams > STREAMS_MAX || load->timers > base->timers + TIMERS_MORE) {
        yr_checker_fail(
            checker, YR_RESOURCES,
            "%s has %zu streams and %zu timers, at the beginning it had %zu and %zu",
            process->name, load->streams, load->timers, base->streams, base->timers);
    }
    const yr_registry *registry = process->registry;
    if (registry->provider.claims.count > 0 || registry->directory.entries.count > 0) {
        yr_checker_fail(checker, YR_RESOURCES,
                        "%s wants nothing, and holds %zu claims, %zu lists", process->name,
                        registry->provider.claims.count, registry->directory.entries.count);
    }
}

void yr_checker_judge_blocks(yr_checker *checker, long blocks)
{
    if (blocks != 0) {
        yr_checker_fail(checker, YR_RESOURCES, "%ld blocks of memory are left", blocks);
    }
}

static void look_at_call(yr_checker *checker, const yr_process *process,
                         const yr_fleet_call *call)
{
    if (call->what != NULL) {
        yr_checker_fail(checker, YR_DEADLINES, "%s: %s never returned", process->name,
                        call->what);
    }
}

void yr_checker_look_at_ends(yr_checker *checker)
{
    for (const yr_life *life = checker->fleet->lives; life != NULL; life = life->next) {
        look_at_call(checker, life->process, &life->call);
        if (life->endings != 1) {
            yr_checker_fail(checker, YR_CALLBACKS, "%s: 10.0.0.1:%u was told its end %zu times",
                            life->process->name, (unsigned)life->port, life->endings);
        }
    }
    for (const yr_view *view = checker->fleet->views; view != NULL; view = view->next) {
        look_at_call(checker, view->process, &view->call);
    }
}
