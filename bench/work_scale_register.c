/*
 * As a process has more instances: what registering and leaving take, and a beat.
 */
#include "measure.h"
#include "scale.h"
#include "work.h"

#include <stdlib.h>

enum { TTL_S = 9, BEATS = 2 };

typedef struct provider {
    yurpc_registry *registry;
    yurpc_instance_spec *specs;
    yurpc_registration **registrations;
} provider;

static bool begin(provider *self, const yr_sample *sample)
{
    size_t count = sample->work->count;
    yurpc_error *error = NULL;
    self->specs = yr_name_specs(count);
    self->registrations = calloc(count, sizeof(yurpc_registration *));
    if (self->specs == NULL || self->registrations == NULL) {
        return yr_fail(sample, "no memory", NULL);
    }
    yr_span span = yr_span_begin();
    self->registry = yr_sample_open(sample, TTL_S);
    if (self->registry == NULL ||
        yurpc_registry_register_many(self->registry, self->specs, count, NULL,
                                     self->registrations, &error) != YURPC_OK) {
        return yr_fail(sample, "cannot register", error);
    }
    yr_report_span(yr_span_end(span));
    return true;
}

static bool watch_beats(const yr_sample *self)
{
    yr_etcd_metrics before;
    yr_etcd_metrics after;
    yr_pause_ms(TTL_S * 1000 / 6); /* between two beats */
    bool is_fine = yr_etcd_metrics_read(self->address, &before);
    int64_t cpu = yr_cpu_ns();
    yr_pause_ms(BEATS * TTL_S * 1000 / 3);
    cpu = yr_cpu_ns() - cpu;
    if (!is_fine || !yr_etcd_metrics_read(self->address, &after)) {
        return yr_fail(self, "etcd's metrics could not be read", NULL);
    }
    yr_report("beat_us", (double)cpu / 1e3 / BEATS);
    yr_report("beat_messages", (after.messages - before.messages) / BEATS);
    return true;
}

static bool run_yurpc(yr_sample *sample)
{
    provider self = {0};
    yr_etcd_metrics before;
    yr_etcd_metrics after;
    bool is_fine = yr_etcd_metrics_read(sample->address, &before) && begin(&self, sample) &&
                   yr_etcd_metrics_read(sample->address, &after);
    if (is_fine) {
        yr_report("etcd_ms", after.cpu_ms - before.cpu_ms);
        is_fine = watch_beats(sample);
    }
    yr_span leave = yr_span_begin();
    yurpc_registry_close(self.registry);
    yr_report("leave_ms", (double)yr_span_end(leave).wall_ns / 1e6);
    free(self.specs);
    free(self.registrations);
    return is_fine;
}

static const yr_row rows[] = {
    {"register, wall", "ms", "yurpc.wall_ms", NULL, NULL, NULL, NULL},
    {"register, CPU", "ms", "yurpc.cpu_ms", NULL, NULL, NULL, NULL},
    {"register, CPU of etcd", "ms", "yurpc.etcd_ms", NULL, NULL, NULL, NULL},
    {"peak memory", "MB", "yurpc.peak_mb", NULL, NULL, NULL, NULL},
    {"leave, wall", "ms", "yurpc.leave_ms", NULL, NULL, NULL, NULL},
    {"messages of a beat", "", "yurpc.beat_messages", NULL, NULL, NULL, NULL},
    {"CPU of a beat", "µs", "yurpc.beat_us", NULL, NULL, NULL, NULL},
};

#define REGISTRATIONS(number)                                                                  \
    {                                                                                          \
        .name = "scale.registrations." #number, .backend = YR_BACKEND_ETCD, .is_apart = true,  \
        .count = (number), .runs = 3, .programs = {{"yurpc", run_yurpc, false}}, .rows = rows, \
        .row_count = sizeof(rows) / sizeof(rows[0]),                                           \
    }

static const yr_work works[] = {
    REGISTRATIONS(1),    REGISTRATIONS(10),    REGISTRATIONS(100),
    REGISTRATIONS(1000), REGISTRATIONS(10000), REGISTRATIONS(100000),
};

const yr_works yr_works_scale_register = {works, sizeof(works) / sizeof(works[0])};
