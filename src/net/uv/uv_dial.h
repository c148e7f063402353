/*
 * Getting from a host name to one connected socket: resolve, then try the addresses in turn,
 * each 250 ms after the one before or as soon as that failed; the first to answer wins.
 *
 * Source: RFC 8305 (Happy Eyeballs 2). Both families are asked for at once, and the answer is
 * awaited whole, as the system's resolver gives it.
 */
#ifndef YR_NET_UV_DIAL_H
#define YR_NET_UV_DIAL_H

#include "net/uv/uv_fd.h"

typedef struct yr_uv_dial yr_uv_dial;

/*
 * Called once, never inside a function of this file. Either @p fd and its @p watch belong to
 * the callee from now on, or @p error (borrowed) says why there is no connection.
 */
typedef void yr_uv_dial_fn(void *context, int fd, yr_uv_fd *watch, const yurpc_error *error);

/* YURPC_INVALID: the host is empty or too long, or the port is 0. */
YURPC_NODISCARD yurpc_status yr_uv_dial_new(yr_uv_io *io, const yr_connect_options *options,
                                            yr_uv_dial_fn *fn, void *context,
                                            yr_uv_dial **ret_dial);

/* Also inside the callback. NULL is allowed. */
void yr_uv_dial_free(yr_uv_dial *dial);

/* "host:port"; lives as long as the dial. */
const char *yr_uv_dial_target(const yr_uv_dial *dial);

#endif /* YR_NET_UV_DIAL_H */
