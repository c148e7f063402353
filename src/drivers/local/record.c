#include "drivers/local/record.h"

#include "base/bytes.h"
#include "base/error.h"
#include "drivers/local/seal.h"
#include "drivers/local/statement.h"
#include "registry/instance.h"

static const yurpc_bytes root = {"/rpc/", 5};

/* ---- Keys ---- */

static bool is_name(yurpc_bytes text, size_t len_max)
{
    return text.len > 0 && text.len <= len_max && memchr(text.data, '/', text.len) == NULL &&
           memchr(text.data, '\0', text.len) == NULL;
}

yurpc_status yr_local_key_make(yurpc_bytes service, yurpc_bytes node, yr_local_key *ret_key,
                               yurpc_error **ret_error)
{
    enum { NODE_LEN_MAX = YR_HOST_LEN_MAX + 16 };
    _Static_assert(YR_SERVICE_LEN_MAX + NODE_LEN_MAX + 8 < YR_LOCAL_KEY_MAX, "keys fit");
    if (!is_name(service, YR_SERVICE_LEN_MAX) || !is_name(node, NODE_LEN_MAX)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "a service or node is empty, too long, or has a '/' in it");
    }
    char *at = ret_key->text;
    memcpy(at, root.data, root.len);
    at += root.len;
    memcpy(at, service.data, service.len);
    at += service.len;
    *at++ = '/';
    memcpy(at, node.data, node.len);
    ret_key->len = root.len + service.len + 1 + node.len;
    return YURPC_OK;
}

/* The service and node of a key; false: it is none of ours. */
static bool split_key(yurpc_bytes key, yurpc_bytes *ret_service, yurpc_bytes *ret_node)
{
    if (!yr_bytes_have_prefix(key, root)) {
        return false;
    }
    yurpc_bytes rest = yr_bytes_after(key, root.len);
    const char *slash = rest.len > 0 ? memchr(rest.data, '/', rest.len) : NULL;
    if (slash == NULL) {
        return false;
    }
    size_t len = (size_t)(slash - (const char *)rest.data);
    *ret_service = yr_bytes(rest.data, len);
    *ret_node = yr_bytes_after(rest, len + 1);
    return len > 0 && ret_node->len > 0;
}

static void bind_key(sqlite3_stmt *statement, int index, const yr_local_key *key)
{
    yr_local_bind_bytes(statement, index, yr_bytes(key->text, key->len));
}

/* ---- State ---- */

/* Whether counting on from there cannot come to an end: nothing of ours gets further. */
static bool can_count_on(const yr_local_state *state)
{
    const int64_t last = INT64_MAX - ((int64_t)1 << 40);
    return state->revision >= 0 && state->revision < last;
}

static yurpc_status read_state(yr_local_store *store, yr_local_state *state, bool *ret_is_sound,
                               yurpc_error **ret_error)
{
    bool is_row = false;
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_STATE_GET);
    yurpc_status status = yr_local_store_step(store, statement, &is_row, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    *state = (yr_local_state){0};
    *ret_is_sound = false;
    if (is_row) {
        state->revision = sqlite3_column_int64(statement, 0);
        state->horizon = sqlite3_column_int64(statement, 1);
        *ret_is_sound =
            can_count_on(state) && sqlite3_column_int64(statement, 2) ==
                                       yr_local_seal_state(state->revision, state->horizon);
        sqlite3_reset(statement);
    }
    return YURPC_OK;
}

yurpc_status yr_local_state_get(yr_local_store *store, yr_local_state *ret_state,
                                yurpc_error **ret_error)
{
    bool is_sound = false;
    yr_local_state state;
    yurpc_status status = read_state(store, &state, &is_sound, ret_error);
    if (status == YURPC_OK && !is_sound) {
        /* Revision 0 is nobody's: a reader sees a gap and lists; the next writer mends it. */
        state = (yr_local_state){0};
    }
    if (status == YURPC_OK) {
        *ret_state = state;
    }
    return status;
}

