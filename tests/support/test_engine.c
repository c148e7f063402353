/* What engine.h promises, on each etcd that is here. */
#include "engine.h"
#include "yr_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *version;

static bool does_exist(const char *dir, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s%s", dir, name);
    struct stat info;
    return stat(path, &info) == 0;
}

static void an_engine_serves_restarts_and_leaves_nothing(void **state)
{
    (void)state;
    yr_engine *engine = NULL;
    assert_ok(yr_engine_start_etcd(version, NULL, &engine));
    char dir[256];
    (void)snprintf(dir, sizeof(dir), "%s", yr_engine_dir(engine));
    pid_t first = yr_engine_pid(engine);
    uint16_t port = yr_engine_port(engine);
    assert_true(does_exist(dir, "/data/member"));

    assert_ok(yr_engine_restart(engine, false));
    assert_int_not_equal(yr_engine_pid(engine), first);
    assert_int_equal(kill(first, 0), -1);
    assert_int_equal(yr_engine_port(engine), port);

    yr_engine_signal(engine, SIGSTOP);
    yr_engine_stop(engine, SIGTERM);
    assert_int_equal(yr_engine_pid(engine), 0);
    assert_ok(yr_engine_restart(engine, true));
    pid_t last = yr_engine_pid(engine);

    yr_engine_free(engine);
    assert_int_equal(kill(last, 0), -1);
    assert_false(does_exist(dir, ""));
}

static void an_engine_that_cannot_start_is_an_error(void **state)
{
    (void)state;
    static const char *const arguments[] = {"--no-such-flag", NULL};
    yr_engine_options options = {.arguments = arguments};
    yr_engine *engine = NULL;
    assert_int_equal(yr_engine_start_etcd(version, &options, &engine), YURPC_UNAVAILABLE);
    assert_null(engine);
}

static void an_unknown_version_is_not_found(void **state)
{
    (void)state;
    yr_engine *engine = NULL;
    assert_int_equal(yr_engine_start_etcd("9.9", NULL, &engine), YURPC_NOT_FOUND);
    assert_null(engine);
}

static void what_a_dead_test_left_is_removed_by_the_next(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        yr_engine *engine = NULL;
        char dir[256] = "";
        if (yr_engine_start_etcd(version, NULL, &engine) == YURPC_OK) {
            (void)snprintf(dir, sizeof(dir), "%s", yr_engine_dir(engine));
        }
        pid_t pid = engine != NULL ? yr_engine_pid(engine) : 0;
        bool is_sent = write(ends[1], &pid, sizeof(pid)) == (ssize_t)sizeof(pid) &&
                       write(ends[1], dir, sizeof(dir)) == (ssize_t)sizeof(dir);
        (void)raise(is_sent ? SIGKILL : SIGABRT);
    }
    pid_t orphan = 0;
    char dir[256] = "";
    assert_int_equal(read(ends[0], &orphan, sizeof(orphan)), sizeof(orphan));
    assert_int_equal(read(ends[0], dir, sizeof(dir)), sizeof(dir));
    close(ends[0]);
    close(ends[1]);
    assert_true(orphan > 0);
    for (int i = 0; i < 500 && kill(orphan, 0) == 0; i++) {
        usleep(10000);
    }
    assert_int_equal(kill(orphan, 0), -1);

    yr_engine *engine = NULL;
    assert_ok(yr_engine_start_etcd(version, NULL, &engine));
    assert_false(does_exist(dir, ""));
    yr_engine_free(engine);
}

int main(int argc, char **argv)
{
    version = argc > 1 ? argv[1] : "3.4";
    if (yr_engine_find_etcd(version) == NULL) {
        return yr_engine_skip(version);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_serves_restarts_and_leaves_nothing),
        cmocka_unit_test(an_engine_that_cannot_start_is_an_error),
        cmocka_unit_test(an_unknown_version_is_not_found),
        cmocka_unit_test(what_a_dead_test_left_is_removed_by_the_next),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
