/*
 * What one of each thing costs an etcd: its own CPU, while a client keeps 64 calls under way.
 */
#include "measure.h"
#include "scale.h"
#include "work.h"

#include <yurpc/etcd.h>

#include <stdlib.h>

enum {
    CALLS = 20000,
    IN_FLIGHT = 64,
    EACH = 100, /* instances of a service */
    FIRST_LEASE = 1000000,
    LEASE_TTL_S = 600,
    BEATEN = 10000, /* leases kept alive, every 10 s */
    BEATEN_TTL_S = 30,
    WATCHES = 10000,
    PAUSE_MS = 3000,
};

typedef struct bill {
    const yr_sample *sample;
    yr_load load;
    yr_etcd_metrics before;
    bool has_failed;
} bill;

static void begin(bill *self)
{
    self->has_failed = !yr_load_settle(&self->load) ||
                       !yr_etcd_metrics_read(self->sample->address, &self->before) ||
                       self->has_failed;
}

/* Report what each of @p count has cost. */
static void end(bill *self, const char *figure, double count)
{
    yr_etcd_metrics after = {0};
    self->has_failed = !yr_load_settle(&self->load) ||
                       !yr_etcd_metrics_read(self->sample->address, &after) || self->has_failed;
    yr_report(figure, (after.cpu_ms - self->before.cpu_ms) * 1e3 / count);
}

static void put_all(bill *self, int64_t (*lease_of)(size_t index))
{
    for (size_t i = 0; i < CALLS; i++) {
        char key[YR_KEY_SIZE];
        char value[YR_VALUE_SIZE];
        yr_load_put(&self->load, yr_scale_key(i / EACH, i % EACH, key),
                    yr_scale_value(i / EACH, i % EACH, 2, value), lease_of(i));
    }
}

static int64_t shared_lease(size_t index)
{
    (void)index;
    return YR_SCALE_LEASE;
}

static int64_t own_lease(size_t index)
{
    return FIRST_LEASE + (int64_t)index;
}

static void measure_calls(bill *self)
{
    begin(self);
    yr_load_fill(&self->load, CALLS / EACH, EACH);
    end(self, "batched_us", CALLS);
    begin(self);
    put_all(self, shared_lease);
    end(self, "put_us", CALLS);
    begin(self);
    for (size_t i = 0; i < CALLS; i++) {
        char key[YR_KEY_SIZE];
        yr_load_get(&self->load, yr_scale_key(i / EACH, i % EACH, key));
    }
    end(self, "get_us", CALLS);
    begin(self);
    for (size_t i = 0; i < CALLS; i++) {
        yr_load_grant(&self->load, own_lease(i), LEASE_TTL_S);
    }
    end(self, "grant_us", CALLS);
    begin(self);
    put_all(self, own_lease);
    end(self, "put_own_us", CALLS);
    begin(self);
    put_all(self,
            shared_lease); /* so that the others are empty, as the reference leaves them */
    end(self, "put_back_us", CALLS);
    begin(self);
    for (size_t i = 0; i < CALLS; i++) {
        yr_load_revoke(&self->load, own_lease(i));
    }
    end(self, "revoke_us", CALLS);
}

static void measure_keepalives(bill *self)
{
    yr_etcd_metrics after = {0};
    yurpc_etcd_keepalive_events events = {.size = sizeof(events)};
    static yurpc_etcd_keepalive *keepalives[BEATEN];
    for (size_t i = 0; i < BEATEN; i++) {
        yr_load_grant(&self->load, own_lease(CALLS + i), BEATEN_TTL_S);
    }
    begin(self);
    for (size_t i = 0; i < BEATEN; i++) { /* the first beat of each is now */
        self->has_failed =
            yurpc_etcd_keepalive_start(self->load.client, own_lease(CALLS + i), BEATEN_TTL_S,
                                       &events, NULL, &keepalives[i]) != YURPC_OK ||
            self->has_failed;
    }
    yr_pause_ms(PAUSE_MS);
    self->has_failed = !yr_etcd_metrics_read(self->sample->address, &after) || self->has_failed;
    double count = after.keepalives - self->before.keepalives;
    yr_report("keepalive_us", (after.cpu_ms - self->before.cpu_ms) * 1e3 / count);
    for (size_t i = 0; i < BEATEN; i++) {
        yurpc_etcd_keepalive_stop(keepalives[i]);
    }
    for (size_t i = 0; i < BEATEN; i++) {
        yr_load_revoke(&self->load, own_lease(CALLS + i));
    }
    (void)yr_load_settle(&self->load);
}

