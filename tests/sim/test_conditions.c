/*
 * Providers and consumers under each condition of the fake etcd, one after the other: nothing
 * gets stuck while it lasts, nothing asks without pause, and when it has ended all is well
 * again within the bound.
 */
#include "fake/conditions.h"
#include "sim/fleet.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>

#define SERVICE "com.acme.UserService:1.0"

enum {
    BEFORE_MS = 1500,
    DURING_MS = 12000,
    RECOVERY_MS = 10000,
    TTL_MS = 5000, /* the shortest that can be set: with the shortest waits */
    EXPIRY_MS = TTL_MS + 1000,
    /* What was believed is compared with a list, every 15 s ± 20 %. */
    TRUTH_MS = YR_FLEET_RECONCILE_MS * 12 / 10 + RECOVERY_MS,
    VERDICT_MS = 60000, /* until what was refused for good is tried again */
    PROCESSES = 3,
    REQUESTS_PER_S = 6, /* of each process, when it has lasted a while */
    PRIME = 7919,
};

/* Two providers and a consumer; one comes and one leaves while it lasts. */
static bool run(size_t index, uint64_t chance, bool has_members)
{
    const char *name = yr_fake_conditions[index].name;
    yr_fleet *fleet = yr_fleet_new(chance + 1, false);
    fleet->ttl_ms = TTL_MS;
    if (has_members) {
        yr_fleet_add_member(fleet);
        yr_fleet_add_member(fleet);
    }
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_process_follow(consumer, SERVICE);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process_register(provider, SERVICE, 1);
    yr_wanted *leaving = yr_process_register(provider, SERVICE, 2);
    yr_process *other = yr_fleet_start(fleet, "other");
    yr_process_register(other, SERVICE, 3);
    yr_sim_run_for(fleet->sim, BEFORE_MS + (int64_t)(chance % 1000));

    yr_fake_condition_begin(fleet->etcd, index, chance);
    yr_sim_run_for(fleet->sim, DURING_MS / 3);
    yr_process_register(other, SERVICE, 4);
    yr_process_unregister(provider, leaving);
    yr_sim_run_for(fleet->sim, DURING_MS / 3);
    int64_t since_ms = yr_sim_now_ms(fleet->sim);
    yr_sim_run_for(fleet->sim, DURING_MS / 3);
    size_t requests = yr_fake_etcd_count_requests(fleet->etcd, NULL, since_ms);
    bool is_calm = requests <= PROCESSES * REQUESTS_PER_S * DURING_MS / 3 / 1000;
    if (!is_calm) {
        printf("\"%s\" (%llu): %zu requests\n", name, (unsigned long long)chance, requests);
    }
    yr_fake_condition_end(fleet->etcd, index);

    int64_t limit_ms = yr_fake_conditions[index].is_lie       ? TRUTH_MS
                       : yr_fake_conditions[index].is_verdict ? VERDICT_MS
                                                              : RECOVERY_MS;
    const char *complaint = yr_fleet_settle(fleet, SERVICE, limit_ms);
    if (complaint == NULL) {
        yr_sim_run_for(fleet->sim, EXPIRY_MS + RECOVERY_MS);
        complaint = yr_fleet_settle(fleet, SERVICE, 1);
    }
    if (complaint != NULL) {
        printf("\"%s\" (%llu): %s\n", name, (unsigned long long)chance, complaint);
    }
    size_t leases = yr_fake_etcd_leases(fleet->etcd)->count;
    if (leases > PROCESSES - 1) {
        printf("\"%s\" (%llu): %zu leases\n", name, (unsigned long long)chance, leases);
    }
    yr_fleet_free(fleet);
    return complaint == NULL && is_calm && leases <= PROCESSES - 1;
}

static uint64_t chances = 30;

static void whatever_went_wrong_is_right_again_in_time(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < yr_fake_condition_count; i++) {
        for (uint64_t chance = 0; chance < chances; chance++) {
            wrong += !run(i, chance * PRIME, chance % 2 == 1);
        }
    }
    assert_int_equal(wrong, 0);
}

/* test_sim_conditions [CHANCES]: how often each condition is met, each time another way. */
int main(int argc, char **argv)
{
    if (argc > 1) {
        chances = strtoull(argv[1], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_went_wrong_is_right_again_in_time),
    };
    return cmocka_run_group_tests_name("conditions", tests, NULL, NULL);
}
