/* A table for people on a terminal, or the same as tab-separated lines in a pipe. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CLI_COLUMNS_MAX = 8 };

typedef struct cli_table {
    size_t column_count;
    const char *titles[CLI_COLUMNS_MAX];
    size_t row_count;
    void (*cell)(FILE *out, const void *rows, size_t row, size_t column);
    const void *rows;
} cli_table;

/* Write @p table to stdout. False: out of memory. */
bool cli_table_print(const cli_table *table, bool is_terminal, bool has_colour);

/* Write text that others chose: control characters and broken UTF-8 become '?'. */
void cli_print_text(FILE *out, const char *text);

#endif /* CLI_TABLE_H */
