/*
 * Random schedules: users and faults by a seed; then everything is healed, and the invariants
 * must hold. See README.md.
 *
 *   test_sim_schedules [--seeds FIRST COUNT] [--fresh COUNT] [--regress FILE…]
 *   test_sim_schedules --seed N [--only LIST]    one schedule, with all that happens in it
 *   test_sim_schedules --file FILE               the same from a file
 *   test_sim_schedules --print N [--only LIST]   as a file
 *   test_sim_schedules --shrink N                the shortest that fails as this one does
 */
#include "sim/schedules/actions.h"
#include "sim/schedules/crowd.h"
#include "sim/schedules/shrink.h"
#include "sim/schedules/trial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FIRST = 1,
    COUNT = 1000,
    SHRUNK_MAX = 3, /* of many failures the first are shrunk */
    TRIALS_MAX = 1000,
};

static const char *program;

static uint64_t number(const char *text)
{
    char *rest = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (errno != 0 || *rest != '\0' || rest == text) {
        fprintf(stderr, "'%s' is not a number\n", text);
        exit(EXIT_FAILURE);
    }
    return value;
}

/* ---- One schedule ---- */

static int show(const yr_schedule *schedule)
{
    const yr_play_options options = {.is_loud = true, .is_counting = true};
    yr_verdict verdict = yr_play_run(schedule, &options);
    printf("seed %llu: %s %s\n", (unsigned long long)schedule->seed,
           verdict.broken == YR_HOLDS ? "right:" : "wrong:", yr_invariant_name(verdict.broken));
    if (verdict.broken != YR_HOLDS) {
        printf("  at %lld ms: %s\n", (long long)verdict.at_ms, verdict.text);
    }
    return verdict.broken == YR_HOLDS ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int try_schedule(void *context, const yr_schedule *schedule)
{
    (void)context;
    return yr_trial_run(schedule).kind;
}

static int shrink(uint64_t seed)
{
    yr_schedule schedule;
    yr_schedule_draw(&schedule, seed);
    yr_outcome outcome = yr_trial_run(&schedule);
    if (outcome.kind == YR_HOLDS) {
        printf("seed %llu: nothing to shrink\n", (unsigned long long)seed);
        return EXIT_SUCCESS;
    }
    size_t trials = yr_shrink(&schedule, outcome.kind, try_schedule, NULL, TRIALS_MAX);
    outcome = yr_trial_run(&schedule);
    printf("seed %llu: %s: %s\n  with %zu actions, after %zu trials:\n",
           (unsigned long long)seed, yr_outcome_name(outcome.kind), outcome.text,
           schedule.count, trials);
    for (size_t i = 0; i < schedule.count; i++) {
        const yr_action *action = &schedule.actions[i];
        printf("    %u: %s, then %u ms\n", action->index, yr_action_kinds[action->kind].name,
               action->wait_ms);
    }
    printf("  to see it: %s ", program);
    yr_schedule_print_arguments(&schedule, stdout);
    printf("\n");
    return EXIT_FAILURE;
}

static bool read_file(const char *path, yr_schedule *schedule)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return false;
    }
    bool is_read = yr_schedule_read(schedule, file);
    (void)fclose(file);
    return is_read;
}

/* ---- Many ---- */

static bool play_files(int count, char **paths)
{
    bool is_right = true;
    for (int i = 0; i < count; i++) {
        yr_schedule schedule;
        if (!read_file(paths[i], &schedule)) {
            return false;
        }
        yr_outcome outcome = yr_trial_run(&schedule);
        if (outcome.kind != YR_HOLDS) {
            printf("%s: %s: %s\n  to see it: %s --file %s\n", paths[i],
                   yr_outcome_name(outcome.kind), outcome.text, program, paths[i]);
            is_right = false;
        }
    }
    printf("%d schedules that failed once, %s\n", count, is_right ? "right" : "wrong again");
    return is_right;
}

