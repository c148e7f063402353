/*
 * How soon a change in etcd is seen, and what seeing it costs: from the moment its writer
 * begins to put it until the callback of a watch runs. A service of 100 instances, of which one
 * changes at a time. The writer is another process, so that the CPU is the watcher's alone.
 */
#include "bare.h"
#include "bare_decode.h"
#include "bare_etcd.h"
#include "measure.h"
#include "names.h"
#include "peer.h"
#include "run.h"
#include "work.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The work's changes; the first do not count. A pause between them, so that each is alone. */
enum { CHANGES_MAX = 1024, WARM_UP = 20, PAUSE_US = 500 };

#define WRITER "writer"

/* ---- The writer: a bare client, in a process of its own ---- */

/* It begins when its input says so, and tells at the end when it did what. */
static bool run_writer(yr_sample *self)
{
    static yr_bare bare;
    static yr_message message;
    static int64_t begun_ns[CHANGES_MAX];
    static int64_t acked_ns[CHANGES_MAX];
    char order = 0;
    /* Others than those of the run before, so that all are changes. */
    unsigned first_weight = 101 + (unsigned)(yr_now_ns() / 100000000 % 100) * 8;
    bool is_fine =
        yr_bare_open(&bare, self->address, NULL, NULL) && read(STDIN_FILENO, &order, 1) == 1;
    for (size_t i = 0; is_fine && i < self->work->changes; i++) {
        size_t count = self->work->count;
        unsigned weight = first_weight + (unsigned)(i / count);
        yurpc_bytes put = yr_message_put(&message, i % count, weight, 0);
        yr_pause_us(PAUSE_US);
        begun_ns[i] = yr_now_ns();
        is_fine = yr_bare_call(&bare, YR_PATH_PUT, put) > 0;
        acked_ns[i] = yr_now_ns();
    }
    yr_bare_close(&bare);
    for (size_t i = 0; is_fine && i < self->work->changes; i++) {
        (void)printf("%lld %lld\n", (long long)begun_ns[i], (long long)acked_ns[i]);
    }
    return is_fine || yr_fail(self, "a change could not be written", NULL);
}

/* ---- Who sees it ---- */

typedef struct seer {
    size_t wanted;
    _Atomic size_t count;
    int64_t seen_ns[CHANGES_MAX];
    sem_t is_ready; /* it watches */
    sem_t is_done;  /* all were seen */
    yr_running writer;
    int64_t cpu_ns;
} seer;

static void seer_init(seer *self, const yr_sample *sample)
{
    self->wanted = sample->work->changes;
    (void)sem_init(&self->is_ready, 0, 0);
    (void)sem_init(&self->is_done, 0, 0);
}

static void await(sem_t *what)
{
    while (sem_wait(what) != 0 && errno == EINTR) {
    }
}

static void see(seer *self, size_t count)
{
    int64_t now = yr_now_ns();
    for (size_t i = 0; i < count && self->count < self->wanted; i++) {
        self->seen_ns[self->count++] = now;
    }
    if (self->count == self->wanted) {
        (void)sem_post(&self->is_done);
    }
}

/* From now on it is measured. */
static bool start_writing(seer *self, const yr_sample *sample)
{
    if (!yr_run_start(sample->work, WRITER, sample->address, &self->writer)) {
        return false;
    }
    self->cpu_ns = yr_cpu_ns();
    return write(self->writer.input, "\n", 1) == 1;
}

/* All was seen: what the writer says belongs to it. */
static bool report(seer *self, const yr_sample *sample)
{
    static int64_t acked_ns[CHANGES_MAX];
    char line[128];
    size_t count = 0;
    double cpu_us = (double)(yr_cpu_ns() - self->cpu_ns) / 1e3;
    FILE *lines = fdopen(dup(self->writer.figures), "r");
    for (; lines != NULL && count < self->wanted; count++) {
        char *rest = NULL;
        if (fgets(line, sizeof(line), lines) == NULL) {
            break;
        }
        int64_t begun = strtoll(line, &rest, 10);
        acked_ns[count] = strtoll(rest, NULL, 10) - begun;
        self->seen_ns[count] -= begun;
    }
    if (lines != NULL) {
        (void)fclose(lines);
    }
    if (!yr_run_finish(&self->writer) || count != self->wanted) {
        return yr_fail(sample, "the writer has failed", NULL);
    }
    yr_report_percentiles("seen_", self->seen_ns + WARM_UP, count - WARM_UP);
    yr_report_percentiles("acked_", acked_ns + WARM_UP, count - WARM_UP);
    yr_report("cpu_us", cpu_us / (double)count);
    return true;
}

