/* Threads of ours in a process of somebody else. */
#ifndef YR_NET_THREAD_H
#define YR_NET_THREAD_H

#include <pthread.h>

typedef void *yr_thread_fn(void *context);

/*
 * Begin a thread that takes no signals: they are meant for the host. @p name (at most 15 bytes)
 * is for debuggers. Returns 0 or an error number, and then no thread. It is to be joined or
 * detached.
 */
int yr_thread_start(yr_thread_fn *fn, void *context, const char *name, pthread_t *ret_thread);

#endif /* YR_NET_THREAD_H */
