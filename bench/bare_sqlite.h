/*
 * The yardstick for the embedded registry: SQLite alone, without seals, leases or notices.
 */
#ifndef YR_BARE_SQLITE_H
#define YR_BARE_SQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read every row of every table of a file; gives the bytes of its texts, -1 on failure. */
int64_t yr_bare_sqlite_read(const char *path);

/* Make a file and insert @p count keys and values (names.h) in one transaction. */
bool yr_bare_sqlite_insert(const char *path, size_t count);

#endif /* YR_BARE_SQLITE_H */
