#include "base/process.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* A page that the kernel clears in a child, however it was forked. 0: not asked yet. */
typedef _Atomic pid_t id_page;

/* NULL: there is none yet. It stays, and is the same for all threads. */
static _Atomic(id_page *) page;

/* Where the kernel (before 4.14) cannot do that there is no page, and it is asked each time. */
static id_page *make_page(void)
{
    enum { SIZE = sizeof(id_page) }; /* mmap(2) rounds up to a page */
    void *mapped = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        return NULL;
    }
    if (madvise(mapped, SIZE, MADV_WIPEONFORK) != 0) {
        (void)munmap(mapped, SIZE);
        return NULL;
    }
    id_page *mine = mapped;
    id_page *theirs = NULL;
    if (atomic_compare_exchange_strong(&page, &theirs, mine)) {
        return mine;
    }
    (void)munmap(mapped, SIZE); /* another thread was sooner */
    return theirs;
}

pid_t yr_process_id(void)
{
    id_page *known = atomic_load_explicit(&page, memory_order_acquire);
    pid_t id = known != NULL ? atomic_load_explicit(known, memory_order_relaxed) : 0;
    if (id != 0) {
        return id;
    }
    id = getpid();
    known = known != NULL ? known : make_page();
    if (known != NULL) {
        atomic_store_explicit(known, id, memory_order_relaxed);
    }
    return id;
}
