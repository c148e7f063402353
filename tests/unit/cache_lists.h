/* Lists of instances, for the tests of the disk cache. */
#ifndef YR_TESTS_UNIT_CACHE_LISTS_H
#define YR_TESTS_UNIT_CACHE_LISTS_H

#include "registry/cache/cache_format.h"

#define SERVICE "com.acme.UserService:1.0"

extern const yr_cache_key cache_key;

/* @p count instances, "h:1" and so on, each of @p weight; one reference. */
yurpc_snapshot *cache_list_new(size_t count, uint32_t weight);

/* The list of these values, each under its node; one reference. */
yurpc_snapshot *cache_list_of(const char *const *nodes, const char *const *values,
                              size_t count);

/* Whether @p batch is just the list @p wanted; ends the test when not. */
void cache_list_check(yr_batch *batch, const yurpc_snapshot *wanted);

#endif /* YR_TESTS_UNIT_CACHE_LISTS_H */
