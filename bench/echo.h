/*
 * The yardstick for everything that waits for an answer: 64 bytes to another process and back,
 * over TCP on the loopback, blocking, without delay.
 */
#ifndef YR_ECHO_H
#define YR_ECHO_H

#include <stdbool.h>

/*
 * Report p50_us, p99_us and cpu_us (of this side, per round trip). Forks: before any thread is
 * made.
 */
bool yr_echo_measure(void);

#endif /* YR_ECHO_H */
