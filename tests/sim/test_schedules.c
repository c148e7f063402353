/*
 * Random schedules: providers, consumers and faults by a seed; then everything is healed, and
 * what is wanted, what is registered and what consumers see must be the same.
 *
 *   test_sim_schedules [--seeds FIRST COUNT] [--seed N]
 *
 * --seed runs one schedule and prints all that happens in it.
 */
#include "sim/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS = 40,
    STEP_MS_MAX = 2000,
    /* Backoff, connection, a lease of the dead, all after the last fault; and one periodic
     * list, because data that was wiped twice may look as if nothing had happened. */
    SETTLE_MS = 25000,
    RECOVERY_MS = 10000,
    QUIET_MS = 20000,   /* then nothing may be asked but keepalives … */
    QUIET_REQUESTS = 2, /* … and so many more a second, for each process */
    PROVIDERS = 3,
    CONSUMERS = 2,
    PORTS = 6,
};

static const char service[] = "com.acme.UserService:1.0";

typedef struct schedule {
    uint64_t seed;
    bool is_loud;
    yr_fleet *fleet;
    yr_process *providers[PROVIDERS];
    yr_process *consumers[CONSUMERS];
    bool is_stopped; /* the registry */
    unsigned restarts;
} schedule;

static uint64_t below(schedule *now, uint64_t bound)
{
    return yr_sim_random_below(now->fleet->sim, bound);
}

static yr_process *any_process(schedule *now)
{
    uint64_t i = below(now, PROVIDERS + CONSUMERS);
    return i < PROVIDERS ? now->providers[i] : now->consumers[i - PROVIDERS];
}

/* ---- What users do ---- */

static void toggle(schedule *now)
{
    yr_process *process = now->providers[below(now, PROVIDERS)];
    uint16_t port = (uint16_t)(1 + below(now, PORTS));
    yr_wanted *free_slot = NULL;
    for (size_t i = 0; i < YR_FLEET_WANTED_MAX; i++) {
        yr_wanted *wanted = &process->wanted[i];
        if (wanted->registration == NULL) {
            free_slot = wanted;
        } else if (wanted->port == port) {
            yr_process_unregister(process, wanted);
            return;
        }
    }
    if (free_slot != NULL) {
        yr_process_register(process, service, port);
    }
}

/* Leave, and register the same address with another value at once. */
static void update(schedule *now)
{
    yr_process *process = now->providers[below(now, PROVIDERS)];
    for (size_t i = 0; i < YR_FLEET_WANTED_MAX; i++) {
        yr_wanted *wanted = &process->wanted[i];
        if (wanted->registration == NULL) {
            continue;
        }
        uint16_t port = wanted->port;
        uint32_t weight = wanted->weight % 1000 + 1;
        yr_process_unregister(process, wanted);
        if (yr_process_try_register(process, service, port, weight) == NULL) {
            abort();
        }
        return;
    }
}

static void restart_provider(schedule *now)
{
    static const char *const names[] = {"provider-0", "provider-1", "provider-2"};
    uint64_t i = below(now, PROVIDERS);
    if (now->fleet->process_count + 1 >= YR_FLEET_PROCESSES_MAX) {
        return;
    }
    if (below(now, 3) == 0) {
        yr_process_close(now->providers[i]);
    } else {
        yr_process_kill(now->providers[i]);
    }
    now->providers[i] = yr_fleet_start(now->fleet, names[i]);
    now->restarts++;
}

static void restart_consumer(schedule *now)
{
    static const char *const names[] = {"consumer-0", "consumer-1"};
    uint64_t i = below(now, CONSUMERS);
    if (now->fleet->process_count + 1 >= YR_FLEET_PROCESSES_MAX) {
        return;
    }
    yr_process_kill(now->consumers[i]);
    now->consumers[i] = yr_fleet_start(now->fleet, names[i]);
    yr_process_follow(now->consumers[i], service);
}

/* ---- What goes wrong ---- */

static yr_sim_host *any_member(schedule *now)
{
    yr_fleet *fleet = now->fleet;
    bool is_other = fleet->other_count > 0 && below(now, 2) == 0;
    return is_other ? fleet->other_hosts[0] : fleet->etcd_host;
}

static void cut(schedule *now)
{
    yr_sim_cut(any_process(now)->host, any_member(now));
}

static void cut_one_way(schedule *now)
{
    yr_sim_host *process = any_process(now)->host;
    yr_sim_host *member = any_member(now);
    if (below(now, 2) == 0) {
        yr_sim_cut_one_way(member, process);
    } else {
        yr_sim_cut_one_way(process, member);
    }
}

