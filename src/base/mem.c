#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Atomic because tests set them while library threads allocate. */
static _Atomic long fail_after = -1;
static _Atomic long attempts = 0;

static bool may_allocate(void)
{
    long limit = atomic_load_explicit(&fail_after, memory_order_relaxed);
    if (limit < 0) {
        return true;
    }
    return atomic_fetch_add_explicit(&attempts, 1, memory_order_relaxed) < limit;
}

void yr_free(void *ptr)
{
    free(ptr);
}

void *yr_realloc(void *ptr, size_t size)
{
    return may_allocate() ? realloc(ptr, size) : NULL;
}

void *yr_calloc(size_t count, size_t size)
{
    return may_allocate() ? calloc(count, size) : NULL;
}

char *yr_strdup(const char *text)
{
    return yr_memdup0(text, strlen(text));
}

char *yr_memdup0(const void *data, size_t len)
{
    char *copy = yr_calloc(1, len + 1);
    if (copy != NULL && len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

void yr_mem_fail_after(long n)
{
    atomic_store(&attempts, 0);
    atomic_store(&fail_after, n);
}

long yr_mem_attempts(void)
{
    return atomic_load(&attempts);
}
