/*
 * Time and memory of this process.
 */
#ifndef YR_MEASURE_H
#define YR_MEASURE_H

#include <stddef.h>
#include <stdint.h>

int64_t yr_now_ns(void);        /* the same clock in all processes */
int64_t yr_cpu_ns(void);        /* of all threads, user and system */
int64_t yr_thread_cpu_ns(void); /* of the calling thread */

/* A stretch of work. */
typedef struct yr_span {
    int64_t wall_ns;
    int64_t cpu_ns;
} yr_span;

yr_span yr_span_begin(void);
yr_span yr_span_end(yr_span begin); /* what has passed since */

/* Report wall_ms, cpu_ms and, of the process's whole life, peak_mb. */
void yr_report_span(yr_span span);

void yr_pause_us(int64_t us);
void yr_pause_ms(int64_t ms);

/* The most memory that was resident at once since exec, in bytes; 0: not known. */
int64_t yr_memory_peak(void);

/* Pages that no other process shares and that cannot be dropped, in bytes; 0: not known. */
int64_t yr_memory_private_dirty(void);

/* Report as p50_us and p99_us, each behind @p prefix. Sorts @p samples_ns. */
void yr_report_percentiles(const char *prefix, int64_t *samples_ns, size_t count);

#endif /* YR_MEASURE_H */
