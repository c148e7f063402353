#include "registry/reclaimer.h"

#include "base/assert.h"
#include "net/loop.h"
#include "net/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <urcu/urcu-bp.h>

enum { REST_MS = 50, WAITING_MAX = 256 };

/* One for the process. The thread belongs to the process that made it: a forked child has
 * none, and makes its own. */
static _Atomic int64_t owner; /* its process; negative: that process is making it; 0: none */
static sem_t wake;
static sem_t hurry;                  /* ends the rest */
static _Atomic(yr_retired *) newest; /* a stack */
static _Atomic uint32_t waiting;     /* in it, about: when they are many, it hurries */

static yr_retired *in_order(yr_retired *stack)
{
    yr_retired *first = NULL;
    while (stack != NULL) {
        yr_retired *next = stack->next;
        stack->next = first;
        first = stack;
        stack = next;
    }
    return first;
}

/*
 * Waiting for readers takes system calls that interrupt the other processors: as much as the
 * change itself that was published. So those that come soon after each other wait together.
 */
static void rest(void)
{
    int64_t end_ms = yr_loop_clock_ms() + REST_MS;
    struct timespec end = {.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000};
    while (sem_clockwait(&hurry, CLOCK_MONOTONIC, &end) != 0 && errno == EINTR) {
    }
}

static void *run(void *context)
{
    (void)context;
    for (;;) {
        while (sem_wait(&wake) != 0) {
            YR_ASSERT(errno == EINTR);
        }
        rest();
        atomic_store_explicit(&waiting, 0, memory_order_relaxed);
        yr_retired *retired =
            in_order(atomic_exchange_explicit(&newest, NULL, memory_order_acquire));
        if (retired != NULL) {
            urcu_bp_synchronize_rcu();
        }
        while (retired != NULL) {
            yr_retired *next = retired->next;
            retired->release(retired);
            retired = next;
        }
    }
    return NULL;
}

static int start_thread(void)
{
    pthread_t thread;
    int failed = sem_init(&wake, 0, 1); /* something may have been left by the parent */
    YR_ASSERT(failed == 0);
    failed = sem_init(&hurry, 0, 0);
    YR_ASSERT(failed == 0);
    int error = yr_thread_start(run, NULL, "yurpc-rcu", &thread);
    if (error == 0) {
        pthread_detach(thread);
    }
    return error;
}

yurpc_status yr_reclaimer_start(void)
{
    int64_t pid = getpid();
    int64_t seen = atomic_load(&owner);
    for (;;) {
        if (seen == pid) {
            return YURPC_OK;
        }
        if (seen == -pid) { /* another thread is about to know */
            sched_yield();
            seen = atomic_load(&owner);
        } else if (atomic_compare_exchange_weak(&owner, &seen, -pid)) {
            break;
        }
    }
    int error = start_thread();
    atomic_store(&owner, error == 0 ? pid : 0);
    return error == 0 ? YURPC_OK : YURPC_IO;
}

void yr_reclaimer_retire(yr_retired *retired)
{
    yr_retired *seen = atomic_load_explicit(&newest, memory_order_relaxed);
    do {
        retired->next = seen;
    } while (!atomic_compare_exchange_weak_explicit(
        &newest, &seen, retired, memory_order_release, memory_order_relaxed));
    if (seen == NULL && sem_post(&wake) != 0) {
        /* Only past SEM_VALUE_MAX, and then it is awake. */
    }
    uint32_t before = atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
    if (before + 1 == WAITING_MAX && sem_post(&hurry) != 0) {
        /* The same. */
    }
}

typedef struct marker {
    yr_retired retired;
    sem_t is_reached;
} marker;

static void reach(yr_retired *retired)
{
    int failed = sem_post(&YR_CONTAINER_OF(retired, marker, retired)->is_reached);
    YR_ASSERT(failed == 0);
}

void yr_reclaimer_wait(void)
{
    if (yr_reclaimer_start() != YURPC_OK) {
        return; /* nothing was retired: whoever retires has started it */
    }
    marker mark = {.retired = {.release = reach}};
    int failed = sem_init(&mark.is_reached, 0, 0);
    YR_ASSERT(failed == 0);
    yr_reclaimer_retire(&mark.retired); /* what was retired before is released before */
    failed = sem_post(&hurry);
    YR_ASSERT(failed == 0);
    while (sem_wait(&mark.is_reached) != 0) {
        YR_ASSERT(errno == EINTR);
    }
    sem_destroy(&mark.is_reached);
}
