/*
 * What the operations with a deadline have in common. Each is an object that lives until it
 * was answered and its job is idle again: an operation whose deadline passes is answered at
 * once, though its job may still wait for a lock.
 */
#ifndef YR_LOCAL_OPERATION_H
#define YR_LOCAL_OPERATION_H

#include "drivers/local/local.h"

/* Embedded in its owner as its first part. */
typedef struct yr_local_operation yr_local_operation;
struct yr_local_operation {
    /* Set by the owner: */
    yr_local_job job; /* run and wants_reap */
    void (*answer)(yr_local_operation *operation, yurpc_status status,
                   const yurpc_error *error); /* tell the user; once */
    void (*free)(yr_local_operation *operation);
    void *context;

    /* The rest is operation.c's: */
    yr_driver *driver;
    yr_list link; /* in the driver's operations */
    yr_timer deadline;
    yr_task end_task;
    yurpc_status verdict; /* of an operation that is ended before its job */
    bool is_answered;
};

/* Begin it. From here on it takes care of itself. */
void yr_local_operation_start(yr_local_operation *operation, yr_driver *driver,
                              int64_t deadline_ms);

/* There was no memory for the operation itself: answer in a later turn that it failed. */
void yr_local_operation_refuse(yr_driver *driver, const yr_local_refusal *refusal);

/* The driver closes: every operation ends with YURPC_CANCELED, in a later turn. */
void yr_local_operations_cancel(yr_driver *driver);

/* Whether one was not answered yet, or still runs. */
bool yr_local_operations_are_open(const yr_driver *driver);

/* End them at once; only their memory stays, because the worker may still use it. */
void yr_local_operations_end(yr_driver *driver);

/* Free what is left of them. */
void yr_local_operations_free(yr_driver *driver);

#endif /* YR_LOCAL_OPERATION_H */
