/* The embedded registry among several processes: death, freezing, forks, latency. */
#include "actor.h"
#include "base/bytes.h"
#include "local_backend.h"
#include "yr_test.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

enum { TICKS = 300, ROUNDS = 50, CROWD = 8 };

static yr_watcher watcher;

static void a_killed_process_is_noticed_within_a_second(void **state)
{
    yr_stage *stage = *state;
    yr_subject consumer;
    yr_actor provider;
    yr_subject_open(&consumer, stage);
    yr_watcher_begin(&watcher, &consumer, "svc:1.0");
    yr_actor_start(&provider, stage->address, "provider", "a:1");
    yr_actor_expect(&provider, "ready");
    yr_watcher_await_count(&watcher, 1, 1000);
    yr_actor_kill(&provider);
    yr_watcher_await_count(&watcher, 0, 1000);
    assert_int_equal(watcher.deletes, 1);
    yr_watcher_end(&watcher);
    yr_subject_close(&consumer);
}

static void who_looks_once_never_sees_the_dead(void **state)
{
    yr_stage *stage = *state;
    for (int i = 0; i < 5; i++) {
        yr_subject consumer;
        yr_actor provider;
        char services[64];
        yr_actor_start(&provider, stage->address, "provider", "a:1");
        yr_actor_expect(&provider, "ready");
        yr_actor_kill(&provider);
        yr_subject_open(&consumer, stage);
        assert_ok(yr_subject_services(&consumer, services, sizeof services));
        assert_string_equal(services, "");
        yr_subject_close(&consumer);
    }
}

static void processes_that_open_at_once_make_one_file(void **state)
{
    yr_stage *stage = *state;
    for (int round = 0; round < 5; round++) {
        yr_actor providers[CROWD];
        yr_actor onlooker;
        char expected[32];
        for (int i = 0; i < CROWD; i++) {
            char node[16];
            snprintf(node, sizeof node, "n%d:1", i);
            yr_actor_start(&providers[i], stage->address, "provider", node);
        }
        for (int i = 0; i < CROWD; i++) {
            yr_actor_expect(&providers[i], "ready");
        }
        yr_actor_start(&onlooker, stage->address, "services", "");
        snprintf(expected, sizeof expected, "services svc:1.0=%d", (int)CROWD);
        yr_actor_expect(&onlooker, expected);
        yr_actor_kill(&onlooker);
        for (int i = 0; i < CROWD; i++) {
            yr_actor_kill(&providers[i]);
        }
        unlink(stage->address); /* the next round makes it again; old companions stay */
    }
}

static void a_node_of_the_dead_is_free_at_once(void **state)
{
    yr_stage *stage = *state;
    yr_subject heir;
    yr_actor provider;
    yr_subject_open(&heir, stage);
    assert_ok(yr_subject_open_session(&heir));
    yr_actor_start(&provider, stage->address, "provider", "a:1");
    yr_actor_expect(&provider, "ready");
    assert_int_equal(yr_subject_announce(&heir, YR_ANNOUNCE_IF_FREE, "svc:1.0", "a:1", "heir"),
                     YURPC_CONFLICT);
    yr_actor_kill(&provider);
    assert_ok(yr_subject_announce(&heir, YR_ANNOUNCE_IF_FREE, "svc:1.0", "a:1", "heir"));
    yr_subject_close(&heir);
}

static void a_frozen_process_is_noticed_at_its_ttl_and_told_when_it_thaws(void **state)
{
    yr_stage *stage = *state;
    yr_subject consumer;
    yr_actor provider;
    yr_subject_open(&consumer, stage);
    yr_watcher_begin(&watcher, &consumer, "svc:1.0");
    yr_actor_start(&provider, stage->address, "provider", "a:1");
    yr_actor_expect(&provider, "ready");
    yr_watcher_await_count(&watcher, 1, 1000);
    yr_actor_signal(&provider, SIGSTOP);
    yr_stage_linger(stage, yr_backend_now->ttl_ms / 2);
    assert_int_equal(watcher.count, 1); /* it may only be slow */
    yr_watcher_await_count(&watcher, 0, yr_backend_now->ttl_ms / 2 + 1000);
    yr_actor_signal(&provider, SIGCONT);
    yr_actor_expect(&provider, "lost");
    yr_actor_kill(&provider);
    yr_watcher_end(&watcher);
    yr_subject_close(&consumer);
}

