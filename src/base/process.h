/*
 * Which process this is, without asking the kernel each time.
 *
 * What belongs to the parent of a fork has to be left alone, so each call looks first;
 * getpid(2) there would cost more than the look at all the rest of a handle.
 */
#ifndef YR_BASE_PROCESS_H
#define YR_BASE_PROCESS_H

#include <sys/types.h>

/* getpid(), from memory that a forked child finds cleared. Any thread. */
pid_t yr_process_id(void);

#endif /* YR_BASE_PROCESS_H */
