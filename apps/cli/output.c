#include "output.h"

#include "json.h"
#include "session.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WEIGHT_DEFAULT = 100 };

static bool is_terminal;
static bool has_colour;

void cli_output_begin(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    const char *no_colour = secure_getenv("NO_COLOR");
    const char *term = secure_getenv("TERM");
    is_terminal = isatty(STDOUT_FILENO) == 1;
    has_colour = is_terminal && (no_colour == NULL || *no_colour == '\0') &&
                 (term == NULL || strcmp(term, "dumb") != 0);
}

static void print_table(const cli_table *table)
{
    if (!cli_table_print(table, is_terminal, has_colour)) {
        cli_say("out of memory; the list is not complete");
    }
}

/* ---- Instances ---- */

/* NULL: as it should be. */
static const char *trouble_of(const yurpc_instance *instance)
{
    if (yurpc_instance_is_suspect(instance)) {
        return "suspect";
    }
    return yurpc_instance_is_draining(instance) ? "draining" : NULL;
}

/* K=V pairs, separated by blanks. */
static void put_metadata(FILE *out, const yurpc_instance *instance)
{
    for (size_t i = 0; i < yurpc_instance_metadata_count(instance); i++) {
        yurpc_metadata entry = yurpc_instance_metadata_at(instance, i);
        (void)fputs(i == 0 ? "" : " ", out);
        cli_print_text(out, entry.key);
        (void)fputc('=', out);
        cli_print_text(out, entry.value);
    }
}

enum { COLUMN_ADDRESS, COLUMN_GROUP, COLUMN_WEIGHT, COLUMN_STATE, COLUMN_METADATA, COLUMNS };

static void instance_cell(FILE *out, const void *rows, size_t row, size_t column)
{
    const yurpc_instance *instance = ((const yurpc_instance *const *)rows)[row];
    const char *trouble = trouble_of(instance);
    switch (column) {
    case COLUMN_ADDRESS:
        cli_print_text(out, yurpc_instance_address(instance));
        break;
    case COLUMN_GROUP:
        cli_print_text(out, yurpc_instance_group(instance));
        break;
    case COLUMN_WEIGHT:
        (void)fprintf(out, "%u", (unsigned)yurpc_instance_weight(instance));
        break;
    case COLUMN_STATE:
        (void)fputs(trouble != NULL ? trouble : "up", out);
        break;
    default:
        put_metadata(out, instance);
        break;
    }
}

static void print_instances_json(const yurpc_instance *const *instances, size_t count)
{
    (void)fputc('[', stdout);
    for (size_t i = 0; i < count; i++) {
        (void)fputs(i == 0 ? "" : ",", stdout);
        cli_json_instance(stdout, instances[i]);
    }
    (void)fputs("]\n", stdout);
}

/* What is rows of cells, and not JSON: all columns, or the addresses alone. */
static void print_rows(cli_format format, cli_table *table)
{
    if (format == CLI_ADDRESS) {
        table->column_count = 1;
        (void)cli_table_print(table, false, false);
    } else {
        print_table(table);
    }
}

void cli_print_instances(cli_format format, const yurpc_instance *const *instances,
                         size_t count)
{
    cli_table table = {
        .column_count = COLUMNS,
        .titles = {"ADDRESS", "GROUP", "WEIGHT", "STATE", "METADATA"},
        .row_count = count,
        .cell = instance_cell,
        .rows = instances,
    };
    if (format == CLI_JSON) {
        print_instances_json(instances, count);
    } else {
        print_rows(format, &table);
    }
}

/* ---- Events ---- */

static const char *colour_of(yurpc_event_kind kind)
{
    switch (kind) {
    case YURPC_EVENT_UP:
    case YURPC_EVENT_FRESH:
        return "\033[32m";
    case YURPC_EVENT_DOWN:
        return "\033[31m";
    case YURPC_EVENT_CHANGED:
    case YURPC_EVENT_STALE:
        return "\033[33m";
    }
    return "";
}

/* What is out of the ordinary about an instance: " group=blue weight=200 draining k=v". */
static void print_details(const yurpc_instance *instance)
{
    if (strcmp(yurpc_instance_group(instance), "default") != 0) {
        (void)fputs(" group=", stdout);
        cli_print_text(stdout, yurpc_instance_group(instance));
    }
    if (yurpc_instance_weight(instance) != WEIGHT_DEFAULT) {
        printf(" weight=%u", (unsigned)yurpc_instance_weight(instance));
    }
    if (trouble_of(instance) != NULL) {
        printf(" %s", trouble_of(instance));
    }
    if (yurpc_instance_metadata_count(instance) > 0) {
        (void)fputc(' ', stdout);
        put_metadata(stdout, instance);
    }
}

static void print_event_json(yurpc_event_kind kind, const yurpc_instance *instance)
{
    printf("{\"event\":\"%s\"", yurpc_event_kind_name(kind));
    if (instance != NULL) {
        (void)fputs(",\"instance\":", stdout);
        cli_json_instance(stdout, instance);
    }
    (void)fputs("}\n", stdout);
}

void cli_print_event(cli_format format, yurpc_event_kind kind, const yurpc_instance *instance)
{
    if (format == CLI_JSON) {
        print_event_json(kind, instance);
        return;
    }
    printf("%s%s%s", has_colour ? colour_of(kind) : "", yurpc_event_kind_name(kind),
           has_colour ? "\033[0m" : "");
    if (instance != NULL) {
        (void)fputc(' ', stdout);
        cli_print_text(stdout, yurpc_instance_address(instance));
        if (format == CLI_TABLE && kind != YURPC_EVENT_DOWN) {
            print_details(instance);
        }
    }
    (void)fputc('\n', stdout);
}

/* ---- Services ---- */

static void service_cell(FILE *out, const void *rows, size_t row, size_t column)
{
    const cli_service_count *one = (const cli_service_count *)rows + row;
    if (column == 0) {
        cli_print_text(out, one->service);
    } else {
        (void)fprintf(out, "%llu", (unsigned long long)one->count);
    }
}

static void print_services_json(const cli_service_count *services, size_t count)
{
    (void)fputc('[', stdout);
    for (size_t i = 0; i < count; i++) {
        (void)fputs(i == 0 ? "{\"service\":" : ",{\"service\":", stdout);
        cli_json_string(stdout, services[i].service);
        printf(",\"instances\":%llu}", (unsigned long long)services[i].count);
    }
    (void)fputs("]\n", stdout);
}

void cli_print_services(cli_format format, const cli_service_count *services, size_t count)
{
    cli_table table = {
        .column_count = 2,
        .titles = {"SERVICE", "INSTANCES"},
        .row_count = count,
        .cell = service_cell,
        .rows = services,
    };
    if (format == CLI_JSON) {
        print_services_json(services, count);
    } else {
        print_rows(format, &table);
    }
}
