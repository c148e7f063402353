#include "drivers/local/store.h"

#include "base/assert.h"
#include "base/error.h"
#include "drivers/local/path.h"
#include "drivers/local/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x59755250, /* "YuRP" */
    SCHEMA_VERSION = 1,
    WAIT_STEP_MAX_MS = 10,
    ROW_LEN_MAX = 1024 * 1024, /* a damaged file may name any length */
};

/* clang-format off */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE state (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL,"
    " horizon INTEGER NOT NULL, seal INTEGER NOT NULL);"
    "CREATE TABLE sessions (id INTEGER PRIMARY KEY, process INTEGER NOT NULL,"
    " deadline_ms INTEGER NOT NULL, ttl_ms INTEGER NOT NULL, boot TEXT NOT NULL,"
    " seal INTEGER NOT NULL);"
    "CREATE TABLE records (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL,"
    " owner INTEGER NOT NULL, revision INTEGER NOT NULL, seal INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX records_by_owner ON records (owner);"
    "CREATE INDEX records_by_revision ON records (revision);"
    "CREATE TABLE tombstones (revision INTEGER PRIMARY KEY, key TEXT NOT NULL,"
    " seal INTEGER NOT NULL);"
    "PRAGMA application_id = 1500861008;" /* APPLICATION_ID */
    "PRAGMA user_version = 1;"            /* SCHEMA_VERSION */
    "COMMIT";

/*
 * WAL, so that readers and a writer do not wait for each other. NORMAL: no fsync at a commit,
 * which kill -9 cannot harm; fsyncs around a checkpoint, so that a power cut cannot damage the
 * file. 65,536 pages are 256 MB: no runaway program fills the disk.
 */
static const char settings[] =
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA journal_size_limit = 4194304;"
    "PRAGMA max_page_count = 65536;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA temp_store = MEMORY;";
/* clang-format on */

void yr_local_store_init(yr_local_store *store, const char *file)
{
    *store = (yr_local_store){.file = file, .sync_fd = -1};
}

/* ---- Failures ---- */

static yurpc_status fail_of_disk(const yr_local_store *store, int code, const char *text,
                                 yurpc_error **ret_error)
{
    char why[128];
    int cause = sqlite3_system_errno(store->db);
    if (code == SQLITE_FULL || cause == ENOSPC || cause == EDQUOT || cause == EFBIG) {
        return yr_error_set(ret_error, YURPC_EXHAUSTED, -1,
                            "no room to write the registry's file %s: make room on its disk "
                            "(it may grow to 256 MB)",
                            store->file);
    }
    return yr_error_set(
        ret_error, YURPC_IO, -1, "cannot read or write the registry's file %s: %s (%s)",
        store->file, text, cause != 0 ? strerror_r(cause, why, sizeof why) : "no cause given");
}

yurpc_status yr_local_store_fail(yr_local_store *store, yurpc_error **ret_error)
{
    int code = sqlite3_extended_errcode(store->db);
    const char *text = sqlite3_errmsg(store->db);
    switch (code & 0xff) {
    case SQLITE_NOMEM: /* it says so of some damage to the schema, too */
        return yr_error_set(ret_error, YURPC_NO_MEMORY, -1,
                            "out of memory at the registry's file %s; if there is enough, the "
                            "file is damaged",
                            store->file);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return yr_error_set(ret_error, YURPC_TIMEOUT, -1,
                            "another process holds the registry's file %s locked (is it "
                            "stopped?)",
                            store->file);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_TOOBIG:
    case SQLITE_ERROR: /* a table or column is missing: our statements are right */
        store->is_suspect = true;
        store->is_broken = true;
        return yr_error_set(ret_error, YURPC_CORRUPT, -1,
                            "the registry's file %s is damaged, or another program's (%s): "
                            "give another path, or move it away with its -wal and -shm, and a "
                            "new one is made",
                            store->file, text);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        store->is_broken = true;
        return yr_error_set(ret_error, YURPC_DENIED, -1,
                            "cannot open the registry's file %s for writing: %s", store->file,
                            text);
    default:
        store->is_broken = (code & 0xff) != SQLITE_FULL;
        return fail_of_disk(store, code, text, ret_error);
    }
}

static yurpc_status fail_of_system(const yr_local_store *store, const char *doing, int code,
                                   yurpc_error **ret_error)
{
    char why[128];
    return yr_error_set(ret_error, yr_local_path_status(code), -1,
                        "cannot %s the registry's file %s: %s", doing, store->file,
                        strerror_r(code, why, sizeof why));
}

/* ---- Waiting for others ---- */

/* One more wait for a lock; false: that was enough. Counts by itself: no clock here. */
static bool wait_once(yr_local_store *store)
{
    bool is_canceled = store->is_canceled != NULL && atomic_load(store->is_canceled);
    if (is_canceled || store->waited_ms >= store->wait_max_ms) {
        return false;
    }
    int64_t step = 1 + store->waited_ms / 4;
    step = step < WAIT_STEP_MAX_MS ? step : WAIT_STEP_MAX_MS;
    sqlite3_sleep((int)step);
    store->waited_ms += step;
    return true;
}

static int on_busy(void *context, int count)
{
    yr_local_store *store = context;
    if (count == 0) {
        store->waited_ms = 0;
    }
    return wait_once(store) ? 1 : 0;
}

static yurpc_status lock_creation(yr_local_store *store, yurpc_error **ret_error)
{
    store->waited_ms = 0;
    while (flock(store->sync_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail_of_system(store, "lock the companion of", errno, ret_error);
        }
        if (!wait_once(store)) {
            return yr_error_set(ret_error, YURPC_TIMEOUT, -1,
                                "another process is making the registry's file %s, and does "
                                "not come to an end",
                                store->file);
        }
    }
    return YURPC_OK;
}

/* ---- Which file it is ---- */

static const char *const companions[YR_LOCAL_FILES] = {NULL, "wal", "shm", "sync"};

static yr_local_identity identify(const yr_local_store *store, int which)
{
    char path[YR_LOCAL_PATH_MAX];
    struct stat info;
    if (companions[which] == NULL) {
        snprintf(path, sizeof path, "%s", store->file);
    } else {
        yr_local_path_companion(store->file, companions[which], path);
    }
    if (stat(path, &info) != 0) {
        return (yr_local_identity){0};
    }
    return (yr_local_identity){info.st_dev, info.st_ino};
}

/* Whether the path, or that of a companion, leads somewhere else now: nobody may go on
 * talking to a file that others do not see. */
static bool is_replaced(const yr_local_store *store)
{
    for (int i = 0; i < YR_LOCAL_FILES; i++) {
        yr_local_identity now = identify(store, i);
        if (now.inode != store->identities[i].inode ||
            now.device != store->identities[i].device) {
            return true;
        }
    }
    int has_moved = 0;
    return sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) ==
               SQLITE_OK &&
           has_moved != 0;
}

