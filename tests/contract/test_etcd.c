/* The contract, on a real etcd: the version is the argument. */
#include "contract.h"
#include "engine.h"

#include <stdio.h>

static yr_engine *engine;

/* One engine for all tests; each finds it empty. */
static const char *start(yr_io *io)
{
    (void)io;
    return yr_engine_restart(engine, true) == YURPC_OK ? yr_engine_address(engine) : NULL;
}

static void stop(void)
{
}

int main(int argc, char **argv)
{
    static const char *const bad[] = {"http://", "ftp://127.0.0.1:2379", "127.0.0.1:99999",
                                      NULL};
    static const yr_backend backend = {.name = "etcd",
                                       .ops = &yr_driver_etcd,
                                       .bad_addresses = bad,
                                       .ttl_ms = 2000,
                                       .start = start,
                                       .stop = stop};
    const char *version = argc > 1 ? argv[1] : "3.4";
    if (yr_engine_find_etcd(version) == NULL) {
        return yr_engine_skip(version);
    }
    if (yr_engine_start_etcd(version, NULL, &engine) != YURPC_OK) {
        return 1;
    }
    int failures = yr_contract_run(&backend);
    yr_engine_free(engine);
    return failures;
}
