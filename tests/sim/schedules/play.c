#include "sim/schedules/play.h"

#include "base/mem.h"
#include "drivers/etcd/etcd_driver.h"
#include "etcd/client.h"
#include "registry/reclaimer.h"
#include "sim/schedules/actions.h"
#include "sim/schedules/chance.h"
#include "support/canary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TERM_MS = YR_FLEET_TTL_MS + 1000, /* who is dead is removed within this time */
    FAREWELL_MS = 1000,               /* who says goodbye, within this */
    LIST_MS = YR_FLEET_RECONCILE_MS * 6 / 5 + 1000, /* when the periodic list comes at last */
    FOREVER_MS = 200000,
    ON_ITS_WAY_MS = 1000, /* an answer from before the healing arrives within this */
    BEGIN_MS = 1000,
    QUIET_MS = 20000,
    TOKEN_MS = 60000,
    CALM_MS = 2 * YR_PLAY_RECOVERY_MS, /* a wait in which it has to become quiet */
};

const char *const yr_play_services[YR_PLAY_SERVICES] = {
    "com.acme.UserService:1.0",
    "com.acme.UserService:1.0.1", /* the other's key is the beginning of its own */
};

static const char *const names[YR_PLAY_PROCESSES] = {"provider-0", "provider-1", "provider-2",
                                                     "consumer-0", "consumer-1"};

uint64_t yr_play_draw(yr_play *play, uint64_t bound)
{
    return yr_chance_below(&play->chance, bound);
}

void yr_play_remark(const yr_play *play, const char *text)
{
    if (play->is_loud) {
        printf("%8lld ==== %s\n", (long long)yr_sim_now_ms(play->fleet->sim), text);
    }
}

static bool is_broken(const yr_play *play)
{
    return play->checker.verdict.broken != YR_HOLDS;
}

/* ---- What is measured ---- */

/* What was asked on the busiest connection, and by all. */
static void count_requests(const yr_fake_etcd *etcd, yr_traffic *traffic)
{
    enum { CONNS_MAX = 64 };
    const void *conns[CONNS_MAX] = {NULL};
    size_t counts[CONNS_MAX] = {0};
    size_t logins[CONNS_MAX] = {0};
    traffic->requests = yr_fake_etcd_request_count(etcd);
    for (size_t i = 0; i < traffic->requests; i++) {
        const yr_fake_request *request = yr_fake_etcd_request(etcd, i);
        size_t at = 0;
        while (at < CONNS_MAX - 1 && conns[at] != NULL && conns[at] != request->conn) {
            at++;
        }
        bool is_login = strcmp(request->method, "Authenticate") == 0;
        conns[at] = request->conn;
        counts[at]++;
        logins[at] += is_login;
        traffic->logins += is_login;
        if (counts[at] > traffic->requests_most) {
            traffic->requests_most = counts[at];
            traffic->logins_then = logins[at];
        }
    }
}

static bool is_faulty(const yr_play *play)
{
    bool is_faulty = play->is_stopped || play->is_forbidden || play->rules_added > 0;
    for (size_t i = 0; i < yr_fake_condition_count; i++) {
        is_faulty = is_faulty || yr_fake_condition_is_on(play->fleet->etcd, i);
    }
    return is_faulty;
}

static void run_quietly(yr_play *play, int64_t ms)
{
    yr_fleet *fleet = play->fleet;
    uint64_t before[YR_PLAY_PROCESSES];
    for (size_t i = 0; i < YR_PLAY_PROCESSES; i++) {
        before[i] = yr_sim_host_load(play->processes[i]->host).connects;
    }
    yr_fake_etcd_forget_requests(fleet->etcd);
    yr_sim_run_for(fleet->sim, ms);
    yr_traffic traffic = {.ms = ms,
                          .is_faulty = is_faulty(play),
                          .endpoints = fleet->other_count + 1,
                          .clients = YR_PLAY_PROCESSES};
    count_requests(fleet->etcd, &traffic);
    for (size_t i = 0; i < YR_PLAY_PROCESSES; i++) {
        uint64_t more = yr_sim_host_load(play->processes[i]->host).connects - before[i];
        traffic.connects = more > traffic.connects ? more : traffic.connects;
    }
    yr_checker_judge_traffic(&play->checker, &traffic);
}

