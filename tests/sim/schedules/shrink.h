/* From a schedule that fails to one that fails with less. */
#ifndef YR_TESTS_SIM_SCHEDULES_SHRINK_H
#define YR_TESTS_SIM_SCHEDULES_SHRINK_H

#include "sim/schedules/schedule.h"

/* What a candidate comes to: a number, as yr_outcome.kind. */
typedef int yr_shrink_trial(void *context, const yr_schedule *schedule);

/*
 * Drop actions (delta debugging), then waits, as long as the outcome is @p kind, and no more
 * than @p trials_max times. What is left is in @p schedule; the number of trials is returned.
 *
 * Source: Zeller, Hildebrandt, "Simplifying and isolating failure-inducing input", 2002.
 */
size_t yr_shrink(yr_schedule *schedule, int kind, yr_shrink_trial *trial, void *context,
                 size_t trials_max);

#endif /* YR_TESTS_SIM_SCHEDULES_SHRINK_H */