static yurpc_status mend_state(yr_local_store *store, yr_local_state *ret_state,
                               yurpc_error **ret_error)
{
    bool is_sound = false;
    yr_local_state state;
    yurpc_status status = read_state(store, &state, &is_sound, ret_error);
    if (status != YURPC_OK || is_sound) {
        if (status == YURPC_OK) {
            *ret_state = state;
        }
        return status;
    }
    bool is_row = false;
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_STATE_GUESS);
    status = yr_local_store_step(store, statement, &is_row, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    /* A damaged row may claim any revision: leave room above it to count on. */
    int64_t seen = is_row ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    seen = seen >= 0 && seen < INT64_MAX / 2 ? seen : INT64_MAX / 2;
    if (seen == 0) { /* a new file */
        *ret_state = (yr_local_state){0};
        return YURPC_OK;
    }
    *ret_state = (yr_local_state){.revision = seen + 1, .horizon = seen + 1};
    return YURPC_OK;
}

static yurpc_status prune(yr_local_store *store, yr_local_state *state, yurpc_error **ret_error)
{
    bool is_row = false;
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_TOMBSTONE_NTH);
    sqlite3_bind_int64(statement, 1, YR_LOCAL_TOMBSTONES_MAX);
    yurpc_status status = yr_local_store_step(store, statement, &is_row, ret_error);
    if (status != YURPC_OK || !is_row) {
        return status;
    }
    int64_t revision = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    statement = yr_local_store_statement(store, YR_LOCAL_SQL_TOMBSTONES_PRUNE);
    sqlite3_bind_int64(statement, 1, revision);
    status = yr_local_store_run(store, statement, ret_error);
    if (status == YURPC_OK && revision > state->horizon) {
        state->horizon = revision;
    }
    return status;
}

static yurpc_status put_state(yr_local_store *store, yr_local_state *state,
                              int64_t revision_before, yurpc_error **ret_error)
{
    if (state->revision / YR_LOCAL_PRUNE_EVERY != revision_before / YR_LOCAL_PRUNE_EVERY) {
        yurpc_status status = prune(store, state, ret_error);
        if (status != YURPC_OK) {
            return status;
        }
    }
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_STATE_PUT);
    sqlite3_bind_int64(statement, 1, state->revision);
    sqlite3_bind_int64(statement, 2, state->horizon);
    sqlite3_bind_int64(statement, 3, yr_local_seal_state(state->revision, state->horizon));
    store->is_changing = true;
    return yr_local_store_run(store, statement, ret_error);
}