static void on_created(void *context, int64_t revision)
{
    (void)revision;
    (void)sem_post(context);
}

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    (void)context;
    (void)changes;
}

/* One watch for each key, as the reference has it. */
static void measure_watches(bill *self)
{
    static yurpc_etcd_watch *watches[WATCHES];
    yurpc_etcd_watch_events events = {
        .size = sizeof(events), .on_created = on_created, .on_changes = on_changes};
    yr_etcd_metrics after = {0};
    sem_t created;
    (void)sem_init(&created, 0, 0);
    begin(self);
    for (size_t i = 0; i < WATCHES; i++) {
        char key[YR_KEY_SIZE];
        yurpc_etcd_watch_options options = YURPC_ETCD_WATCH_OPTIONS_INIT;
        options.key = yr_scale_key(i / EACH, i % EACH, key);
        self->has_failed = yurpc_etcd_watch_start(self->load.client, &options, &events,
                                                  &created, &watches[i]) != YURPC_OK ||
                           self->has_failed;
    }
    for (size_t i = 0; i < WATCHES && !self->has_failed; i++) {
        (void)sem_wait(&created);
    }
    end(self, "watch_us", WATCHES);
    (void)yr_etcd_metrics_read(self->sample->address, &after);
    yr_report("watch_bytes", (after.resident_mb - self->before.resident_mb) * 1e6 / WATCHES);
    for (size_t i = 0; i < WATCHES; i++) {
        yurpc_etcd_watch_stop(watches[i]);
    }
    (void)sem_destroy(&created);
}

static bool run_yurpc(yr_sample *sample)
{
    static bill self;
    self = (bill){.sample = sample, .has_failed = false};
    self.has_failed = !yr_load_open(&self.load, sample, IN_FLIGHT);
    if (!self.has_failed) {
        begin(&self);
        yr_pause_ms(PAUSE_MS);
        end(&self, "idle_us", PAUSE_MS / 1e3);
        measure_calls(&self);
        measure_keepalives(&self);
        measure_watches(&self);
    }
    yr_load_close(&self.load);
    return !self.has_failed || yr_fail(sample, "a call failed", NULL);
}

static const yr_row rows[] = {
    {"nothing, a second", "µs", "yurpc.idle_us", NULL, NULL, NULL, NULL},
    {"a key of a transaction of 128", "µs", "yurpc.batched_us", NULL, NULL, NULL, NULL},
    {"a put, under the same lease", "µs", "yurpc.put_us", NULL, NULL, NULL, NULL},
    {"a get", "µs", "yurpc.get_us", NULL, NULL, NULL, NULL},
    {"a lease granted", "µs", "yurpc.grant_us", NULL, NULL, NULL, NULL},
    {"a put, under another lease", "µs", "yurpc.put_own_us", NULL, NULL, NULL, NULL},
    {"an empty lease revoked", "µs", "yurpc.revoke_us", NULL, NULL, NULL, NULL},
    {"a keepalive, 10,000 leases", "µs", "yurpc.keepalive_us", NULL, NULL, NULL, NULL},
    {"a watch of one key begun", "µs", "yurpc.watch_us", NULL, NULL, NULL, NULL},
    {"its memory", "bytes", "yurpc.watch_bytes", NULL, NULL, NULL, NULL},
};

static const yr_work works[] = {
    {
        .name = "scale.units",
        .backend = YR_BACKEND_ETCD,
        .is_apart = true,
        .runs = 3,
        .programs = {{"yurpc", run_yurpc, false}},
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    },
};

const yr_works yr_works_scale_units = {works, sizeof(works) / sizeof(works[0])};