/* ---- Beginning and acting ---- */

void yr_play_start(yr_play *play, size_t which)
{
    yr_process *process = yr_fleet_start(play->fleet, names[which]);
    process->registry->core.driver->client->link.backoff.cap_ms = YR_PLAY_BACKOFF_MS;
    play->processes[which] = process;
}

static char user[] = "clients";
static char password[] = YR_CANARY_PASSWORD;

void yr_play_set_users(yr_play *play, bool is_forbidden)
{
    yr_fake_etcd *etcd = play->fleet->etcd;
    if (!play->has_users) {
        return;
    }
    play->is_forbidden = is_forbidden;
    yr_fake_auth_set_user(etcd, user, password);
    if (is_forbidden) {
        yr_fake_auth_forbid(etcd, user);
    } else {
        yr_fake_auth_permit(etcd, user, "/rpc/");
    }
    yr_fake_auth_enable(etcd);
}

/* In one of four schedules the registry has users … */
static void add_users(yr_play *play)
{
    yr_fake_etcd *etcd = play->fleet->etcd;
    play->has_users = true;
    yr_fake_auth_options_of(etcd)->is_jwt = yr_play_draw(play, 2) == 0;
    yr_fake_auth_options_of(etcd)->says_denied = yr_play_draw(play, 2) == 0;
    yr_fake_auth_options_of(etcd)->guards_leases = yr_play_draw(play, 2) == 0;
    yr_fake_auth_options_of(etcd)->token_ttl_ms =
        YR_CHECKER_TOKEN_MIN_MS + (int64_t)yr_play_draw(play, TOKEN_MS);
    yr_play_set_users(play, false);
    play->fleet->username = user;
    play->fleet->password = password;
}

/* … in one of eight lists are kept on disk. */
static void add_cache(yr_play *play)
{
    if (yr_scratch_init(&play->cache, "yurpc-schedule.") != YURPC_OK ||
        snprintf(play->cache_dir, sizeof play->cache_dir, "%s/lists", play->cache.path) < 0) {
        fprintf(stderr, "no place for lists on disk\n");
        abort();
    }
    play->fleet->cache_dir = play->cache_dir;
}

static void begin(yr_play *play)
{
    play->chance = ~play->schedule->seed;
    const yr_fake_etcd_options options = {.is_34 = yr_play_draw(play, 2) == 0,
                                          .on_commit = yr_witness_on_commit,
                                          .context = &play->witness};
    yr_witness_init(&play->witness);
    yr_fleet *fleet = yr_fleet_new_with(play->schedule->seed, play->is_loud, &options);
    play->fleet = fleet;
    play->witness.fake = fleet->etcd;
    yr_checker_init(&play->checker, fleet, &play->witness);
    for (uint64_t more = yr_play_draw(play, 3); more > 0; more--) {
        yr_fleet_add_member(fleet);
    }
    if (yr_play_draw(play, 4) == 0) {
        add_users(play);
    }
    if (yr_play_draw(play, 8) == 0) {
        add_cache(play);
    }
    yr_sim_set_splitting(fleet->sim, yr_play_draw(play, 2) == 0);
    yr_ports_init(&play->ports, fleet->sim, (yr_ports_kind)(play->schedule->seed % 4));
    for (size_t i = 0; i < YR_PLAY_PROCESSES; i++) {
        yr_play_start(play, i);
    }
    yr_sim_run_for(fleet->sim, BEGIN_MS);
    for (size_t i = 0; i < YR_PLAY_PROCESSES; i++) {
        play->bases[i] = yr_sim_host_load(play->processes[i]->host);
    }
    for (size_t i = YR_PLAY_PROVIDERS; i < YR_PLAY_PROCESSES; i++) {
        yr_process_follow(play->processes[i], yr_play_services[0]);
    }
}

