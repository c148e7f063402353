/*
 * The one table, for people or for machines.
 */
#ifndef YR_TABLE_H
#define YR_TABLE_H

#include "series.h"
#include "work.h"

#include <stdio.h>

typedef enum yr_format {
    YR_FORMAT_TEXT = 0,
    YR_FORMAT_JSON = 1,
} yr_format;

typedef struct yr_table {
    FILE *out;
    const char *peer; /* what the peer is; NULL: absent */
    yr_format format;
    size_t row_count;
} yr_table;

/*
 * Where and on what the figures were taken. @p etcd: the path of the one used; NULL: none. @p
 * peer says what it is, and lives as long as the table; NULL: it is absent.
 */
void yr_table_begin(yr_table *table, FILE *out, yr_format format, const char *etcd,
                    const char *peer);

/* The rows of one work, at once. A figure that is not in @p set is shown as failed. */
void yr_table_add(yr_table *table, const yr_work *work, int runs, const yr_series_set *set);

void yr_table_end(yr_table *table);

#endif /* YR_TABLE_H */
