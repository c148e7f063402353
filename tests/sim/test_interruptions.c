/* Promise 2: an interruption of a third of the TTL is seen by nobody, however short the TTL. */
#include "sim/fleet.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>

#define SERVICE "com.acme.UserService:1.0"

enum { PROVIDERS = 30, SETTLE_MS = 10000 };

static size_t rounds = 20;

typedef struct stage {
    yr_fleet *fleet;
    yr_view *view;
    yr_process *providers[PROVIDERS];
    yr_wanted *wanted[PROVIDERS];
} stage;

/* A consumer, and providers whose beats are at as many phases. */
static stage set(int64_t ttl_ms, size_t members)
{
    static char names[PROVIDERS][16];
    stage made = {.fleet = yr_fleet_new((uint64_t)ttl_ms + members, false)};
    made.fleet->ttl_ms = ttl_ms;
    for (size_t i = 1; i < members; i++) {
        yr_fleet_add_member(made.fleet);
    }
    made.view = yr_process_follow(yr_fleet_start(made.fleet, "consumer"), SERVICE);
    for (size_t i = 0; i < PROVIDERS; i++) {
        (void)snprintf(names[i], sizeof names[i], "provider-%zu", i);
        made.providers[i] = yr_fleet_start(made.fleet, names[i]);
        made.wanted[i] = yr_process_register(made.providers[i], SERVICE, (uint16_t)(100 + i));
        yr_sim_run_for(made.fleet->sim, ttl_ms / 3 / PROVIDERS);
    }
    assert_null(yr_fleet_settle(made.fleet, SERVICE, SETTLE_MS));
    return made;
}

static void set_refusing(const stage *scene, bool is_refusing)
{
    yr_sim_set_refusing(scene->fleet->etcd_host, is_refusing);
    for (size_t i = 0; i < scene->fleet->other_count; i++) {
        yr_sim_set_refusing(scene->fleet->other_hosts[i], is_refusing);
    }
}

static void refuse(const stage *scene)
{
    set_refusing(scene, true);
    for (size_t i = 0; i < PROVIDERS; i++) {
        yr_sim_reset_connections(scene->providers[i]->host);
    }
}

static void unrefuse(const stage *scene)
{
    set_refusing(scene, false);
}

static void cut(const stage *scene)
{
    for (size_t i = 0; i < PROVIDERS; i++) {
        yr_sim_cut_host(scene->providers[i]->host);
    }
}

static void heal(const stage *scene)
{
    yr_sim_heal_all(scene->fleet->sim);
}

typedef void meddle(const stage *scene);

static void interrupt(int64_t ttl_ms, size_t members, meddle *begin, meddle *end)
{
    stage scene = set(ttl_ms, members);
    for (size_t round = 0; round < rounds; round++) {
        int64_t phase_ms = (int64_t)round * ttl_ms / 3 / (int64_t)rounds;
        yr_sim_run_for(scene.fleet->sim, 2 * ttl_ms + phase_ms);
        begin(&scene);
        yr_sim_run_for(scene.fleet->sim, ttl_ms / 3);
        end(&scene);
    }
    yr_sim_run_for(scene.fleet->sim, 2 * ttl_ms);
    size_t losses = 0;
    for (size_t i = 0; i < PROVIDERS; i++) {
        losses += scene.wanted[i]->losses;
    }
    printf("T = %2lld s, %zu members, %s: %zu leases lost of %zu\n", (long long)ttl_ms / 1000,
           members, begin == cut ? "silence" : "refused", losses, PROVIDERS * rounds);
    assert_int_equal(losses, 0);
    assert_int_equal(scene.view->downs + scene.view->changes, 0);
    yr_fleet_free(scene.fleet);
}

static const int64_t ttls_ms[] = {5000, 7000, 10000, 30000};

static void connections_refused_for_a_third_of_the_ttl_cost_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ttls_ms / sizeof ttls_ms[0]; i++) {
        interrupt(ttls_ms[i], 1, refuse, unrefuse);
        interrupt(ttls_ms[i], 3, refuse, unrefuse);
    }
}

static void silence_for_a_third_of_the_ttl_costs_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ttls_ms / sizeof ttls_ms[0]; i++) {
        interrupt(ttls_ms[i], 1, cut, heal);
        interrupt(ttls_ms[i], 3, cut, heal);
    }
}

/* test_sim_interruptions [ROUNDS]: how often each is met, each time at another phase. */
int main(int argc, char **argv)
{
    if (argc > 1) {
        rounds = strtoull(argv[1], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_refused_for_a_third_of_the_ttl_cost_nothing),
        cmocka_unit_test(silence_for_a_third_of_the_ttl_costs_nothing),
    };
    return cmocka_run_group_tests_name("interruptions", tests, NULL, NULL);
}
