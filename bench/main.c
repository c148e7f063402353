/*
 * make bench: what things cost, beside what they would cost bare.
 */
#include "canned.h"
#include "engine.h"
#include "peer.h"
#include "run.h"
#include "stage.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const yr_works *const all_works[] = {
    &yr_works_echo,           &yr_works_discover,
    &yr_works_canned,         &yr_works_range,
    &yr_works_apply,          &yr_works_pick,
    &yr_works_change,         &yr_works_change_local,
    &yr_works_burst,          &yr_works_register,
    &yr_works_beat,           &yr_works_memory,
    &yr_works_process,        &yr_works_scale_instances,
    &yr_works_scale_services, &yr_works_scale_follow,
    &yr_works_scale_register, &yr_works_scale_units,
    &yr_works_scale_fleet,
};

enum { LIST_COUNT = sizeof(all_works) / sizeof(all_works[0]) };

/* Work number @p index of all; NULL past the end. */
static const yr_work *work_at(size_t index)
{
    for (size_t list = 0; list < LIST_COUNT; list++) {
        if (index < all_works[list]->count) {
            return &all_works[list]->works[index];
        }
        index -= all_works[list]->count;
    }
    return NULL;
}

typedef struct settings {
    yr_format format;
    int runs;         /* 0: as many as each work wants */
    const char *etcd; /* NULL: there is none */
    const char *peer; /* what it is; NULL: absent */
    char **only;      /* parts of names, NULL-terminated; none: everything */
} settings;

static const char usage[] =
    "usage: yurpc_bench [-o text|json] [-n RUNS] [-e ETCD] [NAME...]\n"
    "       yurpc_bench -l\n"
    "  NAME  only the works whose name contains it: discover, local, register.etcd.1000\n"
    "  -o    how the table is written\n"
    "  -n    runs of each work (1 to 64), instead of its own number\n"
    "  -e    the etcd: 3.4, 3.5 or the path of one; else 3.5 where it is to be had, or 3.4\n"
    "  -l    list the works\n";

/* ---- One work ---- */

static int runs_of(const settings *options, const yr_work *work)
{
    return options->runs > 0 ? options->runs : work->runs;
}

static bool is_run(const settings *options, const yr_program *program)
{
    bool is_absent = strcmp(program->name, YR_PEER) == 0 && options->peer == NULL;
    return !program->is_helper && !is_absent;
}

static bool run_programs(const settings *options, const yr_work *work, const char *address,
                         yr_series_set *set)
{
    bool is_fine = true;
    int runs = runs_of(options, work);
    for (int run = 0; run < runs; run++) {
        for (int i = 0; i < YR_PROGRAMS_MAX && work->programs[i].name != NULL; i++) {
            const yr_program *program = &work->programs[i];
            is_fine =
                (!is_run(options, program) || yr_run(work, program->name, address, set)) &&
                is_fine;
        }
        (void)fputc('.', stderr);
    }
    return is_fine;
}

static bool run_work(const settings *options, const yr_work *work, yr_table *table)
{
    static yr_series_set set;
    yr_stage stage;
    memset(&set, 0, sizeof(set));
    (void)fprintf(stderr, "%-24s", work->name);
    bool is_fine = yr_stage_begin(&stage, work, options->etcd) &&
                   run_programs(options, work, stage.address, &set);
    yr_stage_end(&stage);
    (void)fprintf(stderr, "%s\n", is_fine ? "" : " FAILED");
    yr_table_add(table, work, runs_of(options, work), &set);
    return is_fine;
}

