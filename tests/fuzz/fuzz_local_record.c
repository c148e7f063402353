/*
 * The registry's file with rows that nobody of us wrote: any type in any column, sealed or not.
 * A list and the changes name only what is sealed, writing goes on, and afterwards the file is
 * in order.
 *
 * The input is rows and operations, one behind the other; see run().
 */
#include "base/mem.h"
#include "drivers/local/lease.h"
#include "drivers/local/process.h"
#include "drivers/local/seal.h"
#include "drivers/local/statement.h"
#include "fuzz.h"
#include "fuzz_folder.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 64, ID = 77 };

/* ---- Rows ---- */

static int64_t fuzz_integer(fuzz_input *in)
{
    static const int64_t special[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX / 2, ID, 1023};
    uint8_t choice = fuzz_byte(in);
    return choice < 128 ? special[choice % 8] : (int64_t)fuzz_number(in, 2);
}

/* Bind something: a number, a text, a blob, NULL. */
static void bind_any(sqlite3_stmt *statement, int index, fuzz_input *in)
{
    uint8_t kind = fuzz_byte(in);
    yurpc_bytes piece;
    switch (kind % 5) {
    case 0:
        sqlite3_bind_int64(statement, index, fuzz_integer(in));
        break;
    case 1:
        sqlite3_bind_double(statement, index, (double)fuzz_integer(in) * 1e9);
        break;
    case 2:
        piece = fuzz_piece(in, kind / 5);
        sqlite3_bind_blob64(statement, index, piece.data, piece.len, SQLITE_TRANSIENT);
        break;
    case 3:
        sqlite3_bind_null(statement, index);
        break;
    default:
        piece = fuzz_piece(in, kind / 5);
        sqlite3_bind_text64(statement, index, piece.len > 0 ? piece.data : "", piece.len,
                            SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    }
}

/* A row that keeps none of our rules. */
static void put_any(yr_local_store *store, yr_local_sql sql, fuzz_input *in)
{
    sqlite3_stmt *statement = yr_local_store_statement(store, sql);
    require(statement != NULL);
    int count = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= count; i++) {
        bind_any(statement, i, in);
    }
    (void)sqlite3_step(statement); /* a column may refuse */
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* A record with a seal that is right: somebody could make one. */
static void put_sealed(yr_local_store *store, fuzz_input *in)
{
    char text[64];
    yurpc_bytes name = fuzz_piece(in, fuzz_byte(in) % 32);
    int len = snprintf(text, sizeof text, "/rpc/%.*s", (int)name.len, (const char *)name.data);
    yurpc_bytes key = yr_bytes(text, (size_t)len);
    yurpc_bytes value = fuzz_piece(in, fuzz_byte(in));
    int64_t owner = fuzz_integer(in);
    int64_t revision = fuzz_integer(in);
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_RECORD_PUT);
    yr_local_bind_bytes(statement, 1, key);
    yr_local_bind_bytes(statement, 2, value);
    sqlite3_bind_int64(statement, 3, owner);
    sqlite3_bind_int64(statement, 4, revision);
    sqlite3_bind_int64(statement, 5, yr_local_seal_record(key, value, owner, revision));
    (void)sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* A state that is right, whatever it says. */
static void put_state(yr_local_store *store, fuzz_input *in)
{
    int64_t revision = fuzz_integer(in);
    int64_t horizon = fuzz_integer(in);
    sqlite3_stmt *statement = yr_local_store_statement(store, YR_LOCAL_SQL_STATE_PUT);
    sqlite3_bind_int64(statement, 1, revision);
    sqlite3_bind_int64(statement, 2, horizon);
    sqlite3_bind_int64(statement, 3, yr_local_seal_state(revision, horizon));
    (void)sqlite3_step(statement);
    sqlite3_reset(statement);
}

/* ---- What the driver does ---- */

static void check_facts(yr_local_facts *facts, bool is_list)
{
    yr_local_facts_settle(facts, !is_list);
    for (size_t i = 0; i < facts->count; i++) {
        const yr_fact *fact = &facts->items[i];
        require(fact->service.len > 0 && fact->node.len > 0);
        require(memchr(fact->service.data, '/', fact->service.len) == NULL);
        require(is_list || i == 0 || facts->items[i - 1].revision <= fact->revision);
    }
}

static void look(yr_local_store *store, fuzz_input *in)
{
    yr_local_state state;
    yr_local_facts facts;
    static const int64_t dead[] = {1, 5, ID};
    yr_local_key first;
    yr_local_key last;
    require(yr_local_key_make(yr_bytes("a", 1), yr_bytes("a", 1), &first, NULL) == YURPC_OK);
    require(yr_local_key_make(yr_bytes("y", 1), yr_bytes("z", 1), &last, NULL) == YURPC_OK);
    const yr_local_span all = {.first = NULL};
    const yr_local_span some = {
        .first = &first, .last = &last, .dead = dead, .dead_count = sizeof dead / sizeof *dead};
    bool is_gap = false;
    yr_local_facts_init(&facts);
    require(yr_local_store_begin(store, false, NULL) == YURPC_OK);
    require(yr_local_state_get(store, &state, NULL) == YURPC_OK);
    require(yr_local_record_list(store, &all, &facts, NULL) == YURPC_OK);
    check_facts(&facts, true);
    size_t count = facts.count;
    yr_local_facts_deinit(&facts);
    yr_local_facts_init(&facts);
    yr_mem_fail_after(0);
    yurpc_status status = yr_local_record_list(store, &all, &facts, NULL);
    yr_mem_fail_after(-1);
    require(status == (count > 0 ? YURPC_NO_MEMORY : YURPC_OK));
    yr_local_facts_clear(&facts);
    require(yr_local_record_list(store, &some, &facts, NULL) == YURPC_OK);
    require(facts.count <= count);
    yr_local_facts_clear(&facts);
    int64_t since = fuzz_integer(in);
    require(yr_local_record_changes(store, &state, since, &facts, &is_gap, NULL) == YURPC_OK);
    if (!is_gap) {
        check_facts(&facts, false);
    }
    yr_local_store_rollback(store);
    yr_local_facts_deinit(&facts);
}

static void change(yr_local_store *store, fuzz_input *in)
{
    yr_local_state state;
    yr_local_key key;
    yr_local_found found;
    uint8_t what = fuzz_byte(in);
    yurpc_bytes service = fuzz_piece(in, what / 8);
    yurpc_bytes node = fuzz_piece(in, what % 8);
    if (yr_local_key_make(service, node, &key, NULL) != YURPC_OK) {
        return;
    }
    require(yr_local_change_begin(store, &state, NULL) == YURPC_OK);
    int64_t before = state.revision;
    require(yr_local_record_put(store, &state, &key, yr_bytes("{}", 2), ID, NULL) == YURPC_OK);
    require(yr_local_record_find(store, &key, &found, NULL) == YURPC_OK);
    require(found.is_there && !found.is_damaged && found.owner == ID);
    if (what % 2 == 0) {
        require(yr_local_record_delete(store, &state, &key, NULL) == YURPC_OK);
    }
    require(state.revision > before);
    require(yr_local_change_end(store, &state, before, YURPC_OK, NULL) == YURPC_OK);
}

static void session(yr_local_store *store)
{
    int fd = -1;
    yr_local_dead dead = {NULL, 0, 0};
    require(yr_local_lease_reap(store, &dead, NULL) == YURPC_OK && dead.count == 0);
    yr_local_dead_deinit(&dead);
    require(yr_local_lease_open(store, ID, 5000, &fd, NULL) == YURPC_OK);
    require(yr_local_lease_renew(store, ID, 5000, NULL) == YURPC_OK);
    require(yr_local_lease_end(store, ID, fd, NULL) == YURPC_OK);
}

static void run(yr_local_store *store, fuzz_input *in)
{
    for (int i = 0; i < STEPS_MAX && in->left > 0; i++) {
        switch (fuzz_byte(in) % 8) {
        case 0:
            put_any(store, YR_LOCAL_SQL_RECORD_PUT, in);
            break;
        case 1:
            put_any(store, YR_LOCAL_SQL_TOMBSTONE_PUT, in);
            break;
        case 2:
            put_any(store, YR_LOCAL_SQL_SESSION_PUT, in);
            break;
        case 3:
            if (fuzz_byte(in) % 2 == 0) {
                put_any(store, YR_LOCAL_SQL_STATE_PUT, in);
            } else {
                put_state(store, in);
            }
            break;
        case 4:
            put_sealed(store, in);
            break;
        case 5:
            change(store, in);
            break;
        case 6:
            session(store);
            break;
        default:
            look(store, in);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    yr_local_store store;
    const char *file = fuzz_folder_file();
    fuzz_folder_clear();
    yr_local_store_init(&store, file);
    store.now_ms = 1000000;
    store.wait_max_ms = 1000;
    store.process = yr_local_process_mark(1);
    require(yr_local_store_open(&store, NULL) == YURPC_OK);
    run(&store, &in);
    require(yr_local_lease_tidy(&store, NULL) == YURPC_OK);
    look(&store, &in);
    yr_local_store_finish(&store);
    yr_local_store_close(&store);
    return 0;
}
