/*
 * The kernel's proof that a process lives: a record lock on a file of its session's own.
 *
 * A record lock (fcntl) belongs to the process: it goes when the process does, however it
 * dies, and a forked child does not have it. Its price is a rule: closing any descriptor of
 * the file drops the lock. So a session's file is opened once in its process, by its owner;
 * everybody else in that process knows the session by its process' mark (process.h) and leaves
 * the file alone.
 *
 * Not used on the loop, except for dropping.
 */
#ifndef YR_LOCAL_LOCK_H
#define YR_LOCAL_LOCK_H

#include <yurpc/error.h>

#include <stdbool.h>
#include <stdint.h>

/* Make and lock the file of session @p id. YURPC_IO, YURPC_DENIED, YURPC_EXHAUSTED. */
YURPC_NODISCARD yurpc_status yr_local_lock_take(const char *file, int64_t id, int *ret_fd,
                                                yurpc_error **ret_error);

/* Unlock by closing @p fd (-1: nothing to close), and remove the file. */
void yr_local_lock_drop(const char *file, int64_t id, int fd);

/* Whether another process holds the lock of @p id. Never to be asked of our own process'. */
bool yr_local_lock_is_held(const char *file, int64_t id);

/* Call @p each for every session's file that there is. */
void yr_local_lock_each(const char *file, void (*each)(void *context, int64_t id),
                        void *context);

#endif /* YR_LOCAL_LOCK_H */
