/*
 * A process registers many instances at once, from opening the registry until all are in it;
 * and leaves again.
 */
#include "bare.h"
#include "bare_etcd.h"
#include "bare_sqlite.h"
#include "measure.h"
#include "names.h"
#include "peer.h"
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { IN_FLIGHT = 4, LEASE = 4712, LEASE_TTL_S = 30 };

/* Also between begin and end: opening, which connects. */
static yurpc_registry *register_all(const yr_sample *self, const yurpc_instance_spec *specs,
                                    yurpc_registration **registrations)
{
    yurpc_error *error = NULL;
    yurpc_registry *registry = yr_sample_open(self, 0);
    if (registry != NULL &&
        yurpc_registry_register_many(registry, specs, self->work->count, NULL, registrations,
                                     &error) != YURPC_OK) {
        (void)yr_fail(self, "cannot register", error);
        yurpc_registry_close(registry);
        registry = NULL;
    }
    return registry;
}

static bool run_yurpc(yr_sample *self)
{
    yurpc_registry *registry = NULL;
    yurpc_instance_spec *specs = yr_name_specs(self->work->count);
    yurpc_registration **registrations =
        calloc(self->work->count, sizeof(yurpc_registration *));
    if (specs != NULL && registrations != NULL) {
        yr_span begin = yr_span_begin();
        registry = register_all(self, specs, registrations);
        yr_span span = yr_span_end(begin);
        if (registry != NULL) {
            yr_report_span(span);
            begin = yr_span_begin();
            yurpc_registry_close(registry);
            yr_report("leave_ms", (double)yr_span_end(begin).wall_ns / 1e6);
        }
    }
    free(specs);
    free(registrations);
    return registry != NULL;
}

/* ---- The yardsticks ---- */

/* Send the next transaction of those from @p *next on; false: it could not be. */
static bool put_batch(yr_bare *bare, yr_message *message, size_t *next, size_t count)
{
    size_t batch = count - *next < YR_TXN_OPS_MAX ? count - *next : YR_TXN_OPS_MAX;
    yurpc_bytes txn = yr_message_txn(message, *next, batch, LEASE);
    *next += batch;
    return yr_bare_request(bare, YR_PATH_TXN, txn, false) != 0;
}

static void count_end(void *context, int32_t stream, yurpc_bytes data, bool is_end)
{
    (void)stream;
    (void)data;
    int *in_flight = context;
    *in_flight -= is_end ? 1 : 0;
}

/* Transactions of 128 puts, four under way. */
static bool put_all(yr_bare *bare, yr_message *message, size_t count)
{
    size_t next = 0;
    int in_flight = 0;
    bool is_fine = true;
    bare->context = &in_flight;
    bare->on_data = count_end;
    while (is_fine && (next < count || in_flight > 0)) {
        if (in_flight < IN_FLIGHT && next < count) {
            is_fine = put_batch(bare, message, &next, count);
            in_flight++;
        } else {
            is_fine = yr_bare_turn(bare);
        }
    }
    bare->on_data = NULL;
    bare->context = NULL;
    return is_fine;
}

static bool run_bare_etcd(yr_sample *self)
{
    static yr_bare bare;
    static yr_message message;
    yr_span begin = yr_span_begin();
    bool is_fine = yr_bare_open(&bare, self->address, NULL, NULL) &&
                   yr_bare_call(&bare, YR_PATH_GRANT,
                                yr_message_grant(&message, LEASE, LEASE_TTL_S)) > 0 &&
                   put_all(&bare, &message, self->work->count);
    yr_span span = yr_span_end(begin);
    yr_span leave = yr_span_begin();
    is_fine =
        is_fine && yr_bare_call(&bare, YR_PATH_REVOKE, yr_message_revoke(&message, LEASE)) > 0;
    leave = yr_span_end(leave);
    yr_bare_close(&bare);
    if (!is_fine) {
        return yr_fail(self, "the bare transactions failed", NULL);
    }
    yr_report_span(span);
    yr_report("leave_ms", (double)leave.wall_ns / 1e6);
    return true;
}

