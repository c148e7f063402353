/*
 * Releasing what readers may still see: a thread that waits until each read section of RCU that
 * had begun has ended.
 *
 * liburcu has such a thread (call_rcu), but ends the process when it cannot make it. This one
 * is made when it is first needed, once in a process, and stays; its failing is said.
 */
#ifndef YR_REGISTRY_RECLAIMER_H
#define YR_REGISTRY_RECLAIMER_H

#include <yurpc/status.h>

/* Embedded in what is to be released. */
typedef struct yr_retired yr_retired;
struct yr_retired {
    yr_retired *next;
    void (*release)(yr_retired *retired); /* on the thread */
};

/* Make sure that the thread is there. Any thread. YURPC_IO: it cannot be made now. */
YURPC_NODISCARD yurpc_status yr_reclaimer_start(void);

/* Release @p retired when no reader is left that may see it. Any thread; waits for nothing. */
void yr_reclaimer_retire(yr_retired *retired);

/* Test hook: wait until all that was retired before is released. Not inside a read section. */
void yr_reclaimer_wait(void);

#endif /* YR_REGISTRY_RECLAIMER_H */
