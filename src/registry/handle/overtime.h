/*
 * Says in the log which callback of the user takes long, while it does: what comes next waits
 * for it, and a program whose callback hangs for ever hears of nothing any more.
 *
 * The callback thread notes what it runs and since when; the loop looks once a second as long
 * as anything was handed to that thread. So the line comes from the loop, and an idle handle
 * has no timer. In a host-driven handle callbacks run on the loop, and nobody could look.
 *
 * Part of a handle. Loop-only.
 */
#ifndef YR_REGISTRY_OVERTIME_H
#define YR_REGISTRY_OVERTIME_H

#include "registry/executor.h"

#include <yurpc/registry.h>

enum { YR_OVERTIME_MS = 1000, YR_OVERTIME_PAUSE_MS = 60000 }; /* between two lines */

typedef struct yr_overtime {
    yurpc_registry *handle;
    yr_timer timer;
    int looks_in_vain; /* since something was seen to run */
    bool has_said;
    int64_t said_ms;
} yr_overtime;

/* Look after the executor of @p handle, which has a thread. */
void yr_overtime_begin(yr_overtime *overtime, yurpc_registry *handle);

/* The loop is about to end. Also when it was never begun (all is zero). */
void yr_overtime_end(yr_overtime *overtime);

#endif /* YR_REGISTRY_OVERTIME_H */
