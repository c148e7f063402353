/*
 * Secrets that nobody may tell: every password of a test contains the one, every token that the
 * fake etcd gives begins with the other. A test whose output holds either, or what looks like a
 * token of a real etcd, fails (see tests/CMakeLists.txt); whoever sees lines that are not
 * printed asks here.
 */
#ifndef YR_CANARY_H
#define YR_CANARY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YR_CANARY_PASSWORD "S3cr3t"
#define YR_CANARY_TOKEN    "t0ken"

static inline void yr_canary_check(const char *text)
{
    if (strstr(text, YR_CANARY_PASSWORD) != NULL || strstr(text, YR_CANARY_TOKEN) != NULL) {
        (void)fprintf(stderr, "a secret was told: %s\n", text);
        abort();
    }
}

#endif /* YR_CANARY_H */
