#include "registry/provider/reporter.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/loop.h"

#include <stdatomic.h>

typedef struct report {
    yurpc_registration_state state;
    yurpc_error *error;
} report;

typedef struct reports {
    report items[YR_REPORTS_MAX];
    size_t count;
} reports;

struct yr_reporter {
    atomic_uint refs;
    yr_executor *executor;
    yurpc_registration_fn *fn;
    void *context;
    yr_task tell_task;
    yr_task told_task;
    yr_wait told;
    atomic_bool is_muted;

    /*
     * Two sheets: the loop fills one while the executor reads the other from. `next` is the one
     * that waits to be read; whoever took it out of there has it.
     */
    reports sheets[2];
    size_t filling; /* the loop's: which of them it filled last */
    reports *_Atomic next;
};

static void reports_clear(reports *these)
{
    for (size_t i = 0; i < these->count; i++) {
        yurpc_error_free(these->items[i].error);
    }
    these->count = 0;
}

yr_reporter *yr_reporter_ref(yr_reporter *reporter)
{
    atomic_fetch_add(&reporter->refs, 1);
    return reporter;
}

void yr_reporter_unref(yr_reporter *reporter)
{
    if (reporter == NULL || atomic_fetch_sub(&reporter->refs, 1) > 1) {
        return;
    }
    reports_clear(&reporter->sheets[0]);
    reports_clear(&reporter->sheets[1]);
    yr_wait_deinit(&reporter->told);
    yr_executor_unref(reporter->executor);
    yr_free(reporter);
}

/* ---- On the executor ---- */

static void on_tell(void *context)
{
    yr_reporter *reporter = context;
    reports *these = atomic_exchange(&reporter->next, NULL);
    for (size_t i = 0; these != NULL && i < these->count; i++) {
        bool is_muted =
            atomic_load(&reporter->is_muted) || yr_executor_is_muted(reporter->executor);
        if (!is_muted) {
            reporter->fn(reporter->context, these->items[i].state, these->items[i].error);
        }
    }
    if (these != NULL) {
        reports_clear(these);
    }
    yr_reporter_unref(reporter);
}

static void on_told(void *context)
{
    yr_reporter *reporter = context;
    yr_wait_signal(&reporter->told);
    yr_reporter_unref(reporter);
}

/* ---- From outside ---- */

yurpc_status yr_reporter_new(yr_executor *executor, yurpc_registration_fn *fn, void *context,
                             yr_reporter **ret_reporter)
{
    yr_reporter *reporter = yr_calloc(1, sizeof *reporter);
    if (reporter == NULL) {
        return YURPC_NO_MEMORY;
    }
    atomic_init(&reporter->refs, 1);
    reporter->executor = yr_executor_ref(executor);
    reporter->fn = fn;
    reporter->context = context;
    yr_task_init(&reporter->tell_task, on_tell, reporter);
    yr_task_init(&reporter->told_task, on_told, reporter);
    yr_wait_init(&reporter->told);
    *ret_reporter = reporter;
    return YURPC_OK;
}

bool yr_reporter_is_told_by(const yr_reporter *reporter, const yr_task *task)
{
    return task == &reporter->tell_task;
}

void yr_reporter_report(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    yr_reporter *reporter = context;
    reports *these = atomic_exchange(&reporter->next, NULL);
    if (these == NULL) {
        /* The executor has the one that was filled last, so it is done with the other. */
        reporter->filling = 1 - reporter->filling;
        these = &reporter->sheets[reporter->filling];
        YR_ASSERT(these->count == 0);
    }
    if (these->count == YR_REPORTS_MAX) {
        yurpc_error_free(these->items[--these->count].error);
    }
    these->items[these->count++] = (report){state, error == NULL ? NULL : yr_error_copy(error)};
    atomic_store(&reporter->next, these);
    yr_reporter_ref(reporter);
    if (!yr_executor_call(reporter->executor, &reporter->tell_task)) {
        yr_reporter_unref(reporter); /* it waits to be run already, and has its reference */
    }
}

bool yr_reporter_finish(yr_reporter *reporter, int64_t timeout_ms)
{
    bool is_told = false;
    if (!yr_executor_is_current(reporter->executor)) {
        yr_reporter_ref(reporter);
        bool is_posted = yr_executor_post(reporter->executor, &reporter->told_task);
        YR_ASSERT(is_posted);
        is_told = yr_wait_block_for(&reporter->told, timeout_ms);
    }
    atomic_store(&reporter->is_muted, !is_told);
    return is_told;
}
