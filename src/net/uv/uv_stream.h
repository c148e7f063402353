/* A TCP connection as a yr_stream. */
#ifndef YR_NET_UV_STREAM_H
#define YR_NET_UV_STREAM_H

#include "net/uv/uv_world.h"

/*
 * A stream on the accepted socket @p fd, which belongs to it on success. @p peer is its
 * address as text. Returns 0 or libuv's error.
 */
int yr_uv_stream_new_accepted(yr_uv_io *io, int fd, const char *peer, yr_stream **ret_stream);

#endif /* YR_NET_UV_STREAM_H */
