#include "net/uv/uv_dial.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/uv/uv_address.h"
#include "net/uv/uv_lookup.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum {
    ADDRESSES_MAX = 16, /* of one name; more are ignored */
    STAGGER_MS = 250,
    UNACKED_MAX_MS = 3000, /* TCP_USER_TIMEOUT: sent bytes that long unconfirmed end it */
};

typedef struct attempt {
    yr_uv_dial *dial;
    yr_uv_fd *watch; /* NULL: not begun, or over */
    int fd;
} attempt;

struct yr_uv_dial {
    yr_uv_grave grave;
    yr_uv_io *io;
    yr_uv_dial_fn *fn;
    void *context;
    yr_uv_lookup *lookup;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    attempt attempts[ADDRESSES_MAX];
    size_t address_count;
    size_t begun_count;
    size_t open_count; /* attempts that have not failed */
    yr_timer stagger;
    yr_timer deadline;
    int64_t timeout_ms;
    int uv_error; /* the most telling failure so far */
    char host[YR_HOST_MAX + 1];
    char target[YR_ADDRESS_TEXT_SIZE];
};

const char *yr_uv_dial_target(const yr_uv_dial *dial)
{
    return dial->target;
}

/* ---- The end ---- */

static void close_attempt(attempt *one)
{
    if (one->watch == NULL) {
        return;
    }
    yr_uv_fd_free(one->watch);
    close(one->fd);
    one->watch = NULL;
    one->dial->open_count--;
}

static void stop(yr_uv_dial *dial)
{
    yr_timer_stop(&dial->io->io, &dial->stagger);
    yr_timer_stop(&dial->io->io, &dial->deadline);
    yr_uv_lookup_free(dial->lookup);
    dial->lookup = NULL;
    for (size_t i = 0; i < dial->begun_count; i++) {
        close_attempt(&dial->attempts[i]);
    }
}

void yr_uv_dial_free(yr_uv_dial *dial)
{
    if (dial == NULL) {
        return;
    }
    stop(dial);
    yr_uv_bury(dial->io, &dial->grave, dial);
}

static void fail_with(yr_uv_dial *dial, yurpc_error *error)
{
    stop(dial);
    dial->fn(dial->context, -1, NULL, error);
    yurpc_error_free(error);
}

static void fail(yr_uv_dial *dial)
{
    char text[128];
    yurpc_status status =
        yr_uv_status(dial->uv_error) == YURPC_NO_MEMORY ? YURPC_NO_MEMORY : YURPC_UNAVAILABLE;
    int code = dial->uv_error == UV_ECONNREFUSED ? YR_ERROR_REFUSED : -1;
    fail_with(dial, yr_error_new(status, code, "cannot connect to %s: %s", dial->target,
                                 uv_strerror_r(dial->uv_error, text, sizeof text)));
}

static void on_deadline(void *context)
{
    yr_uv_dial *dial = context;
    bool has_name = dial->lookup == NULL;
    fail_with(dial,
              yr_error_new(YURPC_UNAVAILABLE, -1, "cannot %s %s: no answer within %lld ms",
                           has_name ? "connect to" : "resolve",
                           has_name ? dial->target : dial->host, (long long)dial->timeout_ms));
}

/* ---- Trying addresses ---- */

/* That a whole network is out of reach tells less than what a host answered. */
static void note_error(yr_uv_dial *dial, int uv_error)
{
    if (dial->uv_error == 0 || dial->uv_error == UV_ENETUNREACH ||
        dial->uv_error == UV_EADDRNOTAVAIL || dial->uv_error == UV_EAFNOSUPPORT) {
        dial->uv_error = uv_error;
    }
}

/*
 * A port nobody listens on, from the range the system picks source ports from, can by chance
 * be connected to itself; that is nobody's server.
 */
static bool is_connected_to_itself(int fd)
{
    struct sockaddr_storage ours = {0};
    struct sockaddr_storage theirs = {0};
    socklen_t our_size = sizeof ours;
    socklen_t their_size = sizeof theirs;
    return getsockname(fd, (struct sockaddr *)&ours, &our_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&theirs, &their_size) == 0 &&
           yr_address_equal(&ours, &theirs);
}

static void try_next(yr_uv_dial *dial);

