#include "registry/cache/cache_file.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/siphash.h"
#include "registry/cache/cache_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_SUFFIX ".list"
#define TMP_SUFFIX  ".tmp"

enum {
    READABLE_LEN_MAX = 60, /* of a service in a file's name */
    NUMBER_LEN = 16,       /* of what follows it */
    TMP_NAME_SIZE = YR_CACHE_NAME_SIZE + 24,
    ENTRIES_SIZE = 4096, /* of a folder, looked at together */
    /* Not waiting for what is no plain file. */
    OPEN_FILE = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
};

/* What nobody has touched for so long is removed. */
static const int64_t list_kept_ms = INT64_C(30) * 24 * 3600 * 1000;
static const int64_t tmp_kept_ms = INT64_C(3600) * 1000;

/* A file of the cache under way. */
typedef struct place {
    const char *dir; /* for messages */
    int dir_fd;
    char name[YR_CACHE_NAME_SIZE];
} place;

void yr_cache_file_name(const yr_cache_key *key, char ret_name[YR_CACHE_NAME_SIZE])
{
    char readable[READABLE_LEN_MAX + 1];
    size_t len = 0;
    for (; len < READABLE_LEN_MAX && key->service[len] != '\0'; len++) {
        char c = key->service[len];
        bool is_kept = isascii(c) && (isalnum(c) || c == '-' || (c == '.' && len > 0));
        readable[len] = '_';
        if (is_kept) {
            readable[len] = c;
        }
    }
    readable[len] = '\0';
    const uint64_t nothing[2] = {0, 0};
    uint64_t registry = yr_siphash(nothing, yr_bytes_of_text(key->registry));
    const uint64_t seed[2] = {registry, 0};
    uint64_t hash = yr_siphash(seed, yr_bytes_of_text(key->service));
    (void)snprintf(ret_name, YR_CACHE_NAME_SIZE, "%s-%016" PRIx64 LIST_SUFFIX, readable, hash);
}

static yurpc_status place_open(place *at, const char *dir, const yr_cache_key *key,
                               bool is_made, yurpc_error **ret_error)
{
    at->dir = dir;
    yr_cache_file_name(key, at->name);
    return yr_cache_dir_open(dir, is_made, &at->dir_fd, ret_error);
}

static yurpc_status fail(const place *at, const char *what, int code, yurpc_error **ret_error)
{
    char text[128];
    return yr_error_set(ret_error, yr_cache_errno_status(code), code, "cannot %s %s/%s: %s",
                        what, at->dir, at->name, strerror_r(code, text, sizeof text));
}

/* ---- Files that are not to be believed ---- */

/* @p seen is what was looked at: what has been put in its place since is another matter. */
static void set_aside(const place *at, const struct stat *seen)
{
    struct stat now;
    if (fstatat(at->dir_fd, at->name, &now, AT_SYMLINK_NOFOLLOW) != 0 ||
        (seen != NULL && (now.st_dev != seen->st_dev || now.st_ino != seen->st_ino))) {
        return;
    }
    if (renameat(at->dir_fd, at->name, at->dir_fd, YR_CACHE_ASIDE) == 0) {
        return;
    }
    /* One of the two is a folder. */
    if (unlinkat(at->dir_fd, YR_CACHE_ASIDE, 0) != 0) {
        (void)unlinkat(at->dir_fd, YR_CACHE_ASIDE, AT_REMOVEDIR);
    }
    (void)renameat(at->dir_fd, at->name, at->dir_fd, YR_CACHE_ASIDE);
}

static yurpc_status distrust(const place *at, const struct stat *seen, const char *why,
                             yurpc_error **ret_error)
{
    set_aside(at, seen);
    return yr_error_set(ret_error, YURPC_PROTOCOL, -1,
                        "%s/%s is not used and was renamed to " YR_CACHE_ASIDE ": %s", at->dir,
                        at->name, why);
}

static const char *fault_of_file(const struct stat *info)
{
    if (!S_ISREG(info->st_mode)) {
        return "it is not a plain file";
    }
    if (info->st_uid != geteuid()) {
        return "it belongs to another user";
    }
    if ((info->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return "others can write it";
    }
    return info->st_size > YR_CACHE_LEN_MAX ? "it is too large" : NULL;
}

static const char *fault_of_open(int code)
{
    switch (code) {
    case ELOOP:
        return "it is a link";
    case ENXIO:
    case ENODEV:
        return "it is not a plain file";
    case EACCES:
    case EPERM:
        return "it cannot be read";
    default:
        return NULL;
    }
}

/* ---- Loading ---- */

/* Up to @p len bytes; fewer at the end of the file; -1: errno says why. */
static ssize_t read_all(int fd, uint8_t *out, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t count = read(fd, out + done, len - done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return -1;
        }
        if (count == 0) {
            break;
        }
        done += (size_t)count;
    }
    return (ssize_t)done;
}

