#include "measure.h"

#include "sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t yr_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t yr_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t yr_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

yr_span yr_span_begin(void)
{
    return (yr_span){.wall_ns = yr_now_ns(), .cpu_ns = yr_cpu_ns()};
}

yr_span yr_span_end(yr_span begin)
{
    return (yr_span){
        .wall_ns = yr_now_ns() - begin.wall_ns,
        .cpu_ns = yr_cpu_ns() - begin.cpu_ns,
    };
}

void yr_report_span(yr_span span)
{
    yr_report("wall_ms", (double)span.wall_ns / 1e6);
    yr_report("cpu_ms", (double)span.cpu_ns / 1e6);
    yr_report("peak_mb", (double)yr_memory_peak() / 1e6);
}

void yr_pause_us(int64_t us)
{
    struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void yr_pause_ms(int64_t ms)
{
    yr_pause_us(ms * 1000);
}

/* The value of a line "NAME:  N kB" of a file in /proc, in bytes. */
static int64_t read_proc(const char *path, const char *name)
{
    char line[256];
    long long value_kb = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        size_t len = strlen(name);
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            value_kb = strtoll(line + len + 1, NULL, 10);
            break;
        }
    }
    (void)fclose(file);
    return (int64_t)value_kb * 1024;
}

int64_t yr_memory_peak(void)
{
    return read_proc("/proc/self/status", "VmHWM");
}

int64_t yr_memory_private_dirty(void)
{
    return read_proc("/proc/self/smaps_rollup", "Private_Dirty");
}

static int compare(const void *left, const void *right)
{
    const int64_t *a = left;
    const int64_t *b = right;
    return (*a > *b) - (*a < *b);
}

void yr_report_percentiles(const char *prefix, int64_t *samples_ns, size_t count)
{
    char name[64];
    size_t half = count / 2;
    size_t last_hundredth = count * 99 / 100;
    qsort(samples_ns, count, sizeof(*samples_ns), compare);
    (void)snprintf(name, sizeof(name), "%sp50_us", prefix);
    yr_report(name, (double)samples_ns[half] / 1e3);
    (void)snprintf(name, sizeof(name), "%sp99_us", prefix);
    yr_report(name, (double)samples_ns[last_hundredth] / 1e3);
}
