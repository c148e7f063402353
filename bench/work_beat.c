/*
 * What it takes to stay registered: messages that the registry receives, revisions it makes and
 * CPU of the provider, per beat (a third of the TTL), with 10,000 instances in one process.
 */
#include "echo.h"
#include "etcd_metrics.h"
#include "measure.h"
#include "names.h"
#include "peer.h"
#include "work.h"

#include <stdlib.h>

enum { TTL_S = 5, BEATS = 5 };

/* ---- The provider ---- */

static bool watch_beats(const yr_sample *self)
{
    yr_etcd_metrics before = {0};
    yr_etcd_metrics after = {0};
    bool is_etcd = self->work->backend == YR_BACKEND_ETCD;
    yr_pause_ms(TTL_S * 1000 / 6); /* between two beats */
    if (is_etcd && !yr_etcd_metrics_read(self->address, &before)) {
        return yr_fail(self, "etcd's metrics could not be read", NULL);
    }
    int64_t cpu = yr_cpu_ns();
    yr_pause_ms(BEATS * TTL_S * 1000 / 3);
    cpu = yr_cpu_ns() - cpu;
    if (is_etcd && !yr_etcd_metrics_read(self->address, &after)) {
        return yr_fail(self, "etcd's metrics could not be read", NULL);
    }
    if (is_etcd) {
        yr_report("messages", (after.messages - before.messages) / BEATS);
        yr_report("keepalives", (after.keepalives - before.keepalives) / BEATS);
        yr_report("revisions", (after.revision - before.revision) / BEATS);
    }
    yr_report("cpu_us", (double)cpu / 1e3 / BEATS);
    return true;
}

static bool run_yurpc(yr_sample *self)
{
    size_t count = self->work->count;
    yurpc_error *error = NULL;
    bool is_fine = false;
    yurpc_instance_spec *specs = yr_name_specs(count);
    yurpc_registration **registrations = calloc(count, sizeof(yurpc_registration *));
    yurpc_registry *registry = yr_sample_open(self, TTL_S);
    if (specs != NULL && registrations != NULL && registry != NULL) {
        is_fine = yurpc_registry_register_many(registry, specs, count, NULL, registrations,
                                               &error) == YURPC_OK
                      ? watch_beats(self)
                      : yr_fail(self, "cannot register", error);
    }
    yurpc_registry_close(registry);
    free(specs);
    free(registrations);
    return is_fine;
}

static bool run_echo(yr_sample *self)
{
    (void)self;
    return yr_echo_measure();
}

#define ECHO "64 bytes over the loopback and back"

static const yr_row etcd_rows[] = {
    {"messages to etcd per beat", "", "yurpc.messages", NULL, NULL, NULL, "<= 1"},
    {"of these keepalives", "", "yurpc.keepalives", NULL, NULL, NULL, NULL},
    {"revisions per beat", "", "yurpc.revisions", NULL, NULL, NULL, "<= 0"},
    {"CPU per beat", "µs", "yurpc.cpu_us", "echo.cpu_us", "go.cpu_us", ECHO, "<= 100"},
};

static const yr_row local_rows[] = {
    {"CPU per beat", "µs", "yurpc.cpu_us", "echo.cpu_us", NULL, ECHO, NULL},
};

static const yr_work works[] = {
    {
        .name = "beat.etcd.10000",
        .backend = YR_BACKEND_ETCD,
        .count = 10000,
        .runs = 3,
        .programs = {{"yurpc", run_yurpc, false},
                     {"echo", run_echo, false},
                     {YR_PEER, NULL, false}},
        .rows = etcd_rows,
        .row_count = sizeof(etcd_rows) / sizeof(etcd_rows[0]),
    },
    {
        .name = "beat.local.10000",
        .backend = YR_BACKEND_LOCAL,
        .count = 10000,
        .runs = 3,
        .programs = {{"yurpc", run_yurpc, false}, {"echo", run_echo, false}},
        .rows = local_rows,
        .row_count = sizeof(local_rows) / sizeof(local_rows[0]),
    },
};

const yr_works yr_works_beat = {works, sizeof(works) / sizeof(works[0])};
