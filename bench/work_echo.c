/* The yardstick of the machine itself. */
#include "echo.h"
#include "work.h"

static bool run_bare(yr_sample *self)
{
    (void)self;
    return yr_echo_measure();
}

static const yr_row rows[] = {
    {"round trip, p50", "µs", NULL, "bare.p50_us", NULL, "64 bytes over the loopback and back",
     NULL},
    {"round trip, p99", "µs", NULL, "bare.p99_us", NULL, "64 bytes over the loopback and back",
     NULL},
    {"round trip, CPU of one side", "µs", NULL, "bare.cpu_us", NULL,
     "64 bytes over the loopback and back", NULL},
};

static const yr_work works[] = {
    {
        .name = "echo",
        .runs = 5,
        .programs = {{"bare", run_bare, false}},
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    },
};

const yr_works yr_works_echo = {works, sizeof(works) / sizeof(works[0])};
