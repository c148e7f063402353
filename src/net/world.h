/*
 * What an implementation of net/io.h provides: a yr_io with this table, embedded as the
 * first field of its own object. Timers and posted tasks are common to all worlds (io.c),
 * so a world only has to call the two yr_io_run_… functions each turn.
 */
#ifndef YR_NET_WORLD_H
#define YR_NET_WORLD_H

#include "net/io.h"
#include "net/post.h"

typedef struct yr_io_ops {
    int64_t (*now_ms)(const yr_io *io);
    int64_t (*boot_ms)(yr_io *io);
    int64_t (*wall_ms)(yr_io *io);
    uint64_t (*random)(yr_io *io);
    void (*wake)(yr_io *io);           /* from any thread: a task was posted */
    void (*timers_changed)(yr_io *io); /* the earliest timer may be another one now */
    yurpc_status (*connect)(yr_io *io, const yr_connect_options *options,
                            const yr_stream_events *events, void *context,
                            yr_stream **ret_stream);
    yurpc_status (*listen)(yr_io *io, const char *host, uint16_t port, yr_accept_fn *fn,
                           void *context, yr_listener **ret_listener);
    yurpc_status (*watch_fd)(yr_io *io, int fd, int events, yr_fd_fn *fn, void *context,
                             yr_fd_watch **ret_watch);
    yurpc_status (*work)(yr_io *io, yr_work *work);

    /* May be NULL: no TLS in this world. */
    yurpc_status (*tls_new)(yr_io *io, const yr_tls_options *options, const yr_log *log,
                            yr_tls **ret_tls, yurpc_error **ret_error);
} yr_io_ops;

typedef struct yr_stream_ops {
    yurpc_status (*write)(yr_stream *stream, yurpc_bytes bytes);
    size_t (*pending)(const yr_stream *stream);
    void (*finish)(yr_stream *stream);
    void (*close)(yr_stream *stream);
    void (*accept)(yr_stream *stream, const yr_stream_events *events, void *context);
} yr_stream_ops;

/* Each of these is the first field of a world's own object. */
struct yr_io {
    const yr_io_ops *ops;
    yr_heap timers;
    yr_post posts;
};
struct yr_stream {
    const yr_stream_ops *ops;
};
struct yr_listener {
    void (*close)(yr_listener *listener);
    uint16_t port;
};
struct yr_fd_watch {
    void (*close)(yr_fd_watch *watch);
};
struct yr_tls {
    void (*free)(yr_tls *tls);
};

YURPC_NODISCARD yurpc_status yr_io_init(yr_io *io, const yr_io_ops *ops);
void yr_io_deinit(yr_io *io);

/* Run the tasks posted before this call; those they post run in the next turn. */
void yr_io_run_posted(yr_io *io);

/* Whether a task waits to be run. */
bool yr_io_has_posted(yr_io *io);

/* Run the timers due at yr_io_now_ms(); those they start run in a later turn. */
void yr_io_run_timers(yr_io *io);

/* When the earliest timer is due, absolute; INT64_MAX when there is none. */
int64_t yr_io_next_timer_ms(const yr_io *io);

#endif /* YR_NET_WORLD_H */
