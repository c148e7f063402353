#include "table.h"

#include "engine.h"
#include "goal.h"

#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum {
    WORK_WIDTH = 22,
    WHAT_WIDTH = 34,
    UNIT_WIDTH = 5,
    FIGURES_WIDTH = 26,
    RATIO_WIDTH = 7,
    GOAL_WIDTH = 24,
    VERDICT_WIDTH = 6,
    NUMBER_SIZE = 32,
    CELL_SIZE = 128,
    FACT_SIZE = 256,
};

/* ---- Facts about the machine ---- */

static void chomp(char *text)
{
    text[strcspn(text, "\r\n")] = '\0';
}

static void read_processor(char *text)
{
    char line[FACT_SIZE];
    FILE *file = fopen("/proc/cpuinfo", "re");
    (void)snprintf(text, FACT_SIZE, "unknown processor");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            (void)snprintf(text, FACT_SIZE, "%s", colon + 2);
            chomp(text);
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* ---- Cells ---- */

/* As many digits as mean something. */
static int print_number(char *out, size_t size, double value)
{
    double magnitude = value < 0 ? -value : value;
    int digits = 3;
    if (magnitude >= 100 || magnitude == 0) {
        digits = 0;
    } else if (magnitude >= 10) {
        digits = 1;
    } else if (magnitude >= 1) {
        digits = 2;
    }
    return snprintf(out, size, "%.*f", digits, value);
}

static void print_series(char out[CELL_SIZE], const char *name, const yr_series *series)
{
    if (series == NULL) {
        (void)snprintf(out, CELL_SIZE, "%s", name != NULL ? "failed" : "-");
        return;
    }
    yr_summary summary = yr_series_summarize(series);
    char median[NUMBER_SIZE];
    char min[NUMBER_SIZE];
    char max[NUMBER_SIZE];
    (void)print_number(median, sizeof(median), summary.median);
    (void)print_number(min, sizeof(min), summary.min);
    (void)print_number(max, sizeof(max), summary.max);
    (void)snprintf(out, CELL_SIZE, "%s (%s - %s)", median, min, max);
}

/* A cell, padded; a byte that continues a character takes no room. */
static void put_cell(FILE *out, const char *text, size_t width)
{
    size_t len = 0;
    for (const char *at = text; *at != '\0'; at++) {
        len += ((unsigned char)*at & 0xC0U) != 0x80U;
    }
    (void)fprintf(out, "%s%*s", text, (int)(len < width ? width - len : 0) + 1, "");
}

static yr_outcome judge(const yr_series_set *set, const yr_row *row)
{
    const yr_series *ours = yr_series_find(set, row->ours);
    return (yr_outcome){
        .is_there = ours != NULL,
        .median = ours != NULL ? yr_series_summarize(ours).median : 0,
        .to_bare = yr_series_ratio(ours, yr_series_find(set, row->bare)),
        .to_go = yr_series_ratio(ours, yr_series_find(set, row->go)),
    };
}

/* ---- Text ---- */

/* What the yardstick is, unless the row before has said so. */
static const char *name_yardstick(const yr_work *work, size_t index)
{
    const char *name = work->rows[index].yardstick;
    const char *last = index > 0 ? work->rows[index - 1].yardstick : NULL;
    if (name == NULL) {
        return "";
    }
    return last != NULL && strcmp(name, last) == 0 ? "the same" : name;
}

static void put_series(const yr_table *table, const char *name, const yr_series *series)
{
    char cell[CELL_SIZE];
    print_series(cell, name, series);
    put_cell(table->out, cell, FIGURES_WIDTH);
}

static void put_ratio(const yr_table *table, double ratio)
{
    char cell[CELL_SIZE] = "";
    if (ratio > 0) {
        (void)print_number(cell, sizeof(cell), ratio);
    }
    put_cell(table->out, cell, RATIO_WIDTH);
}

static void put_text_row(const yr_table *table, const yr_work *work, size_t index, int runs,
                         const yr_series_set *set)
{
    const yr_row *row = &work->rows[index];
    yr_outcome outcome = judge(set, row);
    const char *go = table->peer != NULL ? row->go : NULL;
    put_cell(table->out, index == 0 ? work->name : "", WORK_WIDTH);
    put_cell(table->out, row->what, WHAT_WIDTH);
    put_cell(table->out, row->unit, UNIT_WIDTH);
    (void)fprintf(table->out, "%4d  ", runs);
    put_series(table, row->ours, yr_series_find(set, row->ours));
    put_series(table, row->bare, yr_series_find(set, row->bare));
    put_series(table, go, yr_series_find(set, go));
    put_ratio(table, outcome.to_bare);
    put_ratio(table, outcome.to_go);
    put_cell(table->out, row->goal != NULL ? row->goal : "", GOAL_WIDTH);
    put_cell(table->out, yr_verdict_text(yr_goal_judge(row->goal, outcome)), VERDICT_WIDTH);
    (void)fprintf(table->out, "%s\n", name_yardstick(work, index));
}

static void put_text_head(const yr_table *table)
{
    put_cell(table->out, "work", WORK_WIDTH);
    put_cell(table->out, "figure", WHAT_WIDTH);
    put_cell(table->out, "unit", UNIT_WIDTH);
    (void)fprintf(table->out, "runs  ");
    put_cell(table->out, "yurpc: median (min - max)", FIGURES_WIDTH);
    put_cell(table->out, "bare", FIGURES_WIDTH);
    put_cell(table->out, "Go", FIGURES_WIDTH);
    put_cell(table->out, "/bare", RATIO_WIDTH);
    put_cell(table->out, "/Go", RATIO_WIDTH);
    put_cell(table->out, "goal", GOAL_WIDTH);
    put_cell(table->out, "", VERDICT_WIDTH);
    (void)fprintf(table->out, "what bare is\n");
}

/* ---- JSON: our own names, which need no escapes ---- */

static void put_json_series(FILE *out, const char *name, const yr_series *series)
{
    if (series == NULL) {
        (void)fprintf(out, ",\"%s\":null", name);
        return;
    }
    yr_summary summary = yr_series_summarize(series);
    (void)fprintf(out, ",\"%s\":{\"median\":%.9g,\"min\":%.9g,\"max\":%.9g,\"values\":[", name,
                  summary.median, summary.min, summary.max);
    for (size_t i = 0; i < series->count; i++) {
        (void)fprintf(out, "%s%.9g", i > 0 ? "," : "", series->values[i]);
    }
    (void)fprintf(out, "]}");
}

static void put_json_row(const yr_table *table, const yr_work *work, size_t index, int runs,
                         const yr_series_set *set)
{
    const yr_row *row = &work->rows[index];
    yr_outcome outcome = judge(set, row);
    yr_verdict verdict = yr_goal_judge(row->goal, outcome);
    (void)fprintf(table->out,
                  "%s\n{\"work\":\"%s\",\"figure\":\"%s\",\"unit\":\"%s\",\"runs\":%d",
                  table->row_count > 0 ? "," : "", work->name, row->what, row->unit, runs);
    put_json_series(table->out, "yurpc", yr_series_find(set, row->ours));
    put_json_series(table->out, "bare", yr_series_find(set, row->bare));
    put_json_series(table->out, "go", yr_series_find(set, row->go));
    if (outcome.to_bare > 0) {
        (void)fprintf(table->out, ",\"to_bare\":%.4g", outcome.to_bare);
    }
    if (outcome.to_go > 0) {
        (void)fprintf(table->out, ",\"to_go\":%.4g", outcome.to_go);
    }
    if (row->yardstick != NULL) {
        (void)fprintf(table->out, ",\"bare_is\":\"%s\"", row->yardstick);
    }
    if (row->goal != NULL) {
        (void)fprintf(table->out, ",\"goal\":\"%s\"", row->goal);
    }
    if (verdict != YR_VERDICT_NONE) {
        (void)fprintf(table->out, ",\"is_met\":%s",
                      verdict == YR_VERDICT_MET ? "true" : "false");
    }
    (void)fprintf(table->out, "}");
}

/* ---- The table ---- */

void yr_table_begin(yr_table *table, FILE *out, yr_format format, const char *etcd,
                    const char *peer)
{
    char processor[FACT_SIZE];
    char version[FACT_SIZE] = "none";
    char date[32] = "";
    struct utsname kernel = {0};
    struct tm utc = {0};
    time_t now = time(NULL);
    *table = (yr_table){.out = out, .peer = peer, .format = format};
    read_processor(processor);
    if (etcd != NULL) {
        yr_engine_read_version(etcd, version, sizeof(version));
    }
    (void)uname(&kernel);
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &utc);
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (format == YR_FORMAT_TEXT) {
        (void)fprintf(out, "yurpc %s, %s; %s, %ld cores, Linux %s; etcd %s; Go: %s\n\n",
                      yurpc_version(), date, processor, cores, kernel.release, version,
                      peer != NULL ? peer : "absent");
        put_text_head(table);
    } else {
        (void)fprintf(out,
                      "{\"yurpc\":\"%s\",\"date\":\"%s\",\"processor\":\"%s\",\"cores\":%ld,"
                      "\"linux\":\"%s\",\"etcd\":\"%s\",\"go\":\"%s\",\"rows\":[",
                      yurpc_version(), date, processor, cores, kernel.release, version,
                      peer != NULL ? peer : "absent");
    }
}

void yr_table_add(yr_table *table, const yr_work *work, int runs, const yr_series_set *set)
{
    for (size_t i = 0; i < work->row_count; i++) {
        if (table->format == YR_FORMAT_TEXT) {
            put_text_row(table, work, i, runs, set);
        } else {
            put_json_row(table, work, i, runs, set);
        }
        table->row_count++;
    }
    (void)fflush(table->out);
}

void yr_table_end(yr_table *table)
{
    (void)fputs(table->format == YR_FORMAT_TEXT ? "" : "\n]}\n", table->out);
    (void)fflush(table->out);
}
