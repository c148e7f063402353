/*
 * Tells a registration's states on the callback thread, so that a callback may take its time
 * without costing the lease.
 *
 * The loop reports, the executor tells, in order. A callback that is slow by more than
 * YR_REPORTS_MAX states misses those before the last: what is told last is how things are.
 * Nothing is allocated for a report but the copy of its error.
 *
 * Shared by the registration, the reports under way and whoever waits: reference counted.
 */
#ifndef YR_REGISTRY_REPORTER_H
#define YR_REGISTRY_REPORTER_H

#include "registry/executor.h"

#include <yurpc/registry.h>

enum { YR_REPORTS_MAX = 8 };

typedef struct yr_reporter yr_reporter;

/* Begins with one reference. @p executor has its own thread. Any thread. YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_reporter_new(yr_executor *executor, yurpc_registration_fn *fn,
                                             void *context, yr_reporter **ret_reporter);

yr_reporter *yr_reporter_ref(yr_reporter *reporter);
void yr_reporter_unref(yr_reporter *reporter); /* NULL is allowed */

/* Loop only; a yurpc_registration_fn. */
void yr_reporter_report(void *reporter, yurpc_registration_state state,
                        const yurpc_error *error);

/* Whether @p task, which may be gone, is the one that tells. Any thread. */
bool yr_reporter_is_told_by(const yr_reporter *reporter, const yr_task *task);

/*
 * Wait until all that was reported so far has been told, at most @p timeout_ms: whether it was.
 * Otherwise nothing more is told. On the executor's own thread it does not wait. Never on the
 * loop; once.
 */
bool yr_reporter_finish(yr_reporter *reporter, int64_t timeout_ms);

#endif /* YR_REGISTRY_REPORTER_H */
