/*
 * A burst of single puts at full speed into a watched service: how long its list is wrong. etcd
 * feeds a watcher that has fallen behind slowly; so how a client catches up decides.
 *
 * One writer, and both watchers at the same time, each in a process of its own: ours, and a
 * bare client that just watches on.
 */
#include "bare.h"
#include "bare_decode.h"
#include "bare_etcd.h"
#include "measure.h"
#include "names.h"
#include "run.h"
#include "work.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, LOOK_EVERY_MS = 5, PATIENCE_S = 120 };

#define WRITER  "writer"
#define WATCHER "watcher"

/* What an instance weighs after its change number @p round, which is none of before. */
static unsigned weight_of(unsigned first, size_t round)
{
    return first + (unsigned)round;
}

static unsigned last_weight(const yr_work *work, unsigned first)
{
    return weight_of(first, work->changes / work->count - 1);
}

/* ---- The writer ---- */

typedef struct writer {
    const yr_work *work;
    yr_bare bare;
    unsigned first_weight;
    size_t begun;
    size_t answers;
    bool has_failed;
} writer;

static void put_next(writer *self)
{
    static yr_message message;
    size_t count = self->work->count;
    unsigned weight = weight_of(self->first_weight, self->begun / count);
    yurpc_bytes put = yr_message_put(&message, self->begun % count, weight, 0);
    self->begun++;
    self->has_failed =
        self->has_failed || yr_bare_request(&self->bare, YR_PATH_PUT, put, false) == 0;
}

static void on_answer(void *context, int32_t stream, yurpc_bytes data, bool is_end)
{
    writer *self = context;
    (void)stream;
    (void)data;
    if (is_end) {
        self->answers++;
    }
    if (is_end && self->begun < self->work->changes) {
        put_next(self);
    }
}

/* Tells what all will weigh, begins when its input says so, and tells when it was over. */
static bool run_writer(yr_sample *sample)
{
    static writer self;
    char order = 0;
    self.work = sample->work;
    self.first_weight = 101 + (unsigned)(yr_now_ns() / 1000000000 % 29) * 30;
    bool is_fine = yr_bare_open(&self.bare, sample->address, on_answer, &self);
    yr_report("weight", last_weight(self.work, self.first_weight));
    is_fine = is_fine && read(STDIN_FILENO, &order, 1) == 1;
    for (int i = 0; is_fine && i < IN_FLIGHT; i++) {
        put_next(&self);
    }
    while (is_fine && self.answers < self.work->changes) {
        is_fine = yr_bare_turn(&self.bare) && !self.has_failed;
    }
    yr_bare_close(&self.bare);
    yr_report("over_ms", (double)yr_now_ns() / 1e6);
    return is_fine || yr_fail(sample, "the writer has failed", NULL);
}

/* ---- Who watches on ---- */

typedef struct watcher {
    yr_bare bare;
    yr_bare_decoder list;
    yr_bare_decoder changes;
    int32_t watch;
    bool is_watching;
} watcher;

static void take(void *context, int32_t stream, yurpc_bytes data, bool is_end)
{
    watcher *self = context;
    bool is_watch = stream == self->watch;
    yr_bare_decoder *decoder = is_watch ? &self->changes : &self->list;
    decoder->has_failed = decoder->has_failed || !yr_bare_decoder_take(decoder, data);
    self->is_watching = self->is_watching || (is_watch && !is_end);
}

/* Tells when it watches, and when all has come. */
static bool run_watcher(yr_sample *sample)
{
    static watcher self;
    static yr_message message;
    yr_bare_list list = {.count = 0};
    yr_bare_decoder_init(&self.list, YR_BARE_RANGE, &list);
    yr_bare_decoder_init(&self.changes, YR_BARE_WATCH, &list);
    bool is_fine = yr_bare_open(&self.bare, sample->address, take, &self) &&
                   yr_bare_call(&self.bare, YR_PATH_RANGE, yr_message_range(&message)) > 0 &&
                   list.count == sample->work->count && yr_bare_list_index(&list);
    self.watch =
        is_fine ? yr_bare_request(&self.bare, YR_PATH_WATCH, yr_message_watch(&message), true)
                : 0;
    while (is_fine && !self.is_watching) {
        is_fine = yr_bare_turn(&self.bare);
    }
    yr_report("ready", is_fine);
    while (is_fine && self.changes.events < sample->work->changes) {
        is_fine = yr_bare_turn(&self.bare) && !self.changes.has_failed;
    }
    yr_report("true_ms", (double)yr_now_ns() / 1e6);
    yr_bare_close(&self.bare);
    yr_bare_list_deinit(&list);
    return is_fine || yr_fail(sample, "the watcher has failed", NULL);
}

