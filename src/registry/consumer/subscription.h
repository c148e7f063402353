/*
 * A watch on a service: delivers to its callback what differs between the snapshot that the
 * callback has seen and the current one. Nothing is queued, so a slow callback costs nothing
 * but its own time; what happened in between is put together.
 *
 * Three threads meet here: the loop publishes, the executor delivers, anybody stops. The
 * fields are the executor's, except where it says otherwise.
 */
#ifndef YR_REGISTRY_SUBSCRIPTION_H
#define YR_REGISTRY_SUBSCRIPTION_H

#include "net/loop.h"
#include "registry/consumer/directory.h"
#include "registry/executor.h"

#include <stdatomic.h>

struct yurpc_watch {
    yr_entry_listener listener; /* the loop's */
    yr_list link;               /* the loop's: in its service's watches */
    yurpc_service *service;
    yr_executor *executor;
    const yr_snapshot_cell *cell; /* the loop's */
    yurpc_event_fn *on_event;
    void *context;
    yr_task deliver_task;
    yr_task free_task;
    yr_wait *freed; /* who waits until it is freed; NULL: nobody */
    const yurpc_snapshot
        *_Atomic next;          /* from the loop to the executor: one reference, or NULL */
    const yurpc_snapshot *seen; /* one reference; NULL at first */
    atomic_bool is_stopped;
    bool is_delivering; /* its own callback is running */
    bool is_orphan;     /* stopped in its own callback: freed when that returns */
};

/* Loop only. Begins to deliver. YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_subscription_new(yr_entry *entry, yr_executor *executor,
                                                 yurpc_event_fn *on_event, void *context,
                                                 yurpc_watch **ret_watch);

/* Loop only: hears of nothing more; what was posted already may still be delivered. */
void yr_subscription_detach(yurpc_watch *watch);

/*
 * On the executor, after detaching: frees @p watch, at once, or, when called inside its own
 * callback, when that returns.
 */
void yr_subscription_free(yurpc_watch *watch);

/* Any thread, after detaching: have the executor free it. @p freed (may be NULL) is signalled
 * then. */
void yr_subscription_free_later(yurpc_watch *watch, yr_wait *freed);

#endif /* YR_REGISTRY_SUBSCRIPTION_H */
