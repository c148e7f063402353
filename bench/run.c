#include "run.h"

#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of one program: a benchmark that hangs ends too. */
enum { LIFE_MAX_S = 150 };

/* Where the program is: in here, or beside. */
static const char *find_program(const yr_work *work, const char *name)
{
    for (size_t i = 0; i < YR_PROGRAMS_MAX && work->programs[i].name != NULL; i++) {
        if (strcmp(work->programs[i].name, name) == 0 && work->programs[i].run == NULL) {
            return yr_peer_path(name);
        }
    }
    return "/proc/self/exe";
}

/* The environment is for applications: nothing of what it says is to be measured. */
static _Noreturn void play(const char *path, char *const arguments[], int input, int output,
                           pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || dup2(input, 0) < 0 ||
        dup2(output, 1) < 0) {
        _exit(126);
    }
    char *const environment[] = {NULL};
    (void)alarm(LIFE_MAX_S);
    execve(path, arguments, environment);
    _exit(127);
}

bool yr_run_start(const yr_work *work, const char *program, const char *address,
                  yr_running *ret_running)
{
    char self[] = "yurpc_bench";
    char option[] = YR_RUN_OPTION;
    char *name = strdup(work->name);
    char *part = strdup(program);
    char *where = strdup(address);
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    pid_t pid = -1;
    if (name != NULL && part != NULL && where != NULL && pipe2(in, O_CLOEXEC) == 0 &&
        pipe2(out, O_CLOEXEC) == 0) {
        char counts[2][24];
        (void)snprintf(counts[0], sizeof(counts[0]), "%zu", work->count);
        (void)snprintf(counts[1], sizeof(counts[1]), "%zu", work->changes);
        char *arguments[] = {self, option, name, part, where, counts[0], counts[1], NULL};
        const char *path = find_program(work, program);
        pid_t parent = getpid();
        pid = fork();
        if (pid == 0) {
            play(path, arguments, in[0], out[1], parent);
        }
    }
    free(name);
    free(part);
    free(where);
    close(in[0]);
    close(out[1]);
    if (pid < 0) {
        perror("cannot start a program");
        close(in[1]);
        close(out[0]);
        return false;
    }
    *ret_running = (yr_running){.pid = pid, .input = in[1], .figures = out[0]};
    return true;
}

bool yr_run_await_line(yr_running *running, double *ret_value)
{
    char line[128] = "";
    size_t len = 0;
    ssize_t got = 0;
    do {
        got = read(running->figures, line + len, 1);
        len += got > 0 && len < sizeof(line) - 1 ? 1 : 0;
    } while ((got < 0 && errno == EINTR) || (got == 1 && line[len - 1] != '\n'));
    const char *value = strchr(line, ' ');
    if (got != 1 || value == NULL) {
        return false;
    }
    *ret_value = strtod(value, NULL);
    return true;
}

bool yr_run_finish(yr_running *running)
{
    int status = 0;
    pid_t pid = 0;
    if (running->pid == 0) {
        return true;
    }
    close(running->input);
    close(running->figures);
    do {
        pid = waitpid(running->pid, &status, 0);
    } while (pid < 0 && errno == EINTR);
    running->pid = 0;
    if (pid > 0 && WIFSIGNALED(status)) {
        bool is_late = WTERMSIG(status) == SIGALRM;
        (void)fprintf(stderr, "a program was ended by signal %d%s\n", WTERMSIG(status),
                      is_late ? ": it took too long" : "");
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* One line: "FIGURE VALUE". */
static bool add_line(const char *program, char *line, yr_series_set *set)
{
    char *value = strchr(line, ' ');
    if (value == NULL) {
        return false;
    }
    *value++ = '\0';
    char *end = NULL;
    double number = strtod(value, &end);
    return end != value && yr_series_add(set, program, line, number);
}

bool yr_run(const yr_work *work, const char *program, const char *address, yr_series_set *set)
{
    yr_running running;
    char line[256];
    bool is_fine = true;
    if (!yr_run_start(work, program, address, &running)) {
        return false;
    }
    int copy = fcntl(running.figures, F_DUPFD_CLOEXEC, 0);
    FILE *figures = copy >= 0 ? fdopen(copy, "r") : NULL;
    while (figures != NULL && fgets(line, sizeof(line), figures) != NULL) {
        is_fine = add_line(program, line, set) && is_fine;
    }
    if (figures != NULL) {
        (void)fclose(figures);
    }
    return yr_run_finish(&running) && is_fine && figures != NULL;
}