static bool play_seeds(uint64_t first, uint64_t count, unsigned workers)
{
    static yr_crowd_result result;
    yr_crowd_run(first, count, workers, &result);
    for (uint64_t i = 0; i < result.failed && i < YR_CROWD_FAILURES_MAX; i++) {
        const yr_crowd_failure *failure = &result.failures[i];
        printf("seed %llu: %s: %s\n  to see it: %s --seed %llu\n",
               (unsigned long long)failure->seed, yr_outcome_name(failure->kind), failure->text,
               program, (unsigned long long)failure->seed);
    }
    for (uint64_t i = 0; i < result.failed && i < SHRUNK_MAX; i++) {
        (void)shrink(result.failures[i].seed);
    }
    printf("seeds %llu to %llu: %llu schedules, %llu wrong, %.1f s, %.0f a second\n",
           (unsigned long long)first, (unsigned long long)(first + count - 1),
           (unsigned long long)result.done, (unsigned long long)result.failed, result.seconds,
           (double)result.done / result.seconds);
    return result.failed == 0 && result.done == count;
}

/* So that no two days play the same: a first seed that nobody has had. */
static uint64_t fresh_seed(void)
{
    enum { ROOM = 1000 * 1000 };
    return (uint64_t)time(NULL) * ROOM;
}

/* ---- The program ---- */

typedef struct order {
    uint64_t first;
    uint64_t count;
    uint64_t fresh;
    unsigned workers;
    char **files;
    int file_count;
} order;

static int usage(void)
{
    fprintf(stderr,
            "usage: %s [--seeds FIRST COUNT] [--fresh COUNT] [--jobs N] [--regress FILE...]\n"
            "       %s --seed N [--only LIST] | --file FILE | --print N [--only LIST] |\n"
            "          --shrink N\n",
            program, program);
    return EXIT_FAILURE;
}

/* A schedule by its seed; NULL for all of its actions. */
static bool draw(const char *seed, const char *only, yr_schedule *schedule)
{
    yr_schedule_draw(schedule, number(seed));
    if (only != NULL && !yr_schedule_keep(schedule, only)) {
        fprintf(stderr, "'%s' is no list of actions of this seed\n", only);
        return false;
    }
    return true;
}

/* -1: it was not about a single one. */
static int run_single(int argc, char **argv)
{
    yr_schedule schedule;
    const char *verb = argc >= 3 ? argv[1] : "";
    const char *only = argc == 5 && strcmp(argv[3], "--only") == 0 ? argv[4] : NULL;
    bool is_complete = argc == 3 || only != NULL;
    if (strcmp(verb, "--file") == 0 && argc == 3) {
        return read_file(argv[2], &schedule) ? show(&schedule) : EXIT_FAILURE;
    }
    if (strcmp(verb, "--shrink") == 0 && argc == 3) {
        return shrink(number(argv[2]));
    }
    if (strcmp(verb, "--seed") == 0 && is_complete) {
        return draw(argv[2], only, &schedule) ? show(&schedule) : EXIT_FAILURE;
    }
    if (strcmp(verb, "--print") == 0 && is_complete) {
        if (!draw(argv[2], only, &schedule)) {
            return EXIT_FAILURE;
        }
        yr_schedule_write(&schedule, stdout);
        return EXIT_SUCCESS;
    }
    return -1;
}

static bool read_order(int argc, char **argv, order *ret_order)
{
    order wanted = {.first = FIRST, .count = argc == 1 ? COUNT : 0};
    int i = 1;
    while (i < argc) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            wanted.first = number(argv[i + 1]);
            wanted.count = number(argv[i + 2]);
            i += 3;
        } else if (strcmp(argv[i], "--fresh") == 0 && i + 1 < argc) {
            wanted.fresh = number(argv[i + 1]);
            i += 2;
        } else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) {
            wanted.workers = (unsigned)number(argv[i + 1]);
            i += 2;
        } else if (strcmp(argv[i], "--regress") == 0) {
            wanted.files = &argv[i + 1];
            wanted.file_count = argc - i - 1;
            i = argc;
        } else {
            return false;
        }
    }
    *ret_order = wanted;
    return true;
}

int main(int argc, char **argv)
{
    program = argv[0];
    int result = run_single(argc, argv);
    if (result >= 0) {
        return result;
    }
    order wanted;
    if (!read_order(argc, argv, &wanted)) {
        return usage();
    }
    bool is_right = wanted.file_count == 0 || play_files(wanted.file_count, wanted.files);
    if (wanted.count > 0) {
        is_right = play_seeds(wanted.first, wanted.count, wanted.workers) && is_right;
    }
    if (wanted.fresh > 0) {
        is_right = play_seeds(fresh_seed(), wanted.fresh, wanted.workers) && is_right;
    }
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
