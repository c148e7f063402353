/* The embedded registry's file: whose it is, and what becomes of damage, deletion, no room. */
#include "base/bytes.h"
#include "base/mem.h"
#include "local_backend.h"
#include "yr_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

enum {
    MANY = 10000,
    BIG = 60000,
    USUAL_TTL_MS = 30000,
    LATE_MS = 500, /* behind a deadline; the machine may be busy */
};

static yr_watcher watcher;

/* ---- Helpers ---- */

static void make_dir(mode_t mode)
{
    assert_int_equal(mkdir(yr_local_backend_dir(), 0700), 0);
    assert_int_equal(chmod(yr_local_backend_dir(), mode), 0);
}

static void write_file(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

/* What somebody else does to the file, with SQLite. */
static void execute(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 1000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void begin(yr_subject *subject, yr_stage *stage, int64_t ttl_ms)
{
    const yr_driver_config config = {
        .address = stage->address, .timeout_ms = YR_STAGE_LIMIT_MS, .ttl_ms = ttl_ms};
    assert_ok(yr_subject_begin(subject, stage, &config));
}

static bool has_failed(const void *context)
{
    const yr_subject *subject = context;
    return !subject->is_connected && subject->error != YURPC_OK;
}

static bool is_connected(const void *context)
{
    return ((const yr_subject *)context)->is_connected;
}

/* Opening fails with this status, and a text that has these words. */
static void assert_refused(yr_stage *stage, yurpc_status status, const char *words)
{
    yr_subject subject;
    char services[64];
    begin(&subject, stage, yr_backend_now->ttl_ms);
    yr_stage_await(stage, has_failed, &subject, 1000, "a refusal");
    assert_int_equal(subject.error, status);
    if (strstr(subject.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, subject.text);
    }
    assert_int_equal(yr_subject_services(&subject, services, sizeof services), status);
    yr_subject_close(&subject);
}

static yurpc_status put(yr_subject *subject, const char *node, const char *value)
{
    return yr_subject_announce(subject, YR_ANNOUNCE_TAKE, "svc:1.0", node, value);
}

static void assert_services(yr_subject *subject, const char *expected)
{
    char services[256];
    assert_ok(yr_subject_services(subject, services, sizeof services));
    assert_string_equal(services, expected);
}

/* The TTL is the usual one: that of the suite may pass while the machine is busy. */
static void open_with_session(yr_subject *subject, yr_stage *stage)
{
    begin(subject, stage, USUAL_TTL_MS);
    yr_stage_await(stage, is_connected, subject, YR_STAGE_LIMIT_MS, "a connection");
    assert_ok(yr_subject_open_session(subject));
}

/* ---- Whose it is ---- */

static void everything_made_is_this_users_alone(void **state)
{
    static const char *const names[] = {"", "-wal", "-shm", "-sync"};
    yr_stage *stage = *state;
    yr_subject subject;
    open_with_session(&subject, stage);
    assert_ok(put(&subject, "a:1", "{}"));
    assert_int_equal(mode_of(yr_local_backend_dir()), 0700);
    for (size_t i = 0; i < 4; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", stage->address, names[i]);
        assert_int_equal(mode_of(path), 0600);
    }
    yr_subject_close(&subject);
}

static void a_directory_that_others_may_write_is_refused(void **state)
{
    make_dir(0777);
    assert_refused(*state, YURPC_DENIED, "others may write the registry's directory");
}

static void a_file_that_others_may_write_is_refused(void **state)
{
    yr_stage *stage = *state;
    make_dir(0700);
    write_file(stage->address, "", 0);
    assert_int_equal(chmod(stage->address, 0666), 0);
    assert_refused(stage, YURPC_DENIED, "others may write the registry's file");
}

static void a_directory_of_somebody_else_is_refused(void **state)
{
    make_dir(0700);
    if (chown(yr_local_backend_dir(), 12345, 12345) != 0) {
        yr_skip("only root can give a directory away");
    }
    assert_refused(*state, YURPC_DENIED, "belongs to another user");
}

static void a_link_is_no_registry(void **state)
{
    yr_stage *stage = *state;
    char target[256];
    make_dir(0700);
    snprintf(target, sizeof target, "%s/elsewhere", yr_local_backend_dir());
    assert_int_equal(symlink(target, stage->address), 0);
    assert_refused(stage, YURPC_INVALID, "not a plain file");
    assert_int_equal(access(target, F_OK), -1);
}

static void a_place_where_nothing_can_be_made_is_said(void **state)
{
    yr_stage *stage = *state;
    stage->address = "/proc/yurpc/registry.db";
    assert_refused(stage, YURPC_INVALID, "/proc/yurpc");
}

static void a_read_only_disk_is_said(void **state)
{
    yr_stage *stage = *state;
    make_dir(0700);
    if (mount("none", yr_local_backend_dir(), "tmpfs", MS_RDONLY, "mode=0700") != 0) {
        yr_skip("only root can mount");
    }
    assert_refused(stage, YURPC_DENIED, "Read-only file system");
    assert_int_equal(umount(yr_local_backend_dir()), 0);
}

static void the_database_of_another_program_is_refused_and_untouched(void **state)
{
    yr_stage *stage = *state;
    make_dir(0700);
    execute(stage->address, "CREATE TABLE bookmarks (url TEXT);"
                            "INSERT INTO bookmarks VALUES ('x')");
    assert_int_equal(chmod(stage->address, 0600), 0);
    assert_refused(stage, YURPC_INVALID, "another program");
    execute(stage->address, "DELETE FROM bookmarks");
    char companion[256];
    assert_in_range(snprintf(companion, sizeof companion, "%s-sync", stage->address), 1,
                    sizeof companion - 1);
    assert_int_equal(access(companion, F_OK), -1); /* nothing is left beside it either */
}

static void a_newer_schema_is_refused(void **state)
{
    yr_stage *stage = *state;
    make_dir(0700);
    execute(stage->address, "PRAGMA application_id = 1500861008; PRAGMA user_version = 2;"
                            "CREATE TABLE state (id INTEGER)");
    assert_int_equal(chmod(stage->address, 0600), 0);
    assert_refused(stage, YURPC_UNSUPPORTED, "schema 2");
}

static void a_lock_file_that_a_dying_process_left_is_removed(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    char left[256];
    make_dir(0700);
    snprintf(left, sizeof left, "%s-session-00000000000000ab", stage->address);
    write_file(left, "", 0);
    open_with_session(&subject, stage);
    assert_int_equal(access(left, F_OK), -1);
    snprintf(left, sizeof left, "%s-session-%016llx", stage->address,
             (unsigned long long)subject.session.id);
    assert_int_equal(access(left, F_OK), 0); /* but not that of the living */
    yr_subject_close(&subject);
    assert_int_equal(access(left, F_OK), -1);
}

/* ---- Damage ---- */

static void a_file_that_is_no_database_is_refused_until_it_is_moved_away(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    char junk[8192];
    char aside[256];
    make_dir(0700);
    memset(junk, 'j', sizeof junk);
    write_file(stage->address, junk, sizeof junk);
    begin(&subject, stage, yr_backend_now->ttl_ms);
    yr_stage_await(stage, has_failed, &subject, 1000, "a refusal");
    assert_int_equal(subject.error, YURPC_CORRUPT);
    assert_non_null(strstr(subject.text, "move it away"));
    snprintf(aside, sizeof aside, "%s.bad", stage->address);
    assert_int_equal(rename(stage->address, aside), 0); /* it is still there */
    yr_stage_await(stage, is_connected, &subject, 7000, "a new file");
    assert_ok(yr_subject_open_session(&subject));
    assert_ok(put(&subject, "a:1", "{}"));
    yr_subject_close(&subject);
}

static void a_row_that_was_changed_by_a_flipped_bit_is_skipped(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    open_with_session(&subject, stage);
    assert_ok(put(&subject, "a:1", "{\"a\":1}"));
    assert_ok(put(&subject, "b:1", "{\"b\":1}"));
    assert_ok(put(&subject, "c:1", "{\"c\":1}"));
    execute(stage->address, "UPDATE records SET value = '{\"a\":3}' WHERE value = '{\"a\":1}'");
    execute(stage->address, "UPDATE records SET key = '/rpc/svc:1.0/c:3'"
                            " WHERE key = '/rpc/svc:1.0/c:1'");
    yr_watcher_begin(&watcher, &subject, "svc:1.0");
    assert_int_equal(watcher.count, 1);
    assert_string_equal(yr_watcher_find(&watcher, "b:1")->value, "{\"b\":1}");
    assert_services(&subject, "svc:1.0=1");
    assert_ok(put(&subject, "a:1", "{\"a\":1}")); /* its owner mends it */
    yr_watcher_await_count(&watcher, 2, 1000);
    yr_watcher_end(&watcher);
    yr_subject_close(&subject);
}

static void a_session_that_was_damaged_is_lost_and_can_be_opened_anew(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    yr_subject_open(&subject, stage); /* soon renewed: that is how it finds out */
    assert_ok(yr_subject_open_session(&subject));
    assert_ok(put(&subject, "a:1", "{}"));
    yr_watcher_begin(&watcher, &subject, "svc:1.0");
    execute(stage->address, "UPDATE sessions SET deadline_ms = deadline_ms + 1000000");
    yr_watcher_await_count(&watcher, 0, 1000);
    yr_stage_linger(stage, yr_backend_now->ttl_ms / 2);
    assert_int_equal(subject.sessions_lost, 1);
    assert_ok(yr_subject_open_session(&subject));
    assert_ok(put(&subject, "a:1", "{}"));
    yr_watcher_await_count(&watcher, 1, 1000);
    yr_watcher_end(&watcher);
    yr_subject_close(&subject);
}

static void a_lost_count_of_revisions_is_mended(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    open_with_session(&subject, stage);
    assert_ok(put(&subject, "a:1", "1"));
    yr_watcher_begin(&watcher, &subject, "svc:1.0");
    execute(stage->address, "UPDATE state SET revision = revision - 1");
    assert_ok(put(&subject, "a:1", "2"));
    yr_watcher_await_value(&watcher, "a:1", "2");
    assert_ok(put(&subject, "a:1", "3"));
    yr_watcher_await_value(&watcher, "a:1", "3");
    yr_watcher_end(&watcher);
    yr_subject_close(&subject);
}

/* Every byte of the file may be any other: nothing crashes, nothing is invented. */
static void overwritten_pages_are_said_or_skipped(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    char services[256];
    open_with_session(&subject, stage);
    for (int i = 0; i < 200; i++) {
        char node[32];
        snprintf(node, sizeof node, "n%d:1", i);
        assert_ok(put(&subject, node, "{\"serviceName\":\"svc\"}"));
    }
    execute(stage->address, "PRAGMA wal_checkpoint(TRUNCATE)");
    int fd = open(stage->address, O_RDWR);
    assert_true(fd >= 0);
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    for (off_t at = 4096; at < info.st_size; at += 977) {
        assert_int_equal(pwrite(fd, "\xa5\x5a", 2, at), 2);
    }
    close(fd);
    yurpc_status status = yr_subject_services(&subject, services, sizeof services);
    assert_true(status == YURPC_OK || status == YURPC_CORRUPT);
    status = put(&subject, "b:1", "{}");
    assert_true(status == YURPC_OK || status == YURPC_CORRUPT || status == YURPC_LEASE_LOST);
    yr_subject_close(&subject);
}

/* ---- Deletion ---- */

static bool has_lost_its_session(const void *context)
{
    return ((const yr_subject *)context)->sessions_lost > 0;
}

static void remove_all(const char *address)
{
    static const char *const names[] = {"", "-wal", "-shm", "-sync"};
    for (size_t i = 0; i < 4; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", address, names[i]);
        unlink(path);
    }
}

static void a_deleted_file_is_made_anew_and_the_session_lost(void **state)
{
    yr_stage *stage = *state;
    yr_subject provider;
    yr_subject consumer;
    yr_subject_open(&provider, stage); /* soon renewed: that is how it finds out */
    assert_ok(yr_subject_open_session(&provider));
    yr_subject_open(&consumer, stage);
    assert_ok(put(&provider, "a:1", "{}"));
    yr_watcher_begin(&watcher, &consumer, "svc:1.0");
    remove_all(stage->address);
    yr_watcher_await_count(&watcher, 0, 1000);
    yr_stage_await(stage, has_lost_its_session, &provider, 2000, "the session is lost");
    assert_ok(yr_subject_open_session(&provider));
    assert_ok(put(&provider, "a:1", "again"));
    yr_watcher_await_value(&watcher, "a:1", "again");
    assert_int_equal(consumer.connections, 1);
    yr_watcher_end(&watcher);
    yr_subject_close(&provider);
    yr_subject_close(&consumer);
}

static void a_database_deleted_without_its_log_does_no_harm(void **state)
{
    yr_stage *stage = *state;
    yr_subject provider;
    yr_subject consumer;
    open_with_session(&provider, stage);
    yr_subject_open(&consumer, stage);
    assert_ok(put(&provider, "a:1", "{}"));
    yr_watcher_begin(&watcher, &consumer, "svc:1.0");
    assert_int_equal(unlink(stage->address), 0);
    assert_int_equal(put(&provider, "b:1", "{}"), YURPC_LEASE_LOST); /* not into the old file */
    yr_watcher_await_count(&watcher, 0, 1000);
    assert_ok(yr_subject_open_session(&provider));
    assert_ok(put(&provider, "c:1", "{}"));
    yr_watcher_await_value(&watcher, "c:1", "{}");
    assert_services(&consumer, "svc:1.0=1");
    yr_watcher_end(&watcher);
    yr_subject_close(&provider);
    yr_subject_close(&consumer);
}

/* ---- No room ---- */

static void a_full_disk_is_said_and_nothing_is_half_done(void **state)
{
    enum { COUNT = 50 };
    static yr_announcement items[COUNT];
    static char nodes[COUNT][16];
    yurpc_status statuses[COUNT];
    yr_stage *stage = *state;
    yr_subject subject;
    make_dir(0700);
    if (mount("none", yr_local_backend_dir(), "tmpfs", 0, "mode=0700,size=1m") != 0) {
        yr_skip("only root can mount");
    }
    open_with_session(&subject, stage);
    assert_ok(put(&subject, "a:1", "{}"));
    char *value = yr_calloc(1, BIG);
    assert_non_null(value);
    memset(value, 'v', BIG);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(nodes[i], sizeof nodes[i], "n%zu:1", i);
        items[i] = (yr_announcement){yr_bytes_of_text("svc:1.0"), yr_bytes_of_text(nodes[i]),
                                     yr_bytes(value, BIG)};
    }
    yr_subject_announce_all(&subject, YR_ANNOUNCE_TAKE, items, COUNT, statuses);
    yr_free(value);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(statuses[i], YURPC_EXHAUSTED);
    }
    assert_services(&subject, "svc:1.0=1");
    assert_int_equal(
        mount("none", yr_local_backend_dir(), "tmpfs", MS_REMOUNT, "mode=0700,size=16m"), 0);
    assert_ok(put(&subject, "b:1", "{}")); /* the session is still there */
    assert_services(&subject, "svc:1.0=2");
    yr_subject_close(&subject);
    assert_int_equal(umount(yr_local_backend_dir()), 0);
}

