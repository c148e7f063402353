/*
 * A growable byte buffer with a hard ceiling.
 *
 * A zeroed yr_buf is not valid; start with yr_buf_init(). Appending never leaves
 * the buffer half-written: on failure the contents are what they were before.
 */
#ifndef YR_BASE_BUF_H
#define YR_BASE_BUF_H

#include <yurpc/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct yr_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t len_max;  /* refuse to grow past this many bytes */
    bool is_private; /* what it holds may be secret: see base/mem.h */
} yr_buf;

/* Make @p buf empty. Allocates nothing and cannot fail. */
void yr_buf_init(yr_buf *buf, size_t len_max);

/* The same for a buffer that secrets pass through: its storage is private memory. */
void yr_buf_init_private(yr_buf *buf, size_t len_max);

/* Release the storage; @p buf is as after yr_buf_init(). */
void yr_buf_deinit(yr_buf *buf);

/* Make @p buf empty but keep the storage for reuse. */
void yr_buf_clear(yr_buf *buf);

/* Append @p len bytes. Fails with YURPC_TOO_LARGE or YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_buf_append(yr_buf *buf, const void *data, size_t len);

/* Append a string without its NUL, or formatted text. Fails as yr_buf_append(). */
YURPC_NODISCARD yurpc_status yr_buf_append_text(yr_buf *buf, const char *text);
YURPC_NODISCARD yurpc_status yr_buf_append_format(yr_buf *buf, const char *format, ...)
    YURPC_PRINTF(2, 3);

/* Make room for @p extra more bytes at data + len, without changing len. */
YURPC_NODISCARD yurpc_status yr_buf_reserve(yr_buf *buf, size_t extra);

/* Drop the first @p len bytes, which must be there; the rest moves to the front. */
void yr_buf_consume(yr_buf *buf, size_t len);

/* Put a NUL behind the contents (not counted in len) and lend them; NULL: no memory or room. */
const char *yr_buf_text(yr_buf *buf);

/* The caller owns the storage now (yr_free() it), with a NUL behind; NULL: no memory or room.
 * Not for a private one. */
char *yr_buf_detach_text(yr_buf *buf);

#endif /* YR_BASE_BUF_H */
