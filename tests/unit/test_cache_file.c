/* The files of the disk cache, on a real file system: whom they are from, and who else is
 * there. */
#include "cache_lists.h"
#include "registry/cache/cache_file.h"
#include "scratch.h"
#include "yr_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, OTHER = 65533, SKIPPED = 77, PATH_SIZE = 300 };

static const int64_t then_ms = INT64_C(1800000000123);

static yr_scratch scratch;
static char dir[PATH_SIZE];
static char file[PATH_SIZE];
static char aside[PATH_SIZE];

static int set_up(void **state)
{
    (void)state;
    char name[YR_CACHE_NAME_SIZE];
    if (yr_scratch_init(&scratch, "yurpc-cache.") != YURPC_OK) {
        return -1;
    }
    yr_cache_file_name(&cache_key, name);
    (void)snprintf(dir, sizeof dir, "%s/above/lists", scratch.path);
    (void)snprintf(file, sizeof file, "%.180s/%s", dir, name);
    (void)snprintf(aside, sizeof aside, "%.180s/%s", dir, YR_CACHE_ASIDE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    yr_scratch_deinit(&scratch);
    return 0;
}

/* ---- Saving and loading ---- */

static yurpc_status save_at(size_t count, uint32_t weight, int64_t time_ms, bool is_tidied,
                            yurpc_error **ret_error)
{
    static uint64_t random;
    yr_cache_save options = {.time_ms = time_ms,
                             .random = ((uint64_t)getpid() << 32) + random++,
                             .is_tidied = is_tidied,
                             .is_synced = true};
    yurpc_snapshot *list = cache_list_new(count, weight);
    yurpc_status status = yr_cache_file_save(dir, &cache_key, list, &options, ret_error);
    yr_snapshot_unref(list);
    return status;
}

static yurpc_status save(size_t count, uint32_t weight)
{
    return save_at(count, weight, then_ms, false, NULL);
}

/* What loading says; @p ret_count and @p ret_weight are of what was read. */
static yurpc_status load(size_t *ret_count, uint32_t *ret_weight)
{
    yr_batch batch;
    int64_t time_ms = 0;
    yr_batch_init(&batch);
    yurpc_status status = yr_cache_file_load(dir, &cache_key, &batch, &time_ms, NULL);
    *ret_count = batch.count;
    *ret_weight = batch.count > 0 ? yurpc_instance_weight(batch.items[0].instance) : 0;
    for (size_t i = 1; i < batch.count; i++) {
        assert_int_equal(yurpc_instance_weight(batch.items[i].instance), *ret_weight);
    }
    yr_batch_deinit(&batch);
    return status;
}

static void assert_holds(size_t count, uint32_t weight)
{
    size_t found = 0;
    uint32_t found_weight = 0;
    assert_ok(load(&found, &found_weight));
    assert_int_equal(found, count);
    assert_int_equal(found_weight, weight);
}

static void assert_load_fails(yurpc_status status, const char *text)
{
    yr_batch batch;
    int64_t time_ms = 0;
    yurpc_error *error = NULL;
    yr_batch_init(&batch);
    assert_int_equal(yr_cache_file_load(dir, &cache_key, &batch, &time_ms, &error), status);
    assert_int_equal(batch.count, 0);
    if (strstr(yurpc_error_text(error), text) == NULL) {
        fail_msg("'%s' is not in '%s'", text, yurpc_error_text(error));
    }
    yurpc_error_free(error);
    yr_batch_deinit(&batch);
}

static struct stat look(const char *path)
{
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info;
}

static bool exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static void put(const char *path, const char *text)
{
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void what_was_saved_is_loaded_with_its_time(void **state)
{
    (void)state;
    yr_batch batch;
    int64_t time_ms = 0;
    assert_ok(save(3, 7));
    yr_batch_init(&batch);
    assert_ok(yr_cache_file_load(dir, &cache_key, &batch, &time_ms, NULL));
    assert_int_equal(time_ms, then_ms);
    yurpc_snapshot *list = cache_list_new(3, 7);
    cache_list_check(&batch, list);
    yr_snapshot_unref(list);
    yr_batch_deinit(&batch);
    assert_int_equal(look(dir).st_mode & 0777, 0700);
    assert_int_equal(look(file).st_mode & 0777, 0600);
}

static void loading_what_was_never_saved_makes_nothing(void **state)
{
    (void)state;
    assert_load_fails(YURPC_NOT_FOUND, "");
    assert_false(exists(dir));
    assert_ok(save(1, 1));
    assert_int_equal(unlink(file), 0);
    assert_load_fails(YURPC_NOT_FOUND, "");
}

static void the_same_list_is_only_touched(void **state)
{
    (void)state;
    assert_ok(save(3, 7));
    ino_t before = look(file).st_ino;
    assert_ok(save_at(3, 7, then_ms + 5000, false, NULL));
    assert_int_equal(look(file).st_ino, before);
    assert_int_equal(look(file).st_mtim.tv_sec, then_ms / 1000 + 5);
    assert_ok(save_at(3, 8, then_ms + 6000, false, NULL));
    assert_int_not_equal(look(file).st_ino, before);
    assert_holds(3, 8);
}

static void any_service_has_a_file_of_its_own_with_a_harmless_name(void **state)
{
    (void)state;
    static const char *const services[] = {
        "a:1",           "a:2",        "A:1",   "../../etc/passwd:1", "..:1",   "a\nb:1",
        "\xc3\xa4:1",    "\xc3\xb6:1", "/:1",   ".hidden:1",          "%s%n:1", "a b:1",
        "set-aside.bad", "a_1",        "a;rm:1"};
    enum { COUNT = sizeof services / sizeof *services };
    static const char harmless[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    char names[COUNT + 2][YR_CACHE_NAME_SIZE];
    char long_service[YR_CACHE_NAME_SIZE * 4];
    memset(long_service, 'x', sizeof long_service);
    long_service[sizeof long_service - 1] = '\0';
    for (size_t i = 0; i < COUNT + 2; i++) {
        yr_cache_key key = {.registry = "r",
                            .service = i < COUNT ? services[i] : long_service + i - COUNT};
        yr_cache_file_name(&key, names[i]);
        assert_int_equal(strspn(names[i], harmless), strlen(names[i]));
        assert_true(names[i][0] != '.');
        assert_string_not_equal(names[i], YR_CACHE_ASIDE);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(names[i], names[k]);
        }
    }
}

/* ---- What is not to be believed ---- */

static void a_damaged_file_is_set_aside_and_there_is_one_such(void **state)
{
    (void)state;
    assert_ok(save(3, 7));
    put(file, "first");
    assert_load_fails(YURPC_PROTOCOL, "it is not a list of instances");
    assert_false(exists(file));
    assert_int_equal(look(aside).st_size, 5);
    put(file, "the second");
    assert_load_fails(YURPC_PROTOCOL, "was renamed to");
    assert_int_equal(look(aside).st_size, 10);
    assert_load_fails(YURPC_NOT_FOUND, "");
    assert_ok(save(3, 7));
    assert_holds(3, 7);
}

static void a_link_is_set_aside_and_not_followed(void **state)
{
    (void)state;
    char target[PATH_SIZE];
    (void)snprintf(target, sizeof target, "%s/target", scratch.path);
    assert_ok(save(3, 7));
    assert_int_equal(rename(file, target), 0);
    assert_int_equal(symlink(target, file), 0);
    assert_load_fails(YURPC_PROTOCOL, "it is a link");
    assert_true(S_ISLNK(look(aside).st_mode));
    assert_int_equal(symlink(target, file), 0);
    struct stat before = look(target);
    assert_ok(
        save_at(3, 7, then_ms + 5000, false, NULL)); /* the link's target is the same list */
    assert_int_equal(look(target).st_mtim.tv_sec, before.st_mtim.tv_sec);
    assert_true(S_ISREG(look(file).st_mode));
}

static void what_is_no_file_is_set_aside_without_waiting_for_it(void **state)
{
    (void)state;
    assert_ok(save(3, 7));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_load_fails(YURPC_PROTOCOL, "it is not a plain file");
    assert_int_equal(mkdir(file, 0700), 0);
    assert_load_fails(YURPC_PROTOCOL, "it is not a plain file");
    put(file, "damaged"); /* what is aside now is a folder */
    assert_load_fails(YURPC_PROTOCOL, "it is not a list of instances");
    assert_true(S_ISREG(look(aside).st_mode));
}

static void a_file_that_others_can_write_is_set_aside(void **state)
{
    (void)state;
    assert_ok(save(3, 7));
    assert_int_equal(chmod(file, 0620), 0);
    assert_load_fails(YURPC_PROTOCOL, "others can write it");
    assert_true(exists(aside));
}

static void a_file_that_is_too_large_is_set_aside_unread(void **state)
{
    (void)state;
    assert_ok(save(3, 7));
    assert_int_equal(truncate(file, (off_t)YR_CACHE_LEN_MAX + 1), 0);
    assert_load_fails(YURPC_PROTOCOL, "it is too large");
}

static void a_folder_that_is_not_ours_alone_is_not_used(void **state)
{
    (void)state;
    assert_ok(save(3, 7));
    assert_int_equal(chmod(dir, 0770), 0);
    assert_load_fails(YURPC_DENIED, "can be written by others; give another as cacheDir");
    assert_int_equal(save(3, 8), YURPC_DENIED);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_holds(3, 7);
    char above[PATH_SIZE];
    (void)snprintf(above, sizeof above, "%s/above", scratch.path);
    assert_int_equal(chmod(above, 0777), 0);
    assert_load_fails(YURPC_DENIED, "can be written by everybody");
    assert_int_equal(chmod(above, 01777), 0); /* as /tmp is */
    assert_holds(3, 7);
}

static void a_link_to_a_folder_is_not_used(void **state)
{
    (void)state;
    char real[PATH_SIZE];
    (void)snprintf(real, sizeof real, "%s/real", scratch.path);
    assert_ok(save(3, 7));
    assert_int_equal(rename(dir, real), 0);
    assert_int_equal(symlink(real, dir), 0);
    assert_load_fails(YURPC_DENIED, "cannot use the cache folder");
    assert_int_equal(save(3, 8), YURPC_DENIED);
}

static void a_path_that_cannot_be_a_folder_is_refused(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "relative");
    assert_load_fails(YURPC_DENIED, "is no absolute path of a folder");
    (void)snprintf(dir, sizeof dir, "/");
    assert_load_fails(YURPC_DENIED, "is no absolute path of a folder");
    (void)snprintf(dir, sizeof dir, "%s/lock/lists", scratch.path); /* within a file */
    assert_int_equal(save(3, 7), YURPC_DENIED);
    (void)snprintf(dir, sizeof dir, "%s/a/b/c", scratch.path); /* two above are missing */
    assert_int_equal(save(3, 7), YURPC_NOT_FOUND);
    (void)snprintf(dir, sizeof dir, "%s/slashes///", scratch.path);
    assert_ok(save(3, 7));
    assert_holds(3, 7);
}

/* ---- Others ---- */

/* Run @p fn in a child: its exit status. */
static int in_child(int (*fn)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(fn());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool skips(int code, const char *why)
{
    if (code == SKIPPED) {
        print_message("*** SKIPPED: %s ***\n", why);
    }
    return code == SKIPPED;
}

static void a_file_or_folder_of_another_user_is_not_used(void **state)
{
    (void)state;
    assert_ok(save(3, 7));
    if (chown(file, OTHER, OTHER) != 0) {
        assert_true(skips(SKIPPED, "only root can give files away"));
        return;
    }
    assert_load_fails(YURPC_PROTOCOL, "it belongs to another user");
    assert_true(exists(aside));
    assert_int_equal(chown(dir, OTHER, OTHER), 0);
    assert_load_fails(YURPC_DENIED, "belongs to another user");
    assert_int_equal(save(3, 7), YURPC_DENIED);
    assert_int_equal(chown(dir, 0, 0), 0);
    char above[PATH_SIZE];
    (void)snprintf(above, sizeof above, "%s/above", scratch.path);
    assert_int_equal(chown(above, OTHER, OTHER), 0);
    assert_load_fails(YURPC_DENIED, "belongs to another user");
}

static int save_as_nobody(void)
{
    if (geteuid() == 0 &&
        (chown(scratch.path, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
        return SKIPPED;
    }
    size_t count = 0;
    uint32_t weight = 0;
    if (save(3, 7) != YURPC_OK || chmod(dir, 0500) != 0) {
        return 1;
    }
    bool is_right = save(3, 8) == YURPC_DENIED && load(&count, &weight) == YURPC_OK &&
                    count == 3 && weight == 7;
    is_right &= save(3, 7) == YURPC_OK; /* touching the file is not writing the folder */
    return is_right && chmod(dir, 0700) == 0 ? 0 : 2;
}

static void a_folder_that_cannot_be_written_keeps_what_it_has(void **state)
{
    (void)state;
    int code = in_child(save_as_nobody);
    if (!skips(code, "root cannot become another user here")) {
        assert_int_equal(code, 0);
    }
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return fd >= 0 && close(fd) == 0 && is_done;
}

/* A file system of a few pages, seen by nobody else. */
static bool mount_tiny(void)
{
    char users[64];
    char groups[64];
    (void)snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
    (void)snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", users) &&
           write_text("/proc/self/gid_map", groups) &&
           mount("tmpfs", scratch.path, "tmpfs", 0, "size=64k,mode=0700") == 0;
}

static int fill_the_disk(void)
{
    enum { TOO_MANY = 5000 };
    if (!mount_tiny()) {
        return SKIPPED;
    }
    size_t count = 0;
    uint32_t weight = 0;
    yurpc_error *error = NULL;
    if (save(3, 7) != YURPC_OK) {
        return 1;
    }
    if (save_at(TOO_MANY, 8, then_ms, false, &error) != YURPC_EXHAUSTED) {
        return 2;
    }
    bool is_said = strstr(yurpc_error_text(error), strerror(ENOSPC)) != NULL;
    yurpc_error_free(error);
    if (!is_said || load(&count, &weight) != YURPC_OK || count != 3 || weight != 7) {
        return 3;
    }
    return save(100, 9) == YURPC_OK ? 0 : 4; /* nothing of the large one is left */
}

static void a_full_disk_keeps_what_it_has(void **state)
{
    (void)state;
    int code = in_child(fill_the_disk);
    if (!skips(code, "no file system can be mounted here (unshare -rm)")) {
        assert_int_equal(code, 0);
    }
}

enum { WRITERS = 3, ROUNDS = 300 };

static int write_often(void)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t weight = 1 + ((uint32_t)getpid() + i) % 200;
        if (save(weight, weight) != YURPC_OK) {
            return 1;
        }
    }
    return 0;
}

static void processes_that_write_and_read_at_once_see_whole_lists(void **state)
{
    (void)state;
    pid_t writers[WRITERS];
    assert_ok(save(1, 1));
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        assert_true(writers[i] >= 0);
        if (writers[i] == 0) {
            _exit(write_often());
        }
    }
    size_t left = WRITERS;
    size_t reads = 0;
    while (left > 0) {
        size_t count = 0;
        uint32_t weight = 0;
        int status = 0;
        assert_ok(load(&count, &weight));
        assert_int_equal(count, weight);
        reads++;
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            left--;
        }
    }
    assert_true(reads > WRITERS);
    assert_false(exists(aside));
}

