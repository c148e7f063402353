/*
 * How often something may be done: so many at once, then one per interval (a token bucket).
 */
#ifndef YR_BASE_PACE_H
#define YR_BASE_PACE_H

#include <stdint.h>

typedef struct yr_pace {
    int64_t interval_ms;
    int64_t burst;
    int64_t full_ms; /* when it will have been quiet for long enough to be full again */
} yr_pace;

/* Full at first. @p burst and @p interval_ms are at least 1. */
void yr_pace_init(yr_pace *pace, int64_t burst, int64_t interval_ms);

/* 0: it may be done now, and counts as done. Else nothing changed: ask again in so many ms. */
int64_t yr_pace_take(yr_pace *pace, int64_t now_ms);

#endif /* YR_BASE_PACE_H */
