/* Many schedules on many processors: each worker is a process that takes the next seeds. */
#ifndef YR_TESTS_SIM_SCHEDULES_CROWD_H
#define YR_TESTS_SIM_SCHEDULES_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { YR_CROWD_FAILURES_MAX = 64 }; /* remembered; then only counted */

typedef struct yr_crowd_failure {
    uint64_t seed;
    int kind; /* yr_outcome.kind */
    char text[1024];
} yr_crowd_failure;

typedef struct yr_crowd_result {
    uint64_t done;
    uint64_t failed;
    yr_crowd_failure failures[YR_CROWD_FAILURES_MAX];
    double seconds;
} yr_crowd_result;

/* Play the schedules of @p count seeds from @p first on with so many workers (0: one for each
 * processor); on a terminal with a line of progress. */
void yr_crowd_run(uint64_t first, uint64_t count, unsigned workers,
                  yr_crowd_result *ret_result);

#endif /* YR_TESTS_SIM_SCHEDULES_CROWD_H */
