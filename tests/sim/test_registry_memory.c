/* Each allocation of providers and consumers fails in turn, with all that follow for a while.
 */
#include "base/mem.h"
#include "sim/fleet.h"
#include "yr_test.h"

#include <string.h>

#define SERVICE "com.acme.UserService:1.0"

enum {
    SHORT_MS = 1500, /* without memory */
    STEP_MS = 300,
    SETTLE_MS = 25000,
    QUIET_MS = 10000,
    QUIET_REQUESTS_MAX = 60, /* keepalives, and a list of each service */
};

static const char foreign_key[] = "/rpc/" SERVICE "/10.0.0.1:9";
static const char foreign_value[] =
    "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
    "\"serviceHost\":\"10.0.0.1\",\"servicePort\":9,\"serviceGroup\":\"default\"}";

typedef struct memory_case {
    yr_fleet *fleet;
    yr_process *provider;
    yr_process *consumer;
    yr_wanted *leaving;
    yr_wanted *staying;
} memory_case;

static memory_case set(uint64_t seed)
{
    memory_case it = {.fleet = yr_fleet_new(seed, false)};
    it.provider = yr_fleet_start(it.fleet, "provider");
    it.consumer = yr_fleet_start(it.fleet, "consumer");
    yr_process_follow(it.consumer, SERVICE);
    it.leaving = yr_process_register(it.provider, SERVICE, 1);
    it.staying = yr_process_register(it.provider, SERVICE, 2);
    assert_null(yr_fleet_settle(it.fleet, SERVICE, SETTLE_MS));
    return it;
}

/* What may happen in a life: each fails or is done, and what fails leaves nothing. */
static void live(memory_case *it)
{
    yr_sim *sim = it->fleet->sim;
    if (yr_process_try_register(it->provider, SERVICE, 3, 7) == NULL) {
        yr_sim_run_for(sim, 1); /* no memory: not wanted */
    }
    yr_process_unregister(it->provider, it->leaving);
    if (yr_process_try_follow(it->provider, SERVICE) == NULL) {
        yr_sim_run_for(sim, 1);
    }
    yr_sim_run_for(sim, STEP_MS);
    yr_fake_etcd_put(it->fleet->etcd, foreign_key, foreign_value, 0);
    yr_sim_run_for(sim, STEP_MS);
    yr_fake_etcd_delete(it->fleet->etcd, "/rpc/" SERVICE "/10.0.0.1:2");
    yr_sim_run_for(sim, STEP_MS);
    yr_sim_reset_connections(it->consumer->host);
    yr_fake_etcd_delete(it->fleet->etcd, foreign_key);
    yr_sim_run_for(sim, STEP_MS);
    yr_fake_etcd_revoke_all(it->fleet->etcd);
    yr_sim_run_for(sim, SHORT_MS - 4 * STEP_MS);
}

static void a_fleet_recovers_from_every_lack_of_memory(void **state)
{
    (void)state;
    bool is_through = false;
    for (long n = 0; !is_through; n++) {
        memory_case it = set((uint64_t)n + 1);
        yr_mem_fail_after(n);
        live(&it);
        is_through = yr_mem_attempts() < n;
        yr_mem_fail_after(-1);
        const char *complaint = yr_fleet_settle(it.fleet, SERVICE, SETTLE_MS);
        if (complaint != NULL) {
            yr_fleet_describe(it.fleet);
            fail_msg("allocation %ld fails: %s", n, complaint);
        }
        yr_sim_run_for(it.fleet->sim, YR_FLEET_TTL_MS);
        yr_fake_etcd_forget_requests(it.fleet->etcd);
        yr_sim_run_for(it.fleet->sim, QUIET_MS);
        assert_in_range(yr_fake_etcd_request_count(it.fleet->etcd), 0, QUIET_REQUESTS_MAX);
        assert_null(yr_fleet_settle(it.fleet, SERVICE, 1));
        yr_fleet_free(it.fleet);
    }
}

/* Closing allocates, too; it ends in time, and the lease goes at the latest when it expires. */
static void a_process_closes_without_memory(void **state)
{
    (void)state;
    bool is_through = false;
    for (long n = 0; !is_through; n++) {
        memory_case it = set((uint64_t)n + 1);
        yr_mem_fail_after(n);
        yr_process_close(it.provider);
        is_through = yr_mem_attempts() < n;
        yr_mem_fail_after(-1);
        assert_null(yr_fleet_settle(it.fleet, SERVICE, 2 * YR_FLEET_TTL_MS));
        yr_fleet_free(it.fleet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fleet_recovers_from_every_lack_of_memory),
        cmocka_unit_test(a_process_closes_without_memory),
    };
    return cmocka_run_group_tests_name("registry_memory", tests, NULL, NULL);
}
