#include "drivers/local/path.h"

#include "base/error.h"
#include "base/mem.h"
#include "registry/runtime_dir.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    COMPANION_LEN_MAX = 64,
    FILE_LEN_MAX = YR_LOCAL_PATH_MAX - COMPANION_LEN_MAX,
    OTHERS_WRITE = S_IWGRP | S_IWOTH,
};

static const char *text_of_errno(int code, char out[128])
{
    return strerror_r(code, out, 128);
}

yurpc_status yr_local_path_status(int code)
{
    switch (code) {
    case EACCES:
    case EPERM:
    case EROFS:
        return YURPC_DENIED;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return YURPC_INVALID;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOLCK:
        return YURPC_EXHAUSTED;
    default:
        return YURPC_IO;
    }
}

/* Whether @p dir is a directory of this user that nobody else may write. */
static bool is_private(const char *dir)
{
    struct stat info;
    return stat(dir, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           (info.st_mode & OTHERS_WRITE) == 0;
}

static yurpc_status resolve_default(char out[YR_LOCAL_PATH_MAX], yurpc_error **ret_error)
{
    char of_user[64];
    unsigned long user = (unsigned long)geteuid();
    snprintf(of_user, sizeof of_user, "/run/user/%lu", user);
    const char *runtime = yr_runtime_dir();
    if (runtime == NULL || !is_private(runtime)) {
        runtime = is_private(of_user) ? of_user : NULL;
    }
    int len = 0;
    if (runtime != NULL) {
        len = snprintf(out, YR_LOCAL_PATH_MAX, "%s/yurpc/registry.db", runtime);
    } else {
        len = snprintf(out, YR_LOCAL_PATH_MAX, "%s/yurpc-%lu/registry.db", yr_temporary_dir(),
                       user);
    }
    if (len < 0 || len > FILE_LEN_MAX) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the path of the runtime directory is too long: give the "
                            "registry's file as address");
    }
    return YURPC_OK;
}

static yurpc_status check_syntax(const char *address, yurpc_error **ret_error)
{
    size_t len = strlen(address);
    if (len == 0) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the address of a local registry is empty: give the path of its "
                            "file, or none for the default");
    }
    if (strstr(address, "://") != NULL) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "\"%s\" is not the address of a local registry: that is the path "
                            "of its file, for example /run/user/1000/yurpc/registry.db",
                            address);
    }
    struct stat info;
    bool is_directory = stat(address, &info) == 0 && S_ISDIR(info.st_mode);
    if (address[len - 1] == '/' || is_directory) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "\"%s\" is a directory: a local registry's address is the path of "
                            "a file, for example %s%sregistry.db",
                            address, address, address[len - 1] == '/' ? "" : "/");
    }
    return YURPC_OK;
}

static yurpc_status resolve_given(const char *address, char out[YR_LOCAL_PATH_MAX],
                                  yurpc_error **ret_error)
{
    yurpc_status status = check_syntax(address, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    char dir[YR_LOCAL_PATH_MAX] = "";
    if (address[0] != '/' && getcwd(dir, sizeof dir) == NULL) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the current directory has no usable path: give the registry's "
                            "file as an absolute path");
    }
    int len =
        snprintf(out, YR_LOCAL_PATH_MAX, "%s%s%s", dir, dir[0] != '\0' ? "/" : "", address);
    if (len < 0 || len > FILE_LEN_MAX) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the path of the registry's file is longer than %d bytes",
                            (int)FILE_LEN_MAX);
    }
    return YURPC_OK;
}

yurpc_status yr_local_path_resolve(const char *address, char **ret_file,
                                   yurpc_error **ret_error)
{
    char path[YR_LOCAL_PATH_MAX];
    yurpc_status status = address == NULL ? resolve_default(path, ret_error)
                                          : resolve_given(address, path, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    char *file = yr_strdup(path);
    if (file == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    *ret_file = file;
    return YURPC_OK;
}

static yurpc_status check_directory(const char *dir, yurpc_error **ret_error)
{
    char why[128];
    struct stat info;
    if (mkdir(dir, S_IRWXU) != 0 && errno != EEXIST && errno != EISDIR) {
        return yr_error_set(ret_error, yr_local_path_status(errno), -1,
                            "cannot make the registry's directory %s: %s", dir,
                            text_of_errno(errno, why));
    }
    /* Somebody else's link could lead us to write where they want. */
    if (lstat(dir, &info) == 0 && S_ISLNK(info.st_mode) && info.st_uid != geteuid() &&
        info.st_uid != 0) {
        return yr_error_set(ret_error, YURPC_DENIED, -1,
                            "the registry's directory %s is another user's link: choose "
                            "another path",
                            dir);
    }
    if (stat(dir, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "%s, where the registry's file would be, "
                            "is not a directory that can be used",
                            dir);
    }
    if (info.st_uid != geteuid()) {
        return yr_error_set(ret_error, YURPC_DENIED, -1,
                            "the registry's directory %s belongs to another user: choose a "
                            "path in a directory of your own",
                            dir);
    }
    if ((info.st_mode & OTHERS_WRITE) != 0) {
        return yr_error_set(ret_error, YURPC_DENIED, -1,
                            "others may write the registry's directory %s: choose another, or "
                            "chmod go-w it",
                            dir);
    }
    return YURPC_OK;
}

static yurpc_status check_file(const char *file, yurpc_error **ret_error)
{
    char why[128];
    struct stat info;
    if (lstat(file, &info) != 0) {
        return errno == ENOENT ? YURPC_OK
                               : yr_error_set(ret_error, yr_local_path_status(errno), -1,
                                              "cannot look at the registry's file %s: %s", file,
                                              text_of_errno(errno, why));
    }
    if (!S_ISREG(info.st_mode) || info.st_nlink > 1) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "%s is not a plain file with one name: the registry needs a file "
                            "of its own",
                            file);
    }
    if (info.st_uid != geteuid()) {
        return yr_error_set(ret_error, YURPC_DENIED, -1,
                            "the registry's file %s belongs to another user", file);
    }
    if ((info.st_mode & OTHERS_WRITE) != 0) {
        return yr_error_set(ret_error, YURPC_DENIED, -1,
                            "others may write the registry's file %s: chmod go-w it", file);
    }
    return YURPC_OK;
}

yurpc_status yr_local_path_prepare(const char *file, yurpc_error **ret_error)
{
    char dir[YR_LOCAL_PATH_MAX];
    const char *slash = strrchr(file, '/');
    size_t len = slash > file ? (size_t)(slash - file) : 1;
    memcpy(dir, file, len);
    dir[len] = '\0';
    yurpc_status status = check_directory(dir, ret_error);
    return status == YURPC_OK ? check_file(file, ret_error) : status;
}

void yr_local_path_companion(const char *file, const char *suffix, char out[YR_LOCAL_PATH_MAX])
{
    /* Cannot be cut: FILE_LEN_MAX leaves room for every suffix there is. */
    snprintf(out, YR_LOCAL_PATH_MAX, "%s-%s", file, suffix);
}
