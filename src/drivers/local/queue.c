#include "drivers/local/queue.h"

#include "base/assert.h"
#include "base/error.h"
#include "drivers/local/process.h"

enum {
    OPEN_WAIT_MS = 2000, /* for another process that makes the file */
    TIDY_WAIT_MS = 200,
};

/* ---- On the worker ---- */

static yurpc_status run_job(yr_local_queue *queue, yr_local_job *job, bool *has_reaped,
                            yurpc_error **ret_error)
{
    yr_local_store *store = &queue->store;
    const yr_local_visit visit = {.store = store, .dead = &queue->dead};
    if (atomic_load(&job->is_canceled)) {
        return yr_error_set_status(ret_error, YURPC_CANCELED);
    }
    store->wait_max_ms = job->wait_max_ms;
    store->is_canceled = &job->is_canceled;
    if (job->wants_reap && !*has_reaped) {
        yurpc_status status = yr_local_lease_reap(store, &queue->dead, ret_error);
        if (status != YURPC_OK) {
            return status;
        }
        *has_reaped = true;
    }
    return job->run(job, &visit, ret_error);
}

static yurpc_status open_store(yr_local_queue *queue)
{
    yr_local_store *store = &queue->store;
    uint64_t generation = store->generation;
    store->wait_max_ms = OPEN_WAIT_MS;
    store->is_canceled = NULL;
    yurpc_status status = yr_local_store_open(store, &queue->store_error);
    if (status == YURPC_OK && store->generation != generation) {
        store->wait_max_ms = TIDY_WAIT_MS;
        if (yr_local_lease_tidy(store, NULL) != YURPC_OK) {
            /* Who reads is told the truth without it; the next opening tries again. */
        }
    }
    return status;
}

static void visit_run(void *context)
{
    yr_local_queue *queue = context;
    yr_local_store *store = &queue->store;
    yurpc_status store_status = open_store(queue);
    bool has_reaped = false;
    for (yr_list *link = queue->running.next; link != &queue->running; link = link->next) {
        yr_local_job *job = YR_CONTAINER_OF(link, yr_local_job, link);
        if (store_status != YURPC_OK) {
            job->status = store_status;
            job->error = yr_error_copy(queue->store_error);
            continue;
        }
        job->status = run_job(queue, job, &has_reaped, &job->error);
        if (store->is_broken) {
            store_status = job->status != YURPC_OK ? job->status : YURPC_IO;
            queue->store_error = yr_error_copy(job->error);
        }
    }
    store->is_canceled = NULL;
    yr_local_store_finish(store);
}

/* ---- On the loop ---- */

static void pump(yr_local_queue *queue);

static void visit_end(yr_local_queue *queue)
{
    yr_list ended;
    yr_list_init(&ended);
    yr_list_move_all(&ended, &queue->running);
    const yr_local_outcome outcome = {.is_open = queue->store.db != NULL,
                                      .generation = queue->store.generation,
                                      .damaged = queue->store.damaged,
                                      .error = queue->store_error};
    queue->visited(queue->context, &outcome);
    yurpc_error_free(queue->store_error);
    queue->store_error = NULL;
    yr_list *link = NULL;
    while ((link = yr_list_take_first(&ended)) != NULL) {
        yr_local_job *job = YR_CONTAINER_OF(link, yr_local_job, link);
        yurpc_error *error = job->error;
        job->error = NULL;
        job->state = YR_LOCAL_JOB_IDLE;
        job->done(job, job->status, error);
        yurpc_error_free(error);
    }
    /* Only now: what the done functions touch is not the worker's meanwhile. */
    queue->is_visiting = false;
    pump(queue);
}

static void visit_done(void *context)
{
    yr_local_queue *queue = context;
    if (queue->orphaned == NULL) {
        visit_end(queue);
        return;
    }
    for (yr_list *link = queue->running.next; link != &queue->running; link = link->next) {
        yurpc_error_free(YR_CONTAINER_OF(link, yr_local_job, link)->error);
    }
    queue->is_visiting = false;
    queue->orphaned(queue->context);
}