static void act(yr_play *play, const yr_action *action)
{
    const yr_action_kind *kind = &yr_action_kinds[action->kind];
    if (play->is_loud) {
        printf("%8lld ==== %u: %s\n", (long long)yr_sim_now_ms(play->fleet->sim), action->index,
               kind->name);
    }
    play->chance = action->chance;
    if (kind->weight[YR_USE_GENTLE] == 0) {
        play->checker.is_hushed = false;
    }
    kind->run(play);
    int64_t wait_ms = action->wait_ms;
    if (wait_ms >= CALM_MS) {
        yr_sim_run_for(play->fleet->sim, YR_PLAY_RECOVERY_MS);
        run_quietly(play, wait_ms - YR_PLAY_RECOVERY_MS);
    } else {
        yr_sim_run_for(play->fleet->sim, wait_ms);
    }
}

/* ---- Settling ---- */

/* A stranger's permanent keys stay for ever, and rightly so: the stranger cleans up. */
static void remove_permanent_keys(yr_play *play)
{
    yr_fake_etcd *etcd = play->fleet->etcd;
    yr_fake_span all = {{"/rpc/", 5}, {"/rpc0", 5}};
    const yr_fake_version *found = NULL;
    while ((found = yr_fake_store_next(yr_fake_etcd_store(etcd), &all, 0, found)) != NULL) {
        if (found->lease == 0) {
            char key[128];
            if (snprintf(key, sizeof key, "%.*s", (int)found->key.len,
                         (const char *)found->key.data) < 0) {
                abort();
            }
            yr_fake_etcd_delete(etcd, key);
        }
    }
}

void yr_play_heal(yr_play *play)
{
    yr_fake_etcd *etcd = play->fleet->etcd;
    if (play->is_stopped && yr_fake_etcd_start(etcd) != YURPC_OK) {
        abort();
    }
    play->is_stopped = false;
    yr_fake_conditions_end_all(etcd);
    yr_fake_etcd_clear_rules(etcd);
    play->rules_added = 0;
    yr_fleet_heal(play->fleet);
    yr_sim_set_latency(play->fleet->sim, 1, 5);
    if (play->has_users) {
        yr_play_set_users(play, false);
        yr_fake_auth_options_of(etcd)->token_ttl_ms = 0; /* from now on they stay good */
        yr_fake_auth_expire_tokens(etcd);
    }
    remove_permanent_keys(play);
}

static const char *settle(yr_play *play, int64_t limit_ms)
{
    int64_t end_ms = yr_sim_now_ms(play->fleet->sim) + limit_ms;
    const char *complaint = NULL;
    do {
        for (size_t i = 0; i < YR_PLAY_SERVICES && complaint == NULL; i++) {
            int64_t left_ms = end_ms - yr_sim_now_ms(play->fleet->sim);
            complaint = yr_fleet_settle(play->fleet, yr_play_services[i], left_ms);
        }
        /* The first may have changed while the last settled. */
    } while (complaint == NULL && yr_fleet_settle(play->fleet, yr_play_services[0], 0) != NULL);
    return complaint;
}

bool yr_play_settle(yr_play *play, int64_t limit_ms, yr_invariant invariant)
{
    const char *complaint = settle(play, limit_ms);
    if (complaint == NULL) {
        return true;
    }
    if (play->is_loud) {
        yr_fleet_describe(play->fleet);
    }
    yr_checker_fail(&play->checker, invariant, "after %lld ms %s", (long long)limit_ms,
                    complaint);
    return false;
}

/* How long the most patient claim waits: a write that was refused for good (permission denied,
 * say) is tried again seldom. */
static int64_t longest_patience_ms(const yr_play *play)
{
    int64_t longest_ms = 0;
    int64_t now_ms = yr_sim_now_ms(play->fleet->sim);
    for (size_t i = 0; i < YR_PLAY_PROVIDERS; i++) {
        const yr_provider *provider = &play->processes[i]->registry->provider;
        yr_map_node *node = NULL;
        while ((node = yr_map_next(&provider->claims, node)) != NULL) {
            int64_t left_ms = YR_CONTAINER_OF(node, yr_claim, map_node)->not_before_ms - now_ms;
            longest_ms = left_ms > longest_ms ? left_ms : longest_ms;
        }
    }
    return longest_ms;
}

/* As it is wanted in time, after the leases of the dead, and after those whom consumers only
 * suspect: that is promised. At all: else it never converges. */
