/*
 * What promises were measured to take, for people to compare with what was promised.
 *
 * A bound is asserted with twice its value: the machine may be busy with other tests. What was
 * measured is printed at the end of the program, so that drift is seen before a bound breaks.
 */
#ifndef FAULTS_MEASURE_H
#define FAULTS_MEASURE_H

#include <stdint.h>

/* CLOCK_MONOTONIC. */
int64_t measure_now_ms(void);
void measure_pause_ms(int64_t ms);

/* Note that @p promise took @p ms, and assert that this is not negative (never) and within
 * twice @p bound_ms. */
void measure_note(const char *promise, int64_t ms, int64_t bound_ms);

/* A line for each promise: how many times, least, median and most. */
void measure_report(void);

#endif /* FAULTS_MEASURE_H */
