#include "command.h"

#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* All that it prints. */
static size_t count_lines(int fd)
{
    char text[4096];
    size_t lines = 0;
    ssize_t got = 0;
    while ((got = read(fd, text, sizeof(text))) > 0 || (got < 0 && errno == EINTR)) {
        for (ssize_t i = 0; i < got; i++) {
            lines += text[i] == '\n';
        }
    }
    return lines;
}

static int64_t ns_of(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

/* -1: it could not be started. */
static pid_t start(const char *const *arguments, const int output[2])
{
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return -1;
    }
    /* posix_spawn() does not change them; its type only lacks the const. */
    union {
        const char *const *in;
        char *const *out;
    } unchanged = {.in = arguments};
    if (posix_spawn_file_actions_adddup2(&actions, output[1], 1) != 0 ||
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) != 0 ||
        posix_spawnp(&pid, arguments[0], &actions, NULL, unchanged.out, environment) != 0) {
        pid = -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

bool yr_command_run(const char *const *arguments, yr_command_outcome *ret_outcome)
{
    struct rusage usage = {0};
    int output[2];
    int status = -1;
    if (pipe2(output, O_CLOEXEC) != 0) {
        return false;
    }
    int64_t begin = yr_now_ns();
    pid_t pid = start(arguments, output);
    close(output[1]);
    size_t lines = pid > 0 ? count_lines(output[0]) : 0;
    close(output[0]);
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0) {
        return false;
    }
    *ret_outcome = (yr_command_outcome){
        .wall_ns = yr_now_ns() - begin,
        .cpu_ns = ns_of(usage.ru_utime) + ns_of(usage.ru_stime),
        .lines = lines,
    };
    return true;
}
