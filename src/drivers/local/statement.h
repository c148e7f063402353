/* Transactions, and the statements in them, on an open store. */
#ifndef YR_LOCAL_STATEMENT_H
#define YR_LOCAL_STATEMENT_H

#include "drivers/local/store.h"

#include <yurpc/bytes.h>

/* A transaction; one at a time. A write transaction sees what is there, and excludes others. */
YURPC_NODISCARD yurpc_status yr_local_store_begin(yr_local_store *store, bool is_write,
                                                  yurpc_error **ret_error);
YURPC_NODISCARD yurpc_status yr_local_store_commit(yr_local_store *store,
                                                   yurpc_error **ret_error);
void yr_local_store_rollback(yr_local_store *store);

/*
 * A statement, reset and ready for its bindings, which are borrowed until it is reset. NULL
 * when it cannot be prepared: yr_local_store_fail() says why.
 */
sqlite3_stmt *yr_local_store_statement(yr_local_store *store, yr_local_sql sql);

/* Run a statement that gives no rows, and reset it. */
YURPC_NODISCARD yurpc_status yr_local_store_run(yr_local_store *store, sqlite3_stmt *statement,
                                                yurpc_error **ret_error);

/* Step to the next row; *@p ret_is_row false: there is none, and the statement is reset. */
YURPC_NODISCARD yurpc_status yr_local_store_step(yr_local_store *store, sqlite3_stmt *statement,
                                                 bool *ret_is_row, yurpc_error **ret_error);

/* Bindings and columns. Texts are bytes: SQLite does not look into them. */
void yr_local_bind_bytes(sqlite3_stmt *statement, int index, yurpc_bytes bytes);
yurpc_bytes yr_local_column_bytes(sqlite3_stmt *statement, int column);

#endif /* YR_LOCAL_STATEMENT_H */
