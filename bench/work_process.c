/*
 * The command as a whole, and what is installed: `yurpc discover` from the first instruction to
 * the last, from etcd and from the disk when there is no etcd any more; and sizes.
 */
#include "canned.h"
#include "command.h"
#include "measure.h"
#include "names.h"
#include "peer.h"
#include "run.h"
#include "scratch.h"
#include "work.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { TIMES = 20, PATH_SIZE = PATH_MAX + 64 };

/* ---- Starting the command, time and again ---- */

/* The command is beside this program. */
static const char *command_path(void)
{
    static char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s", yr_peer_path(""));
    char *slash = strrchr(path, '/');
    (void)snprintf(slash != NULL ? slash + 1 : path, sizeof("yurpc"), "yurpc");
    return path;
}

/* Report the median of its wall time, and its CPU on average. */
static bool measure(const yr_sample *self, const char *const *arguments, size_t lines)
{
    int64_t wall_ns[TIMES];
    int64_t cpu_ns = 0;
    for (int i = 0; i < TIMES; i++) {
        yr_command_outcome one;
        if (!yr_command_run(arguments, &one) || one.lines != lines) {
            return yr_fail(self, "the command has failed", NULL);
        }
        wall_ns[i] = one.wall_ns;
        cpu_ns += one.cpu_ns;
    }
    yr_report_percentiles("", wall_ns, TIMES);
    yr_report("cpu_us", (double)cpu_ns / 1e3 / TIMES);
    return true;
}

static bool run_empty(yr_sample *self)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s", yr_peer_path("empty"));
    const char *const arguments[] = {path, NULL};
    return measure(self, arguments, 0);
}

static bool run_discover(yr_sample *self)
{
    const char *const arguments[] = {command_path(), "discover", YR_SERVICE,    "-o",
                                     "address",      "-a",       self->address, "--cache-dir",
                                     "none",         NULL};
    return measure(self, arguments, self->work->count);
}

/* ---- From the disk ---- */

/* A list is kept while a server is there; then it goes, and the list is all there is. */
static bool keep_list(const yr_sample *self, const char *const *arguments, yr_running *server)
{
    yr_command_outcome first;
    bool is_kept = yr_command_run(arguments, &first) && first.lines == self->work->count;
    return yr_run_finish(server) && is_kept;
}

static bool run_cached(yr_sample *self)
{
    yr_running server = {.pid = 0};
    yr_scratch scratch = {.lock = -1};
    char address[64];
    double port = 0;
    bool is_fine = yr_scratch_init(&scratch, "yurpc-bench.") == YURPC_OK &&
                   yr_run_start(self->work, YR_CANNED, "", &server) &&
                   yr_run_await_line(&server, &port);
    (void)snprintf(address, sizeof(address), "http://127.0.0.1:%.0f", port);
    const char *const arguments[] = {command_path(), "discover", YR_SERVICE, "-o",
                                     "address",      "-a",       address,    "--cache-dir",
                                     scratch.path,   NULL};
    is_fine = is_fine && keep_list(self, arguments, &server);
    is_fine = is_fine ? measure(self, arguments, self->work->count)
                      : yr_fail(self, "no list could be kept", NULL);
    yr_scratch_deinit(&scratch);
    return is_fine;
}

/* ---- Sizes ---- */

/* The library that this program runs with; false: it is linked statically. */
static bool find_library(char path[PATH_SIZE])
{
    char line[PATH_SIZE + 128];
    bool is_found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && !is_found && fgets(line, sizeof(line), maps) != NULL) {
        char *name = strchr(line, '/');
        is_found = name != NULL && strstr(name, "/libyurpc.so") != NULL;
        if (is_found) {
            name[strcspn(name, "\n")] = '\0';
            (void)snprintf(path, PATH_SIZE, "%s", name);
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
    return is_found;
}

static bool measure_size(const yr_scratch *scratch, const char *path, const char *figure)
{
    char stripped[PATH_SIZE];
    struct stat file;
    yr_command_outcome strip;
    (void)snprintf(stripped, sizeof(stripped), "%s/%s", scratch->path, figure);
    const char *const arguments[] = {"strip", "-o", stripped, path, NULL};
    if (!yr_command_run(arguments, &strip) || stat(stripped, &file) != 0) {
        return false;
    }
    yr_report(figure, (double)file.st_size / 1e3);
    return true;
}

static bool run_sizes(yr_sample *self)
{
    char library[PATH_SIZE];
    yr_scratch scratch = {.lock = -1};
    bool is_fine = yr_scratch_init(&scratch, "yurpc-bench.") == YURPC_OK &&
                   find_library(library) && measure_size(&scratch, library, "library_kb") &&
                   measure_size(&scratch, command_path(), "command_kb");
    yr_scratch_deinit(&scratch);
    return is_fine || yr_fail(self, "only a shared library has a size", NULL);
}

#define EMPTY "an empty program, linked to the same libraries"

static const yr_row etcd_rows[] = {
    {"yurpc discover, wall, p50", "µs", "yurpc.p50_us", "empty.p50_us", NULL, EMPTY,
     "<= 3 bare"},
    {"yurpc discover, CPU", "µs", "yurpc.cpu_us", "empty.cpu_us", NULL, EMPTY, NULL},
};

static const yr_row cache_rows[] = {
    {"yurpc discover, wall, p50", "µs", "yurpc.p50_us", "empty.p50_us", NULL, EMPTY,
     "<= 1.5 bare"},
    {"yurpc discover, CPU", "µs", "yurpc.cpu_us", "empty.cpu_us", NULL, EMPTY, NULL},
};

static const yr_row size_rows[] = {
    {"stripped shared library", "KB", "yurpc.library_kb", NULL, NULL, NULL, "<= 600"},
    {"stripped command", "KB", "yurpc.command_kb", NULL, NULL, NULL, "<= 700"},
};

static const yr_work works[] = {
    {
        .name = "process.etcd",
        .backend = YR_BACKEND_ETCD,
        .count = 100,
        .is_filled = true,
        .runs = 5,
        .programs = {{"yurpc", run_discover, false}, {"empty", run_empty, false}},
        .rows = etcd_rows,
        .row_count = sizeof(etcd_rows) / sizeof(etcd_rows[0]),
    },
    {
        .name = "process.cache",
        .count = 100,
        .runs = 5,
        .programs = {{"yurpc", run_cached, false}, {"empty", run_empty, false}},
        .rows = cache_rows,
        .row_count = sizeof(cache_rows) / sizeof(cache_rows[0]),
    },
    {
        .name = "size",
        .runs = 1,
        .programs = {{"yurpc", run_sizes, false}},
        .rows = size_rows,
        .row_count = sizeof(size_rows) / sizeof(size_rows[0]),
    },
};

const yr_works yr_works_process = {works, sizeof(works) / sizeof(works[0])};