static yurpc_status read_file(const place *at, int fd, const struct stat *info, yr_buf *file,
                              yurpc_error **ret_error)
{
    size_t len = (size_t)info->st_size;
    yurpc_status status = yr_buf_reserve(file, len);
    if (status != YURPC_OK) {
        return yr_error_set_status(ret_error, status);
    }
    ssize_t count = read_all(fd, file->data, len);
    if (count < 0) {
        return fail(at, "read", errno, ret_error);
    }
    file->len = (size_t)count;
    return YURPC_OK;
}

static yurpc_status load_from(const place *at, int fd, const yr_cache_key *key, yr_batch *batch,
                              int64_t *ret_time_ms, yurpc_error **ret_error)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return fail(at, "read", errno, ret_error);
    }
    const char *fault = fault_of_file(&info);
    if (fault != NULL) {
        return distrust(at, &info, fault, ret_error);
    }
    yr_buf file;
    yr_buf_init(&file, YR_CACHE_LEN_MAX);
    yurpc_error *error = NULL;
    yurpc_status status = read_file(at, fd, &info, &file, ret_error);
    if (status == YURPC_OK) {
        status = yr_cache_decode(key, yr_bytes(file.data, file.len), batch, &error);
        *ret_time_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
        if (status == YURPC_NO_MEMORY) {
            status = yr_error_set_status(ret_error, status);
        } else if (status != YURPC_OK) {
            status = distrust(at, &info, yurpc_error_text(error), ret_error);
        }
    }
    yurpc_error_free(error);
    yr_buf_deinit(&file);
    return status;
}

yurpc_status yr_cache_file_load(const char *dir, const yr_cache_key *key, yr_batch *batch,
                                int64_t *ret_time_ms, yurpc_error **ret_error)
{
    place at;
    yurpc_status status = place_open(&at, dir, key, false, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    int fd = openat(at.dir_fd, at.name, OPEN_FILE);
    if (fd >= 0) {
        status = load_from(&at, fd, key, batch, ret_time_ms, ret_error);
        (void)close(fd);
    } else {
        int code = errno;
        const char *fault = fault_of_open(code);
        status = fault != NULL ? distrust(&at, NULL, fault, ret_error)
                               : fail(&at, "read", code, ret_error);
    }
    (void)close(at.dir_fd);
    return status;
}

/* ---- Saving ---- */

static bool set_time(int fd, int64_t time_ms)
{
    struct timespec then = {.tv_sec = time_ms / 1000, .tv_nsec = time_ms % 1000 * 1000000};
    const struct timespec times[2] = {then, then};
    return futimens(fd, times) == 0;
}

/* A list that is to be saved. */
typedef struct list {
    const yr_cache_key *key;
    const yurpc_snapshot *snapshot;
} list;

/* Whether @p fd is the file of @p wanted. Most that are not are another number. */
static bool is_same(int fd, const struct stat *info, const list *wanted)
{
    uint8_t there[YR_CACHE_HEAD_LEN];
    uint8_t head[YR_CACHE_HEAD_LEN];
    return read_all(fd, there, sizeof there) == sizeof there &&
           yr_cache_count(there) == yurpc_snapshot_count(wanted->snapshot) &&
           yr_cache_len(there) == (uint64_t)info->st_size &&
           yr_cache_write(wanted->key, wanted->snapshot, NULL, NULL, head) == YURPC_OK &&
           memcmp(there, head, sizeof head) == 0;
}

/* Whether the same list is there already; then it has its new time now. */
static bool touch_same(const place *at, const list *wanted, int64_t time_ms)
{
    struct stat info;
    int fd = openat(at->dir_fd, at->name, OPEN_FILE);
    if (fd < 0) {
        return false;
    }
    bool is_touched = fstat(fd, &info) == 0 && fault_of_file(&info) == NULL &&
                      is_same(fd, &info, wanted) && set_time(fd, time_ms);
    (void)close(fd);
    return is_touched;
}

/* A file being written: its descriptor, and what was wrong with it. */
typedef struct output {
    int fd;
    int code;
} output;

static yurpc_status write_some(void *context, yurpc_bytes bytes)
{
    output *out = context;
    while (bytes.len > 0) {
        ssize_t count = write(out->fd, bytes.data, bytes.len);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            out->code = errno;
            return YURPC_IO;
        }
        bytes = yr_bytes_after(bytes, (size_t)count);
    }
    return YURPC_OK;
}

/* The head is known last, and stands first. */
static yurpc_status write_list(output *out, const list *wanted)
{
    uint8_t head[YR_CACHE_HEAD_LEN] = {0};
    yurpc_status status = write_some(out, yr_bytes(head, sizeof head));
    if (status == YURPC_OK) {
        status = yr_cache_write(wanted->key, wanted->snapshot, write_some, out, head);
    }
    if (status == YURPC_OK && lseek(out->fd, 0, SEEK_SET) != 0) {
        out->code = errno;
        return YURPC_IO;
    }
    return status == YURPC_OK ? write_some(out, yr_bytes(head, sizeof head)) : status;
}

