#include "net/uv/clock.h"

#include "base/siphash.h"

#include <stdatomic.h>
#include <time.h>

#include <uv.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec now = {0};
    if (clock_gettime(id, &now) != 0) {
        return 0; /* cannot happen: every Linux we run on has these clocks */
    }
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t yr_clock_boot_ms(void)
{
    return read_ns(CLOCK_BOOTTIME) / 1000000;
}

int64_t yr_clock_monotonic_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t yr_clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

uint64_t yr_clock_random(void)
{
    static _Atomic uint64_t calls;
    uint64_t bits = 0;
    /* getrandom(2), or /dev/urandom where a sandbox forbids that. */
    if (uv_random(NULL, NULL, &bits, sizeof bits, 0, NULL) == 0) {
        return bits;
    }
    /* Neither: still different in each process and at each call, which is what jitter needs. */
    int64_t seen[] = {read_ns(CLOCK_MONOTONIC), read_ns(CLOCK_REALTIME),
                      (int64_t)uv_os_getpid()};
    uint64_t seed[] = {atomic_fetch_add(&calls, 1), (uint64_t)(uintptr_t)&calls};
    return yr_siphash(seed, (yurpc_bytes){seen, sizeof seen});
}
