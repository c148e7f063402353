#include "net/uv/uv_pem.h"

#include "base/error.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <uv.h>

enum { STEP = 16 * 1024 };

yurpc_status yr_uv_pem_init(yr_uv_pem *pem, const char *role, const char *path)
{
    *pem = (yr_uv_pem){.role = role};
    yr_buf_init(&pem->bytes, YR_UV_PEM_MAX);
    if (path != NULL) {
        pem->path = yr_strdup(path);
    }
    return path != NULL && pem->path == NULL ? YURPC_NO_MEMORY : YURPC_OK;
}

void yr_uv_pem_forget(yr_uv_pem *pem)
{
    if (pem->bytes.data != NULL) {
        OPENSSL_cleanse(pem->bytes.data, pem->bytes.cap);
    }
    yr_buf_deinit(&pem->bytes);
}

void yr_uv_pem_deinit(yr_uv_pem *pem)
{
    yr_uv_pem_forget(pem);
    yr_free(pem->path);
    pem->path = NULL;
}

static yurpc_status fail(const yr_uv_pem *pem, const char *why, yurpc_error **ret_error)
{
    return yr_error_set(ret_error, YURPC_IO, -1, "TLS: cannot read the %s %s: %s", pem->role,
                        pem->path, why);
}

static yurpc_status fail_with(const yr_uv_pem *pem, int error, yurpc_error **ret_error)
{
    char text[128];
    return fail(pem, uv_strerror_r(uv_translate_sys_error(error), text, sizeof text),
                ret_error);
}

/* Until its end; the buffer has room for all of it, so that nothing is left behind by growing.
 */
static yurpc_status read_all(yr_uv_pem *pem, int fd, yurpc_error **ret_error)
{
    for (;;) {
        size_t room = pem->bytes.cap - pem->bytes.len;
        ssize_t len = read(fd, pem->bytes.data + pem->bytes.len, room);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return fail_with(pem, errno, ret_error);
        }
        if (len == 0) {
            return YURPC_OK;
        }
        pem->bytes.len += (size_t)len;
        if (pem->bytes.len == pem->bytes.cap) {
            return fail(pem, "it grows while it is read", ret_error);
        }
    }
}

static yurpc_status read_open(yr_uv_pem *pem, int fd, yurpc_error **ret_error)
{
    struct stat about;
    if (fstat(fd, &about) != 0) {
        return fail_with(pem, errno, ret_error);
    }
    if (!S_ISREG(about.st_mode)) {
        return fail(pem, "it is not a file", ret_error);
    }
    if (about.st_size > YR_UV_PEM_MAX - STEP) {
        return fail(pem, "it is too large", ret_error);
    }
    pem->is_exposed = (about.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    if (yr_buf_reserve(&pem->bytes, (size_t)about.st_size + STEP) != YURPC_OK) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    return read_all(pem, fd, ret_error);
}

yurpc_status yr_uv_pem_read(yr_uv_pem *pem, yurpc_error **ret_error)
{
    yr_uv_pem_forget(pem);
    if (pem->path == NULL) {
        return YURPC_OK;
    }
    int fd = open(pem->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO shall not hold us */
    if (fd < 0) {
        return fail_with(pem, errno, ret_error);
    }
    yurpc_status status = read_open(pem, fd, ret_error);
    close(fd);
    return status;
}
