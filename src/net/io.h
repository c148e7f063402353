/*
 * The whole outside world as one interface: clock, timers, byte streams, names, randomness,
 * wake-up, readiness of a foreign descriptor, blocking work off the loop.
 *
 * Two worlds implement it: net/uv (libuv) and tests/sim (virtual clock, streams in memory,
 * seeded). Everything above net/ gets bytes, time and randomness only through here.
 *
 * Rules:
 *  - One thread at a time runs a yr_io: the loop thread. Everything here is loop-only,
 *    except yr_io_post() and yr_io_boot_ms().
 *  - Callbacks run on the loop, one at a time, and never inside the call that caused them.
 *  - Whatever was stopped, closed or freed makes no further callback.
 */
#ifndef YR_NET_IO_H
#define YR_NET_IO_H

#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"

#include <yurpc/bytes.h>
#include <yurpc/error.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct yr_io yr_io;

/* ---- Time and randomness ---- */

/*
 * Milliseconds since the machine booted, by a clock that nobody sets. A suspended machine's
 * time passes, as it does for those who wait for it. Read once a turn.
 */
int64_t yr_io_now_ms(const yr_io *io);

/* The same clock, read afresh: for what is compared with what other processes wrote. Any
 * thread. */
int64_t yr_io_boot_ms(yr_io *io);

/* Milliseconds since 1970, as the machine believes: may jump, both ways. Only for what other
 * processes are to read; durations are told by the other clocks. */
int64_t yr_io_wall_ms(yr_io *io);

/* 64 uniform random bits, unpredictable in the real world, seeded in the simulated one. */
uint64_t yr_io_random(yr_io *io);

/* ---- Timers: embedded in their owner, never allocated ---- */

typedef void yr_timer_fn(void *context);

typedef struct yr_timer {
    yr_heap_node node;
    yr_timer_fn *fn;
    void *context;
} yr_timer;

void yr_timer_init(yr_timer *timer, yr_timer_fn *fn, void *context);

/* Fire once, @p delay_ms from now (negative: 0). A running timer is started anew. */
void yr_timer_start(yr_io *io, yr_timer *timer, int64_t delay_ms);

/* Does nothing when the timer does not run. The timer's memory may go at once. */
void yr_timer_stop(yr_io *io, yr_timer *timer);

bool yr_timer_is_running(const yr_timer *timer);

/* ---- Tasks: the one way to get onto the loop, from any thread ---- */

typedef void yr_task_fn(void *context);

/* Embedded in its owner, who keeps it alive until it ran. Posting allocates nothing. */
typedef struct yr_task {
    yr_list link;
    yr_task_fn *fn;
    void *context;
    bool is_posted; /* guarded by the post queue's mutex */
} yr_task;

void yr_task_init(yr_task *task, yr_task_fn *fn, void *context);

/*
 * Run @p task on the loop, in a later turn, in the order of posting. Thread-safe. Returns
 * false, and does nothing, when the task is posted already and has not begun to run.
 */
bool yr_io_post(yr_io *io, yr_task *task);

/* Loop only: take a posted task back; false when it was not posted. */
bool yr_io_unpost(yr_io *io, yr_task *task);

/* ---- Byte streams ---- */

typedef struct yr_stream yr_stream;

typedef struct yr_stream_events {
    void (*on_open)(void *context);                    /* connected; not for accepted streams */
    void (*on_data)(void *context, yurpc_bytes bytes); /* borrowed; never empty */
    void (*on_drain)(void *context);                   /* nothing left to send; may be NULL */

    /*
     * The stream ended: error is NULL when the peer closed in order (FIN), else says why
     * (also why it could not connect: yr_error_is_refused() tells that a host is there but
     * nobody listens). Last callback; the owner still has to close it.
     */
    void (*on_end)(void *context, const yurpc_error *error);
} yr_stream_events;

enum {
    YR_STREAM_PENDING_MAX = 64 * 1024 * 1024
}; /* bytes accepted for sending, not yet sent */

/* How to encrypt. Files are PEM; NULL: none. */
typedef struct yr_tls_options {
    const char *ca_file;   /* whom to trust; NULL: whom the system trusts */
    const char *cert_file; /* what we are; with its key */
    const char *key_file;
    bool is_insecure; /* verify neither chain nor name */
} yr_tls_options;

/* Whether who gave these @p options means TLS where no scheme says so. */
static inline bool yr_tls_is_meant(const yr_tls_options *options)
{
    return options->ca_file != NULL || options->cert_file != NULL || options->is_insecure;
}

/* What the files hold, for all connections of one client. */
typedef struct yr_tls yr_tls;

