#include "base/backoff.h"

#include "base/assert.h"

enum { FLOOR_MS = 10 };

void yr_backoff_init(yr_backoff *backoff, int64_t base_ms, int64_t cap_ms)
{
    YR_ASSERT(base_ms >= FLOOR_MS && cap_ms >= base_ms);
    *backoff = (yr_backoff){.base_ms = base_ms, .cap_ms = cap_ms, .floor_ms = FLOOR_MS};
}

int64_t yr_backoff_next_ms(yr_backoff *backoff, uint64_t random)
{
    int64_t bound = backoff->base_ms;
    for (uint32_t i = 0; i < backoff->failures && bound < backoff->cap_ms; i++) {
        bound = bound <= backoff->cap_ms / 2 ? bound * 2 : backoff->cap_ms;
    }
    if (backoff->failures < 32) {
        backoff->failures++;
    }
    int64_t wait = (int64_t)(random % ((uint64_t)bound + 1));
    return wait > backoff->floor_ms ? wait : backoff->floor_ms;
}

void yr_backoff_reset(yr_backoff *backoff)
{
    backoff->failures = 0;
}
