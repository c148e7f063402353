/*
 * A trial: a schedule played in a child process, so that a crash, an assertion and a loop
 * without end are verdicts, too.
 */
#ifndef YR_TESTS_SIM_SCHEDULES_TRIAL_H
#define YR_TESTS_SIM_SCHEDULES_TRIAL_H

#include "sim/schedules/checker.h"
#include "sim/schedules/schedule.h"

enum {
    YR_TRIAL_CRASHED = 100,     /* beside the invariants: a signal, or an exit of its own */
    YR_TRIAL_SECONDS_MAX = 300, /* noise in pieces of a byte takes its time */
};

typedef struct yr_outcome {
    int kind; /* a yr_invariant, or YR_TRIAL_CRASHED */
    char text[1024];
} yr_outcome;

/* What it prints is lost. */
yr_outcome yr_trial_run(const yr_schedule *schedule);

/* "I4 no false removal", or "a crash". */
const char *yr_outcome_name(int kind);

#endif /* YR_TESTS_SIM_SCHEDULES_TRIAL_H */
