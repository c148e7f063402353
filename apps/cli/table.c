#include "table.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* U+0080 … U+009F: terminals may take them as commands, like those below U+0020. */
static bool is_control(const char *text, size_t len)
{
    unsigned char first = (unsigned char)text[0];
    if (len == 1) {
        return first < 0x20 || first == 0x7f;
    }
    return len == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

void cli_print_text(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t len = cli_utf8_len(text);
        if (len == 0 || is_control(text, len)) {
            (void)fputc('?', out);
        } else {
            (void)fwrite(text, 1, len, out);
        }
        text += len == 0 ? 1 : len;
    }
}

/* The cell's text, to be freed; NULL: out of memory. */
static char *cell_text(const cli_table *table, size_t row, size_t column)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    table->cell(out, table->rows, row, column);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

/* Make @p width at least that of every cell of @p column. */
static bool measure_column(const cli_table *table, size_t column, size_t *width)
{
    for (size_t row = 0; row < table->row_count; row++) {
        char *text = cell_text(table, row, column);
        if (text == NULL) {
            return false;
        }
        size_t needed = width_of(text);
        *width = needed > *width ? needed : *width;
        free(text);
    }
    return true;
}

static bool measure(const cli_table *table, size_t *widths)
{
    for (size_t column = 0; column < table->column_count; column++) {
        widths[column] = width_of(table->titles[column]);
        if (!measure_column(table, column, &widths[column])) {
            return false;
        }
    }
    return true;
}

static void pad(size_t count)
{
    printf("%*s", (int)count, "");
}

static void print_header(const cli_table *table, const size_t *widths, bool has_colour)
{
    printf("%s", has_colour ? "\033[1m" : "");
    for (size_t column = 0; column < table->column_count; column++) {
        bool is_last = column + 1 == table->column_count;
        printf("%s", table->titles[column]);
        if (!is_last) {
            pad(widths[column] - width_of(table->titles[column]) + 2);
        }
    }
    printf("%s\n", has_colour ? "\033[0m" : "");
}

static bool print_row(const cli_table *table, size_t row, const size_t *widths)
{
    for (size_t column = 0; column < table->column_count; column++) {
        char *text = cell_text(table, row, column);
        if (text == NULL) {
            return false;
        }
        bool is_last = column + 1 == table->column_count;
        (void)fputs(text, stdout);
        if (!is_last && widths != NULL) {
            pad(widths[column] - width_of(text) + 2);
        } else if (!is_last) {
            (void)fputc('\t', stdout);
        }
        free(text);
    }
    (void)fputc('\n', stdout);
    return true;
}

bool cli_table_print(const cli_table *table, bool is_terminal, bool has_colour)
{
    size_t widths[CLI_COLUMNS_MAX];
    if (is_terminal) {
        if (!measure(table, widths)) {
            return false;
        }
        print_header(table, widths, has_colour);
    }
    for (size_t row = 0; row < table->row_count; row++) {
        if (!print_row(table, row, is_terminal ? widths : NULL)) {
            return false;
        }
    }
    return true;
}
