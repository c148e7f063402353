/*
 * Memory that a process has for itself (private dirty pages): with a registry open, and with a
 * service of 100,000 instances followed.
 */
#include "bare.h"
#include "bare_etcd.h"
#include "bare_sqlite.h"
#include "measure.h"
#include "peer.h"
#include "work.h"

enum { SETTLE_MS = 1000, CONNECT_TRIES = 500, CONNECT_PAUSE_MS = 10 };

static bool await_connection(const yurpc_registry *registry)
{
    yurpc_registry_stats stats = {.size = sizeof(stats)};
    for (int i = 0; i < CONNECT_TRIES && !stats.is_connected; i++) {
        yr_pause_ms(CONNECT_PAUSE_MS);
        if (yurpc_registry_get_stats(registry, &stats) != YURPC_OK) {
            return false;
        }
    }
    return stats.is_connected;
}

static bool run_yurpc(yr_sample *self)
{
    int64_t empty = yr_memory_private_dirty();
    yurpc_registry *registry = yr_sample_open(self, 0);
    if (registry == NULL || !await_connection(registry)) {
        return yr_fail(self, "the registry does not answer", NULL);
    }
    int64_t idle = yr_memory_private_dirty();
    yurpc_service *service = yr_sample_discover(self, registry, self->work->count);
    if (service != NULL) {
        yr_pause_ms(SETTLE_MS); /* what is freed later is freed by then */
        int64_t full = yr_memory_private_dirty();
        yr_report("idle_mb", (double)idle / 1e6);
        yr_report("above_mb", (double)(idle - empty) / 1e6);
        yr_report("full_mb", (double)full / 1e6);
        yr_report("each_bytes", (double)(full - idle) / (double)self->work->count);
    }
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    return service != NULL;
}

/* This program before it has done anything, and what the list takes where it comes from. */
static bool run_bare(yr_sample *self)
{
    static yr_bare bare;
    static yr_message message;
    int64_t empty = yr_memory_private_dirty();
    int64_t len = -1;
    if (self->work->backend == YR_BACKEND_LOCAL) {
        len = yr_bare_sqlite_read(self->address);
    } else if (yr_bare_open(&bare, self->address, NULL, NULL)) {
        len = yr_bare_call(&bare, YR_PATH_RANGE, yr_message_range(&message));
        yr_bare_close(&bare);
    }
    if (len < 0) {
        return yr_fail(self, "the list could not be read", NULL);
    }
    yr_report("empty_mb", (double)empty / 1e6);
    yr_report("list_mb", (double)len / 1e6);
    yr_report("each_bytes", (double)len / (double)self->work->count);
    return true;
}

#define EMPTY  "an empty program, linked to the same libraries"
#define ANSWER "the bytes of the Range's answer"

static const yr_row etcd_rows[] = {
    {"idle, connected", "MB", "yurpc.idle_mb", "bare.empty_mb", "go.idle_mb", EMPTY, NULL},
    {"idle, above an empty program", "MB", "yurpc.above_mb", NULL, NULL, NULL, "<= 1"},
    {"100,000 instances cached", "MB", "yurpc.full_mb", "bare.list_mb", "go.full_mb", ANSWER,
     NULL},
    {"each of them", "bytes", "yurpc.each_bytes", "bare.each_bytes", "go.each_bytes", ANSWER,
     "<= 200"},
};

static const yr_row local_rows[] = {
    {"idle, connected", "MB", "yurpc.idle_mb", "bare.empty_mb", NULL, EMPTY, NULL},
    {"idle, above an empty program", "MB", "yurpc.above_mb", NULL, NULL, NULL, "<= 1"},
    {"100,000 instances cached", "MB", "yurpc.full_mb", "bare.list_mb", NULL,
     "the bytes of keys and values in the file", NULL},
    {"each of them", "bytes", "yurpc.each_bytes", "bare.each_bytes", NULL,
     "the bytes of keys and values in the file", "<= 200"},
};

static const yr_work works[] = {
    {
        .name = "memory.etcd",
        .backend = YR_BACKEND_ETCD,
        .count = 100000,
        .is_filled = true,
        .runs = 5,
        .programs = {{"yurpc", run_yurpc, false},
                     {"bare", run_bare, false},
                     {YR_PEER, NULL, false}},
        .rows = etcd_rows,
        .row_count = sizeof(etcd_rows) / sizeof(etcd_rows[0]),
    },
    {
        .name = "memory.local",
        .backend = YR_BACKEND_LOCAL,
        .count = 100000,
        .is_filled = true,
        .runs = 5,
        .programs = {{"yurpc", run_yurpc, false}, {"bare", run_bare, false}},
        .rows = local_rows,
        .row_count = sizeof(local_rows) / sizeof(local_rows[0]),
    },
};

const yr_works yr_works_memory = {works, sizeof(works) / sizeof(works[0])};