static void succeed(yr_uv_dial *dial, attempt *one)
{
    int fd = one->fd;
    int unacked_ms = UNACKED_MAX_MS;
    yr_uv_fd *watch = one->watch;
    one->watch = NULL;
    dial->open_count--;
    stop(dial);
    /* Not before: it would also bound connecting, which has its own deadline. Works without. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
    dial->fn(dial->context, fd, watch, NULL);
}

static void on_attempt_ready(void *context, int events)
{
    (void)events;
    attempt *one = context;
    yr_uv_dial *dial = one->dial;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error == 0 && is_connected_to_itself(one->fd)) {
        error = ECONNREFUSED;
    }
    if (error != 0) {
        note_error(dial, uv_translate_sys_error(error));
        close_attempt(one);
        try_next(dial);
        return;
    }
    succeed(dial, one);
}

/* 0, or libuv's error. */
static int begin_attempt(yr_uv_dial *dial, attempt *one, const struct sockaddr_storage *address)
{
    int on = 1;
    int fd =
        socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return uv_translate_sys_error(errno);
    }
    yr_uv_fd *watch = NULL;
    int uv_error = yr_uv_fd_new(dial->io, fd, &watch);
    if (uv_error != 0) {
        close(fd);
        return uv_error;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* works without, too */
    if (connect(fd, (const struct sockaddr *)address, yr_address_size(address)) != 0 &&
        errno != EINPROGRESS) {
        uv_error = uv_translate_sys_error(errno);
        yr_uv_fd_free(watch);
        close(fd);
        return uv_error;
    }
    *one = (attempt){.dial = dial, .watch = watch, .fd = fd};
    dial->open_count++;
    yr_uv_fd_set(watch, YR_FD_WRITABLE, on_attempt_ready, one);
    return 0;
}

static void try_next(yr_uv_dial *dial)
{
    while (dial->begun_count < dial->address_count) {
        size_t i = dial->begun_count++;
        dial->attempts[i].dial = dial;
        int uv_error = begin_attempt(dial, &dial->attempts[i], &dial->addresses[i]);
        if (uv_error == 0) {
            yr_timer_start(&dial->io->io, &dial->stagger, STAGGER_MS);
            return;
        }
        note_error(dial, uv_error);
    }
    if (dial->open_count == 0) {
        fail(dial);
    }
}

static void on_stagger(void *context)
{
    try_next(context);
}

/* ---- Resolving ---- */

static const struct addrinfo *next_of_family(const struct addrinfo *info, int family)
{
    while (info != NULL && info->ai_family != family) {
        info = info->ai_next;
    }
    return info;
}

/* The families alternate, beginning with the one that the system prefers (RFC 8305, 4). */
static void take_addresses(yr_uv_dial *dial, const struct addrinfo *list)
{
    int preferred = list->ai_family == AF_INET6 ? AF_INET6 : AF_INET;
    int families[] = {preferred, preferred == AF_INET6 ? AF_INET : AF_INET6};
    const struct addrinfo *next[] = {next_of_family(list, families[0]),
                                     next_of_family(list, families[1])};
    for (size_t i = 0; dial->address_count < ADDRESSES_MAX && (next[0] || next[1]); i = 1 - i) {
        if (next[i] == NULL) {
            continue;
        }
        memcpy(&dial->addresses[dial->address_count++], next[i]->ai_addr, next[i]->ai_addrlen);
        next[i] = next_of_family(next[i]->ai_next, families[i]);
    }
}

static const char *explain(int error)
{
    switch (error) {
    case 0: /* no error, and no address either */
    case EAI_NONAME:
        return "no such host";
    case EAI_AGAIN:
        return "the name servers do not answer";
    case EAI_SYSTEM:
        return "the system's resolver failed";
    default:
        return gai_strerror(error);
    }
}

static void on_resolved(void *context, int error, const struct addrinfo *list)
{
    yr_uv_dial *dial = context;
    dial->lookup = NULL;
    if (error == 0 && list != NULL) {
        take_addresses(dial, list);
    }
    if (dial->address_count > 0) {
        try_next(dial);
        return;
    }
    yurpc_status status = error == EAI_MEMORY ? YURPC_NO_MEMORY : YURPC_UNAVAILABLE;
    fail_with(dial,
              yr_error_new(status, -1, "cannot resolve %s: %s", dial->host, explain(error)));
}

yurpc_status yr_uv_dial_new(yr_uv_io *io, const yr_connect_options *options, yr_uv_dial_fn *fn,
                            void *context, yr_uv_dial **ret_dial)
{
    size_t host_len = strlen(options->host);
    if (host_len == 0 || host_len > YR_HOST_MAX || options->port == 0) {
        return YURPC_INVALID;
    }
    yr_uv_dial *dial = yr_calloc(1, sizeof *dial);
    if (dial == NULL) {
        return YURPC_NO_MEMORY;
    }
    dial->io = io;
    dial->fn = fn;
    dial->context = context;
    dial->timeout_ms = options->timeout_ms;
    memcpy(dial->host, options->host, host_len);
    yr_address_format_host(dial->host, options->port, dial->target);
    yr_timer_init(&dial->stagger, on_stagger, dial);
    yr_timer_init(&dial->deadline, on_deadline, dial);
    if (yr_address_parse(dial->host, options->port, &dial->addresses[0])) {
        dial->address_count = 1;
    } else {
        int uv_error = yr_uv_lookup_new(io, options, on_resolved, dial, &dial->lookup);
        if (uv_error == UV_ENOMEM) {
            yr_free(dial);
            return YURPC_NO_MEMORY;
        }
        note_error(dial, uv_error);
    }
    if (dial->lookup == NULL) {
        yr_timer_start(&io->io, &dial->stagger, 0);
    }
    yr_timer_start(&io->io, &dial->deadline, options->timeout_ms);
    *ret_dial = dial;
    return YURPC_OK;
}