static bool run_bare_sqlite(yr_sample *self)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s-bare", self->address);
    yr_span begin = yr_span_begin();
    bool is_fine = yr_bare_sqlite_insert(path, self->work->count);
    yr_span span = yr_span_end(begin);
    if (unlink(path) != 0 || !is_fine) {
        return yr_fail(self, "the bare INSERT failed", NULL);
    }
    yr_report_span(span);
    return true;
}

#define TXN    "transactions of 128 puts, 4 under way, by nghttp2 on a blocking socket"
#define INSERT "one transaction of INSERTs by SQLite alone"

static const yr_row etcd_rows[] = {
    {"register, wall", "ms", "yurpc.wall_ms", "bare.wall_ms", "go.wall_ms", TXN, "<= 1.3 bare"},
    {"register, CPU", "ms", "yurpc.cpu_ms", "bare.cpu_ms", "go.cpu_ms", TXN, NULL},
    {"register, peak memory", "MB", "yurpc.peak_mb", "bare.peak_mb", "go.peak_mb", TXN, NULL},
    {"leave, wall", "ms", "yurpc.leave_ms", "bare.leave_ms", NULL, "the lease revoked", NULL},
};

static const yr_row each_rows[] = {
    {"register, against one by one", "ms", "yurpc.wall_ms", NULL, "go.each_ms", NULL,
     "<= 0.01667 Go"},
    {"the same, CPU", "ms", "yurpc.cpu_ms", NULL, "go.each_cpu_ms", NULL, NULL},
};

static const yr_row local_rows[] = {
    {"register, wall", "ms", "yurpc.wall_ms", "bare.wall_ms", NULL, INSERT, "<= 1000"},
    {"register, CPU", "ms", "yurpc.cpu_ms", "bare.cpu_ms", NULL, INSERT, NULL},
    {"register, peak memory", "MB", "yurpc.peak_mb", "bare.peak_mb", NULL, INSERT, NULL},
    {"leave, wall", "ms", "yurpc.leave_ms", NULL, NULL, NULL, NULL},
};

#define ETCD(number)                                                                     \
    {                                                                                    \
        .name = "register.etcd." #number, .backend = YR_BACKEND_ETCD, .count = (number), \
        .runs = 5,                                                                       \
        .programs = {{"yurpc", run_yurpc, false},                                        \
                     {"bare", run_bare_etcd, false},                                     \
                     {YR_PEER, NULL, false}},                                            \
        .rows = etcd_rows, .row_count = sizeof(etcd_rows) / sizeof(etcd_rows[0]),        \
    }
#define LOCAL(number)                                                                      \
    {                                                                                      \
        .name = "register.local." #number, .backend = YR_BACKEND_LOCAL, .count = (number), \
        .runs = 5,                                                                         \
        .programs = {{"yurpc", run_yurpc, false}, {"bare", run_bare_sqlite, false}},       \
        .rows = local_rows, .row_count = sizeof(local_rows) / sizeof(local_rows[0]),       \
    }

/* The reference's way takes long: a lease and a put for each, each awaited. */
#define EACH(number)                                                                          \
    {                                                                                         \
        .name = "register.each." #number, .backend = YR_BACKEND_ETCD, .count = (number),      \
        .changes = 1, .runs = 3,                                                              \
        .programs = {{"yurpc", run_yurpc, false}, {YR_PEER, NULL, false}}, .rows = each_rows, \
        .row_count = sizeof(each_rows) / sizeof(each_rows[0]),                                \
    }

static const yr_work works[] = {ETCD(1000), ETCD(10000), EACH(10000), LOCAL(1000),
                                LOCAL(10000)};

const yr_works yr_works_register = {works, sizeof(works) / sizeof(works[0])};
