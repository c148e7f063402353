#include "sim/schedules/crowd.h"

#include "base/mem.h"
#include "registry/reclaimer.h"
#include "sim/schedules/play.h"
#include "sim/schedules/trial.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 64,
    CHUNK = 50, /* seeds that a worker takes at once; then it counts memory */
    LOOK_MS = 200,
};

/* What parent and workers share. */
typedef struct board {
    uint64_t end;
    _Atomic uint64_t next;
    _Atomic uint64_t done;
    _Atomic uint64_t failed;
    _Atomic uint64_t playing[WORKERS_MAX]; /* the seed, when one is being played */
    _Atomic uint64_t chunk_end[WORKERS_MAX];
    yr_crowd_failure failures[YR_CROWD_FAILURES_MAX];
} board;

static void report(board *shared, uint64_t seed, int kind, const char *text)
{
    uint64_t at = atomic_fetch_add(&shared->failed, 1);
    if (at < YR_CROWD_FAILURES_MAX) {
        yr_crowd_failure *failure = &shared->failures[at];
        failure->seed = seed;
        failure->kind = kind;
        (void)snprintf(failure->text, sizeof failure->text, "%s", text);
    }
}

static bool play_one(board *shared, uint64_t seed, bool is_counting)
{
    static yr_schedule schedule;
    const yr_play_options options = {.is_counting = is_counting};
    yr_schedule_draw(&schedule, seed);
    alarm(YR_TRIAL_SECONDS_MAX);
    yr_verdict verdict = yr_play_run(&schedule, &options);
    if (verdict.broken != YR_HOLDS) {
        report(shared, seed, (int)verdict.broken, verdict.text);
    }
    return verdict.broken == YR_HOLDS;
}

/* Seeds up to the chunk's end; then each again, when together they have left memory. */
static void play_chunk(board *shared, size_t worker, uint64_t from)
{
    uint64_t end = atomic_load(&shared->chunk_end[worker]);
    yr_reclaimer_wait();
    yr_mem_count_blocks();
    bool is_right = true;
    for (uint64_t seed = from; seed < end; seed++) {
        atomic_store(&shared->playing[worker], seed);
        is_right = play_one(shared, seed, false) && is_right;
        atomic_fetch_add(&shared->done, 1);
    }
    yr_reclaimer_wait();
    if (yr_mem_blocks() == 0) {
        return;
    }
    bool is_explained = !is_right;
    for (uint64_t seed = from; seed < end && is_right; seed++) {
        atomic_store(&shared->playing[worker], seed);
        is_explained = !play_one(shared, seed, true) || is_explained;
    }
    if (!is_explained) {
        report(shared, from, YR_RESOURCES, "blocks are left of this seed and those behind it");
    }
}

static void work(board *shared, size_t worker, uint64_t from)
{
    uint64_t seed = from;
    while (true) {
        if (seed >= atomic_load(&shared->chunk_end[worker])) {
            seed = atomic_fetch_add(&shared->next, CHUNK);
            if (seed >= shared->end) {
                break;
            }
            uint64_t end = seed + CHUNK < shared->end ? seed + CHUNK : shared->end;
            atomic_store(&shared->chunk_end[worker], end);
        }
        play_chunk(shared, worker, seed);
        seed = atomic_load(&shared->chunk_end[worker]);
    }
    fflush(NULL);
    _exit(EXIT_SUCCESS);
}

static pid_t start(board *shared, size_t worker, uint64_t from)
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        abort();
    }
    if (child == 0) {
        work(shared, worker, from);
    }
    return child;
}

/* A worker that died over a seed: another goes on behind it. */
static pid_t replace(board *shared, size_t worker, int status)
{
    uint64_t seed = atomic_load(&shared->playing[worker]);
    char text[128];
    int code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    if (snprintf(text, sizeof text, "it ended by %s %d",
                 WIFSIGNALED(status) ? "signal" : "exit code", code) < 0) {
        abort();
    }
    report(shared, seed, YR_TRIAL_CRASHED, text);
    atomic_fetch_add(&shared->done, 1);
    return start(shared, worker, seed + 1);
}

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void show_progress(board *shared, uint64_t count, double begun)
{
    if (!isatty(STDERR_FILENO)) {
        return;
    }
    uint64_t done = atomic_load(&shared->done);
    double seconds = seconds_now() - begun;
    fprintf(stderr, "\r%llu of %llu schedules, %llu wrong, %.0f a second ",
            (unsigned long long)done, (unsigned long long)count,
            (unsigned long long)atomic_load(&shared->failed), (double)done / seconds);
}

void yr_crowd_run(uint64_t first, uint64_t count, unsigned workers, yr_crowd_result *ret_result)
{
    double begun = seconds_now();
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = workers > 0 ? workers : (size_t)(processors > 0 ? processors : 1);
    size_t living = wanted < WORKERS_MAX ? wanted : WORKERS_MAX;
    size_t worker_count = living;
    board *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        abort();
    }
    shared->end = first + count;
    atomic_store(&shared->next, first);
    pid_t pids[WORKERS_MAX];
    for (size_t i = 0; i < worker_count; i++) {
        pids[i] = start(shared, i, 0);
    }
    while (living > 0) {
        const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
        show_progress(shared, count, begun);
        for (size_t i = 0; i < worker_count; i++) {
            int status = 0;
            if (pids[i] == 0 || waitpid(pids[i], &status, WNOHANG) != pids[i]) {
                continue;
            }
            bool is_done = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
            pids[i] = is_done ? 0 : replace(shared, i, status);
            living -= is_done;
        }
    }
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\n");
    }
    ret_result->done = atomic_load(&shared->done);
    ret_result->failed = atomic_load(&shared->failed);
    ret_result->seconds = seconds_now() - begun;
    memcpy(ret_result->failures, shared->failures, sizeof shared->failures);
    (void)munmap(shared, sizeof *shared);
}
