/* Readiness of one descriptor: our own sockets, and foreign descriptors. */
#ifndef YR_NET_UV_FD_H
#define YR_NET_UV_FD_H

#include "net/uv/uv_world.h"

typedef struct yr_uv_fd yr_uv_fd;

/*
 * Be ready to watch @p fd, which becomes non-blocking. Nothing is watched yet. Returns 0 or
 * libuv's error.
 */
int yr_uv_fd_new(yr_uv_io *io, int fd, yr_uv_fd **ret_watch);

/*
 * Call @p fn while the descriptor is ready for @p events (of YR_FD_…; 0: not at all). A broken
 * descriptor is reported as ready for all of them: using it tells what is wrong.
 */
void yr_uv_fd_set(yr_uv_fd *watch, int events, yr_fd_fn *fn, void *context);

/* No callback follows; the descriptor stays open and may be closed at once. NULL is allowed. */
void yr_uv_fd_free(yr_uv_fd *watch);

#endif /* YR_NET_UV_FD_H */
