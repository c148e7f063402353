/*
 * Resolving a host name off the loop.
 *
 * Each lookup has a detached thread of its own: a resolver whose servers do not answer cannot
 * be interrupted, and would hold up whoever waits for the thread, at last the exit of the
 * process.
 */
#ifndef YR_NET_UV_LOOKUP_H
#define YR_NET_UV_LOOKUP_H

#include "net/uv/uv_world.h"

#include <netdb.h>

enum {
    YR_UV_LOOKUPS_MAX = 32,      /* threads of the process that resolve at a time */
    YR_UV_LOOKUPS_MINOR_MAX = 8, /* a minor one begins only while there are fewer */
};

typedef struct yr_uv_lookup yr_uv_lookup;

/*
 * Called once, on the loop: @p error is 0, or one of EAI_…; @p list is borrowed. The lookup
 * ends with it and must not be freed any more.
 */
typedef void yr_uv_lookup_fn(void *context, int error, const struct addrinfo *list);

/*
 * Begin to ask for all addresses of @p options' host, which is copied. Returns 0, or libuv's
 * error: UV_ENOMEM, UV_EAGAIN (no thread to be had).
 */
int yr_uv_lookup_new(yr_uv_io *io, const yr_connect_options *options, yr_uv_lookup_fn *fn,
                     void *context, yr_uv_lookup **ret_lookup);

/* No callback follows. NULL is allowed. */
void yr_uv_lookup_free(yr_uv_lookup *lookup);

#endif /* YR_NET_UV_LOOKUP_H */
