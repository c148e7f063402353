#include "alloc.h"

#include "base/assert.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *yr_fake_alloc(size_t size)
{
    void *memory = calloc(1, size);
    YR_ASSERT(memory != NULL);
    return memory;
}

yurpc_bytes yr_fake_copy(yurpc_bytes bytes)
{
    char *copy = yr_fake_alloc(bytes.len + 1);
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return (yurpc_bytes){copy, bytes.len};
}

void yr_fake_release(const void *memory)
{
    union {
        const void *borrowed;
        void *owned;
    } pointer = {.borrowed = memory};
    free(pointer.owned);
}

void *yr_fake_grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0) {
        return array; /* not a power of two: there is room */
    }
    YR_ASSERT(count < SIZE_MAX / 2 / size);
    void *grown = realloc(array, (count > 0 ? 2 * count : 1) * size);
    YR_ASSERT(grown != NULL);
    return grown;
}