yurpc_status yr_local_change_begin(yr_local_store *store, yr_local_state *ret_state,
                                   yurpc_error **ret_error)
{
    yurpc_status status = yr_local_store_begin(store, true, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    status = mend_state(store, ret_state, ret_error);
    if (status != YURPC_OK) {
        yr_local_store_rollback(store);
    }
    return status;
}

yurpc_status yr_local_change_end(yr_local_store *store, yr_local_state *state,
                                 int64_t revision_before, yurpc_status status,
                                 yurpc_error **ret_error)
{
    if (status == YURPC_OK && state->revision != revision_before) {
        status = put_state(store, state, revision_before, ret_error);
    }
    if (status == YURPC_OK) {
        return yr_local_store_commit(store, ret_error);
    }
    yr_local_store_rollback(store);
    return status;
}

/* ---- One record ---- */

/* The record in the present row of a statement; false, and counted: damaged. */
static bool read_record(yr_local_store *store, sqlite3_stmt *statement, yr_fact *ret_fact)
{
    yurpc_bytes key = yr_local_column_bytes(statement, 0);
    yr_fact fact = {.kind = YR_FACT_PUT,
                    .value = yr_local_column_bytes(statement, 1),
                    .owner = sqlite3_column_int64(statement, 2),
                    .revision = sqlite3_column_int64(statement, 3)};
    int64_t seal = yr_local_seal_record(key, fact.value, fact.owner, fact.revision);
    if (seal != sqlite3_column_int64(statement, 4) ||
        !split_key(key, &fact.service, &fact.node)) {
        store->damaged++;
        return false;
    }
    *ret_fact = fact;
    return true;
}

yurpc_status yr_local_record_find(yr_local_store *store, const yr_local_key *key,
                                  yr_local_found *ret_found, yurpc_error **ret_error)
{
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_RECORD_GET);
    bind_key(statement, 1, key);
    yr_local_found found = {0};
    yurpc_status status = yr_local_store_step(store, statement, &found.is_there, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    if (found.is_there) {
        yr_fact fact = {0};
        found.is_damaged = !read_record(store, statement, &fact);
        found.owner = fact.owner;
        sqlite3_reset(statement);
    }
    *ret_found = found;
    return YURPC_OK;
}

yurpc_status yr_local_record_put(yr_local_store *store, yr_local_state *state,
                                 const yr_local_key *key, yurpc_bytes value, int64_t owner,
                                 yurpc_error **ret_error)
{
    int64_t revision = state->revision + 1;
    yurpc_bytes name = yr_bytes(key->text, key->len);
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_RECORD_PUT);
    bind_key(statement, 1, key);
    yr_local_bind_bytes(statement, 2, value);
    sqlite3_bind_int64(statement, 3, owner);
    sqlite3_bind_int64(statement, 4, revision);
    sqlite3_bind_int64(statement, 5, yr_local_seal_record(name, value, owner, revision));
    yurpc_status status = yr_local_store_run(store, statement, ret_error);
    if (status == YURPC_OK) {
        state->revision = revision;
    }
    return status;
}

static yurpc_status bury(yr_local_store *store, yr_local_state *state, yurpc_bytes key,
                         yurpc_error **ret_error)
{
    int64_t revision = state->revision + 1;
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_TOMBSTONE_PUT);
    sqlite3_bind_int64(statement, 1, revision);
    yr_local_bind_bytes(statement, 2, key);
    sqlite3_bind_int64(statement, 3, yr_local_seal_tombstone(key, revision));
    yurpc_status status = yr_local_store_run(store, statement, ret_error);
    if (status == YURPC_OK) {
        state->revision = revision;
    }
    return status;
}

yurpc_status yr_local_record_delete(yr_local_store *store, yr_local_state *state,
                                    const yr_local_key *key, yurpc_error **ret_error)
{
    yurpc_status status = bury(store, state, yr_bytes(key->text, key->len), ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_RECORD_DELETE);
    bind_key(statement, 1, key);
    return yr_local_store_run(store, statement, ret_error);
}

yurpc_status yr_local_record_delete_owned(yr_local_store *store, yr_local_state *state,
                                          int64_t owner, yurpc_error **ret_error)
{
    yurpc_status status = YURPC_OK;
    sqlite3_stmt *owned = yr_local_store_statement(store, YR_LOCAL_SQL_RECORDS_OWNED);
    sqlite3_bind_int64(owned, 1, owner);
    bool is_row = true;
    while (status == YURPC_OK && is_row) {
        status = yr_local_store_step(store, owned, &is_row, ret_error);
        if (status == YURPC_OK && is_row) {
            status = bury(store, state, yr_local_column_bytes(owned, 0), ret_error);
        }
    }
    sqlite3_reset(owned);
    if (status != YURPC_OK) {
        return status;
    }
    sqlite3_stmt *disown = yr_local_store_statement(store, YR_LOCAL_SQL_RECORDS_DISOWN);
    sqlite3_bind_int64(disown, 1, owner);
    return yr_local_store_run(store, disown, ret_error);
}

/* ---- Many ---- */

