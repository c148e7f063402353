/*
 * The thread of a world that does blocking work, one after the other. It begins with the first
 * work and ends with the world.
 *
 * Not libuv's pool: libuv ends the process when it cannot make the pool's threads, and another
 * user of the pool, the host itself perhaps, could hold up our work for as long as it likes.
 */
#ifndef YR_NET_UV_WORK_H
#define YR_NET_UV_WORK_H

#include "net/uv/uv_world.h"

typedef struct yr_uv_worker yr_uv_worker;

/* Nothing is left to do, and all that was done was told. NULL is allowed. */
void yr_uv_worker_free(yr_uv_worker *worker);

#endif /* YR_NET_UV_WORK_H */
