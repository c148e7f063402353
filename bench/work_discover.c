/*
 * Cold discovery: from nothing to the complete list, in a process that has done nothing before.
 */
#include "bare.h"
#include "bare_decode.h"
#include "bare_etcd.h"
#include "bare_sqlite.h"
#include "measure.h"
#include "peer.h"
#include "scratch.h"
#include "work.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static bool run_yurpc(yr_sample *self)
{
    yr_span begin = yr_span_begin();
    yurpc_registry *registry = yr_sample_open(self, 0);
    yurpc_service *service =
        registry != NULL ? yr_sample_discover(self, registry, self->work->count) : NULL;
    yr_span span = yr_span_end(begin);
    if (service != NULL) {
        yr_report_span(span);
    }
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    return service != NULL;
}

/* Remove it, if there is nothing in it. */
static bool is_empty(const char *path)
{
    return rmdir(path) == 0 || errno == ENOENT;
}

/* The list is kept on disk, too: all that it costs until the file is there and all is closed.
 */
static bool run_keeping(yr_sample *self)
{
    yr_scratch scratch = {.lock = -1};
    char cache_dir[sizeof(scratch.path) + 8];
    if (yr_scratch_init(&scratch, "yurpc-bench.") != YURPC_OK) {
        return yr_fail(self, "no directory can be made", NULL);
    }
    (void)snprintf(cache_dir, sizeof(cache_dir), "%s/cache", scratch.path);
    self->cache_dir = cache_dir;
    yr_span begin = yr_span_begin();
    yurpc_registry *registry = yr_sample_open(self, 0);
    yurpc_service *service =
        registry != NULL ? yr_sample_discover(self, registry, self->work->count) : NULL;
    yr_span span = yr_span_end(begin);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    span.cpu_ns = yr_span_end(begin).cpu_ns;
    bool is_kept = !is_empty(cache_dir);
    yr_scratch_deinit(&scratch);
    if (service != NULL && is_kept) {
        yr_report_span(span);
    }
    return service != NULL && (is_kept || yr_fail(self, "the list was not kept", NULL));
}

static void take_range(void *context, int32_t stream, yurpc_bytes data, bool is_end)
{
    (void)stream;
    (void)is_end;
    yr_bare_decoder *decoder = context;
    decoder->has_failed = !yr_bare_decoder_take(decoder, data) || decoder->has_failed;
}

static bool run_bare_etcd(yr_sample *self)
{
    static yr_bare bare;
    static yr_bare_decoder decoder;
    static yr_message message;
    yr_span begin = yr_span_begin();
    yr_bare_list list = {.count = 0};
    int64_t len = -1;
    yr_bare_decoder_init(&decoder, YR_BARE_RANGE, &list);
    if (yr_bare_open(&bare, self->address, take_range, &decoder)) {
        len = yr_bare_call(&bare, YR_PATH_RANGE, yr_message_range(&message));
    }
    yr_span span = yr_span_end(begin);
    bool is_complete = list.count == self->work->count && !decoder.has_failed;
    yr_bare_close(&bare);
    yr_bare_list_deinit(&list);
    if (len < 0 || !is_complete) {
        return yr_fail(self, "the bare Range failed", NULL);
    }
    yr_report_span(span);
    yr_report("mb", (double)len / 1e6);
    return true;
}

static bool run_bare_sqlite(yr_sample *self)
{
    yr_span begin = yr_span_begin();
    int64_t len = yr_bare_sqlite_read(self->address);
    yr_span span = yr_span_end(begin);
    if (len < 0) {
        return yr_fail(self, "the bare SELECT failed", NULL);
    }
    yr_report_span(span);
    yr_report("mb", (double)len / 1e6);
    return true;
}

#define RANGE  "the same Range by nghttp2 on a blocking socket, scanned by hand as it comes"
#define SELECT "every row of the same file by SQLite alone"

static const yr_row etcd_rows[] = {
    {"wall", "ms", "yurpc.wall_ms", "bare.wall_ms", "go.wall_ms", RANGE, NULL},
    {"CPU", "ms", "yurpc.cpu_ms", "bare.cpu_ms", "go.cpu_ms", RANGE, NULL},
    {"peak memory", "MB", "yurpc.peak_mb", "bare.peak_mb", "go.peak_mb", RANGE, NULL},
    {"bytes of the answer", "MB", NULL, "bare.mb", NULL, RANGE, NULL},
};

