/*
 * Exponential backoff with full jitter: the n-th wait is uniform in [0, min(cap, base * 2^n)],
 * but never below floor_ms.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
#ifndef YR_BASE_BACKOFF_H
#define YR_BASE_BACKOFF_H

#include <stdint.h>

typedef struct yr_backoff {
    int64_t base_ms;
    int64_t cap_ms;
    int64_t floor_ms;
    uint32_t failures; /* since the last reset */
} yr_backoff;

void yr_backoff_init(yr_backoff *backoff, int64_t base_ms, int64_t cap_ms);

/* The next wait in ms; @p random is any 64 uniform bits. */
int64_t yr_backoff_next_ms(yr_backoff *backoff, uint64_t random);

/* After a success: the next wait is short again. */
void yr_backoff_reset(yr_backoff *backoff);

#endif /* YR_BASE_BACKOFF_H */
