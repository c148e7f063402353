#include "registry/consumer/protection.h"

#include "base/assert.h"

void yr_protection_init(yr_protection *protection, int64_t window_ms)
{
    YR_ASSERT(window_ms > 0);
    *protection = (yr_protection){.slice_ms = 1 + window_ms / YR_PROTECTION_SLICES};
}

static size_t *slice(yr_protection *protection, int64_t number)
{
    return &protection->vanished[number % YR_PROTECTION_SLICES];
}

/* Empty the slices that time has left behind. */
static void advance(yr_protection *protection, int64_t now_ms)
{
    int64_t now = now_ms / protection->slice_ms;
    int64_t passed = now - protection->newest;
    for (int64_t i = 1; i <= passed && i <= YR_PROTECTION_SLICES; i++) {
        *slice(protection, protection->newest + i) = 0;
    }
    protection->newest = passed > 0 ? now : protection->newest;
}

void yr_protection_vanished(yr_protection *protection, int64_t now_ms, size_t count)
{
    advance(protection, now_ms);
    *slice(protection, protection->newest) += count;
}

void yr_protection_came(yr_protection *protection, int64_t now_ms, size_t count)
{
    advance(protection, now_ms);
    for (int64_t i = 1; i <= YR_PROTECTION_SLICES && count > 0; i++) {
        size_t *oldest = slice(protection, protection->newest + i);
        size_t balanced = *oldest < count ? *oldest : count;
        *oldest -= balanced;
        count -= balanced;
    }
}

static size_t total(yr_protection *protection, int64_t now_ms)
{
    size_t sum = 0;
    advance(protection, now_ms);
    for (size_t i = 0; i < YR_PROTECTION_SLICES; i++) {
        sum += protection->vanished[i];
    }
    return sum;
}

bool yr_protection_is_mass(yr_protection *protection, int64_t now_ms, size_t present)
{
    size_t vanished = total(protection, now_ms);
    return vanished >= YR_PROTECTION_MIN && vanished > present;
}

bool yr_protection_may_be_mass(yr_protection *protection, int64_t now_ms, size_t present)
{
    return total(protection, now_ms) + present >= YR_PROTECTION_MIN;
}
