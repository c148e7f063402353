#include "pair.h"

#include "yr_test.h"

const char yr_pair_key[] = "/rpc/" SERVICE "/10.0.0.1:1";

yr_pair yr_pair_new(uint64_t seed, size_t members)
{
    enum { SOON_MS = 1000 };
    yr_pair pair = {.fleet = yr_fleet_new(seed, false)};
    for (size_t i = 1; i < members; i++) {
        yr_fleet_add_member(pair.fleet);
    }
    pair.consumer = yr_fleet_start(pair.fleet, "consumer");
    pair.view = yr_process_follow(pair.consumer, SERVICE);
    pair.provider = yr_fleet_start(pair.fleet, "provider");
    pair.wanted = yr_process_register(pair.provider, SERVICE, 1);
    assert_true(yr_view_becomes(pair.view, "10.0.0.1:1 ", SOON_MS));
    return pair;
}

void yr_pair_free(yr_pair *pair)
{
    yr_fleet_free(pair->fleet);
}

void yr_pair_run_for(const yr_pair *pair, int64_t ms)
{
    yr_sim_run_for(pair->fleet->sim, ms);
}
