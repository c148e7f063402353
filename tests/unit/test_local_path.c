#include "base/mem.h"
#include "drivers/local/path.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[64];

static int make_scratch(void **state)
{
    (void)state;
    snprintf(scratch, sizeof scratch, "/tmp/yurpc-path.XXXXXX");
    return mkdtemp(scratch) != NULL ? 0 : -1;
}

static int remove_scratch(void **state)
{
    (void)state;
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("TMPDIR");
    return rmdir(scratch);
}

static void assert_default(const char *expected)
{
    char *file = NULL;
    assert_ok(yr_local_path_resolve(NULL, &file, NULL));
    assert_string_equal(file, expected);
    yr_free(file);
}

static void the_default_is_in_the_runtime_directory(void **state)
{
    (void)state;
    char expected[128];
    setenv("XDG_RUNTIME_DIR", scratch, 1);
    snprintf(expected, sizeof expected, "%s/yurpc/registry.db", scratch);
    assert_default(expected);
}

static void a_runtime_directory_that_others_may_write_is_not_used(void **state)
{
    (void)state;
    char expected[128];
    char of_user[64];
    setenv("XDG_RUNTIME_DIR", scratch, 1);
    setenv("TMPDIR", scratch, 1);
    assert_int_equal(chmod(scratch, 0777), 0);
    snprintf(of_user, sizeof of_user, "/run/user/%lu", (unsigned long)geteuid());
    if (access(of_user, F_OK) == 0) {
        snprintf(expected, sizeof expected, "%s/yurpc/registry.db", of_user);
    } else {
        snprintf(expected, sizeof expected, "%s/yurpc-%lu/registry.db", scratch,
                 (unsigned long)geteuid());
    }
    assert_default(expected);
}

static void a_relative_path_is_taken_from_the_current_directory(void **state)
{
    (void)state;
    char expected[128];
    char *file = NULL;
    assert_int_equal(chdir(scratch), 0);
    assert_ok(yr_local_path_resolve("my.db", &file, NULL));
    assert_int_equal(chdir("/"), 0);
    snprintf(expected, sizeof expected, "%s/my.db", scratch);
    assert_string_equal(file, expected);
    yr_free(file);
}

static void what_cannot_be_a_file_is_refused_with_words(void **state)
{
    (void)state;
    char long_path[2000];
    memset(long_path, 'x', sizeof long_path);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    const char *const bad[] = {"", "http://localhost:2379", scratch, "/tmp/new/", long_path};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *file = NULL;
        yurpc_error *error = NULL;
        assert_int_equal(yr_local_path_resolve(bad[i], &file, &error), YURPC_INVALID);
        assert_null(file);
        assert_true(strlen(yurpc_error_text(error)) > 20);
        yurpc_error_free(error);
    }
}

static void out_of_memory_is_returned(void **state)
{
    (void)state;
    char *file = NULL;
    yr_mem_fail_after(0);
    assert_int_equal(yr_local_path_resolve("/tmp/my.db", &file, NULL), YURPC_NO_MEMORY);
    yr_mem_fail_after(-1);
    assert_null(file);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(the_default_is_in_the_runtime_directory),
        IN_SCRATCH(a_runtime_directory_that_others_may_write_is_not_used),
        IN_SCRATCH(a_relative_path_is_taken_from_the_current_directory),
        IN_SCRATCH(what_cannot_be_a_file_is_refused_with_words),
        IN_SCRATCH(out_of_memory_is_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
