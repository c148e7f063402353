#include "canned.h"

#include "canned_http2.h"
#include "work.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNS_MAX = 16, FDS_MAX = CONNS_MAX + 2, BACKLOG = 16 };

typedef struct server {
    yr_canned canned;
    int listener;
    yr_canned_conn *conns[CONNS_MAX];
    size_t conn_count;
} server;

/* On a free port of the loopback, which is reported. */
static bool start_listening(server *self)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->listener < 0 ||
        bind(self->listener, (const struct sockaddr *)&name, sizeof(name)) != 0 ||
        listen(self->listener, BACKLOG) != 0 ||
        getsockname(self->listener, (struct sockaddr *)&name, &len) != 0) {
        return false;
    }
    yr_report("port", ntohs(name.sin_port));
    return true;
}

static void accept_conn(server *self)
{
    int on = 1;
    int fd = accept4(self->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (self->conn_count == CONNS_MAX ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        close(fd);
        return;
    }
    yr_canned_conn *conn = yr_canned_conn_new(&self->canned, fd);
    if (conn != NULL) {
        self->conns[self->conn_count++] = conn;
    }
}

/* Whoever is connected has to be served before the next one comes. */
static void serve_conns(server *self, const struct pollfd *fds)
{
    bool had_begun = self->canned.has_begun;
    size_t kept = 0;
    for (size_t i = 0; i < self->conn_count; i++) {
        yr_canned_conn *conn = self->conns[i];
        bool is_fine =
            fds[i].revents == 0 || (fds[i].revents & POLLIN) == 0 || yr_canned_conn_read(conn);
        is_fine = is_fine && ((fds[i].revents & POLLOUT) == 0 || yr_canned_conn_flush(conn));
        if (is_fine) {
            self->conns[kept++] = conn;
        } else {
            yr_canned_conn_free(conn);
        }
    }
    self->conn_count = kept;
    for (size_t i = 0; !had_begun && self->canned.has_begun && i < self->conn_count; i++) {
        (void)yr_canned_conn_flush(self->conns[i]); /* reading shows when it is over */
    }
    if (self->conn_count == 0) {
        self->canned.has_begun = false; /* the next program wants a storm of its own */
    }
}

static bool run(server *self)
{
    struct pollfd fds[FDS_MAX] = {0};
    for (;;) {
        nfds_t count = (nfds_t)self->conn_count;
        for (size_t i = 0; i < count; i++) {
            bool is_blocked = yr_canned_conn_is_blocked(self->conns[i]);
            fds[i].fd = yr_canned_conn_fd(self->conns[i]);
            fds[i].events = is_blocked ? POLLIN | POLLOUT : POLLIN;
        }
        fds[count] = (struct pollfd){.fd = self->listener, .events = POLLIN};
        fds[count + 1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(fds, count + 2, -1) < 0) {
            continue;
        }
        if (fds[count + 1].revents != 0) {
            return true;
        }
        serve_conns(self, fds);
        if (fds[count].revents != 0) {
            accept_conn(self);
        }
    }
}

bool yr_canned_serve(yr_sample *self)
{
    static server one;
    one.canned.changes = self->work->changes; /* prepared where a watch is made */
    bool is_fine = yr_canned_list_init(&one.canned.list, self->work->count) &&
                   start_listening(&one) && run(&one);
    for (size_t i = 0; i < one.conn_count; i++) {
        yr_canned_conn_free(one.conns[i]);
    }
    yr_canned_list_deinit(&one.canned.list);
    if (one.listener >= 0) {
        close(one.listener);
    }
    return is_fine || yr_fail(self, "the canned server failed", NULL);
}
