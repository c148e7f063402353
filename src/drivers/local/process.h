/*
 * What this process is, among those that share the registry's file; and what fork(2) makes of
 * it. Any thread.
 */
#ifndef YR_LOCAL_PROCESS_H
#define YR_LOCAL_PROCESS_H

#include <yurpc/error.h>

#include <stdint.h>

/*
 * What tells this process from every other one: its id and, because ids are used again, 32
 * random bits that are drawn anew after a fork. @p random is used the first time.
 */
int64_t yr_local_process_mark(uint64_t random);

/*
 * Count the connections to SQLite that this process has open. SQLite's memory of the locks it
 * holds is inherited by a forked child, the locks are not: in a child whose parent had one
 * open, even a new connection would trust locks that are not there. YURPC_FORKED says so.
 */
YURPC_NODISCARD yurpc_status yr_local_process_enter(yurpc_error **ret_error);
void yr_local_process_leave(void);

#endif /* YR_LOCAL_PROCESS_H */
