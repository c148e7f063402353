#include "registry/handle/overtime.h"

#include "registry/consumer/subscription.h"
#include "registry/handle/handle.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    NAME_MAX = 600,
    LOOKS_MAX = 2, /* that saw nothing: the thread may have been between two tasks */
};

static bool name_watch(const yurpc_registry *handle, const yr_task *task, char *ret_name)
{
    for (yr_list *at = handle->services.next; at != &handle->services; at = at->next) {
        const yurpc_service *service = YR_CONTAINER_OF(at, yurpc_service, link);
        for (yr_list *link = service->watches.next; link != &service->watches;
             link = link->next) {
            if (&YR_CONTAINER_OF(link, yurpc_watch, link)->deliver_task == task) {
                (void)snprintf(ret_name, NAME_MAX, "the callback of a watch of %s",
                               service->entry->service);
                return true;
            }
        }
    }
    return false;
}

static bool name_registration(const yurpc_registry *handle, const yr_task *task, char *ret_name)
{
    const yr_list *all = &handle->core->provider.registrations;
    for (yr_list *link = all->next; link != all; link = link->next) {
        const yurpc_registration *one = YR_CONTAINER_OF(link, yurpc_registration, link);
        if (one->claim != NULL && one->reporter != NULL &&
            yr_reporter_is_told_by(one->reporter, task)) {
            (void)snprintf(ret_name, NAME_MAX, "the callback of the registration of %s",
                           one->claim->key);
            return true;
        }
    }
    return false;
}

static void say(yr_overtime *overtime, const yr_task *task, int64_t late_ms)
{
    const yurpc_registry *handle = overtime->handle;
    char name[NAME_MAX] = "the callback of a watch or a registration that is over";
    if (!name_watch(handle, task, name)) {
        (void)name_registration(handle, task, name);
    }
    yr_log_write(&handle->core->core.log, YURPC_LOG_WARN, "registry",
                 "%s has been running for %" PRId64 ".%" PRId64
                 " s: all that is to be told next waits for it",
                 name, late_ms / 1000, late_ms % 1000 / 100);
}

static void look(void *context)
{
    yr_overtime *overtime = context;
    yr_executor *executor = overtime->handle->executor;
    int64_t now_ms = yr_loop_clock_ms();
    int64_t since_ms = now_ms;
    const yr_task *task = yr_executor_running(executor, &since_ms);
    int64_t late_ms = task != NULL ? now_ms - since_ms : 0;
    bool is_silent = overtime->has_said && now_ms - overtime->said_ms < YR_OVERTIME_PAUSE_MS;
    if (late_ms >= YR_OVERTIME_MS && !is_silent) {
        say(overtime, task, late_ms);
        overtime->has_said = true;
        overtime->said_ms = now_ms;
    }
    overtime->looks_in_vain = task != NULL ? 0 : overtime->looks_in_vain + 1;
    if (overtime->looks_in_vain < LOOKS_MAX) {
        int64_t left_ms = YR_OVERTIME_MS - late_ms;
        yr_timer_start(yr_loop_io(overtime->handle->loop), &overtime->timer,
                       left_ms > 0 ? left_ms : YR_OVERTIME_MS);
    }
}

static void on_call(void *context)
{
    yr_overtime *overtime = context;
    overtime->looks_in_vain = 0;
    if (!yr_timer_is_running(&overtime->timer)) {
        yr_timer_start(yr_loop_io(overtime->handle->loop), &overtime->timer, YR_OVERTIME_MS);
    }
}

void yr_overtime_begin(yr_overtime *overtime, yurpc_registry *handle)
{
    overtime->handle = handle;
    yr_timer_init(&overtime->timer, look, overtime);
    yr_executor_watch(handle->executor, on_call, overtime);
}

void yr_overtime_end(yr_overtime *overtime)
{
    if (overtime->handle == NULL) {
        return;
    }
    yr_executor_watch(overtime->handle->executor, NULL, NULL);
    yr_timer_stop(yr_loop_io(overtime->handle->loop), &overtime->timer);
}
