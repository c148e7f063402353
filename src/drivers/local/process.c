#include "drivers/local/process.h"

#include "base/error.h"

#include <stdatomic.h>
#include <unistd.h>

/* Each belongs to the process whose id is in its upper half; a child finds its parent's there.
 */
static _Atomic uint64_t mark;        /* lower half: random */
static _Atomic uint64_t connections; /* lower half: how many are open */

static uint64_t pid_part(void)
{
    return (uint64_t)getpid() << 32;
}

static uint64_t lower(uint64_t word)
{
    return word & UINT32_MAX;
}

int64_t yr_local_process_mark(uint64_t random)
{
    uint64_t pid = pid_part();
    uint64_t now = atomic_load(&mark);
    while (now - lower(now) != pid) { /* the first call, or the first in a forked child */
        if (atomic_compare_exchange_weak(&mark, &now, pid | lower(random))) {
            now = pid | lower(random);
        }
    }
    return (int64_t)now;
}

yurpc_status yr_local_process_enter(yurpc_error **ret_error)
{
    uint64_t pid = pid_part();
    uint64_t now = atomic_load(&connections);
    uint64_t next = 0;
    do {
        bool is_inherited = now - lower(now) != pid;
        if (is_inherited && lower(now) > 0) {
            return yr_error_set(ret_error, YURPC_FORKED, -1,
                                "this process was forked from one that had the local registry "
                                "open: open it after fork() only, or call exec()");
        }
        next = is_inherited ? pid | 1 : now + 1;
    } while (!atomic_compare_exchange_weak(&connections, &now, next));
    return YURPC_OK;
}

void yr_local_process_leave(void)
{
    atomic_fetch_sub(&connections, 1);
}
