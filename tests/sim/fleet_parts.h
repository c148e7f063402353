/* What the fleet's files share. */
#ifndef YR_TESTS_SIM_FLEET_PARTS_H
#define YR_TESTS_SIM_FLEET_PARTS_H

#include "sim/fleet.h"

/* A test that cannot go on says so and ends. */
void yr_fleet_must(bool claim, const char *what);

/* Memory that lives as long as the fleet, and that no allocation failure hits. */
void *yr_fleet_alloc(size_t size);

/* A blocking call of @p process begins, and ends: the observer is told how long it took. */
void yr_fleet_call_begin(yr_fleet_call *call, const yr_process *process, const char *what,
                         int64_t limit_ms);
void yr_fleet_call_end(yr_fleet_call *call, const yr_process *process);

/* All that its users hold goes, as it does just before its registry is closed. */
void yr_process_leave_all(yr_process *process);

#endif /* YR_TESTS_SIM_FLEET_PARTS_H */
