#include "net/thread.h"

#include "base/assert.h"

#include <signal.h>

int yr_thread_start(yr_thread_fn *fn, void *context, const char *name, pthread_t *ret_thread)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all); /* the thread inherits the mask */
    int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
    YR_ASSERT(failed == 0);
    int error = pthread_create(ret_thread, NULL, fn, context);
    if (error == 0 && pthread_setname_np(*ret_thread, name) != 0) {
        /* It works without. */
    }
    failed = pthread_sigmask(SIG_SETMASK, &before, NULL);
    YR_ASSERT(failed == 0);
    return error;
}
