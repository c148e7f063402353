/*
 * Assertions on our own mistakes: arguments and invariants, never outside input.
 *
 * On in every preset; -DYURPC_ASSERTS=OFF removes them.
 */
#ifndef YR_BASE_ASSERT_H
#define YR_BASE_ASSERT_H

#ifdef YR_NO_ASSERT
#    define YR_ASSERT(claim) ((void)sizeof(claim))
#else
#    define YR_ASSERT(claim) ((claim) ? (void)0 : yr_assert_fail(#    claim, __FILE__, __LINE__))
#endif

/* The object of which @p pointer is the field @p field. */
#define YR_CONTAINER_OF(pointer, type, field) \
    ((type *)(void *)((char *)(void *)(pointer)-offsetof(type, field)))

_Noreturn void yr_assert_fail(const char *claim, const char *file, int line);

#endif /* YR_BASE_ASSERT_H */
