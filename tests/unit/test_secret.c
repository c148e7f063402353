/* Secrets in files. */
#include "base/mem.h"
#include "base/secret.h"
#include "scratch.h"
#include "yr_test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static yr_scratch scratch;
static char path[128];

static int set_up(void **state)
{
    (void)state;
    assert_ok(yr_scratch_init(&scratch, "yurpc-secret."));
    (void)snprintf(path, sizeof path, "%s/password", scratch.path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    yr_scratch_deinit(&scratch);
    return 0;
}

static void write_file(const char *text, size_t len, mode_t mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, len), len);
    assert_int_equal(fchmod(file, mode), 0);
    assert_int_equal(close(file), 0);
}

static void assert_reads(const char *text, const char *expected)
{
    char *secret = NULL;
    write_file(text, strlen(text), 0600);
    assert_ok(yr_secret_read(path, &secret, NULL, NULL));
    assert_string_equal(secret, expected);
    yr_secret_free(secret);
}

static void assert_fails(yurpc_status status, const char *why)
{
    char *secret = NULL;
    yurpc_error *error = NULL;
    assert_int_equal(yr_secret_read(path, &secret, NULL, &error), status);
    assert_null(secret);
    assert_non_null(strstr(yurpc_error_text(error), why));
    assert_non_null(strstr(yurpc_error_text(error), path));
    yurpc_error_free(error);
}

/* Whether a core dump holds the page at @p address, as the kernel says. */
static bool is_dumped(const void *address)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    uintptr_t first = 0;
    uintptr_t last = 0;
    bool is_here = false;
    bool is_dumped = true;
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &first, &last) == 2) {
            is_here = (uintptr_t)address >= first && (uintptr_t)address < last;
        } else if (is_here && strncmp(line, "VmFlags:", 8) == 0) {
            is_dumped = strstr(line, " dd") == NULL;
        }
    }
    (void)fclose(maps);
    return is_dumped;
}

static void no_core_dump_holds_a_secret(void **state)
{
    (void)state;
    char *secret = NULL;
    char *copy = yr_secret_copy("secret");
    yr_buf buf;
    yr_buf_init_private(&buf, 100000);
    write_file("secret\n", 7, 0600);
    assert_ok(yr_secret_read(path, &secret, NULL, NULL));
    assert_string_equal(copy, "secret");
    assert_true(is_dumped(path));
    assert_false(is_dumped(secret));
    assert_false(is_dumped(copy));
    assert_ok(yr_buf_append_text(&buf, secret));
    assert_false(is_dumped(buf.data));
    assert_ok(yr_buf_reserve(&buf, 50000));
    assert_false(is_dumped(buf.data));
    assert_false(is_dumped(buf.data + 50000));
    assert_memory_equal(buf.data, "secret", 6);
    yr_buf_deinit(&buf);
    assert_ok(yr_buf_append_text(&buf, secret));
    assert_false(is_dumped(buf.data));
    yr_buf_deinit(&buf);
    yr_secret_free(copy);
    yr_secret_free(secret);
}

static void private_memory_may_run_out(void **state)
{
    (void)state;
    yr_buf buf;
    yr_buf_init_private(&buf, SIZE_MAX);
    assert_ok(yr_buf_append_text(&buf, "kept"));
    yr_mem_fail_after(0);
    assert_int_equal(yr_buf_reserve(&buf, 2 * buf.cap), YURPC_NO_MEMORY);
    assert_null(yr_secret_copy("secret"));
    yr_mem_fail_after(-1);
    assert_null(yr_private_realloc(NULL, SIZE_MAX));
    assert_null(yr_private_realloc(buf.data, SIZE_MAX / 4));
    assert_memory_equal(buf.data, "kept", 4);
    yr_buf_deinit(&buf);
}

static void the_end_of_the_line_is_no_part_of_a_secret(void **state)
{
    (void)state;
    assert_reads("secret", "secret");
    assert_reads("secret\n", "secret");
    assert_reads("secret\r\n", "secret");
    assert_reads(" sec ret ", " sec ret ");
    assert_reads("\xc3\xa4\n", "\xc3\xa4");
}

