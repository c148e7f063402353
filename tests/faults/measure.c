#include "measure.h"

#include "yr_test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SERIES_MAX = 32, VALUES_MAX = 512, SLACK = 2 };

typedef struct series {
    char promise[96];
    int64_t bound_ms;
    size_t count;
    int64_t values[VALUES_MAX];
} series;

static series all[SERIES_MAX];
static size_t series_count;

int64_t measure_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void measure_pause_ms(int64_t ms)
{
    int64_t end_ms = measure_now_ms() + ms;
    for (int64_t left_ms = ms; left_ms > 0; left_ms = end_ms - measure_now_ms()) {
        (void)poll(NULL, 0, (int)left_ms);
    }
}

static series *series_of(const char *promise, int64_t bound_ms)
{
    for (size_t i = 0; i < series_count; i++) {
        if (strcmp(all[i].promise, promise) == 0 && all[i].bound_ms == bound_ms) {
            return &all[i];
        }
    }
    assert_true(series_count < SERIES_MAX);
    series *fresh = &all[series_count++];
    (void)snprintf(fresh->promise, sizeof fresh->promise, "%s", promise);
    fresh->bound_ms = bound_ms;
    return fresh;
}

void measure_note(const char *promise, int64_t ms, int64_t bound_ms)
{
    series *one = series_of(promise, bound_ms);
    if (one->count < VALUES_MAX) {
        one->values[one->count++] = ms;
    }
    if (ms < 0 || ms > SLACK * bound_ms) {
        fail_msg("%s: %lld ms, promised are %lld ms", promise, (long long)ms,
                 (long long)bound_ms);
    }
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

void measure_report(void)
{
    for (size_t i = 0; i < series_count; i++) {
        series *one = &all[i];
        qsort(one->values, one->count, sizeof one->values[0], compare);
        int64_t most = one->values[one->count - 1];
        (void)printf("MEASURED %s after %.2f s (bound %.2f s", one->promise, seconds(most),
                     seconds(one->bound_ms));
        if (one->count > 1) {
            (void)printf("; %zu times, least %.2f s, median %.2f s", one->count,
                         seconds(one->values[0]), seconds(one->values[one->count / 2]));
        }
        (void)printf(")\n");
    }
}
