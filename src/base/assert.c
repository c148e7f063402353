#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void yr_assert_fail(const char *claim, const char *file, int line)
{
    if (fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, claim) < 0) {
        /* Nothing more can be said. */
    }
    abort();
}