/* The second member hears nobody, or refuses everybody, or loses its connections. */
static void spoil_member(schedule *now)
{
    yr_sim_host *other = now->fleet->other_hosts[0];
    if (other == NULL) {
        return;
    }
    switch (below(now, 3)) {
    case 0:
        yr_sim_cut_host(other);
        return;
    case 1:
        yr_sim_set_refusing(other, true);
        return;
    default:
        yr_sim_reset_connections(other);
    }
}

static void heal(schedule *now)
{
    yr_fleet_heal(now->fleet);
}

static void reset(schedule *now)
{
    yr_sim_reset_connections(any_process(now)->host);
}

static void freeze(schedule *now)
{
    yr_process_freeze(any_process(now));
}

static void stop_or_start(schedule *now)
{
    if (now->is_stopped) {
        if (yr_fake_etcd_start(now->fleet->etcd) != YURPC_OK) {
            abort();
        }
    } else {
        yr_fake_etcd_stop(now->fleet->etcd);
    }
    now->is_stopped = !now->is_stopped;
}

static void wipe(schedule *now)
{
    if (!now->is_stopped && yr_fake_etcd_restart(now->fleet->etcd, true) != YURPC_OK) {
        abort();
    }
}

static void compact(schedule *now)
{
    yr_fake_etcd_compact(now->fleet->etcd, 0);
}

static void drop_connections(schedule *now)
{
    yr_fake_etcd_drop_connections(now->fleet->etcd);
}

static void toggle_silence(schedule *now)
{
    yr_fake_etcd_set_silent(now->fleet->etcd, below(now, 2) == 0);
}

static void revoke_all(schedule *now)
{
    yr_fake_etcd_revoke_all(now->fleet->etcd);
}

static void meddle(schedule *now)
{
    char key[128];
    if (snprintf(key, sizeof key, "/rpc/%s/10.0.0.1:%u", service,
                 (unsigned)(1 + below(now, PORTS))) < 0) {
        abort();
    }
    const yr_fake_version *present = yr_fake_etcd_get(now->fleet->etcd, key);
    if (present == NULL) {
        return; /* a stranger's permanent key would stay for ever, and rightly so */
    }
    if (below(now, 2) == 0) {
        yr_fake_etcd_delete(now->fleet->etcd, key);
    } else {
        yr_fake_etcd_put(now->fleet->etcd, key, "{}", 0);
    }
}

enum { STRANGER_TTL_S = 4, JAVA_PORT = 100, POISON_PORT = 101 };

static void put_as_java(schedule *now, unsigned port)
{
    char key[128];
    char value[256];
    if (snprintf(key, sizeof key, "/rpc/%s/10.0.0.1:%u", service, port) < 0 ||
        snprintf(value, sizeof value,
                 "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
                 "\"serviceHost\":\"10.0.0.1\",\"servicePort\":%u,"
                 "\"serviceGroup\":\"default\"}",
                 port) < 0) {
        abort();
    }
    int64_t lease = yr_fake_etcd_grant(now->fleet->etcd, STRANGER_TTL_S);
    yr_fake_etcd_put(now->fleet->etcd, key, value, lease);
}

/* A Java node beats: on an address of its own, or on one of ours. */
static void beat_as_java(schedule *now)
{
    if (!now->is_stopped) {
        put_as_java(now, below(now, 2) == 0 ? JAVA_PORT : (unsigned)(1 + below(now, PORTS)));
    }
}

static void poison(schedule *now)
{
    char key[128];
    if (snprintf(key, sizeof key, "/rpc/%s/10.0.0.1:%d", service, POISON_PORT) < 0) {
        abort();
    }
    if (!now->is_stopped) {
        int64_t lease = yr_fake_etcd_grant(now->fleet->etcd, STRANGER_TTL_S);
        yr_fake_etcd_put(now->fleet->etcd, key, "not json", lease);
    }
}

/* Much happens between a list and its watch, and its first events come in pieces. */
static void delay_watches(schedule *now)
{
    yr_fake_rule rule = {.method = "Watch",
                         .times = 2,
                         .action = YR_FAKE_DELAY,
                         .number = (int64_t)below(now, 1500)};
    yr_fake_etcd_add_rule(now->fleet->etcd, &rule);
    yr_fake_rule pieces = {
        .method = "Events", .times = 5, .action = YR_FAKE_FRAGMENT, .number = 1};
    yr_fake_etcd_add_rule(now->fleet->etcd, &pieces);
}