/* ---- Opening ---- */

static yurpc_status execute(yr_local_store *store, const char *sql, yurpc_error **ret_error)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? YURPC_OK
               : yr_local_store_fail(store, ret_error);
}

/* The first column of the first row. */
static yurpc_status query_number(yr_local_store *store, const char *sql, int64_t *ret_number,
                                 yurpc_error **ret_error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        yurpc_status status = yr_local_store_fail(store, ret_error);
        sqlite3_finalize(statement);
        return status;
    }
    *ret_number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return YURPC_OK;
}

static void read_boot(yr_local_store *store)
{
    store->boot[0] = '\0';
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return; /* then only the locks tell that a session is of an earlier boot: enough */
    }
    ssize_t len = read(fd, store->boot, YR_LOCAL_BOOT_LEN);
    store->boot[len == YR_LOCAL_BOOT_LEN ? YR_LOCAL_BOOT_LEN : 0] = '\0';
    close(fd);
}

static yurpc_status open_sync(yr_local_store *store, yurpc_error **ret_error)
{
    char path[YR_LOCAL_PATH_MAX];
    yr_local_path_companion(store->file, "sync", path);
    store->sync_fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, S_IRUSR | S_IWUSR);
    return store->sync_fd >= 0
               ? YURPC_OK
               : fail_of_system(store, "open the companion of", errno, ret_error);
}

static yurpc_status connect_file(yr_local_store *store, yurpc_error **ret_error)
{
    yurpc_status status = yr_local_process_enter(ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    store->is_counted = true;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(store->file, &store->db, flags, NULL) != SQLITE_OK) {
        return store->db != NULL ? yr_local_store_fail(store, ret_error)
                                 : yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    sqlite3_busy_handler(store->db, on_busy, store);
    sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, ROW_LEN_MAX);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return YURPC_OK;
}

/* Whose file is it? *@p ret_is_blank: nobody's yet. */
static yurpc_status check_kind(yr_local_store *store, bool *ret_is_blank,
                               yurpc_error **ret_error)
{
    int64_t application = 0;
    int64_t version = 0;
    int64_t tables = 0;
    yurpc_status status = query_number(store, "PRAGMA application_id", &application, ret_error);
    if (status == YURPC_OK) {
        status = query_number(store, "PRAGMA user_version", &version, ret_error);
    }
    if (status == YURPC_OK) {
        status = query_number(store, "SELECT count(*) FROM sqlite_master", &tables, ret_error);
    }
    if (status != YURPC_OK) {
        return status;
    }
    if (application == 0 && version == 0 && tables == 0) {
        *ret_is_blank = true;
        return YURPC_OK;
    }
    if (application != APPLICATION_ID) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "%s is the database of another program: give the registry a path "
                            "of its own",
                            store->file);
    }
    if (version != SCHEMA_VERSION) {
        return yr_error_set(ret_error, YURPC_UNSUPPORTED, -1,
                            "the registry's file %s has schema %lld, this program knows %d: "
                            "use programs of one version, or another path",
                            store->file, (long long)version, (int)SCHEMA_VERSION);
    }
    *ret_is_blank = false;
    return YURPC_OK;
}

