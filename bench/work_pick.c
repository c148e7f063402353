/*
 * What a request pays: acquire the list, choose an instance, release.
 *
 * CPU time of the calling threads, all threads on one service and one picker; so what one
 * thread costs the other shows, and a busy machine does not.
 */
#include "measure.h"
#include "names.h"
#include "peer.h"
#include "work.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

enum { THREADS_MAX = 2, WARM_UP = 100000, ROUNDS = 10000000, INSTANCES = 100 };

struct pickings;

/* What is measured, so many times: the sum only so that nothing is optimised away. */
typedef uintptr_t rounds_fn(struct pickings *subject, int rounds);

/* What all threads share. */
typedef struct pickings {
    const yurpc_registry *registry;
    const yurpc_service *service;
    yurpc_picker *picker;
    pthread_rwlock_t lock;
    _Atomic size_t cursor;
    const void *array[INSTANCES];
    rounds_fn *measured;
    pthread_barrier_t start;
} pickings;

/* ---- What is measured ---- */

static uintptr_t acquire(pickings *subject, int rounds)
{
    uintptr_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        const yurpc_snapshot *now = yurpc_service_acquire(subject->service);
        yurpc_service_release(subject->service, now);
        sum += (uintptr_t)now;
    }
    return sum;
}

static uintptr_t pick(pickings *subject, int rounds)
{
    uintptr_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        const yurpc_snapshot *now = NULL;
        const yurpc_instance *one = yurpc_service_pick(subject->service, subject->picker, &now);
        yurpc_snapshot_release(now);
        sum += (uintptr_t)one;
    }
    return sum;
}

static uintptr_t find(pickings *subject, int rounds)
{
    uintptr_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        const yurpc_snapshot *now = yurpc_registry_acquire(subject->registry, YR_SERVICE);
        const yurpc_instance *one = yurpc_snapshot_pick(now, subject->picker);
        yurpc_snapshot_release(now);
        sum += (uintptr_t)one;
    }
    return sum;
}

static uintptr_t lock(pickings *subject, int rounds)
{
    uintptr_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        (void)pthread_rwlock_rdlock(&subject->lock);
        const void *now = subject->array[0];
        (void)pthread_rwlock_unlock(&subject->lock);
        sum += (uintptr_t)now;
    }
    return sum;
}

static uintptr_t count(pickings *subject, int rounds)
{
    uintptr_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        size_t at = atomic_fetch_add_explicit(&subject->cursor, 1, memory_order_relaxed);
        sum += (uintptr_t)subject->array[at % INSTANCES];
    }
    return sum;
}

/* ---- Measuring it ---- */

typedef struct worker {
    pickings *subject;
    unsigned number;
    pthread_t thread;
    int64_t cpu_ns;
    uintptr_t sum; /* so that nothing is optimised away */
} worker;

/* The number of the processor that is @p rank among those allowed; -1: there are fewer. */
static int find_processor(unsigned rank)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        return -1;
    }
    for (int i = 0; i < CPU_SETSIZE; i++) {
        bool is_allowed = CPU_ISSET((size_t)i, &allowed);
        if (is_allowed && rank-- == 0) {
            return i;
        }
    }
    return -1;
}

/*
 * Each on a processor of its own: two that take turns on one would not disturb each other, and
 * look better than they are.
 */
static void settle(unsigned rank)
{
    cpu_set_t mine;
    int processor = find_processor(rank);
    CPU_ZERO(&mine);
    if (processor >= 0) {
        CPU_SET((size_t)processor, &mine);
        (void)pthread_setaffinity_np(pthread_self(), sizeof(mine), &mine);
    }
}

static void *work(void *context)
{
    worker *self = context;
    pickings *subject = self->subject;
    settle(self->number);
    self->sum += subject->measured(subject, WARM_UP);
    (void)pthread_barrier_wait(&subject->start);
    int64_t begin = yr_thread_cpu_ns();
    self->sum += subject->measured(subject, ROUNDS);
    self->cpu_ns = yr_thread_cpu_ns() - begin;
    return NULL;
}

