#include "base/bytes.h"
#include "drivers/local/lease.h"
#include "drivers/local/lock.h"
#include "drivers/local/process.h"
#include "drivers/local/record.h"
#include "drivers/local/statement.h"
#include "scratch.h"
#include "yr_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static yr_scratch scratch;
static char file[160];
static yr_local_store store;
static yr_local_facts facts;

static int open_store(void **state)
{
    (void)state;
    if (yr_scratch_init(&scratch, "yurpc-record.") != YURPC_OK) {
        return -1;
    }
    snprintf(file, sizeof file, "%s/run/registry.db", scratch.path);
    yr_local_store_init(&store, file);
    store.wait_max_ms = 100;
    yr_local_facts_init(&facts);
    return yr_local_store_open(&store, NULL) == YURPC_OK ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    yr_local_facts_deinit(&facts);
    yr_local_store_close(&store);
    yr_scratch_deinit(&scratch);
    return 0;
}

static yr_local_key key_of(const char *node)
{
    yr_local_key key;
    assert_ok(
        yr_local_key_make(yr_bytes_of_text("svc:1.0"), yr_bytes_of_text(node), &key, NULL));
    return key;
}

/* In one transaction: put the node, or, without a value, delete it. */
static int64_t change(const char *node, const char *value)
{
    yr_local_state state;
    yr_local_key key = key_of(node);
    assert_ok(yr_local_change_begin(&store, &state, NULL));
    int64_t before = state.revision;
    yurpc_status status = value != NULL ? yr_local_record_put(&store, &state, &key,
                                                              yr_bytes_of_text(value), 7, NULL)
                                        : yr_local_record_delete(&store, &state, &key, NULL);
    assert_ok(yr_local_change_end(&store, &state, before, status, NULL));
    return state.revision;
}

/* "+a:1=x -b:1", of what changed after @p revision; or "gap". */
static const char *changes_since(int64_t revision)
{
    static char text[256];
    yr_local_state state;
    bool is_gap = false;
    text[0] = '\0';
    yr_local_facts_clear(&facts);
    assert_ok(yr_local_store_begin(&store, false, NULL));
    assert_ok(yr_local_state_get(&store, &state, NULL));
    assert_ok(yr_local_record_changes(&store, &state, revision, &facts, &is_gap, NULL));
    yr_local_store_rollback(&store);
    yr_local_facts_settle(&facts, true);
    for (size_t i = 0; i < facts.count && !is_gap; i++) {
        const yr_fact *fact = &facts.items[i];
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%c%.*s%s%.*s", len > 0 ? " " : "",
                 fact->kind == YR_FACT_PUT ? '+' : '-', (int)fact->node.len,
                 (const char *)fact->node.data, fact->kind == YR_FACT_PUT ? "=" : "",
                 (int)fact->value.len, (const char *)fact->value.data);
    }
    return is_gap ? "gap" : text;
}

static void a_new_file_begins_at_revision_nought(void **state)
{
    (void)state;
    yr_local_state now;
    assert_ok(yr_local_state_get(&store, &now, NULL));
    assert_int_equal(now.revision, 0);
    assert_string_equal(changes_since(0), "");
    assert_int_equal(change("a:1", "1"), 1);
    assert_string_equal(changes_since(0), "+a:1=1");
}

static void changes_are_told_in_the_order_they_were_made(void **state)
{
    (void)state;
    change("a:1", "1");
    change("b:1", "1");
    int64_t before = change("c:1", "1");
    change("b:1", NULL);
    change("a:1", "2");
    change("c:1", NULL);
    change("b:1", "3");
    assert_string_equal(changes_since(before), "-b:1 +a:1=2 -c:1 +b:1=3");
}

static void a_revision_that_never_was_is_a_gap(void **state)
{
    (void)state;
    int64_t now = change("a:1", "1");
    assert_string_equal(changes_since(now), "");
    assert_string_equal(changes_since(now + 1), "gap");
}

