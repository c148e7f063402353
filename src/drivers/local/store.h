/*
 * The registry's file: opening it, its schema, its failures. What is done with it is
 * statement.h's.
 *
 * A store is used by one thread at a time, off the loop. It holds one SQLite connection, and
 * the descriptor of the companion file through which others are told of changes.
 *
 * Nobody may open the database file but SQLite: closing a descriptor of it would drop the
 * locks that SQLite holds in this process. That is why it is made with mknod(2).
 */
#ifndef YR_LOCAL_STORE_H
#define YR_LOCAL_STORE_H

#include "drivers/local/sql.h"

#include <yurpc/error.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <sqlite3.h>

enum { YR_LOCAL_BOOT_LEN = 36 };

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

/* The failure that SQLite reported last, in our words. Never YURPC_OK. */
yurpc_status yr_local_store_fail(yr_local_store *store, yurpc_error **ret_error);

#endif /* YR_LOCAL_STORE_H */