static bool recover(yr_play *play)
{
    int64_t limit_ms = YR_PLAY_RECOVERY_MS - ON_ITS_WAY_MS + 2 * TERM_MS +
                       longest_patience_ms(play) + (play->was_lied_to ? LIST_MS : 0) +
                       (play->has_users ? YR_AUTH_REFUSED_MAX_MS : 0);
    if (settle(play, limit_ms) == NULL) {
        return true;
    }
    if (yr_play_settle(play, FOREVER_MS, YR_CONVERGENCE)) {
        yr_checker_fail(&play->checker, YR_PROMISES, "recovery took longer than %lld ms",
                        (long long)limit_ms);
    }
    return false;
}

bool yr_play_calm_down(yr_play *play)
{
    yr_play_heal(play);
    yr_sim_run_for(play->fleet->sim, ON_ITS_WAY_MS); /* another refusal, perhaps */
    int64_t patience_end_ms = yr_sim_now_ms(play->fleet->sim) + longest_patience_ms(play);
    if (!recover(play)) {
        return false;
    }
    int64_t left_ms = patience_end_ms - yr_sim_now_ms(play->fleet->sim);
    yr_sim_run_for(play->fleet->sim, left_ms > 0 ? left_ms : 0);
    /* It may have been right only because leases had not expired yet: what the dead held goes
     * now, whoever waited for it comes, and who was cut off is back. */
    yr_sim_run_for(play->fleet->sim, TERM_MS + YR_PLAY_RECOVERY_MS);
    return yr_play_settle(play, 1, YR_CONVERGENCE);
}

/* ---- The end ---- */

/* Each process knows what it wants, and nothing else is left of what it wanted before. */
static void look_at_counters(yr_play *play)
{
    for (size_t i = 0; i < YR_PLAY_PROVIDERS; i++) {
        const yr_registry *registry = play->processes[i]->registry;
        const yr_counters *counters = &registry->core.counters;
        uint32_t wanted = 0;
        uint32_t registered = 0;
        for (size_t j = 0; j < YR_FLEET_WANTED_MAX; j++) {
            const yurpc_registration *one = play->processes[i]->wanted[j].registration;
            wanted += one != NULL;
            registered += one != NULL && yurpc_registration_get_state(one) == YURPC_REGISTERED;
        }
        if (counters->registrations != wanted || counters->registered != registered ||
            registry->provider.claims.count != wanted) {
            yr_checker_fail(&play->checker, YR_CONVERGENCE,
                            "%s wants %u, counts %u, claims %zu; has %u, counts %u", names[i],
                            wanted, counters->registrations, registry->provider.claims.count,
                            registered, counters->registered);
        }
    }
}

static void look_at_quiet(yr_play *play)
{
    int64_t revision = yr_fake_etcd_revision(play->fleet->etcd);
    run_quietly(play, QUIET_MS);
    if (yr_fake_etcd_revision(play->fleet->etcd) != revision) {
        yr_checker_fail(&play->checker, YR_QUIET,
                        "something is written though nothing happens");
    }
}

static bool has_suspects(const yr_play *play)
{
    bool has_suspects = false;
    for (size_t i = YR_PLAY_PROVIDERS; i < YR_PLAY_PROCESSES; i++) {
        const yr_counters *counters = &play->processes[i]->registry->core.counters;
        has_suspects = has_suspects || counters->suspects > 0;
    }
    return has_suspects;
}

/* Whether somebody waits for an address that another process has. */
static bool has_conflicts(const yr_play *play)
{
    for (size_t i = 0; i < YR_PLAY_PROVIDERS; i++) {
        for (size_t j = 0; j < YR_FLEET_WANTED_MAX; j++) {
            const yurpc_registration *one = play->processes[i]->wanted[j].registration;
            if (one != NULL && yurpc_registration_get_state(one) == YURPC_CONFLICT_STATE) {
                return true;
            }
        }
    }
    return false;
}

