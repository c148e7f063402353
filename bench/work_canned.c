/*
 * A storm of changes from a server that costs nothing: what a client can take. Every change is
 * a message of its own, all of a service of 10,000 instances, each of which changes 20 times.
 */
#include "bare.h"
#include "bare_decode.h"
#include "bare_etcd.h"
#include "measure.h"
#include "names.h"
#include "peer.h"
#include "work.h"

#include <string.h>

enum { LOOK_EVERY_US = 200, PATIENCE_MS = 60000 };

/* What all instances weigh when it is over. */
static uint32_t last_weight(const yr_work *work)
{
    return (uint32_t)(work->changes / work->count);
}

/* Over a connection of its own, as somebody else would. */
static bool begin_storm(const yr_sample *self)
{
    static yr_bare bare;
    static yr_message message;
    bool is_fine = yr_bare_open(&bare, self->address, NULL, NULL) &&
                   yr_bare_call(&bare, YR_PATH_PUT, yr_message_put(&message, 0, 100, 0)) > 0;
    yr_bare_close(&bare);
    return is_fine || yr_fail(self, "the storm does not begin", NULL);
}

static void report(const yr_sample *self, yr_span span)
{
    double changes = (double)self->work->changes;
    yr_report("rate", changes / ((double)span.wall_ns / 1e9) / 1e6);
    yr_report("cpu_us", (double)span.cpu_ns / 1e3 / changes);
    yr_report("peak_mb", (double)yr_memory_peak() / 1e6);
}

/* ---- Ours ---- */

/* Where the instance that changes last is in the list. */
static size_t find_last(const yurpc_service *service, size_t count)
{
    char host[YR_HOST_SIZE];
    size_t at = 0;
    yr_name_host(count - 1, host);
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    while (at < count && strcmp(yurpc_instance_host(yurpc_snapshot_at(now, at)), host) != 0) {
        at++;
    }
    yurpc_service_release(service, now);
    return at;
}

static uint32_t weigh(const yurpc_service *service, size_t at)
{
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    const yurpc_instance *one = yurpc_snapshot_at(now, at);
    uint32_t weight = one != NULL ? yurpc_instance_weight(one) : 0;
    yurpc_service_release(service, now);
    return weight;
}

/* Every change was decoded, and the list is what they make of it. */
static bool verify(const yr_sample *self, const yurpc_registry *registry,
                   const yurpc_service *service)
{
    yurpc_registry_stats stats = {.size = sizeof(stats)};
    bool is_right = yurpc_registry_get_stats(registry, &stats) == YURPC_OK &&
                    stats.changes >= self->work->changes;
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    is_right = is_right && yurpc_snapshot_count(now) == self->work->count;
    for (size_t i = 0; is_right && i < self->work->count; i++) {
        is_right = yurpc_instance_weight(yurpc_snapshot_at(now, i)) == last_weight(self->work);
    }
    yurpc_service_release(service, now);
    return is_right || yr_fail(self, "the list is not what the changes make of it", NULL);
}

static bool sit_out(const yr_sample *self, const yurpc_registry *registry,
                    const yurpc_service *service)
{
    size_t last = find_last(service, self->work->count);
    yr_span begin = yr_span_begin();
    if (!begin_storm(self)) {
        return false;
    }
    while (weigh(service, last) != last_weight(self->work)) {
        yr_pause_us(LOOK_EVERY_US);
        if (yr_now_ns() - begin.wall_ns > (int64_t)PATIENCE_MS * 1000000) {
            return yr_fail(self, "the storm does not end", NULL);
        }
    }
    yr_span span = yr_span_end(begin);
    report(self, span);
    return verify(self, registry, service);
}

static bool run_yurpc(yr_sample *self)
{
    yurpc_registry *registry = yr_sample_open(self, 0);
    yurpc_service *service =
        registry != NULL ? yr_sample_discover(self, registry, self->work->count) : NULL;
    bool is_fine = service != NULL;
    if (is_fine) {
        yr_pause_ms(500); /* until the watch behind the list is there */
        is_fine = sit_out(self, registry, service);
    }
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    return is_fine;
}

/* ---- Bare ---- */

typedef struct watcher {
    yr_bare bare;
    yr_bare_decoder list_decoder;
    yr_bare_decoder watch_decoder;
    int32_t watch;
    bool is_watching; /* the watch was answered */
} watcher;

static void take(void *context, int32_t stream, yurpc_bytes data, bool is_end)
{
    watcher *self = context;
    bool is_watch = stream == self->watch;
    yr_bare_decoder *decoder = is_watch ? &self->watch_decoder : &self->list_decoder;
    decoder->has_failed = decoder->has_failed || !yr_bare_decoder_take(decoder, data);
    self->is_watching = self->is_watching || (is_watch && !is_end);
}

static bool follow(watcher *self, const yr_sample *sample, yr_bare_list *list)
{
    static yr_message message;
    yr_bare_decoder_init(&self->list_decoder, YR_BARE_RANGE, list);
    yr_bare_decoder_init(&self->watch_decoder, YR_BARE_WATCH, list);
    if (!yr_bare_open(&self->bare, sample->address, take, self) ||
        yr_bare_call(&self->bare, YR_PATH_RANGE, yr_message_range(&message)) < 0 ||
        list->count != sample->work->count || !yr_bare_list_index(list)) {
        return false;
    }
    self->watch = yr_bare_request(&self->bare, YR_PATH_WATCH, yr_message_watch(&message), true);
    while (self->watch != 0 && !self->is_watching) {
        if (!yr_bare_turn(&self->bare)) {
            return false;
        }
    }
    return self->watch != 0;
}

static bool run_bare(yr_sample *sample)
{
    static watcher self;
    yr_bare_list list = {.count = 0};
    bool is_fine = follow(&self, sample, &list);
    yr_span begin = yr_span_begin();
    is_fine = is_fine && begin_storm(sample);
    while (is_fine && self.watch_decoder.events < sample->work->changes) {
        is_fine = yr_bare_turn(&self.bare) && !self.watch_decoder.has_failed;
    }
    yr_span span = yr_span_end(begin);
    for (size_t i = 0; is_fine && i < list.count; i++) {
        is_fine = list.instances[i].weight == last_weight(sample->work);
    }
    yr_bare_close(&self.bare);
    yr_bare_list_deinit(&list);
    if (is_fine) {
        report(sample, span);
    }
    return is_fine || yr_fail(sample, "the bare watch failed", NULL);
}

#define BARE "the same by nghttp2 on a blocking socket, scanned by hand into a plain list"

static const yr_row rows[] = {
    {"changes taken", "M/s", "yurpc.rate", "bare.rate", "go.rate", BARE,
     ">= 0.5 bare, >= 12 Go"},
    {"CPU of each", "µs", "yurpc.cpu_us", "bare.cpu_us", "go.cpu_us", BARE, NULL},
    {"peak memory", "MB", "yurpc.peak_mb", "bare.peak_mb", "go.peak_mb", BARE, NULL},
};

static const yr_work works[] = {
    {
        .name = "watch.canned",
        .backend = YR_BACKEND_CANNED,
        .count = 10000,
        .changes = 200000,
        .runs = 5,
        .programs = {{"yurpc", run_yurpc, false},
                     {"bare", run_bare, false},
                     {YR_PEER, NULL, false}},
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    },
};

const yr_works yr_works_canned = {works, sizeof(works) / sizeof(works[0])};
