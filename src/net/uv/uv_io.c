#include "net/uv/uv_io.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/uv/clock.h"
#include "net/uv/uv_resume.h"
#include "net/uv/uv_tls_stream.h"
#include "net/uv/uv_world.h"
#include "net/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { DESCRIPTORS_MIN = 8 }; /* a loop wants seven: epoll, wake-ups, two pipes */

/* ---- The table ---- */

/* A loop with the time that holds in this turn. libuv's own clock stops in suspend. */
typedef struct timed_loop {
    uv_loop_t loop;
    uint64_t seen_ms; /* libuv's time when now_ms was read */
    int64_t now_ms;
} timed_loop;

static int64_t now_ms(const yr_io *io)
{
    const yr_uv_io *self = (const yr_uv_io *)(const void *)io;
    timed_loop *timed = YR_CONTAINER_OF(self->loop, timed_loop, loop);
    if (!self->is_in_turn) {
        uv_update_time(self->loop); /* the host was busy elsewhere since the last turn */
    }
    /* libuv reads its clock when a turn begins and when it has slept: so do we. */
    if (!self->is_in_turn || uv_now(self->loop) != timed->seen_ms) {
        timed->seen_ms = uv_now(self->loop);
        timed->now_ms = yr_clock_boot_ms();
    }
    return timed->now_ms;
}

static int64_t boot_ms(yr_io *io)
{
    (void)io;
    return yr_clock_boot_ms();
}

static int64_t wall_ms(yr_io *io)
{
    (void)io;
    return yr_clock_wall_ms();
}

static uint64_t random_bits(yr_io *io)
{
    (void)io;
    return yr_clock_random();
}

static void wake(yr_io *io)
{
    int failed = uv_async_send(&yr_uv_io_of(io)->async);
    YR_ASSERT(failed == 0);
}

/* Its only purpose is to end the sleep: the timers themselves run later in the turn. */
static void on_timer(uv_timer_t *timer)
{
    uv_stop(timer->loop); /* libuv fires before it polls, and must not sleep after that */
}

static void timers_changed(yr_io *io)
{
    yr_uv_io *self = yr_uv_io_of(io);
    int64_t due = yr_io_next_timer_ms(io);
    int failed = 0;
    if (due == INT64_MAX) {
        failed = uv_timer_stop(&self->timer);
    } else {
        int64_t now = now_ms(io);
        uint64_t delay = due > now ? (uint64_t)(due - now) : 0;
        failed = uv_timer_start(&self->timer, on_timer, delay, 0);
    }
    YR_ASSERT(failed == 0);
}

static yurpc_status connect_stream(yr_io *io, const yr_connect_options *options,
                                   const yr_stream_events *events, void *context,
                                   yr_stream **ret_stream)
{
    return options->tls != NULL ? yr_uv_tls_connect(io, options, events, context, ret_stream)
                                : yr_uv_connect(io, options, events, context, ret_stream);
}

static const yr_io_ops uv_ops = {
    .now_ms = now_ms,
    .boot_ms = boot_ms,
    .wall_ms = wall_ms,
    .random = random_bits,
    .wake = wake,
    .timers_changed = timers_changed,
    .connect = connect_stream,
    .listen = yr_uv_listen,
    .watch_fd = yr_uv_watch_fd,
    .work = yr_uv_work,
    .tls_new = yr_uv_tls_new,
};

/* ---- Shared with the other files ---- */

void yr_uv_bury(yr_uv_io *io, yr_uv_grave *grave, void *memory)
{
    grave->memory = memory;
    yr_list_append(&io->graves, &grave->link);
}

static void free_graves(yr_uv_io *io)
{
    yr_list *link = yr_list_take_first(&io->graves);
    while (link != NULL) {
        yr_free(YR_CONTAINER_OF(link, yr_uv_grave, link)->memory);
        link = yr_list_take_first(&io->graves);
    }
}

yurpc_status yr_uv_status(int uv_error)
{
    switch (uv_error) {
    case UV_ENOMEM:
    case UV_EAI_MEMORY:
        return YURPC_NO_MEMORY;
    case UV_EINVAL:
    case UV_EBADF:
    case UV_EADDRNOTAVAIL:
    case UV_EAFNOSUPPORT:
        return YURPC_INVALID;
    case UV_EADDRINUSE:
    case UV_EEXIST:
        return YURPC_EXISTS;
    case UV_EACCES:
        return YURPC_DENIED;
    case UV_EPERM:
        return YURPC_UNSUPPORTED;
    default:
        return YURPC_IO;
    }
}

/* ---- Life ---- */

static void on_async(uv_async_t *async)
{
    (void)async; /* the tasks run later in the turn */
}

/* What follows uv_loop_init(); on failure the caller closes the loop. */
static int start_handles(yr_uv_io *self)
{
    int failed = uv_timer_init(self->loop, &self->timer);
    YR_ASSERT(failed == 0);
    return uv_async_init(self->loop, &self->async, on_async);
}

/*
 * Whether the system has enough descriptors left: libuv aborts the process when it cannot make
 * the pipe that it wants once per process.
 */
static bool has_descriptors(void)
{
    int fds[DESCRIPTORS_MIN];
    int count = 0;
    while (count < DESCRIPTORS_MIN) {
        int fd = epoll_create1(EPOLL_CLOEXEC);
        if (fd < 0) {
            break;
        }
        fds[count++] = fd;
    }
    bool is_enough = count == DESCRIPTORS_MIN;
    while (count > 0) {
        close(fds[--count]);
    }
    return is_enough;
}

