#include "registry/cache/cache_dir.h"

#include "base/error.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADVICE "give another as cacheDir, or 'none'"

enum { OPEN_DIR = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

yurpc_status yr_cache_errno_status(int code)
{
    switch (code) {
    case ENOENT:
        return YURPC_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENOTDIR:
        return YURPC_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
        return YURPC_EXHAUSTED;
    case ENOMEM:
        return YURPC_NO_MEMORY;
    default:
        return YURPC_IO;
    }
}

static yurpc_status fail(const char *path, int code, yurpc_error **ret_error)
{
    char text[128];
    return yr_error_set(ret_error, yr_cache_errno_status(code), code,
                        "cannot use the cache folder %s: %s; " ADVICE, path,
                        strerror_r(code, text, sizeof text));
}

/* What somebody else could do about us; NULL: nothing. */
static const char *fault_of_parent(const struct stat *info)
{
    if (info->st_uid != geteuid() && info->st_uid != 0) {
        return "belongs to another user";
    }
    bool is_open_to_all = (info->st_mode & S_IWOTH) != 0 && (info->st_mode & S_ISVTX) == 0;
    return is_open_to_all ? "can be written by everybody" : NULL;
}

static const char *fault_of_dir(const struct stat *info)
{
    if (info->st_uid != geteuid()) {
        return "belongs to another user";
    }
    return (info->st_mode & (S_IWGRP | S_IWOTH)) != 0 ? "can be written by others" : NULL;
}

static yurpc_status refuse(const char *path, const char *fault, yurpc_error **ret_error)
{
    return yr_error_set(ret_error, YURPC_DENIED, -1,
                        "the cache folder %s is not used: it %s; " ADVICE, path, fault);
}

/* Open @p name within @p parent, made when it is missing and @p is_made; -1: errno says why. */
static int open_or_make(int parent, const char *name, int flags, bool is_made)
{
    int fd = openat(parent, name, OPEN_DIR | flags);
    if (fd < 0 && errno == ENOENT && is_made) {
        if (mkdirat(parent, name, S_IRWXU) != 0 && errno != EEXIST) {
            return -1;
        }
        fd = openat(parent, name, OPEN_DIR | flags);
    }
    return fd;
}

/* The folder that @p path's last part is in: everything before it, in @p parent. */
static const char *split(char *parent)
{
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/') {
        parent[--len] = '\0';
    }
    char *slash = strrchr(parent, '/');
    if (slash == NULL || len == 1) {
        return NULL;
    }
    *slash = '\0';
    return slash + 1;
}

static yurpc_status open_parent(const char *path, bool is_made, int *ret_fd,
                                yurpc_error **ret_error)
{
    struct stat info;
    int fd = open_or_make(AT_FDCWD, path, 0, is_made);
    if (fd < 0) {
        return fail(path, errno, ret_error);
    }
    const char *fault = fstat(fd, &info) != 0 ? "cannot be looked at" : fault_of_parent(&info);
    if (fault != NULL) {
        (void)close(fd);
        return refuse(path, fault, ret_error);
    }
    *ret_fd = fd;
    return YURPC_OK;
}

static yurpc_status open_in(int parent, const char *name, const char *path, bool is_made,
                            int *ret_fd, yurpc_error **ret_error)
{
    struct stat info;
    /* A link could lead to where others want it. */
    int fd = open_or_make(parent, name, O_NOFOLLOW, is_made);
    if (fd < 0) {
        return fail(path, errno, ret_error);
    }
    const char *fault = fstat(fd, &info) != 0 ? "cannot be looked at" : fault_of_dir(&info);
    if (fault != NULL) {
        (void)close(fd);
        return refuse(path, fault, ret_error);
    }
    *ret_fd = fd;
    return YURPC_OK;
}

yurpc_status yr_cache_dir_open(const char *path, bool is_made, int *ret_fd,
                               yurpc_error **ret_error)
{
    char *copy = yr_strdup(path);
    if (copy == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    int parent = -1;
    const char *name = split(copy);
    yurpc_status status =
        name == NULL ? refuse(path, "is no absolute path of a folder", ret_error)
                     : open_parent(copy[0] != '\0' ? copy : "/", is_made, &parent, ret_error);
    if (status == YURPC_OK) {
        status = open_in(parent, name, path, is_made, ret_fd, ret_error);
        (void)close(parent);
    }
    yr_free(copy);
    return status;
}
