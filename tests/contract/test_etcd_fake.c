/* The contract, on the scripted etcd. */
#include "contract.h"
#include "fake/etcd.h"

static yr_fake_etcd *fake;

static const char *start(yr_io *io)
{
    if (yr_fake_etcd_new(io, "127.0.0.1", 0, NULL, &fake) != YURPC_OK) {
        return NULL;
    }
    return yr_fake_etcd_address(fake);
}

static void stop(void)
{
    yr_fake_etcd_free(fake);
    fake = NULL;
}

int main(void)
{
    static const char *const bad[] = {"http://", "ftp://127.0.0.1:2379", "127.0.0.1:99999",
                                      NULL};
    static const yr_backend backend = {.name = "the scripted etcd",
                                       .ops = &yr_driver_etcd,
                                       .bad_addresses = bad,
                                       .ttl_ms = 2000,
                                       .start = start,
                                       .stop = stop};
    return yr_contract_run(&backend);
}
