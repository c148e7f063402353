/*
 * What a user holds of a registration.
 *
 * The state is written on the loop and may be read by any thread. Everything else is loop-only.
 */
#ifndef YR_REGISTRY_REGISTRATION_H
#define YR_REGISTRY_REGISTRATION_H

#include "net/io.h"
#include "registry/core.h"
#include "registry/provider/claim.h"
#include "registry/provider/reporter.h"

#include <yurpc/registry.h>

#include <stdatomic.h>

struct yurpc_registration {
    yurpc_registry *handle; /* for the public functions */
    yr_core *core;
    struct yr_provider *provider;
    yr_claim *claim; /* NULL when it is done */
    _Atomic int state;
    yurpc_registration_fn *on_state; /* called on the loop */
    void *context;
    bool has_told_failure; /* since it is registering, at … */
    int64_t told_failure_ms;
    yr_reporter *reporter; /* what on_state is, for a user's callback elsewhere; or NULL */
    yr_list link;          /* in the provider's registrations */
    struct yr_enrolment *enrolment; /* who waits for the first success; NULL: nobody */
    yr_task leave_task;             /* the public function's way onto the loop */
    yr_timer leave_deadline;
    bool is_leaving;
    yr_done_fn *left; /* who waits for the end; NULL: nobody */
    void *left_context;
};

/*
 * A registration with its claim, still unknown to any provider. @p spec is checked.
 * May be called on any thread. YURPC_NO_MEMORY, YURPC_TOO_LARGE.
 */
YURPC_NODISCARD yurpc_status yr_registration_new(const yurpc_instance_spec *spec,
                                                 const yurpc_register_options *options,
                                                 yurpc_registry *handle,
                                                 yurpc_registration **ret_registration);

/* Have the states told on @p executor instead of the loop. YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_registration_report_on(yurpc_registration *registration,
                                                       yr_executor *executor);

/* Frees its claim too, if it still has one. NULL is allowed. */
void yr_registration_free(yurpc_registration *registration);

/* Change the state, count, and tell what has changed, and why. */
void yr_registration_set_state(yurpc_registration *registration, yurpc_registration_state state,
                               const yurpc_error *error);

enum { YR_TROUBLE_PAUSE_MS = 60000 }; /* between two words about a trouble that lasts */

/* An attempt failed: tell, while it is still registering, as often as the pause allows. */
void yr_registration_attempt_failed(yurpc_registration *registration, const yurpc_error *error);

#endif /* YR_REGISTRY_REGISTRATION_H */