static void the_proof_of_life_does_not_live_on_in_a_forked_child(void **state)
{
    yr_stage *stage = *state;
    yr_subject consumer;
    yr_actor provider;
    char line[64];
    yr_subject_open(&consumer, stage);
    yr_watcher_begin(&watcher, &consumer, "svc:1.0");
    yr_actor_start(&provider, stage->address, "forker", "a:1");
    yr_actor_read(&provider, line, sizeof line);
    pid_t child = (pid_t)strtol(line + strlen("child "), NULL, 10);
    yr_actor_expect(&provider, "ready");
    yr_watcher_await_count(&watcher, 1, 1000);
    yr_actor_kill(&provider);
    yr_watcher_await_count(&watcher, 0, 1000);
    assert_int_equal(kill(child, 0), 0); /* it did outlive the owner */
    kill(child, SIGKILL);
    yr_watcher_end(&watcher);
    yr_subject_close(&consumer);
}

static void one_handle_does_not_drop_the_proof_of_another(void **state)
{
    yr_stage *stage = *state;
    yr_subject one;
    yr_subject other;
    yr_actor onlooker;
    yr_subject_open(&one, stage);
    yr_subject_open(&other, stage);
    assert_ok(yr_subject_open_session(&one));
    assert_ok(yr_subject_open_session(&other));
    assert_ok(yr_subject_announce(&one, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", "{}"));
    assert_ok(yr_subject_announce(&other, YR_ANNOUNCE_TAKE, "svc:1.0", "b:1", "{}"));
    yr_watcher_begin(&watcher, &other, "svc:1.0"); /* which looks at all sessions */
    yr_stage_linger(stage, 1000);
    yr_watcher_end(&watcher);
    yr_subject_close(&other);
    yr_actor_start(&onlooker, stage->address, "services", "");
    yr_actor_expect(&onlooker, "services svc:1.0=1");
    yr_actor_kill(&onlooker);
    yr_subject_close(&one);
}

static void a_forked_child_leaves_the_handle_alone(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
    yr_actor onlooker;
    yr_subject_open(&subject, stage);
    assert_ok(yr_subject_open_session(&subject));
    assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_TAKE, "svc:1.0", "a:1", "{}"));
    pid_t child = fork();
    if (child == 0) {
        yr_backend_now->ops->close(subject.driver, 1000, NULL, NULL);
        _exit(0);
    }
    yr_actor waiting = {.pid = child, .output = -1};
    usleep(100000);
    yr_actor_kill(&waiting);
    yr_actor_start(&onlooker, stage->address, "services", "");
    yr_actor_expect(&onlooker, "services svc:1.0=1");
    yr_actor_kill(&onlooker);
    assert_ok(yr_subject_announce(&subject, YR_ANNOUNCE_IF_OURS, "svc:1.0", "a:1", "{}"));
    yr_subject_close(&subject);
}

static bool was_told(const void *context)
{
    const yr_subject *subject = context;
    return subject->is_connected || subject->error != YURPC_OK;
}

