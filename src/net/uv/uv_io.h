/* The real world: net/io.h on libuv. One loop; the caller runs it. */
#ifndef YR_NET_UV_IO_H
#define YR_NET_UV_IO_H

#include "net/io.h"

YURPC_NODISCARD yurpc_status yr_uv_io_new(yr_io **ret_io, yurpc_error **ret_error);

/* Everything on it must have been closed; runs the loop until libuv has let go of it all. */
void yr_uv_io_free(yr_io *io);

/* Run one turn; @p may_wait: sleep until something is due. */
void yr_uv_io_run(yr_io *io, bool may_wait);

int yr_uv_io_fd(const yr_io *io);
int yr_uv_io_timeout_ms(const yr_io *io);

#endif /* YR_NET_UV_IO_H */
