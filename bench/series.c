#include "series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const yr_series *yr_series_find(const yr_series_set *set, const char *name)
{
    for (size_t i = 0; name != NULL && i < set->count; i++) {
        if (strcmp(set->series[i].name, name) == 0) {
            return &set->series[i];
        }
    }
    return NULL;
}

bool yr_series_add(yr_series_set *set, const char *program, const char *figure, double value)
{
    char name[YR_SERIES_NAME_SIZE];
    (void)snprintf(name, sizeof(name), "%s.%s", program, figure);
    size_t at = 0;
    while (at < set->count && strcmp(set->series[at].name, name) != 0) {
        at++;
    }
    if (at == YR_SERIES_MAX || set->series[at].count == YR_SERIES_LEN_MAX) {
        return false;
    }
    yr_series *series = &set->series[at];
    if (at == set->count) {
        memcpy(series->name, name, sizeof(name));
        set->count++;
    }
    series->values[series->count++] = value;
    return true;
}

static int compare(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;
    return (*a > *b) - (*a < *b);
}

yr_summary yr_series_summarize(const yr_series *series)
{
    double sorted[YR_SERIES_LEN_MAX];
    size_t count = series->count;
    memcpy(sorted, series->values, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare);
    double middle = sorted[count / 2];
    if (count % 2 == 0) {
        middle = (middle + sorted[count / 2 - 1]) / 2;
    }
    return (yr_summary){.median = middle, .min = sorted[0], .max = sorted[count - 1]};
}

double yr_series_ratio(const yr_series *ours, const yr_series *bare)
{
    yr_series ratios = {.count = 0};
    if (ours == NULL || bare == NULL || ours->count != bare->count) {
        return 0; /* a run has failed: nobody knows which belong together */
    }
    for (size_t i = 0; i < ours->count; i++) {
        if (bare->values[i] <= 0) {
            return 0;
        }
        ratios.values[ratios.count++] = ours->values[i] / bare->values[i];
    }
    return yr_series_summarize(&ratios).median;
}