/* Make the file if it is missing. What an earlier file left beside it does not belong to it. */
static yurpc_status make_file(const yr_local_store *store, yurpc_error **ret_error)
{
    struct stat info;
    if (stat(store->file, &info) == 0) {
        return YURPC_OK;
    }
    char path[YR_LOCAL_PATH_MAX];
    yr_local_path_companion(store->file, "wal", path);
    unlink(path);
    yr_local_path_companion(store->file, "shm", path);
    unlink(path);
    return mknod(store->file, S_IFREG | S_IRUSR | S_IWUSR, 0) == 0 || errno == EEXIST
               ? YURPC_OK
               : fail_of_system(store, "make", errno, ret_error);
}

/* One process at a time makes a file, so that none removes what another has just made. */
static yurpc_status create(yr_local_store *store, yurpc_error **ret_error)
{
    yurpc_status status = lock_creation(store, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    bool is_blank = false;
    status = make_file(store, ret_error);
    if (status == YURPC_OK && store->db == NULL) {
        status = connect_file(store, ret_error);
    }
    if (status == YURPC_OK) {
        status = check_kind(store, &is_blank, ret_error);
    }
    if (status == YURPC_OK && is_blank) {
        status = execute(store, schema, ret_error);
    }
    flock(store->sync_fd, LOCK_UN);
    return status;
}

static yurpc_status check_suspect(yr_local_store *store, yurpc_error **ret_error)
{
    int64_t is_sound = 0;
    yurpc_status status = query_number(
        store, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &is_sound, ret_error);
    if (status == YURPC_OK && is_sound == 0) {
        return yr_error_set(ret_error, YURPC_CORRUPT, -1,
                            "the registry's file %s is damaged: move it away, with its -wal "
                            "and -shm, and a new one is made",
                            store->file);
    }
    return status;
}

static yurpc_status configure(yr_local_store *store, yurpc_error **ret_error)
{
    int64_t is_wal = 0;
    yurpc_status status = execute(store, settings, ret_error);
    if (status == YURPC_OK) {
        status = execute(store, "PRAGMA journal_mode = WAL", ret_error);
    }
    if (status == YURPC_OK) {
        status = query_number(store, "SELECT journal_mode = 'wal' FROM pragma_journal_mode",
                              &is_wal, ret_error);
    }
    if (status == YURPC_OK && is_wal == 0) {
        return yr_error_set(ret_error, YURPC_UNSUPPORTED, -1,
                            "the file system of %s has no shared memory, which the registry's "
                            "file needs: choose a path on a local disk",
                            store->file);
    }
    if (status == YURPC_OK && store->is_suspect) {
        status = check_suspect(store, ret_error);
    }
    if (status == YURPC_OK) {
        /* Only now is the log there, and known to belong to this file. */
        int64_t rows = 0;
        status = query_number(store, "SELECT count(*) FROM state", &rows, ret_error);
    }
    if (status == YURPC_OK) {
        store->is_suspect = false;
    }
    return status;
}

static yurpc_status open_anew(yr_local_store *store, yurpc_error **ret_error)
{
    yurpc_status status = yr_local_path_prepare(store->file, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    read_boot(store);
    struct stat info;
    bool is_blank = stat(store->file, &info) != 0 || info.st_size == 0;
    if (!is_blank) {
        status = connect_file(store, ret_error);
        if (status == YURPC_OK) {
            status = check_kind(store, &is_blank, ret_error);
        }
    }
    if (status == YURPC_OK) {
        status = open_sync(store, ret_error); /* not beside a file that is not ours */
    }
    if (status == YURPC_OK && is_blank) {
        status = create(store, ret_error);
    }
    if (status == YURPC_OK) {
        status = configure(store, ret_error);
    }
    return status;
}

yurpc_status yr_local_store_open(yr_local_store *store, yurpc_error **ret_error)
{
    if (store->db != NULL && !is_replaced(store)) {
        return YURPC_OK;
    }
    if (store->db != NULL) {
        /* What is in a log that others do not see must not get into a file that they do. */
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    yr_local_store_close(store);
    yurpc_status status = open_anew(store, ret_error);
    if (status != YURPC_OK) {
        yr_local_store_close(store);
        return status;
    }
    for (int i = 0; i < YR_LOCAL_FILES; i++) {
        store->identities[i] = identify(store, i);
    }
    store->generation++;
    return YURPC_OK;
}

void yr_local_store_close(yr_local_store *store)
{
    for (int i = 0; i < YR_LOCAL_SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    int code = sqlite3_close(store->db);
    YR_ASSERT(code == SQLITE_OK); /* no statement is left */
    store->db = NULL;
    if (store->is_counted) {
        yr_local_process_leave();
    }
    store->is_counted = false;
    if (store->sync_fd >= 0) {
        close(store->sync_fd);
    }
    store->sync_fd = -1;
    store->is_broken = false;
    store->is_changed = false;
}

void yr_local_store_finish(yr_local_store *store)
{
    if (store->is_changed) {
        /* Only wakes them up; one who misses it looks by itself, a little later. */
        ssize_t written = pwrite(store->sync_fd, "\n", 1, 0);
        (void)written;
        store->is_changed = false;
    }
    if (store->is_broken) {
        yr_local_store_close(store);
    }
}