/* Whether @p part is in @p name, and neither begins nor ends within a word. */
static bool has_part(const char *name, const char *part)
{
    size_t len = strlen(part);
    for (const char *at = strstr(name, part); at != NULL; at = strstr(at + 1, part)) {
        if ((at == name || at[-1] == '.') && (at[len] == '\0' || at[len] == '.')) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const settings *options, const yr_work *work)
{
    bool is_named = *options->only == NULL && !work->is_apart;
    for (char **only = options->only; !is_named && *only != NULL; only++) {
        is_named = has_part(work->name, *only);
    }
    return is_named && (work->backend != YR_BACKEND_ETCD || options->etcd != NULL);
}

static int run_all(const settings *options)
{
    yr_table table;
    bool is_fine = true;
    const yr_work *work = NULL;
    if (options->etcd == NULL) {
        (void)fprintf(stderr, "there is no etcd here: only what needs none is measured\n");
    }
    if (options->peer == NULL) {
        (void)fprintf(stderr, "the Go client is absent: bench/peers/build_go.sh makes it\n");
    }
    yr_table_begin(&table, stdout, options->format,
                   options->etcd != NULL ? yr_engine_find_etcd(options->etcd) : NULL,
                   options->peer);
    for (size_t i = 0; (work = work_at(i)) != NULL; i++) {
        if (is_wanted(options, work)) {
            is_fine = run_work(options, work, &table) && is_fine;
        }
    }
    yr_table_end(&table);
    if (table.row_count == 0) {
        (void)fprintf(stderr, "no work has that name; yurpc_bench -l lists them\n");
        return 2;
    }
    return is_fine ? 0 : 1;
}

static int list_works(void)
{
    const yr_work *work = NULL;
    for (size_t i = 0; (work = work_at(i)) != NULL; i++) {
        (void)puts(work->name);
    }
    return 0;
}

/* ---- A part to play ---- */

static const yr_work *find_work(const char *name)
{
    const yr_work *work = NULL;
    size_t i = 0;
    do {
        work = work_at(i++);
    } while (work != NULL && strcmp(work->name, name) != 0);
    return work;
}

static int play(const char *work_name, const char *program, const char *address)
{
    yr_sample self = {.work = find_work(work_name), .address = address};
    if (self.work == NULL) {
        return 2;
    }
    if (strcmp(program, YR_STAGE_FILLER) == 0) {
        return yr_stage_fill(&self) ? 0 : 1;
    }
    if (strcmp(program, YR_CANNED) == 0) {
        return yr_canned_serve(&self) ? 0 : 1;
    }
    for (int i = 0; i < YR_PROGRAMS_MAX && self.work->programs[i].name != NULL; i++) {
        if (strcmp(self.work->programs[i].name, program) == 0) {
            return self.work->programs[i].run(&self) ? 0 : 1;
        }
    }
    return 2;
}

/* ---- The command line ---- */

static bool parse_option(settings *options, char letter, const char *value)
{
    if (letter == 'o') {
        options->format = strcmp(value, "json") == 0 ? YR_FORMAT_JSON : YR_FORMAT_TEXT;
        return options->format == YR_FORMAT_JSON || strcmp(value, "text") == 0;
    }
    if (letter == 'n') {
        char *end = NULL;
        long runs = strtol(value, &end, 10);
        options->runs = (int)runs;
        return *end == '\0' && runs >= 1 && runs <= YR_SERIES_LEN_MAX;
    }
    options->etcd = value;
    return letter == 'e' && yr_engine_find_etcd(value) != NULL;
}

int main(int argc, char **argv)
{
    settings options = {.format = YR_FORMAT_TEXT};
    if (argc == 7 && strcmp(argv[1], YR_RUN_OPTION) == 0) {
        return play(argv[2], argv[3], argv[4]);
    }
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        return list_works();
    }
    char **argument = argv + 1;
    for (; *argument != NULL && (*argument)[0] == '-'; argument += 2) {
        if (argument[1] == NULL || strlen(*argument) != 2 ||
            !parse_option(&options, (*argument)[1], argument[1])) {
            (void)fputs(usage, stderr);
            return 2;
        }
    }
    static const char *const versions[] = {"3.5", "3.4"};
    for (size_t i = 0; options.etcd == NULL && i < 2; i++) {
        options.etcd = yr_engine_find_etcd(versions[i]) != NULL ? versions[i] : NULL;
    }
    options.only = argument;
    options.peer = yr_peer_find();
    return run_all(&options);
}