static void what_was_forgotten_is_a_gap(void **state)
{
    (void)state;
    int64_t early = change("z:1", "1");
    yr_local_state now;
    yr_local_key key = key_of("a:1");
    assert_ok(yr_local_change_begin(&store, &now, NULL));
    int64_t before = now.revision;
    for (int i = 0; i < YR_LOCAL_TOMBSTONES_MAX + 2 * YR_LOCAL_PRUNE_EVERY; i++) {
        assert_ok(yr_local_record_delete(&store, &now, &key, NULL));
    }
    assert_ok(yr_local_change_end(&store, &now, before, YURPC_OK, NULL));
    assert_true(now.horizon > early);
    assert_string_equal(changes_since(early), "gap");
    assert_string_equal(changes_since(now.revision - 1), "-a:1");
}

static void what_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    yr_local_state now;
    yr_local_key key = key_of("a:1");
    assert_ok(yr_local_change_begin(&store, &now, NULL));
    assert_ok(yr_local_record_put(&store, &now, &key, yr_bytes_of_text("1"), 7, NULL));
    assert_int_equal(yr_local_change_end(&store, &now, 0, YURPC_CONFLICT, NULL),
                     YURPC_CONFLICT);
    assert_false(store.is_changed);
    assert_string_equal(changes_since(0), "");
}

static void put_for(const char *node, int64_t owner)
{
    yr_local_state state;
    yr_local_key key = key_of(node);
    assert_ok(yr_local_change_begin(&store, &state, NULL));
    int64_t before = state.revision;
    yurpc_status status =
        yr_local_record_put(&store, &state, &key, yr_bytes_of_text("{}"), owner, NULL);
    assert_ok(yr_local_change_end(&store, &state, before, status, NULL));
}

static bool is_there(const char *node)
{
    yr_local_key key = key_of(node);
    yr_local_found found;
    assert_ok(yr_local_record_find(&store, &key, &found, NULL));
    return found.is_there;
}

static void tidying_leaves_alone_whose_owner_is_no_number(void **state)
{
    (void)state;
    put_for("permanent:1", 0);
    put_for("orphan:1", 5);
    put_for("orphan:2", -6);
    assert_int_equal(sqlite3_exec(store.db,
                                  "INSERT INTO records VALUES"
                                  " ('/rpc/svc:1.0/x:1', '{}', 'text', 9, 9)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_ok(yr_local_lease_tidy(&store, NULL));
    assert_true(is_there("permanent:1"));
    assert_false(is_there("orphan:1"));
    assert_false(is_there("orphan:2"));
}

static void names_that_would_make_another_key_are_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "a:1"}, {"svc:1.0", ""}, {"svc/1.0", "a:1"}, {"svc:1.0", "a/b:1"}};
    for (size_t i = 0; i < 4; i++) {
        yr_local_key key;
        assert_int_equal(yr_local_key_make(yr_bytes_of_text(bad[i][0]),
                                           yr_bytes_of_text(bad[i][1]), &key, NULL),
                         YURPC_INVALID);
    }
}

static void a_lock_is_not_seen_by_its_own_process_and_goes_with_its_file(void **state)
{
    (void)state;
    int fd = -1;
    char path[200];
    snprintf(path, sizeof path, "%s-session-000000000000002a", file);
    assert_ok(yr_local_lock_take(file, 42, &fd, NULL));
    assert_int_equal(access(path, F_OK), 0);
    assert_int_not_equal(yr_local_lock_take(file, 42, &fd, NULL), YURPC_OK);
    yr_local_lock_drop(file, 42, fd);
    assert_int_equal(access(path, F_OK), -1);
    assert_false(yr_local_lock_is_held(file, 42));
}

static void a_process_has_one_mark(void **state)
{
    (void)state;
    int64_t mark = yr_local_process_mark(1);
    assert_int_equal(mark, yr_local_process_mark(2));
    assert_int_equal(mark >> 32, getpid());
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(a_new_file_begins_at_revision_nought),
        ON_STORE(changes_are_told_in_the_order_they_were_made),
        ON_STORE(a_revision_that_never_was_is_a_gap),
        ON_STORE(what_was_forgotten_is_a_gap),
        ON_STORE(what_fails_leaves_nothing_behind),
        ON_STORE(tidying_leaves_alone_whose_owner_is_no_number),
        ON_STORE(names_that_would_make_another_key_are_refused),
        ON_STORE(a_lock_is_not_seen_by_its_own_process_and_goes_with_its_file),
        ON_STORE(a_process_has_one_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
