/* Small helpers on borrowed bytes. */
#ifndef YR_BASE_BYTES_H
#define YR_BASE_BYTES_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <string.h>

static inline yurpc_bytes yr_bytes(const void *data, size_t len)
{
    return (yurpc_bytes){data, len};
}

static inline yurpc_bytes yr_bytes_of_text(const char *text)
{
    return (yurpc_bytes){text, strlen(text)};
}

static inline bool yr_bytes_equal(yurpc_bytes a, yurpc_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Byte order, a prefix before what it begins: <0, 0, >0 as memcmp(3). */
static inline int yr_bytes_compare(yurpc_bytes a, yurpc_bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool yr_bytes_have_prefix(yurpc_bytes bytes, yurpc_bytes prefix)
{
    return bytes.len >= prefix.len &&
           (prefix.len == 0 || memcmp(bytes.data, prefix.data, prefix.len) == 0);
}

/* What follows the first @p len bytes, which must be there. */
static inline yurpc_bytes yr_bytes_after(yurpc_bytes bytes, size_t len)
{
    return (yurpc_bytes){(const char *)bytes.data + len, bytes.len - len};
}

#endif /* YR_BASE_BYTES_H */