/* ---- Ours, which has the others started ---- */

static bool is_true(const yurpc_service *service, size_t count, uint32_t weight)
{
    const yurpc_snapshot *now = yurpc_service_acquire(service);
    bool is_right = yurpc_snapshot_count(now) == count;
    for (size_t i = 0; is_right && i < count; i++) {
        is_right = yurpc_instance_weight(yurpc_snapshot_at(now, i)) == weight;
    }
    yurpc_service_release(service, now);
    return is_right;
}

typedef struct others {
    yr_running writer;
    yr_running watcher;
    double weight;
    double begun_ms;
    double over_ms;
    double watcher_ms;
} others;

static bool start_others(others *self, const yr_sample *sample)
{
    double ready = 0;
    return yr_run_start(sample->work, WATCHER, sample->address, &self->watcher) &&
           yr_run_await_line(&self->watcher, &ready) && ready > 0 &&
           yr_run_start(sample->work, WRITER, sample->address, &self->writer) &&
           yr_run_await_line(&self->writer, &self->weight);
}

static bool await_others(others *self)
{
    return yr_run_await_line(&self->writer, &self->over_ms) &&
           yr_run_await_line(&self->watcher, &self->watcher_ms) &&
           yr_run_finish(&self->writer) && yr_run_finish(&self->watcher);
}

static bool measure(const yr_sample *sample, const yurpc_service *service)
{
    others all = {.weight = 0};
    if (!start_others(&all, sample)) {
        return yr_fail(sample, "the others do not run", NULL);
    }
    int64_t begun_ns = yr_now_ns();
    int64_t cpu_ns = yr_cpu_ns();
    bool is_fine = write(all.writer.input, "\n", 1) == 1;
    while (is_fine && !is_true(service, sample->work->count, (uint32_t)all.weight)) {
        yr_pause_ms(LOOK_EVERY_MS);
        is_fine = yr_now_ns() - begun_ns < (int64_t)PATIENCE_S * 1000000000;
    }
    double true_ms = (double)yr_now_ns() / 1e6;
    double begun_ms = (double)begun_ns / 1e6;
    cpu_ns = yr_cpu_ns() - cpu_ns;
    if (!is_fine || !await_others(&all)) {
        return yr_fail(sample, "the list has not become true", NULL);
    }
    yr_report("true_s", (true_ms - begun_ms) / 1e3);
    yr_report("after_s", (true_ms - all.over_ms) / 1e3);
    yr_report("cpu_ms", (double)cpu_ns / 1e6);
    yr_report("on_true_s", (all.watcher_ms - begun_ms) / 1e3);
    yr_report("on_after_s", (all.watcher_ms - all.over_ms) / 1e3);
    yr_report("puts_k", (double)sample->work->changes / (all.over_ms - begun_ms));
    return true;
}

static bool run_yurpc(yr_sample *sample)
{
    yurpc_registry *registry = yr_sample_open(sample, 0);
    yurpc_service *service =
        registry != NULL ? yr_sample_discover(sample, registry, sample->work->count) : NULL;
    bool is_fine = service != NULL && measure(sample, service);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    return is_fine;
}

#define ON "a bare watch of the same burst, which just watches on"

static const yr_row rows[] = {
    {"list true again, from the last put", "s", "yurpc.after_s", "yurpc.on_after_s", NULL, ON,
     "<= 0.4 bare"},
    {"the same, from the first put", "s", "yurpc.true_s", "yurpc.on_true_s", NULL, ON, NULL},
    {"CPU meanwhile", "ms", "yurpc.cpu_ms", NULL, NULL, NULL, NULL},
    {"puts", "k/s", NULL, "yurpc.puts_k", NULL, "what the writer reached", NULL},
};

static const yr_work works[] = {
    {
        .name = "burst.etcd",
        .backend = YR_BACKEND_ETCD,
        .count = 10000,
        .changes = 200000,
        .is_filled = true,
        .runs = 3,
        .programs = {{"yurpc", run_yurpc, false},
                     {WRITER, run_writer, true},
                     {WATCHER, run_watcher, true}},
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    },
};

const yr_works yr_works_burst = {works, sizeof(works) / sizeof(works[0])};