/* There was no way to get off the loop: every job of the visit fails. */
static void end_without_work(void *context)
{
    yr_local_queue *queue = context;
    for (yr_list *link = queue->running.next; link != &queue->running; link = link->next) {
        yr_local_job *job = YR_CONTAINER_OF(link, yr_local_job, link);
        job->status = yr_error_set_status(&job->error, YURPC_NO_MEMORY);
    }
    if (queue->store.db == NULL) {
        queue->store_error = yr_error_new(YURPC_NO_MEMORY, -1, "out of memory");
    }
    visit_end(queue);
}

static void pump(yr_local_queue *queue)
{
    if (queue->is_visiting || yr_list_is_empty(&queue->waiting)) {
        return;
    }
    for (int i = 0; i < YR_LOCAL_VISIT_JOBS_MAX; i++) {
        yr_list *link = yr_list_take_first(&queue->waiting);
        if (link == NULL) {
            break;
        }
        yr_local_job *job = YR_CONTAINER_OF(link, yr_local_job, link);
        job->state = YR_LOCAL_JOB_RUNNING;
        queue->waiting_count--;
        yr_list_append(&queue->running, link);
    }
    queue->is_visiting = true;
    queue->store.now_ms = yr_io_boot_ms(queue->io);
    if (yr_io_work(queue->io, &queue->work) != YURPC_OK) {
        yr_io_post(queue->io, &queue->no_work_task);
    }
}

void yr_local_queue_init(yr_local_queue *queue, yr_io *io, const char *file,
                         yr_local_visited_fn *visited, void *context)
{
    *queue = (yr_local_queue){.io = io, .visited = visited, .context = context};
    yr_list_init(&queue->waiting);
    yr_list_init(&queue->running);
    queue->work = (yr_work){.run = visit_run, .done = visit_done, .context = queue};
    yr_task_init(&queue->no_work_task, end_without_work, queue);
    yr_local_store_init(&queue->store, file);
    queue->store.process = yr_local_process_mark(yr_io_random(io));
}

void yr_local_queue_deinit(yr_local_queue *queue)
{
    YR_ASSERT(!queue->is_visiting);
    yr_local_store_close(&queue->store);
    yr_local_dead_deinit(&queue->dead);
    yurpc_error_free(queue->store_error);
    queue->store_error = NULL;
}

yurpc_status yr_local_queue_add(yr_local_queue *queue, yr_local_job *job, bool is_urgent)
{
    YR_ASSERT(job->state == YR_LOCAL_JOB_IDLE);
    if (queue->waiting_count >= YR_LOCAL_JOBS_MAX && !is_urgent) {
        return YURPC_EXHAUSTED;
    }
    yr_list_init(&job->link);
    job->state = YR_LOCAL_JOB_WAITING;
    job->status = YURPC_OK;
    job->error = NULL;
    atomic_store(&job->is_canceled, false);
    /* In a ring, what stands behind the first is in front of all. */
    yr_list_append(is_urgent ? queue->waiting.next : &queue->waiting, &job->link);
    queue->waiting_count++;
    pump(queue);
    return YURPC_OK;
}

void yr_local_queue_cancel(yr_local_queue *queue, yr_local_job *job)
{
    if (job->state == YR_LOCAL_JOB_WAITING) {
        yr_list_remove(&job->link);
        queue->waiting_count--;
        job->state = YR_LOCAL_JOB_IDLE;
    } else if (job->state == YR_LOCAL_JOB_RUNNING) {
        atomic_store(&job->is_canceled, true);
    }
}

void yr_local_queue_orphan(yr_local_queue *queue, void (*orphaned)(void *context))
{
    YR_ASSERT(queue->is_visiting);
    if (yr_io_unpost(queue->io, &queue->no_work_task)) { /* the visit never began */
        queue->is_visiting = false;
        orphaned(queue->context);
        return;
    }
    for (yr_list *link = queue->running.next; link != &queue->running; link = link->next) {
        atomic_store(&YR_CONTAINER_OF(link, yr_local_job, link)->is_canceled, true);
    }
    queue->orphaned = orphaned;
}
