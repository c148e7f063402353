/*
 * As a service has more instances: what the first list of it takes here and in etcd.
 */
#include "bare.h"
#include "bare_etcd.h"
#include "measure.h"
#include "scale.h"
#include "work.h"

enum { SETTLE_MS = 300 };

static bool run_yurpc(yr_sample *self)
{
    yr_span begin = yr_span_begin();
    yurpc_registry *registry = yr_sample_open(self, 0);
    yurpc_service *service =
        registry != NULL ? yr_sample_discover(self, registry, self->work->count) : NULL;
    yr_span span = yr_span_end(begin);
    if (service != NULL) {
        yr_report_span(span);
        yr_pause_ms(SETTLE_MS); /* what is freed later is freed by then */
        yr_report("kept_mb", (double)yr_memory_private_dirty() / 1e6);
    }
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    return service != NULL;
}

/* Nothing is decoded: as often as makes a time out of etcd's steps of 10 ms. */
static bool run_bare(yr_sample *self)
{
    enum { ALL = 400000, TIMES_MAX = 500 };
    static yr_bare bare;
    static yr_message message;
    yr_etcd_metrics before;
    yr_etcd_metrics after;
    size_t times = ALL / self->work->count + 1;
    times = times < TIMES_MAX ? times : TIMES_MAX;
    bool is_fine = yr_bare_open(&bare, self->address, NULL, NULL) &&
                   yr_etcd_metrics_read(self->address, &before);
    yr_span span = yr_span_begin();
    for (size_t i = 0; is_fine && i < times; i++) {
        is_fine = yr_bare_call(&bare, YR_PATH_RANGE, yr_message_range(&message)) > 0;
    }
    span = yr_span_end(span);
    is_fine = is_fine && yr_etcd_metrics_read(self->address, &after);
    if (is_fine) {
        yr_report("wall_ms", (double)span.wall_ns / 1e6 / (double)times);
        yr_report("etcd_ms", (after.cpu_ms - before.cpu_ms) / (double)times);
        yr_report("db_mb", after.db_mb);
        yr_report("resident_mb", after.resident_mb);
    }
    yr_bare_close(&bare);
    return is_fine || yr_fail(self, "the bare Range failed", NULL);
}

#define RANGE "the same Range on a blocking socket, connected before, nothing decoded"

static const yr_row rows[] = {
    {"cold discovery, wall", "ms", "yurpc.wall_ms", "bare.wall_ms", NULL, RANGE, NULL},
    {"CPU", "ms", "yurpc.cpu_ms", NULL, NULL, NULL, NULL},
    {"peak memory", "MB", "yurpc.peak_mb", NULL, NULL, NULL, NULL},
    {"memory kept", "MB", "yurpc.kept_mb", NULL, NULL, NULL, NULL},
    {"CPU of etcd", "ms", NULL, "bare.etcd_ms", NULL, RANGE, NULL},
    {"memory of etcd", "MB", NULL, "bare.resident_mb", NULL, RANGE, NULL},
    {"database of etcd", "MB", NULL, "bare.db_mb", NULL, RANGE, NULL},
};

#define INSTANCES(number)                                                                   \
    {                                                                                       \
        .name = "scale.instances." #number, .backend = YR_BACKEND_ETCD, .is_apart = true,   \
        .count = (number), .is_filled = true, .runs = 3,                                    \
        .programs = {{"yurpc", run_yurpc, false}, {"bare", run_bare, false}}, .rows = rows, \
        .row_count = sizeof(rows) / sizeof(rows[0]),                                        \
    }

static const yr_work works[] = {
    INSTANCES(100),    INSTANCES(1000),   INSTANCES(10000),
    INSTANCES(100000), INSTANCES(300000), INSTANCES(1000000),
};

const yr_works yr_works_scale_instances = {works, sizeof(works) / sizeof(works[0])};
