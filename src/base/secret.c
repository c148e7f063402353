#include "base/secret.h"

#include "base/error.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *yr_secret_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = yr_private_realloc(NULL, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void yr_secret_free(char *text)
{
    yr_private_free(text);
}

static yr_secret_stamp stamp_of(const struct stat *info)
{
    return (yr_secret_stamp){.device = info->st_dev,
                             .inode = info->st_ino,
                             .changed_ns = (int64_t)info->st_mtim.tv_sec * 1000000000 +
                                           info->st_mtim.tv_nsec,
                             .size = info->st_size};
}

static yurpc_status fail(const char *path, yurpc_status status, const char *what,
                         yurpc_error **ret_error)
{
    return yr_error_set(ret_error, status, -1, "the password file %s %s", path, what);
}

static yurpc_status fail_system(const char *path, int number, yurpc_error **ret_error)
{
    char storage[128];
    return yr_error_set(ret_error, YURPC_IO, -1, "the password file %s cannot be read: %s",
                        path, strerror_r(number, storage, sizeof storage));
}

/* The owner alone may read it; or, of a file of root's, its group: so secrets are mounted. */
static bool is_private(const struct stat *info)
{
    mode_t allowed = info->st_uid == 0 ? S_IRWXU | S_IRGRP : S_IRWXU;
    return (info->st_mode & (S_IRWXU | S_IRWXG | S_IRWXO) & ~allowed) == 0;
}

static yurpc_status check_file(const char *path, const struct stat *info,
                               yurpc_error **ret_error)
{
    if (!S_ISREG(info->st_mode)) {
        return fail(path, YURPC_INVALID, "is not a regular file", ret_error);
    }
    if (!is_private(info)) {
        return fail(path, YURPC_INVALID, "is open to other users: chmod 600 it", ret_error);
    }
    return YURPC_OK;
}

/* The line in @p buf, without its end. */
static yurpc_status take_line(const char *path, yr_buf *buf, yurpc_error **ret_error)
{
    if (buf->len > YR_SECRET_LEN_MAX) {
        return fail(path, YURPC_INVALID, "holds more than 4096 bytes", ret_error);
    }
    if (buf->len > 0 && buf->data[buf->len - 1] == '\n') {
        buf->len--;
    }
    if (buf->len > 0 && buf->data[buf->len - 1] == '\r') {
        buf->len--;
    }
    if (buf->len == 0) {
        return fail(path, YURPC_INVALID, "is empty", ret_error);
    }
    if (memchr(buf->data, '\n', buf->len) != NULL ||
        memchr(buf->data, '\0', buf->len) != NULL) {
        return fail(path, YURPC_INVALID, "holds more than one line of text", ret_error);
    }
    return YURPC_OK;
}

static yurpc_status read_all(int file, const char *path, yr_buf *buf, yurpc_error **ret_error)
{
    /* One byte more shows that there is too much. */
    yurpc_status status = yr_buf_reserve(buf, YR_SECRET_LEN_MAX + 1);
    if (status != YURPC_OK) {
        return yr_error_set_status(ret_error, status);
    }
    ssize_t len = 1;
    while (len > 0 && buf->len <= YR_SECRET_LEN_MAX) {
        len = read(file, buf->data + buf->len, YR_SECRET_LEN_MAX + 1 - buf->len);
        if (len < 0 && errno == EINTR) {
            len = 1;
        } else if (len < 0) {
            return fail_system(path, errno, ret_error);
        } else {
            buf->len += (size_t)len;
        }
    }
    return YURPC_OK;
}

static yurpc_status read_file(int file, const char *path, char **ret_secret,
                              yurpc_error **ret_error)
{
    yr_buf buf;
    yr_buf_init_private(&buf, YR_SECRET_LEN_MAX + 64);
    yurpc_status status = read_all(file, path, &buf, ret_error);
    if (status == YURPC_OK) {
        status = take_line(path, &buf, ret_error);
    }
    if (status == YURPC_OK) {
        const char *text = yr_buf_text(&buf);
        char *secret = text != NULL ? yr_secret_copy(text) : NULL;
        if (secret == NULL) {
            status = yr_error_set_status(ret_error, YURPC_NO_MEMORY);
        } else {
            *ret_secret = secret;
        }
    }
    yr_buf_deinit(&buf);
    return status;
}

yurpc_status yr_secret_read(const char *path, char **ret_secret, yr_secret_stamp *ret_stamp,
                            yurpc_error **ret_error)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        return fail_system(path, errno, ret_error);
    }
    yurpc_status status = fstat(file, &info) != 0 ? fail_system(path, errno, ret_error)
                                                  : check_file(path, &info, ret_error);
    if (status == YURPC_OK) {
        status = read_file(file, path, ret_secret, ret_error);
    }
    if (status == YURPC_OK && ret_stamp != NULL) {
        *ret_stamp = stamp_of(&info);
    }
    (void)close(file);
    return status;
}

bool yr_secret_has_changed(const char *path, const yr_secret_stamp *stamp)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return false; /* there is nothing new to be read */
    }
    yr_secret_stamp now = stamp_of(&info);
    return now.device != stamp->device || now.inode != stamp->inode ||
           now.changed_ns != stamp->changed_ns || now.size != stamp->size;
}
