#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Atomic because tests set them while library threads allocate. */
static _Atomic long fail_after = -1;
static _Atomic long attempts = 0;
static _Atomic bool is_counting = false;
static _Atomic long blocks = 0;

static bool may_allocate(void)
{
    long limit = atomic_load_explicit(&fail_after, memory_order_relaxed);
    if (limit < 0) {
        return true;
    }
    return atomic_fetch_add_explicit(&attempts, 1, memory_order_relaxed) < limit;
}

static void count(long more)
{
    if (atomic_load_explicit(&is_counting, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&blocks, more, memory_order_relaxed);
    }
}

void yr_free(void *ptr)
{
    if (ptr != NULL) {
        count(-1);
    }
    free(ptr);
}

void *yr_realloc(void *ptr, size_t size)
{
    void *memory = may_allocate() ? realloc(ptr, size) : NULL;
    if (ptr == NULL && memory != NULL) {
        count(1);
    }
    return memory;
}

void *yr_calloc(size_t count_of, size_t size)
{
    void *memory = may_allocate() ? calloc(count_of, size) : NULL;
    if (memory != NULL) {
        count(1);
    }
    return memory;
}

void *yr_grow(void *items, size_t count_of, size_t *cap, size_t size)
{
    if (count_of < *cap) {
        return items;
    }
    if (*cap > SIZE_MAX / 2 / size) {
        return NULL;
    }
    size_t wanted = *cap > 0 ? *cap * 2 : YR_GROW_MIN;
    void *grown = yr_realloc(items, wanted * size);
    if (grown != NULL) {
        *cap = wanted;
    }
    return grown;
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

void yr_mem_count_blocks(void)
{
    atomic_store(&blocks, 0);
    atomic_store(&is_counting, true);
}

long yr_mem_blocks(void)
{
    return atomic_load(&blocks);
}
