/*
 * What it takes to stay registered: messages that the registry receives, revisions it makes and
 * CPU of the provider, per beat (a third of the TTL), with 10,000 instances in one process.
 */
#include "bare.h"
#include "echo.h"
#include "measure.h"
#include "names.h"
#include "peer.h"
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TTL_S = 5, BEATS = 5, METRICS_SIZE = 1024 * 1024 };

/* ---- What etcd counts ---- */

typedef struct tally {
    double messages;   /* of all methods */
    double keepalives; /* of these, keepalives */
    double revision;
} tally;

static size_t fetch_metrics(const char *address, char *text, size_t size)
{
    static const char question[] = "GET /metrics HTTP/1.0\r\n\r\n";
    size_t len = 0;
    ssize_t got = 0;
    int fd = yr_bare_dial(address);
    if (fd >= 0 && write(fd, question, sizeof(question) - 1) == sizeof(question) - 1) {
        while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0) {
            len += (size_t)got;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    text[len] = '\0';
    return len;
}

static bool read_counts(const char *address, tally *ret_counts)
{
    static const char received[] = "grpc_server_msg_received_total{";
    static const char revision[] = "etcd_debugging_mvcc_current_revision ";
    static char text[METRICS_SIZE];
    tally counts = {.revision = -1};
    (void)fetch_metrics(address, text, sizeof(text));
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *space = strrchr(line, ' ');
        double value = space != NULL ? strtod(space, NULL) : 0;
        if (strncmp(line, received, sizeof(received) - 1) == 0) {
            counts.messages += value;
            counts.keepalives += strstr(line, "\"LeaseKeepAlive\"") != NULL ? value : 0;
        }
        if (strncmp(line, revision, sizeof(revision) - 1) == 0) {
            counts.revision = value;
        }
    }
    *ret_counts = counts;
    return counts.revision >= 0;
}

/* ---- The provider ---- */

static bool watch_beats(const yr_sample *self)
{
    tally before = {0};
    tally after = {0};
    bool is_etcd = self->work->backend == YR_BACKEND_ETCD;
    yr_pause_ms(TTL_S * 1000 / 6); /* between two beats */
    if (is_etcd && !read_counts(self->address, &before)) {
        return yr_fail(self, "etcd's metrics could not be read", NULL);
    }
    int64_t cpu = yr_cpu_ns();
    yr_pause_ms(BEATS * TTL_S * 1000 / 3);
    cpu = yr_cpu_ns() - cpu;
    if (is_etcd && !read_counts(self->address, &after)) {
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
