#include "drivers/local/operation.h"

#include "base/error.h"

static void free_if_over(yr_local_operation *operation)
{
    if (operation->is_answered && operation->job.state == YR_LOCAL_JOB_IDLE) {
        yr_list_remove(&operation->link);
        yr_timer_stop(operation->driver->io, &operation->deadline);
        yr_io_unpost(operation->driver->io, &operation->end_task);
        operation->free(operation);
    }
}

static void answer(yr_local_operation *operation, yurpc_status status, const yurpc_error *error)
{
    if (!operation->is_answered) {
        operation->is_answered = true;
        operation->answer(operation, status, error);
    }
}

static void end_early(yr_local_operation *operation, const char *text)
{
    yr_local_queue_cancel(&operation->driver->queue, &operation->job);
    yurpc_error *error = yr_error_new(operation->verdict, -1, "%s", text);
    answer(operation, operation->verdict, error);
    yurpc_error_free(error);
    free_if_over(operation);
}

static void on_done(yr_local_job *job, yurpc_status status, const yurpc_error *error)
{
    yr_local_operation *operation = YR_CONTAINER_OF(job, yr_local_operation, job);
    if (operation->driver->is_closing) {
        operation->verdict = YURPC_CANCELED; /* whatever it came to: nobody acts on it now */
        end_early(operation, yurpc_status_text(YURPC_CANCELED));
        return;
    }
    answer(operation, status, error);
    free_if_over(operation);
}

static void on_deadline(void *context)
{
    yr_local_operation *operation = context;
    operation->verdict = YURPC_TIMEOUT;
    end_early(operation, operation->job.state == YR_LOCAL_JOB_WAITING
                             ? "the deadline passed before the registry's file could be used"
                             : "the registry's file did not let itself be used in time (is a "
                               "process stopped that holds it locked?)");
}

static void on_end(void *context)
{
    yr_local_operation *operation = context;
    const char *text = yurpc_status_text(operation->verdict);
    end_early(operation, operation->verdict == YURPC_EXHAUSTED
                             ? "too many operations wait for the registry's file"
                             : text);
}

static void end_soon(yr_local_operation *operation, yurpc_status verdict)
{
    operation->verdict = verdict;
    yr_io_post(operation->driver->io, &operation->end_task);
}

void yr_local_operation_start(yr_local_operation *operation, yr_driver *driver,
                              int64_t deadline_ms)
{
    operation->driver = driver;
    operation->job.done = on_done;
    operation->job.wait_max_ms = deadline_ms;
    yr_list_init(&operation->link);
    yr_list_append(&driver->operations, &operation->link);
    yr_timer_init(&operation->deadline, on_deadline, operation);
    yr_task_init(&operation->end_task, on_end, operation);
    if (driver->is_closing) {
        end_soon(operation, YURPC_CANCELED);
    } else if (yr_local_queue_add(&driver->queue, &operation->job, false) != YURPC_OK) {
        end_soon(operation, YURPC_EXHAUSTED);
    } else {
        yr_timer_start(driver->io, &operation->deadline, deadline_ms);
    }
}

/* ---- No memory to begin ---- */

static void answer_refusal(const yr_local_refusal *refusal)
{
    yurpc_error *error = NULL;
    yurpc_status status = yr_error_set_status(&error, YURPC_NO_MEMORY);
    if (refusal->session != NULL) {
        refusal->session(refusal->context, NULL, error);
    } else if (refusal->announced != NULL) {
        for (size_t i = 0; i < refusal->count; i++) {
            refusal->announced(refusal->context, i, status, error);
        }
    } else {
        refusal->done(refusal->context, status, error);
    }
    yurpc_error_free(error);
}

static void on_refusal(void *context)
{
    yr_local_refusal *refusal = context;
    refusal->is_used = false;
    yr_local_refusal answered = *refusal;
    answer_refusal(&answered);
}

void yr_local_operation_refuse(yr_driver *driver, const yr_local_refusal *refusal)
{
    for (size_t i = 0; i < YR_LOCAL_REFUSALS; i++) {
        yr_local_refusal *slot = &driver->refusals[i];
        if (!slot->is_used) {
            *slot = *refusal;
            slot->is_used = true;
            yr_task_init(&slot->task, on_refusal, slot);
            yr_io_post(driver->io, &slot->task);
            return;
        }
    }
    answer_refusal(refusal); /* inside the call: better than never */
}

/* ---- The driver closes ---- */

void yr_local_operations_cancel(yr_driver *driver)
{
    for (yr_list *link = driver->operations.next; link != &driver->operations;
         link = link->next) {
        yr_local_operation *operation = YR_CONTAINER_OF(link, yr_local_operation, link);
        yr_local_queue_cancel(&driver->queue, &operation->job);
        end_soon(operation, YURPC_CANCELED);
    }
}

bool yr_local_operations_are_open(const yr_driver *driver)
{
    bool is_open = !yr_list_is_empty(&driver->operations);
    for (size_t i = 0; i < YR_LOCAL_REFUSALS; i++) {
        is_open = is_open || driver->refusals[i].is_used;
    }
    return is_open;
}

void yr_local_operations_end(yr_driver *driver)
{
    for (size_t i = 0; i < YR_LOCAL_REFUSALS; i++) {
        yr_local_refusal *refusal = &driver->refusals[i];
        if (refusal->is_used) {
            yr_io_unpost(driver->io, &refusal->task);
            on_refusal(refusal);
        }
    }
    yr_list *link = driver->operations.next;
    while (link != &driver->operations) {
        yr_local_operation *operation = YR_CONTAINER_OF(link, yr_local_operation, link);
        link = link->next;
        yr_timer_stop(driver->io, &operation->deadline);
        yr_io_unpost(driver->io, &operation->end_task);
        operation->verdict = YURPC_CANCELED;
        end_early(operation, yurpc_status_text(YURPC_CANCELED));
    }
}

void yr_local_operations_free(yr_driver *driver)
{
    yr_list *link = NULL;
    while ((link = yr_list_take_first(&driver->operations)) != NULL) {
        yr_local_operation *operation = YR_CONTAINER_OF(link, yr_local_operation, link);
        operation->free(operation);
    }
}
