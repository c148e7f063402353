/*
 * Allocation. The only file in the library that may name malloc(3) is mem.c; the
 * rest goes through these so that tests can make any allocation fail.
 */
#ifndef YR_BASE_MEM_H
#define YR_BASE_MEM_H

#include <stddef.h>

/* GCC checks new/free pairing under -fanalyzer; clang 14 rejects the argument. */
#if defined(__GNUC__) && !defined(__clang__)
#    define YR_ALLOC(dealloc) __attribute__((malloc, malloc(dealloc, 1), warn_unused_result))
#else
#    define YR_ALLOC(dealloc) __attribute__((malloc, warn_unused_result))
#endif

void yr_free(void *ptr);
void *yr_realloc(void *ptr, size_t size) __attribute__((warn_unused_result));
void *yr_calloc(size_t count, size_t size) YR_ALLOC(yr_free);

enum { YR_GROW_MIN = 16 };

/*
 * Room for one more than the @p count elements of @p size in an array that has room for
 * *@p cap: the array, which may have moved, with twice the room when it was full, and with
 * YR_GROW_MIN to begin with. NULL: out of memory, and nothing has changed.
 */
void *yr_grow(void *items, size_t count, size_t *cap, size_t size)
    __attribute__((warn_unused_result));

/* Copies of a string and of bytes; the latter get a NUL behind them. NULL: out of memory. */
char *yr_strdup(const char *text) YR_ALLOC(yr_free);
char *yr_memdup0(const void *data, size_t len) YR_ALLOC(yr_free);

/*
 * Memory for what may be secret, and for buffers that it passes through: on pages of its own,
 * which are not in a core dump (where the kernel can leave them out: Linux), and which the
 * kernel takes back when they are freed, so that nothing of it is met again. It costs a system
 * call and a page at least: for what lives long or is large. Freed by yr_private_free() only.
 */
enum { YR_PRIVATE_MIN = 4096 - 16 }; /* what fits into a page; so does twice that into two */
void yr_private_free(void *ptr);
void *yr_private_realloc(void *ptr, size_t size) __attribute__((warn_unused_result));

/* Test hook: let @p n more allocations succeed, then fail all; -1 never fails. */
void yr_mem_fail_after(long n);

/* Number of allocations attempted since the last yr_mem_fail_after(). */
long yr_mem_attempts(void);

/* Test hook: count from now on what is allocated and freed; off by default, it costs time. */
void yr_mem_count_blocks(void);

/* Blocks allocated since then and not freed. */
long yr_mem_blocks(void);

#endif /* YR_BASE_MEM_H */
