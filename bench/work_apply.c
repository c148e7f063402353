/*
 * One change of a service, as its size grows: from the value that came until readers see it.
 * CPU of the thread that does it, so that a busy machine does not show; inside.c does it.
 */
#include "work.h"

static const yr_row rows[] = {
    {"CPU of one change, until published", "µs", "inside.apply_us", NULL, NULL, NULL, "<= 5"},
    {"bytes allocated for it", "bytes", "inside.bytes", NULL, NULL, NULL, NULL},
};

#define APPLY(number)                                                            \
    {                                                                            \
        .name = "apply." #number, .count = (number), .changes = 2000, .runs = 5, \
        .programs = {{"inside", NULL, false}}, .rows = rows,                     \
        .row_count = sizeof(rows) / sizeof(rows[0]),                             \
    }

static const yr_work works[] = {APPLY(1000), APPLY(10000), APPLY(100000)};

const yr_works yr_works_apply = {works, sizeof(works) / sizeof(works[0])};
