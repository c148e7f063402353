/*
 * The public handle: a loop, a registry on it, and the ways onto the loop for other threads.
 *
 * Whatever touches the registry runs on the loop; a blocking function posts a request that
 * lives on its stack and waits until it is answered, which its deadline guarantees.
 */
#ifndef YR_REGISTRY_HANDLE_H
#define YR_REGISTRY_HANDLE_H

#include "net/loop.h"
#include "registry/executor.h"
#include "registry/handle/log_relay.h"
#include "registry/handle/overtime.h"
#include "registry/handle/registry.h"

struct yurpc_registry {
    const char *kind;
    char *address; /* as configured; NULL: the driver's default */
    yr_loop *loop;
    yr_registry *core;
    yr_executor *executor;   /* the loop's; NULL until the first callback is wanted */
    yr_overtime overtime;    /* the loop's: looks after the executor */
    yr_log_relay *log_relay; /* NULL: no log, or the host's own step writes it */
    yr_list services;        /* the loop's: what users hold */
    int64_t timeout_ms;
    bool is_host_driven;
    yr_task close_task;
    yr_wait *closed; /* who waits for the end of closing; NULL: nobody */
    bool *is_gone;   /* the host's step under way, which is told when the handle is freed */
};

struct yurpc_service {
    const yr_snapshot_cell *cell; /* the entry's, at hand for readers */
    yurpc_registry *handle;
    yr_entry *entry;
    yr_list link;    /* the loop's: in the handle's services */
    yr_list watches; /* the loop's */
};

/* A blocking request, on the stack of its caller. */
typedef struct yr_request {
    yr_task task;
    yr_wait wait;
    yurpc_registry *handle;
    yurpc_status status;
    yurpc_error *error;
} yr_request;

/*
 * Run @p fn (with @p request) on the loop, and wait until yr_request_end(). Returns the
 * request's status, its error moved to
 * @p ret_error. YURPC_WOULD_DEADLOCK, YURPC_FORKED: not run.
 */
YURPC_NODISCARD yurpc_status yr_request_run(yurpc_registry *handle, yr_request *request,
                                            yr_task_fn *fn, yurpc_error **ret_error);

/* Loop only: the answer. @p error is copied; when it is NULL and the status is not OK, the
 * status' text is. */
void yr_request_end(yr_request *request, yurpc_status status, const yurpc_error *error);

/* Run @p fn on the loop, at once when this is it, and wait until it returned. YURPC_FORKED: not
 * run. */
YURPC_NODISCARD yurpc_status yr_handle_run(yurpc_registry *handle, yr_task_fn *fn,
                                           void *context);

/* The handle's executor, which is made with its first use. Not on the loop of another handle.
 * YURPC_FORKED, YURPC_NO_MEMORY, YURPC_IO. */
YURPC_NODISCARD yurpc_status yr_handle_executor(yurpc_registry *handle,
                                                yr_executor **ret_executor);

/* Loop only: free a service that a user holds, with its watches. */
void yr_service_free(yurpc_service *service);

#endif /* YR_REGISTRY_HANDLE_H */