/*
 * Where a program has closed its standard descriptors, what it prints would go into one of our
 * sockets, and libuv refuses to close what it was given there. So they are taken first, by
 * /dev/null, and stay so; SQLite does the same.
 */
static void hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) < 0) {
            return; /* a sandbox without it: the program's affair */
        }
    }
}

static void close_loop(uv_loop_t *loop)
{
    while (uv_run(loop, UV_RUN_DEFAULT) != 0) { /* until each handle was let go */
    }
    int failed = uv_loop_close(loop);
    YR_ASSERT(failed == 0);
    yr_free(YR_CONTAINER_OF(loop, timed_loop, loop));
}

yurpc_status yr_uv_io_new(yr_io **ret_io, yurpc_error **ret_error)
{
    bool has_loop = false;
    int uv_error = UV_ENOMEM;
    yr_uv_io *self = yr_calloc(1, sizeof *self);
    timed_loop *timed = yr_calloc(1, sizeof *timed);
    uv_loop_t *loop = timed == NULL ? NULL : &timed->loop;
    if (self == NULL || loop == NULL) {
        goto fail;
    }
    self->read_buffer = yr_private_realloc(NULL, YR_UV_READ_MAX);
    if (self->read_buffer == NULL) {
        goto fail;
    }
    self->loop = loop;
    yr_list_init(&self->unsent);
    yr_list_init(&self->graves);
    hold_standard_descriptors();
    uv_error = has_descriptors() ? uv_loop_init(loop) : UV_EMFILE;
    if (uv_error != 0) {
        goto fail;
    }
    has_loop = true;
    uv_error = start_handles(self);
    if (uv_error != 0) {
        goto fail;
    }
    if (yr_io_init(&self->io, &uv_ops) != YURPC_OK) {
        uv_close((uv_handle_t *)&self->async, NULL);
        uv_error = UV_ENOMEM;
        goto fail;
    }
    self->resume = yr_uv_resume_new(self);
    *ret_io = &self->io;
    return YURPC_OK;
fail:
    if (has_loop) {
        uv_close((uv_handle_t *)&self->timer, NULL);
        close_loop(loop);
    } else {
        yr_free(timed);
    }
    if (self != NULL) {
        yr_private_free(self->read_buffer);
    }
    yr_free(self);
    return yr_error_set(ret_error, uv_error == UV_ENOMEM ? YURPC_NO_MEMORY : YURPC_IO, -1,
                        "cannot make an event loop: %s", uv_strerror(uv_error));
}

void yr_uv_io_free(yr_io *io)
{
    if (io == NULL) {
        return;
    }
    yr_uv_io *self = yr_uv_io_of(io);
    YR_ASSERT(!self->is_in_turn && self->open_count == 0);
    while (self->works_due > 0) { /* it takes as long as it takes */
        yr_uv_io_run(io, true);
    }
    yr_worker_join(self->worker);
    while (self->answers_due > 0) { /* they are on their way: no thread is left resolving */
        uv_run(self->loop, UV_RUN_ONCE);
    }
    yr_uv_resume_free(self->resume);
    uv_close((uv_handle_t *)&self->async, NULL);
    uv_close((uv_handle_t *)&self->timer, NULL);
    close_loop(self->loop);
    free_graves(self);
    yr_io_deinit(io);
    yr_private_free(self->read_buffer);
    yr_free(self);
}

/* ---- Running ---- */

void yr_uv_io_run(yr_io *io, bool may_wait)
{
    yr_uv_io *self = yr_uv_io_of(io);
    bool has_time = may_wait;
    YR_ASSERT(!self->is_in_turn);
    uv_update_time(self->loop);
    self->is_in_turn = true;
    /* What was written between two turns, or by on_drain. With tasks to come that write, too,
     * it goes together with that. */
    bool is_late = !yr_list_is_empty(&self->unsent) && yr_io_has_posted(io);
    if (!is_late) {
        yr_uv_send_unsent(self);
    }
    may_wait = may_wait && yr_list_is_empty(&self->unsent);
    uv_run(self->loop, may_wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    uint64_t answered = self->writes;
    yr_io_run_posted(io);
    yr_io_run_timers(io);
    if (uv_is_active((uv_handle_t *)&self->timer) == 0) {
        timers_changed(io); /* by our clock the earliest was not due yet */
    }
    /* In a host's step, what only answers the peer (to a PING for example) may go out with the
     * next call, which the host is about to make if one has ended: yr_uv_io_timeout_ms() is 0.
     */
    if (has_time || is_late || self->writes != answered) {
        yr_uv_send_unsent(self);
    }
    free_graves(self);
    self->is_in_turn = false;
}

int yr_uv_io_fd(const yr_io *io)
{
    return uv_backend_fd(((const yr_uv_io *)(const void *)io)->loop);
}

int yr_uv_io_timeout_ms(const yr_io *io)
{
    const yr_uv_io *self = (const yr_uv_io *)(const void *)io;
    if (!yr_list_is_empty(&self->unsent)) {
        return 0;
    }
    if (!self->is_in_turn) {
        uv_update_time(self->loop); /* or the timeout would count from the last turn */
    }
    return uv_backend_timeout(self->loop);
}
