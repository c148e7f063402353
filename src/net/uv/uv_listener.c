#include "base/assert.h"
#include "base/mem.h"
#include "net/uv/uv_address.h"
#include "net/uv/uv_fd.h"
#include "net/uv/uv_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_MAX = 16, /* in one turn */
    PAUSE_MS = 100,   /* when the system has no descriptor or memory left for a connection */
};

typedef struct uv_listener {
    yr_listener listener;
    yr_uv_grave grave;
    yr_uv_io *io;
    int fd;
    yr_uv_fd *watch;
    yr_timer pause;
    yr_accept_fn *fn;
    void *context;
    bool is_closed;
} uv_listener;

static void on_ready(void *context, int events);

static void begin_pause(uv_listener *listener)
{
    yr_uv_fd_set(listener->watch, 0, on_ready, listener);
    yr_timer_start(&listener->io->io, &listener->pause, PAUSE_MS);
}

static void on_pause_over(void *context)
{
    uv_listener *listener = context;
    yr_uv_fd_set(listener->watch, YR_FD_READABLE, on_ready, listener);
}

/* Errors of the connection, not of the listener: the next one may be well (accept(2)). */
static bool is_of_connection(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM ||
           error == ENETDOWN || error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET ||
           error == EHOSTUNREACH || error == EOPNOTSUPP || error == ENETUNREACH;
}

/* False: no more connections for now. */
static bool accept_one(uv_listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int fd =
        accept4(listener->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (is_of_connection(errno)) {
            return true;
        }
        if (errno != EAGAIN) {
            begin_pause(listener);
        }
        return false;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* works without, too */
    char peer[YR_ADDRESS_TEXT_SIZE];
    yr_address_format(&address, peer);
    yr_stream *stream = NULL;
    if (yr_uv_stream_new_accepted(listener->io, fd, peer, &stream) != 0) {
        close(fd);
        begin_pause(listener);
        return false;
    }
    listener->fn(listener->context, stream);
    return true;
}

static void on_ready(void *context, int events)
{
    (void)events;
    uv_listener *listener = context;
    for (int i = 0; i < ACCEPTS_MAX && !listener->is_closed; i++) {
        if (!accept_one(listener)) {
            return;
        }
    }
}

static void close_listener(yr_listener *base)
{
    uv_listener *listener = (uv_listener *)(void *)base;
    YR_ASSERT(!listener->is_closed);
    listener->is_closed = true;
    yr_timer_stop(&listener->io->io, &listener->pause);
    yr_uv_fd_free(listener->watch);
    close(listener->fd);
    listener->io->open_count--;
    yr_uv_bury(listener->io, &listener->grave, listener);
}

/* A listening socket, or a negative error of libuv. */
static int listen_on(const struct sockaddr_storage *address)
{
    int on = 1;
    int fd =
        socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return uv_translate_sys_error(errno);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)address, yr_address_size(address)) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        int uv_error = uv_translate_sys_error(errno);
        close(fd);
        return uv_error;
    }
    return fd;
}

yurpc_status yr_uv_listen(yr_io *io, const char *host, uint16_t port, yr_accept_fn *fn,
                          void *context, yr_listener **ret_listener)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int fd = -1;
    int uv_error = UV_EINVAL;
    uv_listener *listener = NULL;
    if (!yr_address_parse(host, port, &address)) {
        return YURPC_INVALID;
    }
    listener = yr_calloc(1, sizeof *listener);
    if (listener == NULL) {
        return YURPC_NO_MEMORY;
    }
    fd = listen_on(&address);
    uv_error = fd;
    if (fd < 0) {
        goto fail;
    }
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        uv_error = uv_translate_sys_error(errno);
        goto fail;
    }
    listener->listener.port = yr_address_port(&address);
    uv_error = yr_uv_fd_new(yr_uv_io_of(io), fd, &listener->watch);
    if (uv_error != 0) {
        goto fail;
    }
    listener->listener.close = close_listener;
    listener->io = yr_uv_io_of(io);
    listener->fd = fd;
    listener->fn = fn;
    listener->context = context;
    yr_timer_init(&listener->pause, on_pause_over, listener);
    yr_uv_fd_set(listener->watch, YR_FD_READABLE, on_ready, listener);
    listener->io->open_count++;
    *ret_listener = &listener->listener;
    return YURPC_OK;
fail:
    if (fd >= 0) {
        close(fd);
    }
    yr_free(listener);
    return yr_uv_status(uv_error);
}
