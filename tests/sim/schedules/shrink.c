#include "sim/schedules/shrink.h"

#include <string.h>

typedef struct shrinking {
    yr_schedule *best;
    int kind;
    yr_shrink_trial *trial;
    void *context;
    size_t trials;
    size_t trials_max;
} shrinking;

/* Whether @p candidate fails as the best does; then it is the best. */
static bool try(shrinking *now, const yr_schedule *candidate)
{
    if (now->trials >= now->trials_max) {
        return false;
    }
    now->trials++;
    if (now->trial(now->context, candidate) != now->kind) {
        return false;
    }
    *now->best = *candidate;
    return true;
}

/* Without @p len actions from @p from on. */
static yr_schedule without(const yr_schedule *schedule, size_t from, size_t len)
{
    yr_schedule rest = *schedule;
    size_t end = from + len < rest.count ? from + len : rest.count;
    memmove(&rest.actions[from], &rest.actions[end], (rest.count - end) * sizeof *rest.actions);
    rest.count -= end - from;
    return rest;
}

static void drop_actions(shrinking *now)
{
    size_t len = now->best->count / 2;
    while (len > 0) {
        bool is_better = false;
        for (size_t from = 0; from < now->best->count;) {
            yr_schedule candidate = without(now->best, from, len);
            bool is_one = candidate.count > 0 && try(now, &candidate);
            is_better = is_better || is_one;
            from += is_one ? 0 : len;
        }
        if (!is_better || len > 1) {
            len = is_better && len > now->best->count ? now->best->count : len / 2;
        }
    }
}

static void drop_waits(shrinking *now)
{
    for (size_t i = 0; i < now->best->count; i++) {
        yr_schedule candidate = *now->best;
        candidate.actions[i].wait_ms = 0;
        if (now->best->actions[i].wait_ms > 0) {
            (void)try(now, &candidate);
        }
    }
}

size_t yr_shrink(yr_schedule *schedule, int kind, yr_shrink_trial *trial, void *context,
                 size_t trials_max)
{
    shrinking now = {schedule, kind, trial, context, 0, trials_max};
    size_t count = 0;
    do {
        count = schedule->count;
        drop_actions(&now);
        drop_waits(&now);
    } while (schedule->count < count && now.trials < trials_max);
    return now.trials;
}
