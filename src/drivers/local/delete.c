#include "base/error.h"
#include "base/mem.h"
#include "drivers/local/operation.h"

typedef struct yr_local_deleting {
    yr_local_operation operation;
    yr_done_fn *done;
    bool is_withdrawal;
    yr_local_ours ours;
    yr_local_key key;
} yr_local_deleting;

static yurpc_status delete_found(const yr_local_deleting *deleting, yr_local_store *store,
                                 yr_local_state *state, yurpc_error **ret_error)
{
    yr_local_found found;
    yurpc_status status = yr_local_record_find(store, &deleting->key, &found, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    if (!found.is_there) {
        return deleting->is_withdrawal
                   ? YURPC_OK
                   : yr_error_set(ret_error, YURPC_NOT_FOUND, -1, "the node is not registered");
    }
    if (deleting->is_withdrawal && !found.is_damaged &&
        !yr_local_ours_have(&deleting->ours, found.owner)) {
        return yr_error_set(ret_error, YURPC_CONFLICT, -1,
                            "another process has registered the node");
    }
    return yr_local_record_delete(store, state, &deleting->key, ret_error);
}

static yurpc_status run_deleting(yr_local_job *job, const yr_local_visit *visit,
                                 yurpc_error **ret_error)
{
    const yr_local_deleting *deleting = YR_CONTAINER_OF(job, yr_local_deleting, operation.job);
    yr_local_state state;
    yurpc_status status = yr_local_change_begin(visit->store, &state, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    int64_t before = state.revision;
    status = delete_found(deleting, visit->store, &state, ret_error);
    return yr_local_change_end(visit->store, &state, before, status, ret_error);
}

static void answer_deleting(yr_local_operation *operation, yurpc_status status,
                            const yurpc_error *error)
{
    const yr_local_deleting *deleting =
        YR_CONTAINER_OF(operation, yr_local_deleting, operation);
    deleting->done(operation->context, status, error);
}

static void free_deleting(yr_local_operation *operation)
{
    yr_free(YR_CONTAINER_OF(operation, yr_local_deleting, operation));
}

/* The names cannot be those of a record: nothing has to be looked up. */
static yurpc_status run_absent(yr_local_job *job, const yr_local_visit *visit,
                               yurpc_error **ret_error)
{
    (void)visit;
    const yr_local_deleting *deleting = YR_CONTAINER_OF(job, yr_local_deleting, operation.job);
    return deleting->is_withdrawal
               ? YURPC_OK
               : yr_error_set(ret_error, YURPC_NOT_FOUND, -1, "the node is not registered");
}

static void begin(yr_driver *driver, const yr_local_deleting *what,
                  const yr_announcement *which, int64_t deadline_ms, void *context)
{
    if (yr_local_is_forked(driver)) {
        return;
    }
    yr_local_deleting *deleting = yr_calloc(1, sizeof *deleting);
    if (deleting == NULL) {
        yr_local_operation_refuse(driver,
                                  &(yr_local_refusal){.done = what->done, .context = context});
        return;
    }
    *deleting = *what;
    bool is_key =
        yr_local_key_make(which->service, which->node, &deleting->key, NULL) == YURPC_OK;
    deleting->ours = driver->session.ours;
    deleting->operation.job.run = is_key ? run_deleting : run_absent;
    deleting->operation.job.wants_reap = !what->is_withdrawal;
    deleting->operation.answer = answer_deleting;
    deleting->operation.free = free_deleting;
    deleting->operation.context = context;
    yr_local_operation_start(&deleting->operation, driver, deadline_ms);
}

void yr_local_withdraw(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                       int64_t deadline_ms, yr_done_fn *done, void *context)
{
    const yr_local_deleting what = {.done = done, .is_withdrawal = true};
    const yr_announcement which = {.service = service, .node = node};
    begin(driver, &what, &which, deadline_ms, context);
}

void yr_local_remove(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                     int64_t deadline_ms, yr_done_fn *done, void *context)
{
    const yr_local_deleting what = {.done = done, .is_withdrawal = false};
    const yr_announcement which = {.service = service, .node = node};
    begin(driver, &what, &which, deadline_ms, context);
}
