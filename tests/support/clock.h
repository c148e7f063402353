/* What time it is for a test that waits: monotonic, so that its bounds hold. */
#ifndef YR_TEST_CLOCK_H
#define YR_TEST_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t yr_test_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif /* YR_TEST_CLOCK_H */