static const yr_row kept_rows[] = {
    {"wall", "ms", "yurpc.wall_ms", "bare.wall_ms", "go.wall_ms", RANGE, NULL},
    {"CPU, until kept and closed", "ms", "yurpc.cpu_ms", "bare.cpu_ms", "go.cpu_ms", RANGE,
     "<= 0.2 Go"},
    {"peak memory", "MB", "yurpc.peak_mb", "bare.peak_mb", "go.peak_mb", RANGE, "<= 0.35 Go"},
};

static const yr_row canned_rows[] = {
    {"wall", "ms", "yurpc.wall_ms", "bare.wall_ms", "go.wall_ms", RANGE,
     "<= 1.5 bare, <= 0.2 Go"},
    {"CPU", "ms", "yurpc.cpu_ms", "bare.cpu_ms", "go.cpu_ms", RANGE, NULL},
    {"peak memory", "MB", "yurpc.peak_mb", "bare.peak_mb", "go.peak_mb", RANGE, NULL},
    {"bytes of the answer", "MB", NULL, "bare.mb", NULL, RANGE, NULL},
};

static const yr_row local_rows[] = {
    {"wall", "ms", "yurpc.wall_ms", "bare.wall_ms", NULL, SELECT, NULL},
    {"CPU", "ms", "yurpc.cpu_ms", "bare.cpu_ms", NULL, SELECT, NULL},
    {"peak memory", "MB", "yurpc.peak_mb", "bare.peak_mb", NULL, SELECT, NULL},
    {"bytes of the texts", "MB", NULL, "bare.mb", NULL, SELECT, NULL},
};

#define ETCD(number)                                                                     \
    {                                                                                    \
        .name = "discover.etcd." #number, .backend = YR_BACKEND_ETCD, .count = (number), \
        .is_filled = true, .runs = 5,                                                    \
        .programs = {{"yurpc", run_yurpc, false},                                        \
                     {"bare", run_bare_etcd, false},                                     \
                     {YR_PEER, NULL, false}},                                            \
        .rows = etcd_rows, .row_count = sizeof(etcd_rows) / sizeof(etcd_rows[0]),        \
    }
#define LOCAL(number)                                                                      \
    {                                                                                      \
        .name = "discover.local." #number, .backend = YR_BACKEND_LOCAL, .count = (number), \
        .is_filled = true, .runs = 5,                                                      \
        .programs = {{"yurpc", run_yurpc, false}, {"bare", run_bare_sqlite, false}},       \
        .rows = local_rows, .row_count = sizeof(local_rows) / sizeof(local_rows[0]),       \
    }

/* With the disk cache, against a peer that keeps nothing. */
#define KEPT(number)                                                                     \
    {                                                                                    \
        .name = "discover.kept." #number, .backend = YR_BACKEND_ETCD, .count = (number), \
        .is_filled = true, .runs = 5,                                                    \
        .programs = {{"yurpc", run_keeping, false},                                      \
                     {"bare", run_bare_etcd, false},                                     \
                     {YR_PEER, NULL, false}},                                            \
        .rows = kept_rows, .row_count = sizeof(kept_rows) / sizeof(kept_rows[0]),        \
    }
#define CANNED(number)                                                                       \
    {                                                                                        \
        .name = "discover.canned." #number, .backend = YR_BACKEND_CANNED, .count = (number), \
        .runs = 5,                                                                           \
        .programs = {{"yurpc", run_yurpc, false},                                            \
                     {"bare", run_bare_etcd, false},                                         \
                     {YR_PEER, NULL, false}},                                                \
        .rows = canned_rows, .row_count = sizeof(canned_rows) / sizeof(canned_rows[0]),      \
    }

static const yr_work works[] = {ETCD(100),      ETCD(10000), ETCD(100000), KEPT(100000),
                                CANNED(100000), LOCAL(100),  LOCAL(10000), LOCAL(100000)};

const yr_works yr_works_discover = {works, sizeof(works) / sizeof(works[0])};