/* One request of a random kind goes wrong in a random way. */
static void add_rule(schedule *now)
{
    static const char *const methods[] = {"Range",       "Txn",   "LeaseGrant",
                                          "LeaseRevoke", "Watch", "LeaseKeepAlive"};
    static const yr_fake_action actions[] = {
        YR_FAKE_STATUS,
        YR_FAKE_STATUS_AFTER_APPLY,
        YR_FAKE_DELAY,
        YR_FAKE_DELAY_ANSWER,
        YR_FAKE_SILENT,
        YR_FAKE_DROP_BEFORE_APPLY,
        YR_FAKE_DROP_AFTER_APPLY,
    };
    yr_fake_rule rule = {.method = methods[below(now, sizeof methods / sizeof *methods)],
                         .nth = 1 + (uint32_t)below(now, 3),
                         .times = 1 + (uint32_t)below(now, 2),
                         .action = actions[below(now, sizeof actions / sizeof *actions)],
                         .number = (int64_t)below(now, 4000),
                         .code = 14,
                         .text = "etcdserver: request timed out"};
    yr_fake_etcd_add_rule(now->fleet->etcd, &rule);
}

static void repeat_events(schedule *now)
{
    yr_fake_rule rule = {.method = "Events", .times = 2, .action = YR_FAKE_DUP_EVENTS};
    yr_fake_etcd_add_rule(now->fleet->etcd, &rule);
}

typedef struct step {
    const char *name;
    void (*run)(schedule *now);
    unsigned weight;
} step;

static const step steps[] = {
    {"toggle a registration", toggle, 30},
    {"update a registration", update, 8},
    {"restart a provider", restart_provider, 6},
    {"restart a consumer", restart_consumer, 2},
    {"cut", cut, 5},
    {"cut one way", cut_one_way, 3},
    {"heal", heal, 14},
    {"reset connections", reset, 5},
    {"freeze", freeze, 3},
    {"stop or start the registry", stop_or_start, 5},
    {"wipe the registry", wipe, 2},
    {"compact", compact, 5},
    {"drop the registry's connections", drop_connections, 3},
    {"silence the registry, or not", toggle_silence, 4},
    {"revoke all leases", revoke_all, 3},
    {"meddle with a key", meddle, 6},
    {"spoil a request", add_rule, 10},
    {"repeat events", repeat_events, 2},
    {"spoil the second member", spoil_member, 3},
    {"beat as a Java node", beat_as_java, 6},
    {"poison a key", poison, 2},
    {"delay watches", delay_watches, 3},
};

static void run_step(schedule *now)
{
    enum { STEP_KINDS = sizeof steps / sizeof *steps };
    uint64_t total = 0;
    for (size_t i = 0; i < STEP_KINDS; i++) {
        total += steps[i].weight;
    }
    uint64_t drawn = below(now, total);
    size_t i = 0;
    while (drawn >= steps[i].weight) {
        drawn -= steps[i].weight;
        i++;
    }
    if (now->is_loud) {
        printf("%8lld ==== %s\n", (long long)yr_sim_now_ms(now->fleet->sim), steps[i].name);
    }
    steps[i].run(now);
}

/* ---- What must hold at the end ---- */

static bool fail(const schedule *now, const char *what)
{
    printf("seed %llu: %s\n", (unsigned long long)now->seed, what);
    if (now->is_loud) {
        yr_fleet_describe(now->fleet);
    }
    return false;
}

static bool check_leases(schedule *now)
{
    yr_fleet *fleet = now->fleet;
    size_t living = 0;
    for (size_t i = 0; i < fleet->process_count; i++) {
        living += !fleet->processes[i]->is_dead;
    }
    if (yr_fake_etcd_leases(fleet->etcd)->count > living) {
        return fail(now, "there are more leases than processes");
    }
    yr_fake_span all = {{"/rpc/", 5}, {"/rpc0", 5}};
    const yr_fake_version *found = NULL;
    while ((found = yr_fake_store_next(yr_fake_etcd_store(fleet->etcd), &all, 0, found)) !=
           NULL) {
        if (found->lease == 0) {
            return fail(now, "a key without a lease was left behind");
        }
    }
    return true;
}

/* Each process knows what it wants, and nothing else is left of what it wanted before. */
static bool check_counters(const schedule *now)
{
    for (size_t i = 0; i < PROVIDERS; i++) {
        const yr_registry *registry = now->providers[i]->registry;
        const yr_counters *counters = &registry->core.counters;
        uint32_t wanted = 0;
        uint32_t registered = 0;
        for (size_t j = 0; j < YR_FLEET_WANTED_MAX; j++) {
            const yurpc_registration *one = now->providers[i]->wanted[j].registration;
            wanted += one != NULL;
            registered += one != NULL && yurpc_registration_get_state(one) == YURPC_REGISTERED;
        }
        if (counters->registrations != wanted || registry->provider.claims.count != wanted) {
            return fail(now, "a registration is wanted that is not, or a claim is left");
        }
        if (counters->registered != registered) {
            return fail(now, "the counter of registered instances is wrong");
        }
    }
    return true;
}

