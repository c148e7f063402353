#include "command.h"

#include "yr_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 1 << 18 };

void command_start(command *self, const fault_scene *scene, int road, uint16_t port)
{
    char endpoints[YR_CLUSTER_TEXT_MAX];
    char address[32];
    char ttl[16];
    (void)snprintf(ttl, sizeof ttl, "%d", self->ttl_s != 0 ? self->ttl_s : 5);
    yr_cluster_endpoints(scene->cluster, road, endpoints);
    (void)snprintf(address, sizeof address, "%s:%u", ACTORS_HOST, (unsigned)port);
    (void)fflush(NULL);
    pid_t parent = getpid();
    self->pid = fork();
    assert_true(self->pid >= 0);
    if (self->pid > 0) {
        return;
    }
    int file = open(self->path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || file < 0 ||
        dup2(file, STDOUT_FILENO) < 0 || dup2(file, STDERR_FILENO) < 0 ||
        setenv("YURPC_CACHE_DIR", "none", 1) != 0) {
        _exit(126);
    }
    execl(YR_COMMAND, YR_COMMAND, "register", scene->service, address, "--ttl", ttl,
          "--registry", "etcd", "--address", endpoints, "--verbose", (char *)NULL);
    _exit(127);
}

void command_signal(const command *self, int signal)
{
    if (self->pid != 0) {
        assert_int_equal(kill(self->pid, signal), 0);
    }
}

int command_end(command *self, int signal)
{
    int status = 0;
    pid_t ended = 0;
    command_signal(self, signal);
    command_signal(self, SIGCONT);
    do {
        ended = waitpid(self->pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    assert_int_equal(ended, self->pid);
    self->pid = 0;
    return status;
}

bool command_is_running(command *self)
{
    enum { UNREACHABLE = 4 };
    int status = 0;
    if (self->pid != 0 && waitpid(self->pid, &status, WNOHANG) == self->pid) {
        self->pid = 0;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), UNREACHABLE);
    }
    return self->pid != 0;
}

static const char *read_said(const command *self)
{
    static char all[SAID_MAX];
    FILE *file = fopen(self->path, "re");
    size_t len = file == NULL ? 0 : fread(all, 1, sizeof all - 1, file);
    all[len] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
    return all;
}

void command_print(const command *self)
{
    print_message("---- %s ----\n%s----\n", self->path, read_said(self));
}

bool command_has_said(const command *self, const char *text)
{
    return strstr(read_said(self), text) != NULL;
}
