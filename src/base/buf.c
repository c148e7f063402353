#include "base/buf.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CAP_MIN = 64 };

/* ---- Storage ---- */

static uint8_t *resize(const yr_buf *buf, size_t cap)
{
    return buf->is_private ? yr_private_realloc(buf->data, cap) : yr_realloc(buf->data, cap);
}

static void release(const yr_buf *buf)
{
    if (buf->is_private) {
        yr_private_free(buf->data);
    } else {
        yr_free(buf->data);
    }
}

void yr_buf_init(yr_buf *buf, size_t len_max)
{
    *buf = (yr_buf){.len_max = len_max};
}

void yr_buf_init_private(yr_buf *buf, size_t len_max)
{
    *buf = (yr_buf){.len_max = len_max, .is_private = true};
}

void yr_buf_deinit(yr_buf *buf)
{
    release(buf);
    *buf = (yr_buf){.len_max = buf->len_max, .is_private = buf->is_private};
}

void yr_buf_clear(yr_buf *buf)
{
    buf->len = 0;
}

yurpc_status yr_buf_reserve(yr_buf *buf, size_t extra)
{
    if (extra > buf->len_max - buf->len) {
        return YURPC_TOO_LARGE;
    }

    size_t needed = buf->len + extra;
    if (needed <= buf->cap) {
        return YURPC_OK;
    }

    size_t cap = buf->cap > 0 ? buf->cap : buf->is_private ? YR_PRIVATE_MIN : CAP_MIN;
    while (cap < needed) {
        cap = cap <= buf->len_max / 2 ? cap * 2 : buf->len_max;
    }

    uint8_t *data = resize(buf, cap);
    if (data == NULL) {
        return YURPC_NO_MEMORY;
    }
    buf->data = data;
    buf->cap = cap;
    return YURPC_OK;
}

yurpc_status yr_buf_append(yr_buf *buf, const void *data, size_t len)
{
    if (len == 0) {
        return YURPC_OK;
    }

    yurpc_status status = yr_buf_reserve(buf, len);
    if (status != YURPC_OK) {
        return status;
    }
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return YURPC_OK;
}

yurpc_status yr_buf_append_text(yr_buf *buf, const char *text)
{
    return yr_buf_append(buf, text, strlen(text));
}

yurpc_status yr_buf_append_format(yr_buf *buf, const char *format, ...)
{
    va_list args;
    size_t room = buf->cap - buf->len; /* what fits there is written once */
    char *end = room > 0 ? (char *)buf->data + buf->len : NULL;
    va_start(args, format);
    int len = vsnprintf(end, room, format, args);
    va_end(args);
    if (len < 0) {
        return YURPC_INVALID;
    }
    yurpc_status status = yr_buf_reserve(buf, (size_t)len + 1); /* vsnprintf adds a NUL */
    if (status != YURPC_OK) {
        return status;
    }
    if ((size_t)len >= room) {
        va_start(args, format);
        len = vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
        va_end(args);
    }
    buf->len += len > 0 ? (size_t)len : 0;
    return YURPC_OK;
}

void yr_buf_consume(yr_buf *buf, size_t len)
{
    YR_ASSERT(len <= buf->len);
    buf->len -= len;
    if (buf->len > 0 && len > 0) {
        memmove(buf->data, buf->data + len, buf->len);
    }
}

const char *yr_buf_text(yr_buf *buf)
{
    if (yr_buf_reserve(buf, 1) != YURPC_OK) {
        return NULL;
    }
    buf->data[buf->len] = '\0';
    return (const char *)buf->data;
}

char *yr_buf_detach_text(yr_buf *buf)
{
    YR_ASSERT(!buf->is_private);
    if (yr_buf_text(buf) == NULL) {
        return NULL;
    }
    char *text = (char *)buf->data;
    yr_buf_init(buf, buf->len_max);
    return text;
}
