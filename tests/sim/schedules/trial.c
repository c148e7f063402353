#include "sim/schedules/trial.h"

#include "sim/schedules/play.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *yr_outcome_name(int kind)
{
    return kind < YR_INVARIANT_COUNT ? yr_invariant_name((yr_invariant)kind) : "a crash";
}

static void play_and_tell(const yr_schedule *schedule, int to)
{
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0) {
        _exit(EXIT_FAILURE);
    }
    const yr_play_options options = {.is_counting = true};
    alarm(YR_TRIAL_SECONDS_MAX);
    yr_verdict verdict = yr_play_run(schedule, &options);
    yr_outcome outcome = {.kind = (int)verdict.broken};
    memcpy(outcome.text, verdict.text, sizeof outcome.text);
    bool is_told = write(to, &outcome, sizeof outcome) == (ssize_t)sizeof outcome;
    _exit(is_told ? EXIT_SUCCESS : EXIT_FAILURE);
}

yr_outcome yr_trial_run(const yr_schedule *schedule)
{
    yr_outcome outcome = {.kind = YR_TRIAL_CRASHED, .text = "it does not end in order"};
    int pipes[2];
    fflush(NULL);
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        abort();
    }
    pid_t child = fork();
    if (child < 0) {
        abort();
    }
    if (child == 0) {
        play_and_tell(schedule, pipes[1]);
    }
    close(pipes[1]);
    yr_outcome told;
    if (read(pipes[0], &told, sizeof told) == (ssize_t)sizeof told) {
        outcome = told;
    }
    close(pipes[0]);
    int status = 0;
    (void)waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        int len = snprintf(outcome.text, sizeof outcome.text, "it ended by signal %d, %s",
                           WTERMSIG(status), strsignal(WTERMSIG(status)));
        outcome.kind = len > 0 ? YR_TRIAL_CRASHED : outcome.kind;
    }
    return outcome;
}
