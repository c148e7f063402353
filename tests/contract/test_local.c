/* The contract, on the embedded registry: one file for each test. */
#include "contract.h"
#include "scratch.h"

#include <stdio.h>

static yr_scratch scratch;
static char address[160];

static const char *start(void)
{
    if (yr_scratch_init(&scratch, "yurpc-contract.") != YURPC_OK) {
        return NULL;
    }
    snprintf(address, sizeof address, "%s/run/registry.db", scratch.path);
    return address;
}

static void stop(void)
{
    yr_scratch_deinit(&scratch);
}

int main(void)
{
    static const char *const bad[] = {"", "http://127.0.0.1:2379", "/tmp", "registry/", NULL};
    static const yr_backend backend = {.name = "local",
                                       .ops = &yr_driver_local,
                                       .bad_addresses = bad,
                                       .ttl_ms = 1500,
                                       .start = start,
                                       .stop = stop};
    return yr_contract_run(&backend);
}
