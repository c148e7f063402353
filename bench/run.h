/*
 * Programs in processes of their own: this executable again, told which part to play; or a
 * peer.
 */
#ifndef YR_RUN_H
#define YR_RUN_H

#include "series.h"
#include "work.h"

#include <sys/types.h>

/* The option with which main(), or a peer, plays a part: OPTION WORK PROGRAM ADDRESS COUNT
 * CHANGES. */
#define YR_RUN_OPTION "--sample"

/* A program that runs. */
typedef struct yr_running {
    pid_t pid;   /* 0: none */
    int input;   /* closed: it is to end */
    int figures; /* what it reports */
} yr_running;

/* Start @p program of @p work; it dies with us. False: it could not be. */
bool yr_run_start(const yr_work *work, const char *program, const char *address,
                  yr_running *ret_running);

/* Wait for its first line, "FIGURE VALUE". False: it has ended without one. */
bool yr_run_await_line(yr_running *running, double *ret_value);

/* Let it end, and wait until it has. False: it failed. Nothing when none runs. */
bool yr_run_finish(yr_running *running);

/* Run it from begin to end, and add what it reports to @p set. */
bool yr_run(const yr_work *work, const char *program, const char *address, yr_series_set *set);

#endif /* YR_RUN_H */
