#include "drivers/local/statement.h"

#include "base/assert.h"

static const char *const sql_texts[YR_LOCAL_SQL_COUNT] = {
#define XX(name, sql) [YR_LOCAL_SQL_##name] = (sql),
    YR_LOCAL_SQL_MAP(XX)
#undef XX
};

sqlite3_stmt *yr_local_store_statement(yr_local_store *store, yr_local_sql sql)
{
    sqlite3_stmt **statement = &store->statements[sql];
    if (*statement == NULL) {
        if (sqlite3_prepare_v3(store->db, sql_texts[sql], -1, SQLITE_PREPARE_PERSISTENT,
                               statement, NULL) != SQLITE_OK) {
            return NULL;
        }
    }
    sqlite3_reset(*statement);
    return *statement;
}

yurpc_status yr_local_store_step(yr_local_store *store, sqlite3_stmt *statement,
                                 bool *ret_is_row, yurpc_error **ret_error)
{
    if (statement == NULL) {
        return yr_local_store_fail(store, ret_error);
    }
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *ret_is_row = true;
        return YURPC_OK;
    }
    yurpc_status status =
        code == SQLITE_DONE ? YURPC_OK : yr_local_store_fail(store, ret_error);
    sqlite3_reset(statement);
    if (status == YURPC_OK) {
        *ret_is_row = false;
    }
    return status;
}

yurpc_status yr_local_store_run(yr_local_store *store, sqlite3_stmt *statement,
                                yurpc_error **ret_error)
{
    bool is_row = false;
    yurpc_status status = yr_local_store_step(store, statement, &is_row, ret_error);
    YR_ASSERT(!is_row);
    return status;
}

static yurpc_status run_simple(yr_local_store *store, yr_local_sql sql, yurpc_error **ret_error)
{
    return yr_local_store_run(store, yr_local_store_statement(store, sql), ret_error);
}

yurpc_status yr_local_store_begin(yr_local_store *store, bool is_write, yurpc_error **ret_error)
{
    return run_simple(store, is_write ? YR_LOCAL_SQL_BEGIN_WRITE : YR_LOCAL_SQL_BEGIN_READ,
                      ret_error);
}

yurpc_status yr_local_store_commit(yr_local_store *store, yurpc_error **ret_error)
{
    yurpc_status status = run_simple(store, YR_LOCAL_SQL_COMMIT, ret_error);
    if (status != YURPC_OK) {
        yr_local_store_rollback(store);
        return status;
    }
    store->is_changed = store->is_changed || store->is_changing;
    store->is_changing = false;
    return YURPC_OK;
}

void yr_local_store_rollback(yr_local_store *store)
{
    /* Some failures have rolled back already. */
    if (sqlite3_get_autocommit(store->db) == 0 &&
        run_simple(store, YR_LOCAL_SQL_ROLLBACK, NULL) != YURPC_OK) {
        store->is_broken = true;
    }
    store->is_changing = false;
}

void yr_local_bind_bytes(sqlite3_stmt *statement, int index, yurpc_bytes bytes)
{
    /* A failure leaves NULL, which matches nothing and which no column takes. */
    const char *text = bytes.data != NULL ? bytes.data : "";
    sqlite3_bind_text64(statement, index, text, bytes.len, SQLITE_STATIC, SQLITE_UTF8);
}

yurpc_bytes yr_local_column_bytes(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_text(statement, column);
    size_t len = data != NULL ? (size_t)sqlite3_column_bytes(statement, column) : 0;
    return (yurpc_bytes){data, len};
}
