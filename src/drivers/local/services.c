#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "drivers/local/operation.h"

#include <stdlib.h>

typedef struct yr_local_counted {
    yurpc_bytes service; /* within the facts */
    uint64_t nodes;
} yr_local_counted;

typedef struct yr_local_counting {
    yr_local_operation operation;
    yr_service_fn *each;
    yr_done_fn *done;
    yr_local_facts facts;
    yr_local_counted *services;
    size_t count;
} yr_local_counting;

static int compare(const void *left, const void *right)
{
    const yr_local_counted *a = left;
    const yr_local_counted *b = right;
    return yr_bytes_compare(a->service, b->service);
}

/* The nodes of a service stand together, but services in the order of keys, in which "a.b"
 * comes before "a" because '.' comes before '/'. */
static yurpc_status count_services(yr_local_counting *counting)
{
    const yr_local_facts *facts = &counting->facts;
    if (facts->count == 0) {
        return YURPC_OK;
    }
    counting->services = yr_calloc(facts->count, sizeof *counting->services);
    if (counting->services == NULL) {
        return YURPC_NO_MEMORY;
    }
    for (size_t i = 0; i < facts->count; i++) {
        yurpc_bytes service = facts->items[i].service;
        yr_local_counted *last =
            counting->count > 0 ? &counting->services[counting->count - 1] : NULL;
        if (last == NULL || !yr_bytes_equal(last->service, service)) {
            last = &counting->services[counting->count++];
            last->service = service;
        }
        last->nodes++;
    }
    qsort(counting->services, counting->count, sizeof *counting->services, compare);
    return YURPC_OK;
}

static yurpc_status run_counting(yr_local_job *job, const yr_local_visit *visit,
                                 yurpc_error **ret_error)
{
    yr_local_counting *counting = YR_CONTAINER_OF(job, yr_local_counting, operation.job);
    const yr_local_span span = {.dead = visit->dead->ids, .dead_count = visit->dead->count};
    yurpc_status status =
        yr_local_record_list(visit->store, &span, &counting->facts, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    yr_local_facts_settle(&counting->facts, false);
    status = count_services(counting);
    return status == YURPC_OK ? YURPC_OK : yr_error_set_status(ret_error, status);
}

static void answer_counting(yr_local_operation *operation, yurpc_status status,
                            const yurpc_error *error)
{
    const yr_local_counting *counting =
        YR_CONTAINER_OF(operation, yr_local_counting, operation);
    for (size_t i = 0; status == YURPC_OK && i < counting->count; i++) {
        const yr_local_counted *counted = &counting->services[i];
        counting->each(operation->context, counted->service, counted->nodes);
    }
    counting->done(operation->context, status, error);
}

static void free_counting(yr_local_operation *operation)
{
    yr_local_counting *counting = YR_CONTAINER_OF(operation, yr_local_counting, operation);
    yr_local_facts_deinit(&counting->facts);
    yr_free(counting->services);
    yr_free(counting);
}

void yr_local_list_services(yr_driver *driver, int64_t deadline_ms, yr_service_fn *each,
                            yr_done_fn *done, void *context)
{
    if (yr_local_is_forked(driver)) {
        return;
    }
    yr_local_counting *counting = yr_calloc(1, sizeof *counting);
    if (counting == NULL) {
        yr_local_operation_refuse(driver,
                                  &(yr_local_refusal){.done = done, .context = context});
        return;
    }
    yr_local_facts_init(&counting->facts);
    counting->each = each;
    counting->done = done;
    counting->operation.job.run = run_counting;
    counting->operation.job.wants_reap = true;
    counting->operation.answer = answer_counting;
    counting->operation.free = free_counting;
    counting->operation.context = context;
    yr_local_operation_start(&counting->operation, driver, deadline_ms);
}
