#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SMALL_MAX = 1024 };

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

/* glibc's calloc (before 2.41) passes by the blocks that a thread has at hand, malloc's: for
 * small ones it takes three times as long as malloc and clearing. */
static void *zeroed(size_t count_of, size_t size)
{
    if (size == 0 || count_of > SMALL_MAX / size) {
        return calloc(count_of, size);
    }
    /* Not malloc(): the compiler would make calloc() of it and of the clearing. */
    void *memory = realloc(NULL, count_of * size);
    return memory != NULL ? memset(memory, 0, count_of * size) : NULL;
}

void *yr_calloc(size_t count_of, size_t size)
{
    void *memory = may_allocate() ? zeroed(count_of, size) : NULL;
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

/* ---- Private memory ---- */

enum { PAGE = 4096 }; /* mmap(2) rounds up to whole ones, whatever their size */

/* What precedes it in its mapping. */
typedef struct private_head {
    _Alignas(16) size_t size; /* of the mapping */
} private_head;

_Static_assert(sizeof(private_head) + YR_PRIVATE_MIN == PAGE, "a page holds what it says");

static private_head *head_of(void *ptr)
{
    return (private_head *)ptr - 1;
}

void yr_private_free(void *ptr)
{
    if (ptr != NULL) {
        count(-1);
        (void)munmap(head_of(ptr), head_of(ptr)->size);
    }
}

void *yr_private_realloc(void *ptr, size_t size)
{
    if (size > SIZE_MAX / 2 || !may_allocate()) {
        return NULL;
    }
    size = (size + sizeof(private_head) + PAGE - 1) / PAGE * PAGE;
    if (ptr != NULL && size == head_of(ptr)->size) {
        return ptr;
    }
    private_head *head =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (head == MAP_FAILED) {
        return NULL;
    }
#ifdef MADV_DONTDUMP
    (void)madvise(head, size, MADV_DONTDUMP); /* a kernel that does not know it dumps it */
#endif
    head->size = size;
    count(1);
    if (ptr != NULL) {
        size_t kept = head_of(ptr)->size < size ? head_of(ptr)->size : size;
        memcpy(head + 1, ptr, kept - sizeof *head);
        yr_private_free(ptr);
    }
    return head + 1;
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
