/*
 * As more consumers follow a service, and as it changes more often: how late they know, and
 * what it costs them and etcd.
 *
 * Each consumer is a handle with its own connection and threads, all in one process. A bare
 * client in another process puts at a steady rate, and says at the end what it began when.
 */
#include "bare.h"
#include "bare_etcd.h"
#include "measure.h"
#include "run.h"
#include "scale.h"
#include "work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SECONDS = 3,
    TURNS_A_SECOND = 200, /* the writer's, each at most one put or what is due */
    PUTS_MAX = 120000,
    CONSUMERS_MAX = 500,
    WEIGHT_MIN = 101,
    CATCH_UP_MS = 60000,
};

#define WRITER "writer"

/* ---- The writer ---- */

static void count_end(void *context, int32_t stream, yurpc_bytes data, bool is_end)
{
    (void)stream;
    (void)data;
    size_t *in_flight = context;
    *in_flight -= is_end ? 1 : 0;
}

/* What is due by now, then wait until it is answered: a writer that is late does not hurry. */
static bool put_due(yr_bare *bare, size_t *next, size_t due, const yr_work *work,
                    unsigned weight, int64_t *begun_ns)
{
    static yr_message message;
    size_t in_flight = 0;
    bool is_fine = true;
    bare->context = &in_flight;
    bare->on_data = count_end;
    for (; is_fine && *next < due; (*next)++) {
        unsigned turn = weight + (unsigned)(*next / work->count);
        yurpc_bytes put = yr_message_put(&message, *next % work->count, turn, 0);
        begun_ns[*next] = yr_now_ns();
        in_flight++;
        is_fine = yr_bare_request(bare, YR_PATH_PUT, put, false) != 0;
    }
    while (is_fine && in_flight > 0) {
        is_fine = yr_bare_turn(bare);
    }
    bare->on_data = NULL;
    bare->context = NULL;
    return is_fine;
}

/* It begins with the weight that its input names. */
static bool run_writer(yr_sample *self)
{
    static yr_bare bare;
    static int64_t begun_ns[PUTS_MAX];
    char order[16] = "";
    size_t rate = self->work->changes;
    size_t next = 0;
    bool is_fine = yr_bare_open(&bare, self->address, NULL, NULL) &&
                   read(STDIN_FILENO, order, sizeof(order) - 1) > 0;
    unsigned weight = (unsigned)strtoul(order, NULL, 10);
    int64_t begin = yr_now_ns();
    int64_t end = begin + (int64_t)SECONDS * 1000000000;
    for (int64_t now = begin; is_fine && now < end; now = yr_now_ns()) {
        size_t due = (size_t)((double)(now - begin) * (double)rate / 1e9) + 1;
        is_fine = put_due(&bare, &next, due < PUTS_MAX ? due : PUTS_MAX, self->work, weight,
                          begun_ns);
        yr_pause_us(1000000 / TURNS_A_SECOND);
    }
    (void)printf("%zu %lld\n", next, (long long)(yr_now_ns() - begin));
    for (size_t i = 0; is_fine && i < next; i++) {
        (void)printf("%lld\n", (long long)begun_ns[i]);
    }
    yr_bare_close(&bare);
    return is_fine || yr_fail(self, "a put failed", NULL);
}

/* ---- The consumers ---- */

typedef struct consumer {
    yurpc_registry *registry;
    yurpc_service *service;
    yurpc_watch *watch;
    size_t instances;
    size_t puts_max;
    unsigned weight;
    int64_t *seen_ns; /* of each put; 0: never, a later one came with it */
    _Atomic size_t last;
    size_t events;
} consumer;

static consumer consumers[CONSUMERS_MAX];
static int64_t begun_ns[PUTS_MAX];

static void see(consumer *self, const yurpc_instance *instance, int64_t now)
{
    unsigned host[4] = {0};
    const char *at = yurpc_instance_host(instance);
    for (int i = 0; i < 4; i++) {
        char *end = NULL;
        host[i] = (unsigned)strtoul(at, &end, 10);
        at = *end != '\0' ? end + 1 : end;
    }
    size_t index = (size_t)host[1] << 16 | (size_t)host[2] << 8 | host[3];
    size_t turn = (size_t)yurpc_instance_weight(instance) - self->weight;
    size_t put = turn * self->instances + index;
    if (put < self->puts_max) {
        self->seen_ns[put] = now;
        self->last = put + 1 > self->last ? put + 1 : self->last;
    }
}