/* ---- Ours ---- */

static void on_event(void *context, const yurpc_event *event)
{
    seer *self = context;
    if (event->kind == YURPC_EVENT_UP) {
        (void)sem_post(&self->is_ready); /* those that were there */
    } else if (event->kind == YURPC_EVENT_CHANGED) {
        see(self, event->count);
    }
}

static bool run_yurpc(yr_sample *sample)
{
    static seer self;
    yurpc_watch *watch = NULL;
    seer_init(&self, sample);
    yurpc_registry *registry = yr_sample_open(sample, 0);
    yurpc_service *service =
        registry != NULL ? yr_sample_discover(sample, registry, sample->work->count) : NULL;
    bool is_fine =
        service != NULL && yurpc_service_watch(service, on_event, &self, &watch) == YURPC_OK;
    if (is_fine) {
        await(&self.is_ready);
        is_fine = start_writing(&self, sample);
    }
    if (is_fine) {
        await(&self.is_done);
        is_fine = report(&self, sample);
    }
    yurpc_watch_stop(watch);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    return is_fine;
}

/* ---- Bare ---- */

typedef struct watcher {
    seer seen;
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
    uint64_t before = decoder->events;
    decoder->has_failed = decoder->has_failed || !yr_bare_decoder_take(decoder, data);
    self->is_watching = self->is_watching || (is_watch && !is_end);
    if (decoder->events > before) {
        see(&self->seen, decoder->events - before);
    }
}

static bool follow(watcher *self, const yr_sample *sample, yr_bare_list *list)
{
    static yr_message message;
    yr_bare_decoder_init(&self->list, YR_BARE_RANGE, list);
    yr_bare_decoder_init(&self->changes, YR_BARE_WATCH, list);
    bool is_fine = yr_bare_open(&self->bare, sample->address, take, self) &&
                   yr_bare_call(&self->bare, YR_PATH_RANGE, yr_message_range(&message)) > 0 &&
                   list->count == sample->work->count && yr_bare_list_index(list);
    self->watch =
        is_fine ? yr_bare_request(&self->bare, YR_PATH_WATCH, yr_message_watch(&message), true)
                : 0;
    while (self->watch != 0 && is_fine && !self->is_watching) {
        is_fine = yr_bare_turn(&self->bare);
    }
    return is_fine && self->watch != 0;
}

static bool run_bare(yr_sample *sample)
{
    static watcher self;
    yr_bare_list list = {.count = 0};
    seer_init(&self.seen, sample);
    bool is_fine = follow(&self, sample, &list) && start_writing(&self.seen, sample);
    while (is_fine && self.seen.count < self.seen.wanted) {
        is_fine = yr_bare_turn(&self.bare) && !self.changes.has_failed;
    }
    is_fine =
        is_fine ? report(&self.seen, sample) : yr_fail(sample, "the bare watch failed", NULL);
    yr_bare_close(&self.bare);
    yr_bare_list_deinit(&list);
    return is_fine;
}

/* ---- The works ---- */

#define WATCH   "a bare watch on a blocking socket, scanned by hand into a plain list"
#define ANSWERS "the same writer beside the bare watch"

static const yr_row rows[] = {
    {"put until seen, p50", "µs", "yurpc.seen_p50_us", "bare.seen_p50_us", "go.seen_p50_us",
     WATCH, "<= 1.1 bare"},
    {"put until seen, p99", "µs", "yurpc.seen_p99_us", "bare.seen_p99_us", "go.seen_p99_us",
     WATCH, NULL},
    {"CPU of each change", "µs", "yurpc.cpu_us", "bare.cpu_us", "go.cpu_us", WATCH,
     "<= 2 bare"},
    {"put until its writer's answer, p50", "µs", "yurpc.acked_p50_us", "bare.acked_p50_us",
     "go.acked_p50_us", ANSWERS, NULL},
};

static const yr_work works[] = {
    {
        .name = "change.etcd",
        .backend = YR_BACKEND_ETCD,
        .count = 100,
        .changes = 520,
        .is_filled = true,
        .runs = 5,
        .programs = {{"yurpc", run_yurpc, false},
                     {"bare", run_bare, false},
                     {YR_PEER, NULL, false},
                     {WRITER, run_writer, true}},
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    },
};

const yr_works yr_works_change = {works, sizeof(works) / sizeof(works[0])};