static bool measure(pickings *subject, const char *name, unsigned thread_count)
{
    worker workers[THREADS_MAX] = {0};
    unsigned started = 0;
    int64_t sum = 0;
    if (pthread_barrier_init(&subject->start, NULL, thread_count) != 0) {
        return false;
    }
    /* All or none: those that wait for one that never comes would wait for ever. */
    for (; started < thread_count; started++) {
        workers[started].subject = subject;
        workers[started].number = started;
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0) {
            return false;
        }
    }
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        sum += workers[i].cpu_ns;
    }
    (void)pthread_barrier_destroy(&subject->start);
    char figure[64];
    (void)snprintf(figure, sizeof(figure), "%s_%u_ns", name, thread_count);
    yr_report(figure, (double)sum / started / ROUNDS);
    return true;
}

static bool measure_both(pickings *subject, const char *name, rounds_fn *measured)
{
    subject->measured = measured;
    return measure(subject, name, 1) && measure(subject, name, 2);
}

static bool measure_pickers(pickings *subject)
{
    yurpc_picker *turn = NULL;
    yurpc_picker *random = NULL;
    bool is_fine = yurpc_picker_new(YURPC_PICK_ROUND_ROBIN, &turn) == YURPC_OK &&
                   yurpc_picker_new(YURPC_PICK_RANDOM, &random) == YURPC_OK;
    subject->picker = turn;
    is_fine = is_fine && measure_both(subject, "turn", pick) &&
              (subject->registry == NULL || measure_both(subject, "find", find));
    subject->picker = random;
    is_fine = is_fine && measure_both(subject, "random", pick);
    yurpc_picker_free(turn);
    yurpc_picker_free(random);
    return is_fine;
}

static bool run_yurpc(yr_sample *self)
{
    static pickings subject;
    yurpc_registry *registry = yr_sample_open(self, 0);
    yurpc_service *service =
        registry != NULL ? yr_sample_discover(self, registry, self->work->count) : NULL;
    subject.registry = registry;
    subject.service = service;
    bool is_fine = service != NULL && measure_both(&subject, "acquire", acquire) &&
                   measure_pickers(&subject);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    return is_fine;
}

static bool run_bare(yr_sample *self)
{
    static pickings subject = {.lock = PTHREAD_RWLOCK_INITIALIZER};
    for (size_t i = 0; i < INSTANCES; i++) {
        subject.array[i] = &subject.array[i];
    }
    return (measure_both(&subject, "lock", lock) && measure_both(&subject, "count", count)) ||
           yr_fail(self, "no threads", NULL);
}

#define LOCK  "a read lock taken and given back (pthread_rwlock)"
#define COUNT "an array and one atomic counter, nothing that could change"

static const yr_row rows[] = {
    {"acquire + release, 1 thread", "ns", "yurpc.acquire_1_ns", "bare.lock_1_ns", NULL, LOCK,
     "<= 5"},
    {"acquire + release, 2 threads", "ns", "yurpc.acquire_2_ns", "bare.lock_2_ns", NULL, LOCK,
     "<= 5"},
    {"pick round robin, 1 thread", "ns", "yurpc.turn_1_ns", "bare.count_1_ns", "go.turn_1_ns",
     COUNT, "<= 6"},
    {"pick round robin, 2 threads", "ns", "yurpc.turn_2_ns", "bare.count_2_ns", "go.turn_2_ns",
     COUNT, "<= 7"},
    {"pick at random, 1 thread", "ns", "yurpc.random_1_ns", "bare.count_1_ns", NULL, COUNT,
     "<= 6"},
    {"pick at random, 2 threads", "ns", "yurpc.random_2_ns", "bare.count_2_ns", NULL, COUNT,
     "<= 7"},
    {"find by name and pick, 1 thread", "ns", "yurpc.find_1_ns", NULL, "go.find_1_ns", NULL,
     "<= 25"},
    {"find by name and pick, 2 threads", "ns", "yurpc.find_2_ns", NULL, "go.find_2_ns", NULL,
     "<= 25"},
};

static const yr_work works[] = {
    {
        .name = "pick",
        .backend = YR_BACKEND_LOCAL,
        .count = INSTANCES,
        .is_filled = true,
        .runs = 5,
        .programs = {{"yurpc", run_yurpc, false},
                     {"bare", run_bare, false},
                     {YR_PEER, NULL, false}},
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    },
};

const yr_works yr_works_pick = {works, sizeof(works) / sizeof(works[0])};
