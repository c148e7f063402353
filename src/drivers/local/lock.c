#include "drivers/local/lock.h"

#include "base/error.h"
#include "drivers/local/path.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char session_suffix[] = "session-";

static void lock_path(const char *file, int64_t id, char out[YR_LOCAL_PATH_MAX])
{
    char suffix[sizeof session_suffix + 16];
    snprintf(suffix, sizeof suffix, "%s%016" PRIx64, session_suffix, (uint64_t)id);
    yr_local_path_companion(file, suffix, out);
}

yurpc_status yr_local_lock_take(const char *file, int64_t id, int *ret_fd,
                                yurpc_error **ret_error)
{
    char path[YR_LOCAL_PATH_MAX];
    char why[128];
    lock_path(file, id, path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    if (fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0) {
        *ret_fd = fd;
        return YURPC_OK;
    }
    int code = errno;
    if (fd >= 0) {
        yr_local_lock_drop(file, id, fd);
    }
    return yr_error_set(ret_error, yr_local_path_status(code), -1,
                        "cannot make the session's lock file %s: %s", path,
                        strerror_r(code, why, sizeof why));
}

void yr_local_lock_drop(const char *file, int64_t id, int fd)
{
    char path[YR_LOCAL_PATH_MAX];
    lock_path(file, id, path);
    unlink(path); /* if it is not there, or stays, nobody is harmed: ids are not used again */
    if (fd >= 0) {
        close(fd);
    }
}

bool yr_local_lock_is_held(const char *file, int64_t id)
{
    char path[YR_LOCAL_PATH_MAX];
    lock_path(file, id, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        /* Without a file there is no lock; short of descriptors we do not know, and wait. */
        return errno != ENOENT;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    bool is_held = fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    close(fd);
    return is_held;
}

/* The session whose file is called @p name, when the registry's is called @p base; else 0. */
static int64_t id_of_name(const char *name, const char *base)
{
    size_t len = strlen(base);
    if (strncmp(name, base, len) != 0 || name[len] != '-') {
        return 0;
    }
    const char *suffix = name + len + 1;
    size_t prefix = sizeof session_suffix - 1;
    if (strncmp(suffix, session_suffix, prefix) != 0 || strlen(suffix) != prefix + 16) {
        return 0;
    }
    char *end = NULL;
    unsigned long long id = strtoull(suffix + prefix, &end, 16);
    return *end == '\0' && id <= INT64_MAX ? (int64_t)id : 0;
}

void yr_local_lock_each(const char *file, void (*each)(void *context, int64_t id),
                        void *context)
{
    char dir[YR_LOCAL_PATH_MAX];
    const char *slash = strrchr(file, '/');
    size_t len = slash > file ? (size_t)(slash - file) : 1;
    memcpy(dir, file, len);
    dir[len] = '\0';
    char *const roots[] = {dir, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    if (tree == NULL) {
        return;
    }
    const FTSENT *entry = fts_read(tree) != NULL ? fts_children(tree, FTS_NAMEONLY) : NULL;
    for (; entry != NULL; entry = entry->fts_link) {
        int64_t id = id_of_name(entry->fts_name, slash + 1);
        if (id != 0) {
            each(context, id);
        }
    }
    fts_close(tree);
}
