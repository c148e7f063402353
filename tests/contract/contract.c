#include "contract.h"

#include <stdio.h>

int yr_contract_run(const yr_backend *backend)
{
    yr_backend_now = backend;
    printf("contract of drivers, on %s\n", backend->name);
    int failures = yr_contract_run_sessions();
    failures += yr_contract_run_records();
    failures += yr_contract_run_follows();
    failures += yr_contract_run_closing();
    return failures;
}