/*
 * Read the files. They are read again for every connection; what cannot be used then is logged,
 * and what was read before stays in use. YURPC_INVALID: a certificate without a key or the
 * reverse; YURPC_IO: a file cannot be read; YURPC_TLS: one cannot be used; YURPC_NO_MEMORY;
 * YURPC_UNSUPPORTED: this world has no TLS. All is copied.
 */
YURPC_NODISCARD yurpc_status yr_tls_new(yr_io *io, const yr_tls_options *options,
                                        const yr_log *log, yr_tls **ret_tls,
                                        yurpc_error **ret_error);

/* After the streams that use it were closed. NULL is allowed. */
void yr_tls_free(yr_tls *tls);

typedef struct yr_connect_options {
    const char *host; /* name or numeric address, IPv6 without brackets; copied */
    uint16_t port;
    int64_t timeout_ms; /* for resolving, connecting and the TLS handshake together */
    yr_tls *tls;        /* borrowed until the stream is closed; NULL: plain TCP */
    bool is_minor;      /* a name is resolved only while few others are: those come first */
} yr_connect_options;

/*
 * Begin to connect. The name is resolved off the loop; its addresses are tried in turn, each
 * new one 250 ms after the one before or as soon as that failed, and the first to answer
 * wins (RFC 8305). With TLS the stream opens when the server has proven to be @p options'
 * host and to speak HTTP/2; what is wrong with that ends it with YURPC_TLS.
 */
YURPC_NODISCARD yurpc_status yr_io_connect(yr_io *io, const yr_connect_options *options,
                                           const yr_stream_events *events, void *context,
                                           yr_stream **ret_stream);

/*
 * Send a copy of @p bytes. What was written in one turn goes out together at its end.
 * YURPC_TOO_LARGE when more than YR_STREAM_PENDING_MAX would wait; YURPC_CLOSED after the end.
 */
YURPC_NODISCARD yurpc_status yr_stream_write(yr_stream *stream, yurpc_bytes bytes);

/* Bytes written but not yet taken by the system. */
size_t yr_stream_pending(const yr_stream *stream);

/* Send FIN after all that was written; reading goes on. */
void yr_stream_finish(yr_stream *stream);

/* Close at once and free; unsent bytes are lost; no callback follows. NULL is allowed. */
void yr_stream_close(yr_stream *stream);

/* ---- Listening ---- */

typedef struct yr_listener yr_listener;

/* Takes the stream, and must call yr_stream_accept() or yr_stream_close() on it. */
typedef void yr_accept_fn(void *context, yr_stream *stream);

/*
 * Listen on a numeric address; port 0 lets the system choose. Names inside the simulated
 * world are free text. YURPC_INVALID: the address; YURPC_EXISTS: the port is taken.
 */
YURPC_NODISCARD yurpc_status yr_io_listen(yr_io *io, const char *host, uint16_t port,
                                          yr_accept_fn *fn, void *context,
                                          yr_listener **ret_listener);

/* The real port. */
uint16_t yr_listener_port(const yr_listener *listener);

/* Give an accepted stream its events; reading begins. @p events is copied. */
void yr_stream_accept(yr_stream *stream, const yr_stream_events *events, void *context);

/* NULL is allowed. Streams accepted before live on. */
void yr_listener_close(yr_listener *listener);

/* ---- A foreign descriptor ---- */

typedef struct yr_fd_watch yr_fd_watch;

enum { YR_FD_READABLE = 1, YR_FD_WRITABLE = 2 };

typedef void yr_fd_fn(void *context, int events);

/* Call @p fn while @p fd is ready for @p events. YURPC_UNSUPPORTED in the simulated world. */
YURPC_NODISCARD yurpc_status yr_io_watch_fd(yr_io *io, int fd, int events, yr_fd_fn *fn,
                                            void *context, yr_fd_watch **ret_watch);

/* Stop before closing the descriptor. NULL is allowed. */
void yr_fd_watch_close(yr_fd_watch *watch);

/* ---- Blocking work off the loop ---- */

typedef struct yr_work yr_work;

/* Embedded in its owner, who keeps it alive until done ran. */
struct yr_work {
    void (*run)(void *context);  /* on the io's worker; in the simulated world on the loop */
    void (*done)(void *context); /* on the loop, always, exactly once */
    void *context;
    yr_io *io; /* the implementation's, as all below */
    yr_task run_task;
    yr_task done_task;
};

/* One after the other: work that hangs holds up what is begun later. */
YURPC_NODISCARD yurpc_status yr_io_work(yr_io *io, yr_work *work);

#endif /* YR_NET_IO_H */
