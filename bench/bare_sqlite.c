#include "bare_sqlite.h"

#include "names.h"

#include <stdio.h>

#include <sqlite3.h>

/* The bytes of all texts of one table; -1 on failure. */
static int64_t read_table(sqlite3 *file, const char *name)
{
    char query[256];
    sqlite3_stmt *rows = NULL;
    int64_t bytes = 0;
    (void)snprintf(query, sizeof(query), "SELECT * FROM \"%s\"", name);
    if (sqlite3_prepare_v2(file, query, -1, &rows, NULL) != SQLITE_OK) {
        return -1;
    }
    int step = 0;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            bool is_text = sqlite3_column_type(rows, i) == SQLITE_TEXT;
            bytes += is_text ? sqlite3_column_bytes(rows, i) : 0;
        }
    }
    sqlite3_finalize(rows);
    return step == SQLITE_DONE ? bytes : -1;
}

int64_t yr_bare_sqlite_read(const char *path)
{
    sqlite3 *file = NULL;
    sqlite3_stmt *tables = NULL;
    int64_t bytes = 0;
    int64_t part = 0;
    int step = SQLITE_ERROR;
    if (sqlite3_open_v2(path, &file, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(file, "SELECT name FROM sqlite_master WHERE type = 'table'", -1,
                           &tables, NULL) == SQLITE_OK) {
        while (part >= 0 && (step = sqlite3_step(tables)) == SQLITE_ROW) {
            part = read_table(file, (const char *)sqlite3_column_text(tables, 0));
            bytes += part;
        }
    }
    sqlite3_finalize(tables);
    sqlite3_close(file);
    return step == SQLITE_DONE && part >= 0 ? bytes : -1;
}

static bool insert_all(sqlite3_stmt *insert, size_t count)
{
    char key[YR_KEY_SIZE];
    char value[YR_VALUE_SIZE];
    bool is_fine = true;
    for (size_t i = 0; is_fine && i < count; i++) {
        yurpc_bytes key_bytes = yr_name_key(i, key);
        yurpc_bytes value_bytes = yr_name_value(i, 100, value);
        is_fine =
            sqlite3_bind_text(insert, 1, key, (int)key_bytes.len, SQLITE_STATIC) == SQLITE_OK &&
            sqlite3_bind_text(insert, 2, value, (int)value_bytes.len, SQLITE_STATIC) ==
                SQLITE_OK &&
            sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK;
    }
    return is_fine;
}

bool yr_bare_sqlite_insert(const char *path, size_t count)
{
    static const char begin[] =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE records (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)"
        " WITHOUT ROWID; BEGIN IMMEDIATE";
    sqlite3 *file = NULL;
    sqlite3_stmt *insert = NULL;
    bool is_fine = sqlite3_open(path, &file) == SQLITE_OK &&
                   sqlite3_exec(file, begin, NULL, NULL, NULL) == SQLITE_OK &&
                   sqlite3_prepare_v2(file, "INSERT INTO records VALUES (?, ?)", -1, &insert,
                                      NULL) == SQLITE_OK &&
                   insert_all(insert, count);
    sqlite3_finalize(insert);
    is_fine = is_fine && sqlite3_exec(file, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_close(file);
    return is_fine;
}