static bool is_dead(const yr_local_span *span, int64_t owner)
{
    size_t low = 0;
    size_t high = span->dead_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span->dead[middle] < owner) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < span->dead_count && span->dead[low] == owner;
}

/* What the statement finds; @p span, unless NULL, says whose records are none. */
static yurpc_status append_rows(yr_local_store *store, sqlite3_stmt *statement,
                                const yr_local_span *span, yr_local_facts *facts,
                                yurpc_error **ret_error)
{
    yurpc_status status = YURPC_OK;
    bool is_row = true;
    while (status == YURPC_OK && is_row) {
        yr_fact fact;
        status = yr_local_store_step(store, statement, &is_row, ret_error);
        if (status == YURPC_OK && is_row && read_record(store, statement, &fact) &&
            (span == NULL || !is_dead(span, fact.owner)) &&
            yr_local_facts_append(facts, &fact) != YURPC_OK) {
            status = yr_error_set_status(ret_error, YURPC_NO_MEMORY);
        }
    }
    sqlite3_reset(statement);
    return status;
}

yurpc_status yr_local_record_list(yr_local_store *store, const yr_local_span *span,
                                  yr_local_facts *facts, yurpc_error **ret_error)
{
    yr_local_sql sql =
        span->first != NULL ? YR_LOCAL_SQL_RECORDS_SPAN : YR_LOCAL_SQL_RECORDS_ALL;
    sqlite3_stmt *statement = yr_local_store_statement(store, sql);
    if (span->first != NULL) {
        bind_key(statement, 1, span->first);
        bind_key(statement, 2, span->last);
    }
    return append_rows(store, statement, span, facts, ret_error);
}

static yurpc_status append_puts(yr_local_store *store, int64_t revision, yr_local_facts *facts,
                                yurpc_error **ret_error)
{
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_RECORDS_SINCE);
    sqlite3_bind_int64(statement, 1, revision);
    return append_rows(store, statement, NULL, facts, ret_error);
}

static yurpc_status append_deletes(yr_local_store *store, int64_t revision,
                                   yr_local_facts *facts, yurpc_error **ret_error)
{
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_TOMBSTONES_SINCE);
    sqlite3_bind_int64(statement, 1, revision);
    yurpc_status status = YURPC_OK;
    bool is_row = true;
    while (status == YURPC_OK && is_row) {
        status = yr_local_store_step(store, statement, &is_row, ret_error);
        if (status != YURPC_OK || !is_row) {
            continue;
        }
        yurpc_bytes key = yr_local_column_bytes(statement, 0);
        yr_fact fact = {.kind = YR_FACT_DELETE, .revision = sqlite3_column_int64(statement, 1)};
        if (sqlite3_column_int64(statement, 2) != yr_local_seal_tombstone(key, fact.revision) ||
            !split_key(key, &fact.service, &fact.node)) {
            store->damaged++;
        } else if (yr_local_facts_append(facts, &fact) != YURPC_OK) {
            status = yr_error_set_status(ret_error, YURPC_NO_MEMORY);
        }
    }
    sqlite3_reset(statement);
    return status;
}

yurpc_status yr_local_record_changes(yr_local_store *store, const yr_local_state *state,
                                     int64_t revision, yr_local_facts *facts, bool *ret_is_gap,
                                     yurpc_error **ret_error)
{
    if (revision < state->horizon || revision > state->revision) {
        *ret_is_gap = true;
        return YURPC_OK;
    }
    if (revision == state->revision) {
        *ret_is_gap = false;
        return YURPC_OK;
    }
    uint64_t damaged_before = store->damaged;
    yurpc_status status = append_puts(store, revision, facts, ret_error);
    if (status == YURPC_OK) {
        status = append_deletes(store, revision, facts, ret_error);
    }
    if (status == YURPC_OK) {
        /* A damaged row may have been the end of a node that is believed to be there. */
        *ret_is_gap = store->damaged != damaged_before;
    }
    return status;
}