static bool check_quiet(schedule *now)
{
    yr_fleet *fleet = now->fleet;
    int64_t revision = yr_fake_etcd_revision(fleet->etcd);
    yr_fake_etcd_forget_requests(fleet->etcd);
    yr_sim_run_for(fleet->sim, QUIET_MS);
    if (yr_fake_etcd_revision(fleet->etcd) != revision) {
        return fail(now, "something is written although nothing happens");
    }
    size_t requests = yr_fake_etcd_request_count(fleet->etcd);
    size_t limit = (PROVIDERS + CONSUMERS) * QUIET_REQUESTS * QUIET_MS / 1000;
    return requests <= limit || fail(now, "too many requests although nothing happens");
}

/* A stranger's permanent keys stay for ever, and rightly so: the stranger cleans up. */
static void remove_permanent_keys(schedule *now)
{
    char key[128];
    for (unsigned port = 1; port <= PORTS; port++) {
        if (snprintf(key, sizeof key, "/rpc/%s/10.0.0.1:%u", service, port) < 0) {
            abort();
        }
        const yr_fake_version *present = yr_fake_etcd_get(now->fleet->etcd, key);
        if (present != NULL && present->lease == 0) {
            yr_fake_etcd_delete(now->fleet->etcd, key);
        }
    }
}

static bool check(schedule *now)
{
    if (now->is_stopped) {
        stop_or_start(now);
    }
    yr_fake_etcd_clear_rules(now->fleet->etcd);
    heal(now);
    remove_permanent_keys(now);
    const char *complaint = yr_fleet_settle(now->fleet, service, SETTLE_MS);
    if (complaint != NULL) {
        return fail(now, complaint);
    }
    /* It may have been right only because leases had not expired yet: what the dead held goes
     * now, whoever waited for it comes, and who was cut off is back. */
    yr_sim_run_for(now->fleet->sim, YR_FLEET_TTL_MS + RECOVERY_MS);
    complaint = yr_fleet_settle(now->fleet, service, 1);
    if (complaint != NULL) {
        return fail(now, complaint);
    }
    if (!check_quiet(now) || !check_leases(now) || !check_counters(now)) {
        return false;
    }
    complaint = yr_fleet_settle(now->fleet, service, 1);
    return complaint == NULL || fail(now, complaint);
}

static bool run_schedule(uint64_t seed, bool is_loud)
{
    schedule now = {.seed = seed, .is_loud = is_loud};
    now.fleet = yr_fleet_new(seed, is_loud);
    if (below(&now, 2) == 0) {
        yr_fleet_add_member(now.fleet);
    }
    yr_sim_set_splitting(now.fleet->sim, below(&now, 2) == 0);
    now.providers[0] = yr_fleet_start(now.fleet, "provider-0");
    now.providers[1] = yr_fleet_start(now.fleet, "provider-1");
    now.providers[2] = yr_fleet_start(now.fleet, "provider-2");
    now.consumers[0] = yr_fleet_start(now.fleet, "consumer-0");
    now.consumers[1] = yr_fleet_start(now.fleet, "consumer-1");
    yr_process_follow(now.consumers[0], service);
    yr_process_follow(now.consumers[1], service);
    for (int i = 0; i < STEPS; i++) {
        run_step(&now);
        yr_sim_run_for(now.fleet->sim, (int64_t)below(&now, STEP_MS_MAX));
    }
    bool is_right = check(&now);
    yr_fleet_free(now.fleet);
    return is_right;
}

/* ---- The program ---- */

static uint64_t number(const char *text)
{
    char *rest = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (errno != 0 || *rest != '\0') {
        fprintf(stderr, "'%s' is not a number\n", text);
        exit(EXIT_FAILURE);
    }
    return value;
}

int main(int argc, char **argv)
{
    uint64_t first = 1;
    uint64_t count = 1000;
    if (argc == 3 && strcmp(argv[1], "--seed") == 0) {
        bool is_right = run_schedule(number(argv[2]), true);
        printf("seed %s: %s\n", argv[2], is_right ? "right" : "wrong");
        return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (argc == 4 && strcmp(argv[1], "--seeds") == 0) {
        first = number(argv[2]);
        count = number(argv[3]);
    } else if (argc != 1) {
        fprintf(stderr, "usage: %s [--seeds FIRST COUNT | --seed N]\n", argv[0]);
        return EXIT_FAILURE;
    }
    uint64_t wrong = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (!run_schedule(seed, false)) {
            wrong++;
            printf("  to see it: %s --seed %llu\n", argv[0], (unsigned long long)seed);
        }
    }
    printf("%llu schedules, %llu wrong\n", (unsigned long long)count,
           (unsigned long long)wrong);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