static void on_event(void *context, const yurpc_event *event)
{
    consumer *self = context;
    int64_t now = yr_now_ns();
    for (size_t i = 0; event->kind == YURPC_EVENT_CHANGED && i < event->count; i++) {
        see(self, event->instances[i], now);
    }
    self->events++;
}

static bool open_consumer(consumer *self, const yr_sample *sample, unsigned weight)
{
    *self = (consumer){.instances = sample->work->count, .weight = weight};
    self->puts_max = sample->work->changes * SECONDS + 1;
    self->seen_ns = calloc(self->puts_max, sizeof(int64_t));
    self->registry = self->seen_ns != NULL ? yr_sample_open(sample, 0) : NULL;
    self->service = self->registry != NULL
                        ? yr_sample_discover(sample, self->registry, self->instances)
                        : NULL;
    return self->service != NULL &&
           yurpc_service_watch(self->service, on_event, self, &self->watch) == YURPC_OK;
}

static void close_consumers(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        yurpc_watch_stop(consumers[i].watch);
        yurpc_service_close(consumers[i].service);
        yurpc_registry_close(consumers[i].registry);
        free(consumers[i].seen_ns);
    }
}

static bool have_all_seen(size_t count, size_t puts)
{
    size_t i = 0;
    while (i < count && consumers[i].last >= puts) {
        i++;
    }
    return i == count;
}

/* What the writer says; false: it failed. */
static bool hear_writer(yr_running *writer, size_t *ret_puts, double *ret_seconds)
{
    char line[64];
    char *rest = NULL;
    FILE *lines = fdopen(dup(writer->figures), "r");
    bool is_fine = lines != NULL && fgets(line, sizeof(line), lines) != NULL;
    size_t puts = is_fine ? strtoul(line, &rest, 10) : 0;
    *ret_seconds = is_fine ? (double)strtoll(rest, NULL, 10) / 1e9 : 0;
    for (size_t i = 0; is_fine && i < puts; i++) {
        is_fine = fgets(line, sizeof(line), lines) != NULL;
        begun_ns[i] = is_fine ? strtoll(line, NULL, 10) : 0;
    }
    if (lines != NULL) {
        (void)fclose(lines);
    }
    *ret_puts = puts;
    return yr_run_finish(writer) && is_fine;
}

/* How late one consumer knew of each; gives how many it saw by themselves. */
static size_t list_lags(const consumer *self, size_t puts, int64_t *lags)
{
    size_t seen = 0;
    for (size_t put = 0; put < puts && put < self->puts_max; put++) {
        if (self->seen_ns[put] != 0) {
            lags[seen++] = self->seen_ns[put] - begun_ns[put];
        }
    }
    return seen;
}

static bool report_lags(size_t count, size_t puts)
{
    size_t seen = 0;
    int64_t *lags = calloc(count * puts + 1, sizeof(int64_t));
    for (size_t i = 0; lags != NULL && i < count; i++) {
        seen += list_lags(&consumers[i], puts, lags + seen);
    }
    if (seen > 0) {
        yr_report_percentiles("lag_", lags, seen);
        yr_report("seen_share", 100.0 * (double)seen / (double)(count * puts));
    }
    free(lags);
    return seen > 0;
}

/* From the last put until the last consumer knew. */
static int64_t last_sight(size_t count, size_t puts)
{
    int64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t at = consumers[i].seen_ns[puts - 1];
        last = at > last ? at : last;
    }
    return last - begun_ns[puts - 1];
}

typedef struct stretch {
    int64_t cpu_ns;
    yr_etcd_metrics etcd;
} stretch;

static bool mark(const yr_sample *sample, stretch *ret_stretch)
{
    ret_stretch->cpu_ns = yr_cpu_ns();
    return yr_etcd_metrics_read(sample->address, &ret_stretch->etcd);
}

