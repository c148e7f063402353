/*
 * Jobs on the registry's file, one after the other, off the loop: SQLite waits for locks and
 * for the disk, the loop for nothing.
 *
 * Jobs that wait are run together in one visit to the worker. A visit opens the file first if
 * it is not open, or not the one that the path leads to any more.
 */
#ifndef YR_LOCAL_QUEUE_H
#define YR_LOCAL_QUEUE_H

#include "base/list.h"
#include "drivers/local/lease.h"
#include "drivers/local/store.h"
#include "net/io.h"

enum { YR_LOCAL_JOBS_MAX = 65536, YR_LOCAL_VISIT_JOBS_MAX = 64 };

typedef struct yr_local_job yr_local_job;

typedef enum yr_local_job_state {
    YR_LOCAL_JOB_IDLE,
    YR_LOCAL_JOB_WAITING,
    YR_LOCAL_JOB_RUNNING, /* nothing of it may be touched, except is_canceled */
} yr_local_job_state;

/* What a job is given to work with, off the loop. */
typedef struct yr_local_visit {
    yr_local_store *store;
    const yr_local_dead *dead; /* who is dead, but could not be removed */
} yr_local_visit;

/* Embedded in its owner, who keeps it alive until it is idle again. */
struct yr_local_job {
    /* Set by the owner: */
    yurpc_status (*run)(yr_local_job *job, const yr_local_visit *visit,
                        yurpc_error **ret_error);
    void (*done)(yr_local_job *job, yurpc_status status, const yurpc_error *error);
    int64_t wait_max_ms; /* for another process' lock */
    bool wants_reap;     /* remove the dead before it runs */

    /* The queue's: */
    yr_list link;
    yr_local_job_state state;
    atomic_bool is_canceled;
    yurpc_status status;
    yurpc_error *error;
};

/* How the last visit left the file. */
typedef struct yr_local_outcome {
    bool is_open;
    uint64_t generation;      /* changes whenever the file was opened anew */
    uint64_t damaged;         /* rows skipped, ever */
    const yurpc_error *error; /* why it is not open */
} yr_local_outcome;

/* After each visit, before its jobs are told. */
typedef void yr_local_visited_fn(void *context, const yr_local_outcome *outcome);

typedef struct yr_local_queue {
    yr_io *io;
    yr_local_visited_fn *visited;
    void *context;
    yr_list waiting;
    size_t waiting_count;
    bool is_visiting;
    void (*orphaned)(void *context); /* see yr_local_queue_orphan() */
    yr_work work;
    yr_task no_work_task; /* ends a visit that could not begin */

    /* The worker's, during a visit: */
    yr_list running;
    yr_local_store store;
    yr_local_dead dead;
    yurpc_error *store_error;
} yr_local_queue;

/* @p file is borrowed. Nothing is opened before the first job. */
void yr_local_queue_init(yr_local_queue *queue, yr_io *io, const char *file,
                         yr_local_visited_fn *visited, void *context);

/* No visit may be under way. */
void yr_local_queue_deinit(yr_local_queue *queue);

/* Run an idle job; an urgent one before those that wait. YURPC_EXHAUSTED: too many wait. */
YURPC_NODISCARD yurpc_status yr_local_queue_add(yr_local_queue *queue, yr_local_job *job,
                                                bool is_urgent);

/* Take back a job that waits; one that runs is asked to give up, and will still be done. */
void yr_local_queue_cancel(yr_local_queue *queue, yr_local_job *job);

/*
 * Nobody waits for the visit that is under way. When it is over nothing is told but this, with
 * the queue's context, and neither the queue nor the loop is used: then all may be freed.
 */
void yr_local_queue_orphan(yr_local_queue *queue, void (*orphaned)(void *context));

#endif /* YR_LOCAL_QUEUE_H */
