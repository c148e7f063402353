#include "drivers/local/lease.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "drivers/local/lock.h"
#include "drivers/local/seal.h"
#include "drivers/local/statement.h"

/* The longest that looking who is dead waits for a writer: it can do without. */
enum { REAP_WAIT_MS = 200 };

void yr_local_dead_deinit(yr_local_dead *dead)
{
    yr_free(dead->ids);
    *dead = (yr_local_dead){0};
}

static yurpc_status dead_append(yr_local_dead *dead, int64_t id)
{
    int64_t *ids = yr_grow(dead->ids, dead->count, &dead->cap, sizeof *ids);
    if (ids == NULL) {
        return YURPC_NO_MEMORY;
    }
    dead->ids = ids;
    dead->ids[dead->count++] = id;
    return YURPC_OK;
}

/* The session in the present row; false: damaged (its id is what the row is found by). */
static bool read_session(sqlite3_stmt *statement, yr_local_seal_lease *ret_lease,
                         yurpc_bytes *ret_boot)
{
    *ret_lease = (yr_local_seal_lease){.id = sqlite3_column_int64(statement, 0),
                                       .process = sqlite3_column_int64(statement, 1),
                                       .deadline_ms = sqlite3_column_int64(statement, 2),
                                       .ttl_ms = sqlite3_column_int64(statement, 3)};
    *ret_boot = yr_local_column_bytes(statement, 4);
    return sqlite3_column_int64(statement, 5) == yr_local_seal_session(ret_lease, *ret_boot);
}

/* By its row alone. */
static bool is_valid(const yr_local_store *store, const yr_local_seal_lease *lease,
                     yurpc_bytes boot)
{
    return yr_bytes_equal(boot, yr_bytes_of_text(store->boot)) &&
           lease->deadline_ms > store->now_ms;
}

/* Name all that are dead, in the order of ids. */
static yurpc_status find_dead(yr_local_store *store, yr_local_dead *dead,
                              yurpc_error **ret_error)
{
    dead->count = 0;
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_SESSIONS);
    yurpc_status status = YURPC_OK;
    bool is_row = true;
    while (status == YURPC_OK && is_row) {
        yr_local_seal_lease lease;
        yurpc_bytes boot;
        status = yr_local_store_step(store, statement, &is_row, ret_error);
        if (status != YURPC_OK || !is_row) {
            continue;
        }
        bool is_sound = read_session(statement, &lease, &boot);
        store->damaged += is_sound ? 0 : 1;
        bool is_alive =
            is_sound && is_valid(store, &lease, boot) &&
            (lease.process == store->process || yr_local_lock_is_held(store->file, lease.id));
        if (!is_alive && dead_append(dead, lease.id) != YURPC_OK) {
            status = yr_error_set_status(ret_error, YURPC_NO_MEMORY);
        }
    }
    sqlite3_reset(statement);
    return status;
}

static yurpc_status delete_session(yr_local_store *store, yr_local_state *state, int64_t id,
                                   yurpc_error **ret_error)
{
    yurpc_status status = yr_local_record_delete_owned(store, state, id, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_SESSION_DELETE);
    sqlite3_bind_int64(statement, 1, id);
    return yr_local_store_run(store, statement, ret_error);
}

/* The first owner after *@p owner whose session is not there at all: its row was damaged. */
static yurpc_status next_orphan(yr_local_store *store, int64_t *owner, bool *ret_is_found,
                                yurpc_error **ret_error)
{
    /* Anew each time: deleting moves what a statement walks on. */
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_OWNER_GONE_NEXT);
    sqlite3_bind_int64(statement, 1, *owner);
    bool is_row = false;
    yurpc_status status = yr_local_store_step(store, statement, &is_row, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    *ret_is_found = false;
    if (is_row) {
        int64_t found = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        *ret_is_found = found > *owner; /* a damaged index: this must come to an end */
        *owner = found;
    }
    return YURPC_OK;
}

static yurpc_status delete_orphans(yr_local_store *store, yr_local_state *state,
                                   yurpc_error **ret_error)
{
    int64_t owner = INT64_MIN; /* nobody's: ids are drawn, and are positive */
    bool is_found = true;
    yurpc_status status = next_orphan(store, &owner, &is_found, ret_error);
    while (status == YURPC_OK && is_found) {
        status = yr_local_record_delete_owned(store, state, owner, ret_error);
        if (status == YURPC_OK) {
            status = next_orphan(store, &owner, &is_found, ret_error);
        }
    }
    return status;
}

