#include "base/error.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct yurpc_error {
    yurpc_status status;
    int remote_code;
    const char *text;
    char storage[];
};

static yurpc_error out_of_memory = {YURPC_NO_MEMORY, -1, "out of memory"};

static yurpc_error *error_newv(yurpc_status status, int remote_code, const char *format,
                               va_list args) YURPC_PRINTF(3, 0);

static yurpc_error *error_newv(yurpc_status status, int remote_code, const char *format,
                               va_list args)
{
    char text[YR_ERROR_TEXT_MAX];
    int len = vsnprintf(text, sizeof text, format, args);
    if (len < 0) {
        text[0] = '\0';
    }
    size_t size = yr_text_copy(yr_bytes_of_text(text), text, sizeof text) + 1;
    yurpc_error *error = yr_calloc(1, sizeof *error + size);
    if (error == NULL) {
        return &out_of_memory;
    }
    error->status = status;
    error->remote_code = remote_code;
    memcpy(error->storage, text, size);
    error->text = error->storage;
    return error;
}

yurpc_error *yr_error_new(yurpc_status status, int remote_code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    yurpc_error *error = error_newv(status, remote_code, format, args);
    va_end(args);
    return error;
}

yurpc_error *yr_error_copy(const yurpc_error *error)
{
    return error == NULL ? NULL
                         : yr_error_new(error->status, error->remote_code, "%s", error->text);
}

yurpc_status yr_error_set(yurpc_error **ret_error, yurpc_status status, int remote_code,
                          const char *format, ...)
{
    if (ret_error != NULL) {
        va_list args;
        va_start(args, format);
        *ret_error = error_newv(status, remote_code, format, args);
        va_end(args);
    }
    return status;
}

yurpc_status yr_error_set_status(yurpc_error **ret_error, yurpc_status status)
{
    return yr_error_set(ret_error, status, -1, "%s", yurpc_status_text(status));
}

bool yr_status_is_retriable(yurpc_status status)
{
    switch (status) {
    case YURPC_NO_MEMORY:
    case YURPC_UNAVAILABLE:
    case YURPC_TIMEOUT:
    case YURPC_LEASE_LOST:
    case YURPC_COMPACTED:
    case YURPC_EXHAUSTED:
    case YURPC_UNKNOWN_OUTCOME:
        return true;
    case YURPC_OK:
    case YURPC_INVALID:
    case YURPC_TOO_LARGE:
    case YURPC_PROTOCOL:
    case YURPC_CANCELED:
    case YURPC_CLOSED:
    case YURPC_NOT_FOUND:
    case YURPC_EXISTS:
    case YURPC_CONFLICT:
    case YURPC_UNAUTHENTICATED:
    case YURPC_DENIED:
    case YURPC_TLS:
    case YURPC_UNSUPPORTED:
    case YURPC_IO:
    case YURPC_CORRUPT:
    case YURPC_WOULD_DEADLOCK:
    case YURPC_FORKED:
    case YURPC_REMOTE:
        return false;
    }
    return false;
}

yurpc_status yurpc_error_status(const yurpc_error *error)
{
    return error == NULL ? YURPC_OK : error->status;
}

const char *yurpc_error_text(const yurpc_error *error)
{
    return error == NULL ? yurpc_status_text(YURPC_OK) : error->text;
}

int yurpc_error_remote_code(const yurpc_error *error)
{
    return error == NULL || error->remote_code < -1 ? -1 : error->remote_code;
}

bool yr_error_is_refused(const yurpc_error *error)
{
    return error != NULL && error->remote_code == YR_ERROR_REFUSED;
}

bool yurpc_error_is_retriable(const yurpc_error *error)
{
    return error != NULL && yr_status_is_retriable(error->status);
}

void yurpc_error_free(yurpc_error *error)
{
    if (error != &out_of_memory) {
        yr_free(error);
    }
}
