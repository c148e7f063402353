#include "local_backend.h"

#include "scratch.h"

#include <stdio.h>

static yr_scratch scratch;
static char dir[128];
static char address[160];

static const char *start(yr_io *io)
{
    (void)io;
    if (yr_scratch_init(&scratch, "yurpc-contract.") != YURPC_OK) {
        return NULL;
    }
    snprintf(dir, sizeof dir, "%s/run", scratch.path);
    snprintf(address, sizeof address, "%s/registry.db", dir);
    return address;
}

static void stop(void)
{
    yr_scratch_deinit(&scratch);
}

const char *yr_local_backend_dir(void)
{
    return dir;
}

static const char *const bad_addresses[] = {"", "http://127.0.0.1:2379", "/tmp", "registry/",
                                            NULL};

const yr_backend yr_local_backend = {.name = "local",
                                     .ops = &yr_driver_local,
                                     .bad_addresses = bad_addresses,
                                     .ttl_ms = 1500,
                                     .start = start,
                                     .stop = stop};
