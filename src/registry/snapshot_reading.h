/*
 * How a thread reads what is in a cell. In a header, because a request pays for it each time:
 * of acquire + release the calls would be a good part.
 */
#ifndef YR_REGISTRY_SNAPSHOT_READING_H
#define YR_REGISTRY_SNAPSHOT_READING_H

#include "registry/reclaimer.h"
#include "registry/snapshot.h"

#include <stdatomic.h>

/* Read sections are inlined where _LGPL_SOURCE is defined: see CMakeLists.txt. */
#include <urcu/urcu-bp.h>

/*
 * ThreadSanitizer does not see liburcu's atomics, which are assembler or live in a library
 * without instrumentation. What orders a reader before reclaiming is told to it here; what
 * orders publishing before reading is a C11 atomic and needs no words.
 */
#if defined(__SANITIZE_THREAD__)
#    define YR_TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define YR_TSAN 1
#    endif
#endif
#ifdef YR_TSAN
#    include <sanitizer/tsan_interface.h>
#    define YR_TSAN_ACQUIRE(address) __tsan_acquire(address)
#    define YR_TSAN_RELEASE(address) __tsan_release(address)
#else
#    define YR_TSAN_ACQUIRE(address) ((void)(address))
#    define YR_TSAN_RELEASE(address) ((void)(address))
#endif

/* Stands for all read sections together: leaving one releases it, reclaiming acquires it. */
extern char yr_read_sections;

struct yr_snapshot_cell {
    yr_retired retired;
    _Atomic(yurpc_snapshot *) current; /* never NULL */
};

/* A thread's first time: liburcu gets to know it, and ends the process if there is no memory.
 */
__attribute__((cold)) void yr_snapshot_enter_first(void);

static inline void yr_snapshot_enter(void)
{
#ifdef _LGPL_SOURCE /* so that the way of all other times needs no stack */
    if (__builtin_expect(URCU_TLS(urcu_bp_reader) == NULL, 0)) {
        yr_snapshot_enter_first();
        return;
    }
#endif
    urcu_bp_read_lock();
}

/* Inside. */
static inline const yurpc_snapshot *yr_snapshot_cell_read(const yr_snapshot_cell *cell)
{
    return atomic_load_explicit(&cell->current, memory_order_acquire);
}

/* Any thread, wait-free. Nests. */
static inline const yurpc_snapshot *yr_snapshot_cell_acquire(const yr_snapshot_cell *cell)
{
    yr_snapshot_enter();
    return yr_snapshot_cell_read(cell);
}

static inline void yr_snapshot_cell_release(void)
{
    YR_TSAN_RELEASE(&yr_read_sections);
    urcu_bp_read_unlock();
}

#endif /* YR_REGISTRY_SNAPSHOT_READING_H */
