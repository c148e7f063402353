#include "signals.h"

#include "session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* nohup(1) ignores it for us, and means it. */
static bool is_hangup_ignored(void)
{
    struct sigaction action;
    return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int cli_signals_catch(bool has_child)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    if (!is_hangup_ignored()) {
        (void)sigaddset(&set, SIGHUP);
    }
    if (has_child) {
        (void)sigaddset(&set, SIGCHLD);
    }
    int fd = -1;
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) == 0) {
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    if (fd < 0) {
        cli_say("cannot wait for signals: %s", strerrordesc_np(errno));
    }
    return fd;
}

int cli_signals_next(int fd)
{
    struct signalfd_siginfo info;
    ssize_t len;
    do {
        len = read(fd, &info, sizeof info);
    } while (len < 0 && errno == EINTR);
    return len == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
