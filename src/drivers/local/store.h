/*
 * The registry's file: opening it, its schema, statements and transactions.
 *
 * A store is used by one thread at a time, off the loop. It holds one SQLite connection, and
 * the descriptor of the companion file through which others are told of changes.
 *
 * Nobody may open the database file but SQLite: closing a descriptor of it would drop the
 * locks that SQLite holds in this process. That is why it is made with mknod(2).
 */
#ifndef YR_LOCAL_STORE_H
#define YR_LOCAL_STORE_H

#include <yurpc/bytes.h>
#include <yurpc/error.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <sqlite3.h>

enum { YR_LOCAL_BOOT_LEN = 36 };

/* Every statement of the driver: XX(name, sql). */
#define YR_LOCAL_SQL_MAP(XX)                                                                 \
    XX(BEGIN_READ, "BEGIN")                                                                  \
    XX(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                       \
    XX(COMMIT, "COMMIT")                                                                     \
    XX(ROLLBACK, "ROLLBACK")                                                                 \
    XX(STATE_GET, "SELECT revision, horizon, seal FROM state WHERE id = 1")                  \
    XX(STATE_PUT, "REPLACE INTO state (id, revision, horizon, seal) VALUES (1, ?1, ?2, ?3)") \
    XX(STATE_GUESS, "SELECT max((SELECT ifnull(max(revision), 0) FROM records),"             \
                    " (SELECT ifnull(max(revision), 0) FROM tombstones))")                   \
    XX(RECORD_GET, "SELECT key, value, owner, revision, seal FROM records WHERE key = ?1")   \
    XX(RECORD_PUT, "REPLACE INTO records (key, value, owner, revision, seal)"                \
                   " VALUES (?1, ?2, ?3, ?4, ?5)")                                           \
    XX(RECORD_DELETE, "DELETE FROM records WHERE key = ?1")                                  \
    XX(RECORDS_ALL, "SELECT key, value, owner, revision, seal FROM records ORDER BY key")    \
    XX(RECORDS_SPAN, "SELECT key, value, owner, revision, seal FROM records"                 \
                     " WHERE key >= ?1 AND key <= ?2 ORDER BY key")                          \
    XX(RECORDS_SINCE, "SELECT key, value, owner, revision, seal FROM records"                \
                      " WHERE revision > ?1 ORDER BY revision")                              \
    XX(RECORDS_OWNED, "SELECT key FROM records WHERE owner = ?1 ORDER BY key")               \
    XX(RECORDS_DISOWN, "DELETE FROM records WHERE owner = ?1")                               \
    XX(OWNER_GONE_NEXT, "SELECT owner FROM records WHERE owner > ?1 AND owner <> 0"          \
                        " AND typeof(owner) = 'integer'"                                     \
                        " AND owner NOT IN (SELECT id FROM sessions)"                        \
                        " ORDER BY owner LIMIT 1")                                           \
    XX(TOMBSTONE_PUT, "REPLACE INTO tombstones (revision, key, seal) VALUES (?1, ?2, ?3)")   \
    XX(TOMBSTONES_SINCE, "SELECT key, revision, seal FROM tombstones"                        \
                         " WHERE revision > ?1 ORDER BY revision")                           \
    XX(TOMBSTONE_NTH, "SELECT revision FROM tombstones ORDER BY revision DESC"               \
                      " LIMIT 1 OFFSET ?1")                                                  \
    XX(TOMBSTONES_PRUNE, "DELETE FROM tombstones WHERE revision <= ?1")                      \
    XX(SESSIONS, "SELECT id, process, deadline_ms, ttl_ms, boot, seal FROM sessions"         \
                 " ORDER BY id")                                                             \
    XX(SESSION_GET, "SELECT id, process, deadline_ms, ttl_ms, boot, seal FROM sessions"      \
                    " WHERE id = ?1")                                                        \
    XX(SESSION_PUT, "REPLACE INTO sessions (id, process, deadline_ms, ttl_ms, boot, seal)"   \
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                      \
    XX(SESSION_DELETE, "DELETE FROM sessions WHERE id = ?1")

typedef enum yr_local_sql {
#define XX(name, sql) YR_LOCAL_SQL_##name,
    YR_LOCAL_SQL_MAP(XX)
#undef XX
        YR_LOCAL_SQL_COUNT
} yr_local_sql;

/* Which file a path led to. */
typedef struct yr_local_identity {
    dev_t device;
    ino_t inode;
} yr_local_identity;

enum { YR_LOCAL_FILES = 4 }; /* the database, its -wal and -shm, and our -sync */

typedef struct yr_local_store {
    const char *file;
    sqlite3 *db; /* NULL: closed */
    sqlite3_stmt *statements[YR_LOCAL_SQL_COUNT];
    yr_local_identity identities[YR_LOCAL_FILES];
    int sync_fd;                      /* -1: closed */
    uint64_t generation;              /* counts successful openings */
    char boot[YR_LOCAL_BOOT_LEN + 1]; /* of this boot of the machine; empty: unknown */
    int64_t process;                  /* our mark, see process.h */
    bool is_counted;                  /* among the connections of the process */
    bool is_suspect;                  /* found damaged: check it before trusting it again */
    bool is_broken;                   /* to be closed when its user has come to an end */
    bool is_changing;                 /* the transaction changes what others want to know */
    bool is_changed;                  /* such a transaction was committed */
    uint64_t damaged;                 /* rows that were skipped because their seal was wrong */

    /* For its present user: */
    int64_t now_ms;                 /* boot time; may be a little late, never early */
    int64_t wait_max_ms;            /* the longest wait for another's lock */
    int64_t waited_ms;              /* of it, for the present lock */
    const atomic_bool *is_canceled; /* stop waiting; may be NULL */
} yr_local_store;

/* A closed store for the file at @p file, which is borrowed. */
void yr_local_store_init(yr_local_store *store, const char *file);

/*
 * Open the file, making it, its directory and its schema when they are missing. Does nothing
 * when it is open and still the file that the path leads to; opens anew when it is not.
 * YURPC_DENIED, YURPC_INVALID (another program's file), YURPC_UNSUPPORTED (a newer schema),
 * YURPC_CORRUPT, YURPC_EXHAUSTED (no room), YURPC_TIMEOUT (locked), YURPC_IO, YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_local_store_open(yr_local_store *store,
                                                 yurpc_error **ret_error);

void yr_local_store_close(yr_local_store *store);

/* The end of one use: tell others of what changed; close what broke. */
void yr_local_store_finish(yr_local_store *store);

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

/* The failure that SQLite reported last, in our words. Never YURPC_OK. */
yurpc_status yr_local_store_fail(yr_local_store *store, yurpc_error **ret_error);

/* Bindings and columns. Texts are bytes: SQLite does not look into them. */
void yr_local_bind_bytes(sqlite3_stmt *statement, int index, yurpc_bytes bytes);
yurpc_bytes yr_local_column_bytes(sqlite3_stmt *statement, int column);

#endif /* YR_LOCAL_STORE_H */
