#include "echo.h"

#include "bare.h"
#include "measure.h"
#include "sample.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE_LEN = 64, WARM_UP = 200, ROUNDS = 5000 };

/* The other process: sends back what comes, until nothing comes any more. */
static _Noreturn void serve(int listener)
{
    char message[MESSAGE_LEN];
    int on = 1;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = accept(listener, NULL, NULL);
    ssize_t len = -1;
    if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0) {
        while ((len = recv(fd, message, sizeof(message), 0)) > 0 &&
               send(fd, message, (size_t)len, MSG_NOSIGNAL) == len) {
        }
    }
    _exit(len == 0 ? 0 : 1);
}

static bool exchange(int fd)
{
    char message[MESSAGE_LEN] = {0};
    return send(fd, message, sizeof(message), MSG_NOSIGNAL) == MESSAGE_LEN &&
           recv(fd, message, sizeof(message), MSG_WAITALL) == MESSAGE_LEN;
}

static bool measure(int fd)
{
    int64_t *samples = calloc(ROUNDS, sizeof(*samples));
    bool is_fine = samples != NULL;
    for (int i = 0; is_fine && i < WARM_UP; i++) {
        is_fine = exchange(fd);
    }
    int64_t cpu = yr_cpu_ns();
    for (int i = 0; is_fine && i < ROUNDS; i++) {
        int64_t begin = yr_now_ns();
        is_fine = exchange(fd);
        samples[i] = yr_now_ns() - begin;
    }
    cpu = yr_cpu_ns() - cpu;
    if (is_fine) {
        yr_report("cpu_us", (double)cpu / 1e3 / ROUNDS);
        yr_report_percentiles("", samples, ROUNDS);
    }
    free(samples);
    return is_fine;
}

bool yr_echo_measure(void)
{
    struct sockaddr_in self = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(self);
    char address[64];
    int fd = -1;
    pid_t pid = -1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0 && bind(listener, (const struct sockaddr *)&self, sizeof(self)) == 0 &&
        listen(listener, 1) == 0 &&
        getsockname(listener, (struct sockaddr *)&self, &len) == 0) {
        pid = fork();
        if (pid == 0) {
            serve(listener);
        }
        (void)snprintf(address, sizeof(address), "http://127.0.0.1:%u",
                       (unsigned)ntohs(self.sin_port));
        fd = pid > 0 ? yr_bare_dial(address) : -1;
    }
    bool is_fine = fd >= 0 && measure(fd);
    if (fd >= 0) {
        close(fd);
    }
    if (listener >= 0) {
        close(listener);
    }
    if (pid > 0) {
        (void)waitpid(pid, NULL, 0);
    }
    if (!is_fine) {
        perror("cannot echo over the loopback");
    }
    return is_fine;
}