static yurpc_status remove_dead(yr_local_store *store, yr_local_dead *dead,
                                yurpc_error **ret_error)
{
    yr_local_state state;
    yurpc_status status = yr_local_change_begin(store, &state, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    int64_t before = state.revision;
    status = find_dead(store, dead, ret_error); /* one may have been renewed meanwhile */
    for (size_t i = 0; i < dead->count && status == YURPC_OK; i++) {
        status = delete_session(store, &state, dead->ids[i], ret_error);
    }
    if (status == YURPC_OK) {
        status = delete_orphans(store, &state, ret_error);
    }
    status = yr_local_change_end(store, &state, before, status, ret_error);
    for (size_t i = 0; i < dead->count && status == YURPC_OK; i++) {
        yr_local_lock_drop(store->file, dead->ids[i], -1);
    }
    return status;
}

yurpc_status yr_local_lease_reap(yr_local_store *store, yr_local_dead *ret_dead,
                                 yurpc_error **ret_error)
{
    yurpc_status status = find_dead(store, ret_dead, ret_error);
    if (status != YURPC_OK || ret_dead->count == 0) {
        return status;
    }
    int64_t wait_max_ms = store->wait_max_ms;
    store->wait_max_ms = wait_max_ms < REAP_WAIT_MS ? wait_max_ms : REAP_WAIT_MS;
    status = remove_dead(store, ret_dead, NULL);
    store->wait_max_ms = wait_max_ms;
    if (status == YURPC_OK) {
        ret_dead->count = 0;
        return YURPC_OK;
    }
    /* They are still there, and named. What cannot even be read fails here again. */
    return find_dead(store, ret_dead, ret_error);
}

/* ---- Tidying up ---- */

typedef struct yr_local_sweep {
    yr_local_store *store;
    bool is_failed;
} yr_local_sweep;

static yurpc_status get_session(yr_local_store *store, int64_t id, bool *ret_is_there,
                                bool *ret_is_valid, yurpc_error **ret_error)
{
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_SESSION_GET);
    sqlite3_bind_int64(statement, 1, id);
    bool is_there = false;
    yurpc_status status = yr_local_store_step(store, statement, &is_there, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    *ret_is_there = is_there;
    *ret_is_valid = false;
    if (is_there) {
        yr_local_seal_lease lease;
        yurpc_bytes boot;
        *ret_is_valid = read_session(statement, &lease, &boot) && is_valid(store, &lease, boot);
        sqlite3_reset(statement);
    }
    return YURPC_OK;
}

/* A file whose session is not there was left by a process that died while it made one. */
static void sweep_lock(void *context, int64_t id)
{
    yr_local_sweep *sweep = context;
    bool is_there = true;
    bool is_valid = false;
    if (sweep->is_failed) {
        return;
    }
    if (get_session(sweep->store, id, &is_there, &is_valid, NULL) != YURPC_OK) {
        sweep->is_failed = true;
    } else if (!is_there && !yr_local_lock_is_held(sweep->store->file, id)) {
        yr_local_lock_drop(sweep->store->file, id, -1);
    }
}

yurpc_status yr_local_lease_tidy(yr_local_store *store, yurpc_error **ret_error)
{
    yr_local_dead dead = {0};
    yurpc_status status = remove_dead(store, &dead, ret_error);
    yr_local_dead_deinit(&dead);
    if (status != YURPC_OK) {
        return status;
    }
    /* Sessions are made in a write transaction: during this one none is half made. */
    status = yr_local_store_begin(store, true, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    yr_local_sweep sweep = {.store = store};
    yr_local_lock_each(store->file, sweep_lock, &sweep);
    return yr_local_store_commit(store, ret_error);
}

/* ---- One session ---- */

static yurpc_status put_session(yr_local_store *store, int64_t id, int64_t ttl_ms,
                                yurpc_error **ret_error)
{
    yurpc_bytes boot = yr_bytes_of_text(store->boot);
    yr_local_seal_lease lease = {.id = id,
                                 .process = store->process,
                                 .deadline_ms = store->now_ms + ttl_ms,
                                 .ttl_ms = ttl_ms};
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_SESSION_PUT);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, lease.process);
    sqlite3_bind_int64(statement, 3, lease.deadline_ms);
    sqlite3_bind_int64(statement, 4, ttl_ms);
    yr_local_bind_bytes(statement, 5, boot);
    sqlite3_bind_int64(statement, 6, yr_local_seal_session(&lease, boot));
    return yr_local_store_run(store, statement, ret_error);
}

yurpc_status yr_local_lease_open(yr_local_store *store, int64_t id, int64_t ttl_ms,
                                 int *ret_lock_fd, yurpc_error **ret_error)
{
    int fd = -1;
    yurpc_status status = yr_local_store_begin(store, true, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    status = yr_local_lock_take(store->file, id, &fd, ret_error);
    if (status == YURPC_OK) {
        status = put_session(store, id, ttl_ms, ret_error);
    }
    if (status == YURPC_OK) {
        status = yr_local_store_commit(store, ret_error);
    } else {
        yr_local_store_rollback(store);
    }
    if (status == YURPC_OK) {
        *ret_lock_fd = fd;
    } else if (fd >= 0) {
        yr_local_lock_drop(store->file, id, fd);
    }
    return status;
}

yurpc_status yr_local_lease_check(yr_local_store *store, int64_t id, yurpc_error **ret_error)
{
    bool is_there = false;
    bool is_valid = false;
    yurpc_status status = get_session(store, id, &is_there, &is_valid, ret_error);
    if (status == YURPC_OK && !is_valid) {
        return yr_error_set(ret_error, YURPC_LEASE_LOST, -1,
                            is_there ? "the session was not renewed for a whole TTL"
                                     : "the session is not in the registry's file any more");
    }
    return status;
}

yurpc_status yr_local_lease_renew(yr_local_store *store, int64_t id, int64_t ttl_ms,
                                  yurpc_error **ret_error)
{
    yurpc_status status = yr_local_store_begin(store, true, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    status = yr_local_lease_check(store, id, ret_error);
    if (status == YURPC_OK) {
        status = put_session(store, id, ttl_ms, ret_error);
    }
    if (status == YURPC_OK) {
        return yr_local_store_commit(store, ret_error);
    }
    yr_local_store_rollback(store);
    return status;
}

yurpc_status yr_local_lease_end(yr_local_store *store, int64_t id, int lock_fd,
                                yurpc_error **ret_error)
{
    yr_local_state state;
    yurpc_status status = yr_local_change_begin(store, &state, ret_error);
    if (status == YURPC_OK) {
        int64_t before = state.revision;
        status = delete_session(store, &state, id, ret_error);
        status = yr_local_change_end(store, &state, before, status, ret_error);
    }
    yr_local_lock_drop(store->file, id, lock_fd);
    return status;
}