/* ---- Held up ---- */

typedef struct yr_held {
    int answers;
    yurpc_status status;
    int64_t at_ms;
    yr_stage *stage;
} yr_held;

static void on_held(void *context, size_t index, yurpc_status status, const yurpc_error *error)
{
    yr_held *held = context;
    yr_stage_expect(index == 0 && yurpc_error_status(error) == status, "an error with it");
    held->answers++;
    held->status = status;
    held->at_ms = yr_stage_now_ms(held->stage);
}

static bool is_answered(const void *context)
{
    return ((const yr_held *)context)->answers > 0;
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

static bool is_true(const void *context)
{
    return *(const bool *)context;
}

/* A process that was stopped while it wrote holds the lock: nobody can write, all can read. */
static void a_stuck_writer_delays_nobody_beyond_the_deadline(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    sqlite3 *stuck = NULL;
    open_with_session(&subject, stage);
    assert_ok(put(&subject, "a:1", "{}"));
    assert_int_equal(sqlite3_open(stage->address, &stuck), SQLITE_OK);
    assert_int_equal(sqlite3_exec(stuck, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);

    const yr_announcement item = {yr_bytes_of_text("svc:1.0"), yr_bytes_of_text("b:1"),
                                  yr_bytes_of_text("{}")};
    yr_held held = {.stage = stage};
    int64_t begun_ms = yr_stage_now_ms(stage);
    const yr_announce_request request = {YR_ANNOUNCE_TAKE, &item, 1, 300};
    yr_backend_now->ops->announce(subject.driver, &request, on_held, &held);
    yr_stage_await(stage, is_answered, &held, 300 + LATE_MS, "an answer");
    assert_int_equal(held.status, YURPC_TIMEOUT);
    assert_in_range(held.at_ms - begun_ms, 250, 300 + LATE_MS);
    assert_services(&subject, "svc:1.0=1");

    bool is_over = false;
    yr_backend_now->ops->close(subject.driver, 500, on_closed, &is_over);
    yr_stage_await(stage, is_true, &is_over, 500 + LATE_MS, "the driver is closed");
    stage->open_count--;
    assert_int_equal(held.answers, 1);
    sqlite3_close(stuck);
}

/* ---- Many ---- */

static void ten_thousand_records_are_registered_and_listed(void **state)
{
    static yr_announcement items[MANY];
    static char nodes[MANY][32];
    static yurpc_status statuses[MANY];
    yr_stage *stage = *state;
    yr_subject subject;
    open_with_session(&subject, stage);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(nodes[i], sizeof nodes[i], "10.0.%zu.%zu:80", i / 256, i % 256);
        items[i] = (yr_announcement){yr_bytes_of_text("svc:1.0"), yr_bytes_of_text(nodes[i]),
                                     yr_bytes_of_text("{\"serviceName\":\"svc\"}")};
    }
    int64_t begun_ms = yr_stage_now_ms(stage);
    yr_subject_announce_all(&subject, YR_ANNOUNCE_TAKE, items, MANY, statuses);
    int64_t took_ms = yr_stage_now_ms(stage) - begun_ms;
    for (size_t i = 0; i < MANY; i++) {
        assert_ok(statuses[i]);
    }
    begun_ms = yr_stage_now_ms(stage);
    assert_services(&subject, "svc:1.0=10000");
    printf("10,000 records: registered in %lld ms, listed in %lld ms\n", (long long)took_ms,
           (long long)(yr_stage_now_ms(stage) - begun_ms));
    yr_subject_close(&subject);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, yr_stage_setup, yr_stage_teardown)

int main(void)
{
    yr_backend_now = &yr_local_backend;
    const struct CMUnitTest tests[] = {
        ON_STAGE(everything_made_is_this_users_alone),
        ON_STAGE(a_directory_that_others_may_write_is_refused),
        ON_STAGE(a_file_that_others_may_write_is_refused),
        ON_STAGE(a_directory_of_somebody_else_is_refused),
        ON_STAGE(a_link_is_no_registry),
        ON_STAGE(a_place_where_nothing_can_be_made_is_said),
        ON_STAGE(a_read_only_disk_is_said),
        ON_STAGE(the_database_of_another_program_is_refused_and_untouched),
        ON_STAGE(a_newer_schema_is_refused),
        ON_STAGE(a_lock_file_that_a_dying_process_left_is_removed),
        ON_STAGE(a_file_that_is_no_database_is_refused_until_it_is_moved_away),
        ON_STAGE(a_row_that_was_changed_by_a_flipped_bit_is_skipped),
        ON_STAGE(a_session_that_was_damaged_is_lost_and_can_be_opened_anew),
        ON_STAGE(a_lost_count_of_revisions_is_mended),
        ON_STAGE(overwritten_pages_are_said_or_skipped),
        ON_STAGE(a_deleted_file_is_made_anew_and_the_session_lost),
        ON_STAGE(a_database_deleted_without_its_log_does_no_harm),
        ON_STAGE(a_full_disk_is_said_and_nothing_is_half_done),
        ON_STAGE(a_stuck_writer_delays_nobody_beyond_the_deadline),
        ON_STAGE(ten_thousand_records_are_registered_and_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
