/**
 * @file
 * A view of bytes that somebody else owns.
 */
#ifndef YURPC_BYTES_H
#define YURPC_BYTES_H

#include <yurpc/export.h>

#include <stddef.h>

YURPC_BEGIN_DECLS

/** Borrowed bytes, passed by value. Not NUL-terminated; may contain any byte. */
typedef struct yurpc_bytes {
    const void *data; /**< may be NULL when @c len is 0 */
    size_t len;       /**< in bytes */
} yurpc_bytes;

YURPC_END_DECLS

#endif /* YURPC_BYTES_H */
