/* What the kernel says about time and chance. The only caller of clock_gettime(2). */
#ifndef YR_NET_UV_CLOCK_H
#define YR_NET_UV_CLOCK_H

#include <stdint.h>

/* Milliseconds since boot, suspend included. */
int64_t yr_clock_boot_ms(void);

/* Milliseconds of the monotonic clock, which a suspended machine stops. */
int64_t yr_clock_monotonic_ms(void);

/* Milliseconds since 1970, as the machine's clock is set. */
int64_t yr_clock_wall_ms(void);

/* 64 bits that nobody can predict. */
uint64_t yr_clock_random(void);

#endif /* YR_NET_UV_CLOCK_H */
