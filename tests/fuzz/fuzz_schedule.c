/*
 * Schedules of the simulated world (tests/sim/README.md): any bytes are one, and in each all
 * invariants must hold. The fuzzer looks for orders of actions that reach new code.
 *
 * What is found is printed as a schedule, for test_sim_schedules --file.
 */
#include "fuzz.h"
#include "sim/schedules/play.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static yr_schedule schedule;
    const yr_play_options options = {.is_counting = true};
    yr_schedule_from_bytes(&schedule, data, size);
    yr_verdict verdict = yr_play_run(&schedule, &options);
    if (verdict.broken != YR_HOLDS) {
        yr_schedule_write(&schedule, stderr);
        fprintf(stderr, "%s: %s\n", yr_invariant_name(verdict.broken), verdict.text);
    }
    require(verdict.broken == YR_HOLDS);
    return 0;
}
