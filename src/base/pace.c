#include "base/pace.h"

#include "base/assert.h"

void yr_pace_init(yr_pace *pace, int64_t burst, int64_t interval_ms)
{
    YR_ASSERT(burst > 0 && interval_ms > 0);
    *pace = (yr_pace){.interval_ms = interval_ms, .burst = burst, .full_ms = INT64_MIN};
}

int64_t yr_pace_take(yr_pace *pace, int64_t now_ms)
{
    int64_t full_ms = pace->full_ms > now_ms ? pace->full_ms : now_ms;
    int64_t wait_ms = full_ms - now_ms - (pace->burst - 1) * pace->interval_ms;
    if (wait_ms > 0) {
        return wait_ms;
    }
    pace->full_ms = full_ms + pace->interval_ms;
    return 0;
}
