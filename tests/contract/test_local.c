/* The contract, on the embedded registry. */
#include "contract.h"
#include "local_backend.h"

int main(void)
{
    return yr_contract_run(&yr_local_backend);
}