static bool follow(const yr_sample *sample, size_t count, unsigned weight)
{
    yr_running writer;
    stretch before;
    stretch after;
    char order[16];
    size_t puts = 0;
    double seconds = 0;
    int len = snprintf(order, sizeof(order), "%u\n", weight);
    if (!mark(sample, &before) ||
        !yr_run_start(sample->work, WRITER, sample->address, &writer) ||
        write(writer.input, order, (size_t)len) != len ||
        !hear_writer(&writer, &puts, &seconds)) {
        return yr_fail(sample, "the writer has failed", NULL);
    }
    for (int i = 0; i < CATCH_UP_MS && !have_all_seen(count, puts); i++) {
        yr_pause_ms(1);
    }
    if (!have_all_seen(count, puts) || !mark(sample, &after)) {
        return yr_fail(sample, "not all changes were seen", NULL);
    }
    double etcd_ms = after.etcd.cpu_ms - before.etcd.cpu_ms;
    double events = (double)puts * (double)count;
    yr_report("rate", (double)puts / seconds);
    yr_report("events", events / seconds);
    yr_report("cpu_us", (double)(after.cpu_ns - before.cpu_ns) / 1e3 / events);
    yr_report("etcd_us", etcd_ms * 1e3 / (double)puts);
    yr_report("catch_up_ms", (double)last_sight(count, puts) / 1e6);
    return report_lags(count, puts);
}

static bool run_yurpc(yr_sample *sample)
{
    size_t count = sample->work->is_filled && strstr(sample->work->name, "consumers") != NULL
                       ? yr_scale_size(sample)
                       : 1;
    /* Others than those of the run before, so that all are changes. */
    unsigned weight = WEIGHT_MIN + (unsigned)(yr_now_ns() / 1000000000 % 5) * 130;
    int64_t empty = yr_memory_private_dirty();
    size_t opened = 0;
    bool is_fine = true;
    yr_etcd_metrics alone;
    yr_etcd_metrics together;
    is_fine = yr_etcd_metrics_read(sample->address, &alone);
    while (is_fine && opened < count) {
        is_fine = open_consumer(&consumers[opened++], sample, weight);
    }
    is_fine = is_fine && yr_etcd_metrics_read(sample->address, &together);
    if (is_fine) {
        yr_pause_ms(500); /* what is freed later is freed by then */
        yr_report("each_mb", (double)(yr_memory_private_dirty() - empty) / 1e6 / (double)count);
        yr_report("etcd_each_mb", (together.resident_mb - alone.resident_mb) / (double)count);
        yr_report("etcd_join_ms", (together.cpu_ms - alone.cpu_ms) / (double)count);
        is_fine = follow(sample, count, weight);
    }
    close_consumers(opened);
    return is_fine;
}

static const yr_row rows[] = {
    {"changes", "/s", "yurpc.rate", NULL, NULL, NULL, NULL},
    {"events", "/s", "yurpc.events", NULL, NULL, NULL, NULL},
    {"put until seen, p50", "µs", "yurpc.lag_p50_us", NULL, NULL, NULL, NULL},
    {"put until seen, p99", "µs", "yurpc.lag_p99_us", NULL, NULL, NULL, NULL},
    {"told apart", "%", "yurpc.seen_share", NULL, NULL, NULL, NULL},
    {"last put until all know", "ms", "yurpc.catch_up_ms", NULL, NULL, NULL, NULL},
    {"CPU of each event", "µs", "yurpc.cpu_us", NULL, NULL, NULL, NULL},
    {"CPU of etcd, each change", "µs", "yurpc.etcd_us", NULL, NULL, NULL, NULL},
    {"memory of each consumer", "MB", "yurpc.each_mb", NULL, NULL, NULL, NULL},
    {"memory of etcd, each consumer", "MB", "yurpc.etcd_each_mb", NULL, NULL, NULL, NULL},
    {"CPU of etcd, each joining", "ms", "yurpc.etcd_join_ms", NULL, NULL, NULL, NULL},
};

#define FOLLOW(kind, number, instances, rate)                                                \
    {                                                                                        \
        .name = "scale." kind "." #number, .backend = YR_BACKEND_ETCD, .is_apart = true,     \
        .count = (instances), .is_filled = true, .changes = (rate), .runs = 3,               \
        .programs = {{"yurpc", run_yurpc, false}, {WRITER, run_writer, true}}, .rows = rows, \
        .row_count = sizeof(rows) / sizeof(rows[0]),                                         \
    }
#define CONSUMERS(number) FOLLOW("consumers", number, 100, 20)
#define CHANGES(number)   FOLLOW("changes", number, 1000, number)

static const yr_work works[] = {
    CONSUMERS(1),   CONSUMERS(5),   CONSUMERS(20),  CONSUMERS(50),  CONSUMERS(100),
    CONSUMERS(200), CONSUMERS(500), CHANGES(10),    CHANGES(100),   CHANGES(1000),
    CHANGES(3000),  CHANGES(10000), CHANGES(15000), CHANGES(20000), CHANGES(30000),
};

const yr_works yr_works_scale_follow = {works, sizeof(works) / sizeof(works[0])};