static void what_was_left_long_ago_is_removed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t age_s;
        bool is_kept;
    } files[] = {
        {"a-0123456789abcdef.list", 31 * 24 * 3600, false},
        {"b-0123456789abcdef.list", 29 * 24 * 3600, true},
        {"-0123456789abcdef.list", 31 * 24 * 3600, false},
        {"a-0123456789abcdef.list.fedcba9876543210.tmp", 2 * 3600, false},
        {"b-0123456789abcdef.list.fedcba9876543210.tmp", 1800, true},
        /* Somebody may have named a folder in which there are other things, too. */
        {"of-somebody-else", 1000 * 24 * 3600, true},
        {"sources.list", 1000 * 24 * 3600, true},
        {"thesis.tmp", 1000 * 24 * 3600, true},
        {"a-0123456789abcdeF.list", 1000 * 24 * 3600, true},
        {"a_0123456789abcdef.list", 1000 * 24 * 3600, true},
        {"a-0123456789abcdef.fedcba9876543210.tmp", 1000 * 24 * 3600, true},
        {".list", 1000 * 24 * 3600, true},
        {".tmp", 1000 * 24 * 3600, true},
    };
    enum { COUNT = sizeof files / sizeof *files };
    char paths[COUNT][PATH_SIZE];
    assert_ok(save(3, 7));
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%.180s/%s", dir, files[i].name);
        put(paths[i], "x");
        const struct timespec then = {.tv_sec = then_ms / 1000 - files[i].age_s};
        const struct timespec times[] = {then, then};
        assert_int_equal(utimensat(AT_FDCWD, paths[i], times, 0), 0);
    }
    assert_ok(save(3, 7));
    assert_true(exists(paths[0]));
    assert_ok(save_at(3, 7, then_ms, true, NULL));
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(exists(paths[i]), files[i].is_kept);
    }
    assert_holds(3, 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_is_loaded_with_its_time),
        TEST(loading_what_was_never_saved_makes_nothing),
        TEST(the_same_list_is_only_touched),
        TEST(any_service_has_a_file_of_its_own_with_a_harmless_name),
        TEST(a_damaged_file_is_set_aside_and_there_is_one_such),
        TEST(a_link_is_set_aside_and_not_followed),
        TEST(what_is_no_file_is_set_aside_without_waiting_for_it),
        TEST(a_file_that_others_can_write_is_set_aside),
        TEST(a_file_that_is_too_large_is_set_aside_unread),
        TEST(a_folder_that_is_not_ours_alone_is_not_used),
        TEST(a_link_to_a_folder_is_not_used),
        TEST(a_path_that_cannot_be_a_folder_is_refused),
        TEST(a_file_or_folder_of_another_user_is_not_used),
        TEST(a_folder_that_cannot_be_written_keeps_what_it_has),
        TEST(a_full_disk_keeps_what_it_has),
        TEST(processes_that_write_and_read_at_once_see_whole_lists),
        TEST(what_was_left_long_ago_is_removed),
    };
    return cmocka_run_group_tests_name("cache_file", tests, NULL, NULL);
}
