#include "check.h"

#include "session.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ATTEMPT_TIMEOUT_S = 2, PAUSE_MS = 200 };

typedef struct check {
    const char *path; /* of the HTTP request; NULL: connecting is enough */
    const cli_address *address;
    int passed_fd;
} check;

/*
 * Whether @p fd is connected to itself: TCP does that when the port it was to reach is free and
 * the kernel chose the same one for our end.
 */
static bool is_self_connected(int fd)
{
    struct sockaddr_storage ours = {0};
    struct sockaddr_storage theirs = {0};
    socklen_t our_len = sizeof ours;
    socklen_t their_len = sizeof theirs;
    return getsockname(fd, (struct sockaddr *)&ours, &our_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&theirs, &their_len) == 0 &&
           our_len == their_len && memcmp(&ours, &theirs, our_len) == 0;
}

/* A connected socket, or -1. Never waits longer than its timeout at one call. */
static int connect_one(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, to->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    struct timeval limit = {.tv_sec = ATTEMPT_TIMEOUT_S};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, to->ai_addr, to->ai_addrlen) == 0 && !is_self_connected(fd)) {
        return fd;
    }
    (void)close(fd);
    return -1;
}

static int connect_any(const cli_address *address)
{
    char port[6];
    (void)snprintf(port, sizeof port, "%u", (unsigned)address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *all = NULL;
    if (getaddrinfo(address->host, port, &hints, &all) != 0) {
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *one = all; one != NULL && fd < 0; one = one->ai_next) {
        fd = connect_one(one);
    }
    freeaddrinfo(all);
    return fd;
}

/* Whether GET @p path on the connected @p fd is answered with 2xx. */
static bool is_answered(int fd, const check *self)
{
    char text[1024];
    int len = snprintf(text, sizeof text,
                       "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
                       "User-Agent: yurpc\r\n\r\n",
                       self->path, self->address->text);
    if (len < 0 || (size_t)len >= sizeof text ||
        send(fd, text, (size_t)len, MSG_NOSIGNAL) != (ssize_t)len) {
        return false;
    }
    char answer[sizeof "HTTP/1.1 200"];
    size_t got = 0;
    while (got < sizeof answer - 1) {
        ssize_t n = recv(fd, answer + got, sizeof answer - 1 - got, 0);
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    answer[got] = '\0';
    return strncmp(answer, "HTTP/1.", 7) == 0 && answer[8] == ' ' && answer[9] == '2';
}

static bool has_passed(const check *self)
{
    int fd = connect_any(self->address);
    if (fd < 0) {
        return false;
    }
    bool is_ready = self->path == NULL || is_answered(fd, self);
    (void)close(fd);
    return is_ready;
}

static void *check_run(void *context)
{
    const check *self = context;
    while (!has_passed(self)) {
        (void)poll(NULL, 0, PAUSE_MS);
    }
    (void)eventfd_write(self->passed_fd, 1);
    return NULL;
}

int cli_check_start(const char *how, const cli_address *address)
{
    static check self; /* the thread lives as long as the process */
    bool is_http = how != NULL && strncmp(how, "http:", 5) == 0;
    bool is_none = how != NULL && strcmp(how, "none") == 0;
    self = (check){.path = is_http ? how + 5 : NULL, .address = address};
    self.passed_fd = eventfd(is_none ? 1 : 0, EFD_CLOEXEC);
    pthread_t thread;
    if (self.passed_fd >= 0 &&
        (is_none || pthread_create(&thread, NULL, check_run, &self) == 0)) {
        return self.passed_fd;
    }
    cli_say("cannot start checking: %s", strerrordesc_np(errno));
    return -1;
}
