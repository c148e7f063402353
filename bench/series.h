/*
 * The values that one figure had in the runs of a work.
 */
#ifndef YR_SERIES_H
#define YR_SERIES_H

#include <stdbool.h>
#include <stddef.h>

enum { YR_SERIES_LEN_MAX = 64, YR_SERIES_NAME_SIZE = 64, YR_SERIES_MAX = 48 };

typedef struct yr_series {
    char name[YR_SERIES_NAME_SIZE]; /* "PROGRAM.FIGURE" */
    double values[YR_SERIES_LEN_MAX];
    size_t count;
} yr_series;

/* All series of one work. */
typedef struct yr_series_set {
    yr_series series[YR_SERIES_MAX];
    size_t count;
} yr_series_set;

/* False: more figures or runs than fit. */
bool yr_series_add(yr_series_set *set, const char *program, const char *figure, double value);

/* NULL: it was never reported. */
const yr_series *yr_series_find(const yr_series_set *set, const char *name);

typedef struct yr_summary {
    double median;
    double min;
    double max;
} yr_summary;

/* @p series has values. */
yr_summary yr_series_summarize(const yr_series *series);

/*
 * @p ours over @p bare: the median of what each run gives, because what disturbs a run disturbs
 * both. 0: one of them is missing, or nothing.
 */
double yr_series_ratio(const yr_series *ours, const yr_series *bare);

#endif /* YR_SERIES_H */