/* SQLite in the child believes in locks that only the parent holds. */
static void a_forked_child_cannot_open_what_its_parent_has_open(void **state)
{
    yr_stage *stage = *state;
    yr_subject subject;
#ifdef __SANITIZE_THREAD__
    yr_skip("ThreadSanitizer lets no child of a process with threads start one");
#endif
    yr_subject_open(&subject, stage);
    pid_t child = fork();
    if (child == 0) {
        yr_subject second;
        yr_stage own = {.address = stage->address};
        const yr_driver_config config = {.address = stage->address, .ttl_ms = 2000};
        if (yr_uv_io_new(&own.io, NULL) != YURPC_OK ||
            yr_subject_begin(&second, &own, &config) != YURPC_OK) {
            _exit(1);
        }
        yr_stage_await(&own, was_told, &second, 3000, "a refusal");
        _exit(second.error == YURPC_FORKED ? 0 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    yr_subject_close(&subject);
}

/* ---- Latency ---- */

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

typedef struct ticks {
    int64_t ns[TICKS];
    int count;
    char last[YR_WATCHED_TEXT];
} ticks;

static bool has_ticked(const void *context)
{
    ticks *all = *(ticks *const *)context;
    const yr_watched *node = yr_watcher_find(&watcher, "t:1");
    if (node != NULL && strcmp(node->value, all->last) != 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(all->last, sizeof all->last, "%s", node->value);
        all->ns[all->count++] =
            (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - strtoll(node->value, NULL, 10);
    }
    return yr_watcher_find(&watcher, "end:1") != NULL; /* two ticks may have come as one */
}

static void a_change_reaches_another_process_within_50_ms(void **state)
{
    static ticks all;
    ticks *const handle = &all;
    yr_stage *stage = *state;
    yr_subject consumer;
    yr_actor ticker;
    yr_subject_open(&consumer, stage);
    yr_watcher_begin(&watcher, &consumer, "svc:1.0");
    yr_actor_start(&ticker, stage->address, "ticker", "300");
    yr_actor_expect(&ticker, "ready");
    yr_stage_await(stage, has_ticked, &handle, 30000, "all ticks");
    qsort(all.ns, (size_t)all.count, sizeof all.ns[0], compare_times);
    int64_t p50 = all.ns[all.count / 2];
    int64_t p99 = all.ns[(size_t)all.count * 99 / 100];
    printf("a change reaches another process in: p50 %.2f ms, p99 %.2f ms, max %.2f ms (%d)\n",
           (double)p50 / 1e6, (double)p99 / 1e6, (double)all.ns[all.count - 1] / 1e6,
           all.count);
    assert_true(p50 < 50000000);
    yr_actor_kill(&ticker);
    yr_watcher_end(&watcher);
    yr_subject_close(&consumer);
}

/* ---- Killed while writing ---- */

static void assert_sound(const char *address)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(address, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void killing_writers_leaves_a_sound_file_with_only_the_living(void **state)
{
    yr_stage *stage = *state;
    for (int round = 0; round < ROUNDS; round++) {
        char seed[2][16];
        char services[64];
        yr_actor writers[2];
        for (int i = 0; i < 2; i++) {
            snprintf(seed[i], sizeof seed[i], "%d", round * 2 + i + 1);
            yr_actor_start(&writers[i], stage->address, "writer", seed[i]);
        }
        yr_actor_expect(&writers[0], "ready");
        usleep((useconds_t)(round * 7919 % 30) * 1000);
        yr_actor_kill(&writers[0]);
        yr_actor_kill(&writers[1]);
        yr_subject onlooker;
        yr_subject_open(&onlooker, stage);
        assert_ok(yr_subject_services(&onlooker, services, sizeof services));
        assert_string_equal(services, "");
        yr_subject_close(&onlooker);
    }
    assert_sound(stage->address);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, yr_stage_setup, yr_stage_teardown)

int main(int argc, char **argv)
{
    yr_backend_now = &yr_local_backend;
    int code = yr_actor_main(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_killed_process_is_noticed_within_a_second),
        ON_STAGE(who_looks_once_never_sees_the_dead),
        ON_STAGE(processes_that_open_at_once_make_one_file),
        ON_STAGE(a_node_of_the_dead_is_free_at_once),
        ON_STAGE(a_frozen_process_is_noticed_at_its_ttl_and_told_when_it_thaws),
        ON_STAGE(the_proof_of_life_does_not_live_on_in_a_forked_child),
        ON_STAGE(one_handle_does_not_drop_the_proof_of_another),
        ON_STAGE(a_forked_child_leaves_the_handle_alone),
        ON_STAGE(a_forked_child_cannot_open_what_its_parent_has_open),
        ON_STAGE(a_change_reaches_another_process_within_50_ms),
        ON_STAGE(killing_writers_leaves_a_sound_file_with_only_the_living),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
