/* TLS over a plain stream, as a yr_stream. */
#ifndef YR_NET_UV_TLS_STREAM_H
#define YR_NET_UV_TLS_STREAM_H

#include "net/uv/uv_world.h"

/* As yr_io_connect(), with options->tls. */
YURPC_NODISCARD yurpc_status yr_uv_tls_connect(yr_io *io, const yr_connect_options *options,
                                               const yr_stream_events *events, void *context,
                                               yr_stream **ret_stream);

#endif /* YR_NET_UV_TLS_STREAM_H */
