/*
 * What the files of this folder share: the object behind a yr_io on libuv.
 *
 * libuv gives the loop: readiness, one timer, wake-up. The sockets are our
 * own, because libuv 1.44 writes to them with write(2), which raises SIGPIPE in a host that
 * did not ask for it to be ignored, and has no say over gathering or TCP options.
 *
 * An object that was closed is not freed at once but buried: its memory goes at the end of the
 * turn, so that code further up the call stack may still ask it whether it was closed.
 */
#ifndef YR_NET_UV_WORLD_H
#define YR_NET_UV_WORLD_H

#include "net/world.h"

#include <uv.h>

enum { YR_UV_READ_MAX = 64 * 1024 };

typedef struct yr_uv_grave {
    yr_list link;
    void *memory;
} yr_uv_grave;

struct yr_uv_resume;
struct yr_worker;

typedef struct yr_uv_io {
    yr_io io;
    uv_loop_t *loop; /* apart, because even asking it for the time changes it */
    struct yr_uv_resume *resume;
    struct yr_worker *worker; /* NULL: no work was there yet */
    size_t works_due;         /* blocking work that was begun and whose end was not told */
    uv_timer_t timer;         /* due with the earliest of io.timers */
    uv_async_t async;         /* a task was posted */
    bool is_in_turn;
    yr_list unsent;     /* streams with something to send at the end of the turn */
    uint64_t writes;    /* how often one was put there */
    yr_list graves;     /* see above */
    size_t answers_due; /* of lookups: the loop cannot end before they came */
    size_t open_count;  /* streams, listeners and watches that were not closed */
    char *read_buffer;  /* YR_UV_READ_MAX bytes of private memory */
} yr_uv_io;

static inline yr_uv_io *yr_uv_io_of(yr_io *io)
{
    return (yr_uv_io *)(void *)io;
}

/* Free @p memory, in which @p grave is embedded, at the end of the turn. */
void yr_uv_bury(yr_uv_io *io, yr_uv_grave *grave, void *memory);

/* The status for an error number of the system or of libuv. */
yurpc_status yr_uv_status(int uv_error);

yurpc_status yr_uv_connect(yr_io *io, const yr_connect_options *options,
                           const yr_stream_events *events, void *context,
                           yr_stream **ret_stream);
yurpc_status yr_uv_listen(yr_io *io, const char *host, uint16_t port, yr_accept_fn *fn,
                          void *context, yr_listener **ret_listener);
yurpc_status yr_uv_watch_fd(yr_io *io, int fd, int events, yr_fd_fn *fn, void *context,
                            yr_fd_watch **ret_watch);
yurpc_status yr_uv_work(yr_io *io, yr_work *work);
yurpc_status yr_uv_tls_new(yr_io *io, const yr_tls_options *options, const yr_log *log,
                           yr_tls **ret_tls, yurpc_error **ret_error);

/* Send what the streams in io->unsent have. */
void yr_uv_send_unsent(yr_uv_io *io);

#endif /* YR_NET_UV_WORLD_H */