/* One provider dies, another says goodbye: consumers notice in time. */
static void look_at_departures(yr_play *play)
{
    int64_t heir_ms = has_conflicts(play) ? FAREWELL_MS : 1; /* who takes over needs a moment */
    uint64_t first = play->schedule->seed % YR_PLAY_PROVIDERS;
    yr_process_kill(play->processes[first]);
    yr_sim_run_for(play->fleet->sim, TERM_MS);
    if (has_suspects(play)) {
        yr_sim_run_for(play->fleet->sim, TERM_MS); /* it was most of a service */
    }
    if (!yr_play_settle(play, heir_ms, YR_PROMISES)) {
        return;
    }
    int64_t begun_ms = yr_sim_now_ms(play->fleet->sim);
    yr_process_close(play->processes[(first + 1) % YR_PLAY_PROVIDERS]);
    int64_t took_ms = yr_sim_now_ms(play->fleet->sim) - begun_ms;
    int64_t left_ms = took_ms < FAREWELL_MS ? FAREWELL_MS - took_ms : 0;
    if (settle(play, left_ms) != NULL && has_suspects(play)) {
        left_ms =
            TERM_MS; /* a list that was being read just then did not say that it drained */
    }
    (void)yr_play_settle(play, left_ms, YR_PROMISES);
}

/* Who wants nothing has nothing. */
static void look_at_leftovers(yr_play *play)
{
    for (size_t i = 0; i < YR_PLAY_PROCESSES; i++) {
        yr_process *process = play->processes[i];
        for (size_t j = 0; j < YR_FLEET_WANTED_MAX && !process->is_dead; j++) {
            if (process->wanted[j].registration != NULL) {
                yr_process_unregister(process, &process->wanted[j]);
            }
        }
        for (size_t j = 0; j < YR_FLEET_FOLLOWED_MAX && !process->is_dead; j++) {
            if (process->views[j] != NULL) {
                yr_process_unfollow(process->views[j]);
            }
        }
    }
    yr_sim_run_for(play->fleet->sim, QUIET_MS);
    for (size_t i = 0; i < YR_PLAY_PROCESSES; i++) {
        const yr_process *process = play->processes[i];
        if (!process->is_dead) {
            yr_sim_load load = yr_sim_host_load(process->host);
            yr_checker_judge_load(&play->checker, process, &play->bases[i], &load);
        }
    }
}

static void finish(yr_play *play, const yr_play_options *options)
{
    if (!yr_play_calm_down(play)) {
        return;
    }
    if (options->on_settled != NULL) {
        options->on_settled(options->context, play);
    }
    look_at_quiet(play);
    yr_checker_look_for_ghosts(&play->checker);
    look_at_counters(play);
    if (!yr_play_settle(play, 1, YR_CONVERGENCE)) {
        return;
    }
    play->checker.is_hushed = false;
    look_at_departures(play);
    if (!is_broken(play)) {
        look_at_leftovers(play);
    }
}

static void close_all(yr_play *play)
{
    for (size_t i = 0; i < play->fleet->process_count; i++) {
        yr_process_close(play->fleet->processes[i]);
    }
    /* Those that were killed close behind a wall. */
    yr_sim_run_for(play->fleet->sim, YR_PLAY_RECOVERY_MS);
    if (!is_broken(play)) {
        yr_checker_look_at_ends(&play->checker);
    }
}

yr_verdict yr_play_run(const yr_schedule *schedule, const yr_play_options *options)
{
    static const yr_play_options none = {.is_loud = false};
    const yr_play_options *given = options != NULL ? options : &none;
    yr_play play = {.schedule = schedule, .is_loud = given->is_loud};
    if (given->is_counting) {
        yr_reclaimer_wait();
        yr_mem_count_blocks();
    }
    begin(&play);
    for (size_t i = 0; i < schedule->count && !is_broken(&play); i++) {
        act(&play, &schedule->actions[i]);
    }
    if (!is_broken(&play)) {
        finish(&play, given);
    }
    close_all(&play);
    yr_checker_deinit(&play.checker);
    yr_ports_deinit(&play.ports);
    yr_fleet_free(play.fleet);
    play.checker.fleet = NULL;
    if (given->is_counting) {
        yr_reclaimer_wait();
        yr_checker_judge_blocks(&play.checker, yr_mem_blocks());
    }
    yr_witness_deinit(&play.witness);
    yr_scratch_deinit(&play.cache);
    return play.checker.verdict;
}