static void what_is_no_line_of_text_is_no_secret(void **state)
{
    (void)state;
    static char much[YR_SECRET_LEN_MAX + 2];
    memset(much, 'x', sizeof much);
    write_file("", 0, 0600);
    assert_fails(YURPC_INVALID, "is empty");
    write_file("\n", 1, 0600);
    assert_fails(YURPC_INVALID, "is empty");
    write_file("a\nb\n", 4, 0600);
    assert_fails(YURPC_INVALID, "more than one line");
    write_file("a\0b", 3, 0600);
    assert_fails(YURPC_INVALID, "more than one line of text");
    write_file(much, YR_SECRET_LEN_MAX + 1, 0600);
    assert_fails(YURPC_INVALID, "more than 4096 bytes");
    char *secret = NULL;
    write_file(much, YR_SECRET_LEN_MAX, 0600);
    assert_ok(yr_secret_read(path, &secret, NULL, NULL));
    assert_int_equal(strlen(secret), YR_SECRET_LEN_MAX);
    yr_secret_free(secret);
}

static void what_others_may_read_is_no_secret(void **state)
{
    (void)state;
    static const mode_t open_modes[] = {0604, 0644, 0622, 0660, 0610, 0601, 0777};
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        write_file("secret", 6, open_modes[i]);
        assert_fails(YURPC_INVALID, "is open to other users: chmod 600 it");
    }
    char *secret = NULL;
    write_file("secret", 6, 0400);
    assert_ok(yr_secret_read(path, &secret, NULL, NULL));
    yr_secret_free(secret);
    write_file("secret", 6, 0640);
    if (geteuid() != 0) {
        assert_fails(YURPC_INVALID, "chmod 600");
        return;
    }
    assert_ok(yr_secret_read(path, &secret, NULL, NULL)); /* root's: as secrets are mounted */
    yr_secret_free(secret);
    assert_int_equal(chown(path, 1, 1), 0);
    assert_fails(YURPC_INVALID, "chmod 600");
}

static void what_is_no_file_is_no_secret(void **state)
{
    (void)state;
    (void)unlink(path);
    assert_fails(YURPC_IO, "cannot be read: No such file");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_fails(YURPC_INVALID, "is not a regular file"); /* and nobody waits for a writer */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_fails(YURPC_INVALID, "is not a regular file");
    assert_int_equal(rmdir(path), 0);
}

static void a_file_that_was_written_anew_is_noticed(void **state)
{
    (void)state;
    yr_secret_stamp stamp;
    char *secret = NULL;
    write_file("one", 3, 0600);
    assert_ok(yr_secret_read(path, &secret, &stamp, NULL));
    yr_secret_free(secret);
    assert_false(yr_secret_has_changed(path, &stamp));
    write_file("two!", 4, 0600);
    assert_true(yr_secret_has_changed(path, &stamp));
    assert_int_equal(unlink(path), 0);
    assert_false(yr_secret_has_changed(path, &stamp)); /* there is nothing to be read */
}

static void lack_of_memory_leaves_nothing(void **state)
{
    (void)state;
    write_file("secret\n", 7, 0600);
    yurpc_status status = YURPC_NO_MEMORY;
    for (long n = 0; status == YURPC_NO_MEMORY; n++) {
        char *secret = NULL;
        yr_mem_fail_after(n);
        status = yr_secret_read(path, &secret, NULL, NULL);
        yr_mem_fail_after(-1);
        assert_true((secret != NULL) == (status == YURPC_OK));
        yr_secret_free(secret);
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_the_line_is_no_part_of_a_secret),
        cmocka_unit_test(what_is_no_line_of_text_is_no_secret),
        cmocka_unit_test(what_others_may_read_is_no_secret),
        cmocka_unit_test(what_is_no_file_is_no_secret),
        cmocka_unit_test(a_file_that_was_written_anew_is_noticed),
        cmocka_unit_test(lack_of_memory_leaves_nothing),
        cmocka_unit_test(no_core_dump_holds_a_secret),
        cmocka_unit_test(private_memory_may_run_out),
    };
    return cmocka_run_group_tests_name("secret", tests, set_up, tear_down);
}
