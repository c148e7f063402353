/*
 * Memory of the fakes. Not through base/mem.h, so that a sweep of allocation failures hits only
 * what is under test; running out of it ends the test program.
 */
#ifndef YR_FAKE_ALLOC_H
#define YR_FAKE_ALLOC_H

#include <yurpc/bytes.h>

/* Zeroed. Free with yr_fake_release(). */
void *yr_fake_alloc(size_t size);

/* A copy with a NUL behind it; .data is never NULL. Free .data with yr_fake_release(). */
yurpc_bytes yr_fake_copy(yurpc_bytes bytes);

/* Free what came from here. NULL is allowed. */
void yr_fake_release(const void *memory);

/*
 * Make room for one more in @p array of @p count objects of @p size bytes each. Gives the
 * array, which may have moved. It grows at powers of two, so no capacity has to be kept.
 */
void *yr_fake_grow(void *array, size_t count, size_t size);

#endif /* YR_FAKE_ALLOC_H */