/* Fill, date and close @p out. */
static yurpc_status fill(output *out, const list *wanted, const yr_cache_save *options)
{
    yurpc_status status = write_list(out, wanted);
    if (status == YURPC_OK && (!set_time(out->fd, options->time_ms) ||
                               (options->is_synced && fdatasync(out->fd) != 0))) {
        out->code = errno;
        status = YURPC_IO;
    }
    /* A file system may say only here that it had no room. */
    if (close(out->fd) != 0 && status == YURPC_OK) {
        out->code = errno;
        status = YURPC_IO;
    }
    return status;
}

static yurpc_status write_new(const place *at, const list *wanted, const yr_cache_save *options,
                              yurpc_error **ret_error)
{
    char tmp[TMP_NAME_SIZE];
    (void)snprintf(tmp, sizeof tmp, "%s.%016" PRIx64 TMP_SUFFIX, at->name, options->random);
    int fd = openat(at->dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return fail(at, "write", errno, ret_error);
    }
    output out = {.fd = fd};
    yurpc_status status = fill(&out, wanted, options);
    if (status == YURPC_OK && renameat(at->dir_fd, tmp, at->dir_fd, at->name) != 0) {
        out.code = errno;
        status = YURPC_IO;
    }
    if (status == YURPC_OK) {
        return YURPC_OK;
    }
    (void)unlinkat(at->dir_fd, tmp, 0);
    return out.code != 0 ? fail(at, "write", out.code, ret_error)
                         : yr_error_set_status(ret_error, status);
}

/* ---- Tidying ---- */

/* Whether @p name ends with @p suffix, which is taken off then. */
static bool drop_suffix(yurpc_bytes *name, const char *suffix)
{
    size_t len = strlen(suffix);
    if (name->len < len ||
        memcmp((const char *)name->data + name->len - len, suffix, len) != 0) {
        return false;
    }
    name->len -= len;
    return true;
}

/* The same with @p sign and a number as files' names hold them. */
static bool drop_number(yurpc_bytes *name, char sign)
{
    const char *data = name->data;
    size_t first = name->len - NUMBER_LEN;
    if (name->len <= NUMBER_LEN || data[first - 1] != sign) {
        return false;
    }
    for (size_t i = first; i < name->len; i++) {
        if (!isdigit((unsigned char)data[i]) && !(data[i] >= 'a' && data[i] <= 'f')) {
            return false;
        }
    }
    name->len = first - 1;
    return true;
}

/* For how long a file of that name is kept: one that is not named as ours for ever, as the
 * folder may be one that is used for other things, too. */
static int64_t kept_ms_of(const char *name)
{
    yurpc_bytes rest = yr_bytes_of_text(name);
    bool is_tmp = drop_suffix(&rest, TMP_SUFFIX);
    bool is_ours = (!is_tmp || drop_number(&rest, '.')) && drop_suffix(&rest, LIST_SUFFIX) &&
                   drop_number(&rest, '-');
    return !is_ours ? INT64_MAX : is_tmp ? tmp_kept_ms : list_kept_ms;
}

static void remove_if_old(int dir_fd, const char *name, int64_t now_ms)
{
    struct stat info;
    int64_t kept_ms = kept_ms_of(name);
    if (kept_ms < INT64_MAX && fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        now_ms - (int64_t)info.st_mtim.tv_sec * 1000 > kept_ms) {
        (void)unlinkat(dir_fd, name, 0);
    }
}

/* Remove what crashes, and services that nobody asks for any more, have left. */
static void tidy(const place *at, int64_t now_ms)
{
    _Alignas(struct dirent64) char entries[ENTRIES_SIZE];
    int fd = openat(at->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t len = 0;
    while ((len = getdents64(fd, entries, sizeof entries)) > 0) {
        for (ssize_t i = 0; i < len;) {
            const struct dirent64 *entry = (const void *)(entries + i);
            remove_if_old(at->dir_fd, entry->d_name, now_ms);
            i += entry->d_reclen;
        }
    }
    (void)close(fd);
}

yurpc_status yr_cache_file_save(const char *dir, const yr_cache_key *key,
                                const yurpc_snapshot *snapshot, const yr_cache_save *options,
                                yurpc_error **ret_error)
{
    const list wanted = {key, snapshot};
    place at;
    yurpc_status status = place_open(&at, dir, key, true, ret_error);
    if (status == YURPC_OK) {
        if (!touch_same(&at, &wanted, options->time_ms)) {
            status = write_new(&at, &wanted, options, ret_error);
        }
        if (options->is_tidied) {
            tidy(&at, options->time_ms);
        }
        (void)close(at.dir_fd);
    }
    return status;
}
