/*
 * A fleet in small: what an etcd has to do while nothing happens, beside what the costs of the
 * single things (work_scale_units.c) foretell.
 *
 * Services have 100 instances each, a consumer follows ten. Three ways: ours (providers with
 * one lease each, consumers that watch services); Yu-RPC's (each instance every 10 s: a get, a
 * new lease of 30 s, a put) with our consumers; the same with consumers that watch each key.
 */
#include "measure.h"
#include "scale.h"
#include "work.h"

#include <yurpc/etcd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HANDLES_MAX = 500,
    PROVIDER_SERVICES = 10, /* of one provider: 1,000 instances */
    WAIT_MAX_MS = 60000,
    PAUSE_MS = 20,
    STEADY_MS = 20000,
    BEAT_MS = 10000,
    LEASE_TTL_S = 30,
    WARM_UP_MS = (LEASE_TTL_S + 5) * 1000, /* then old leases expire as fast as new ones come */
    IN_FLIGHT = 64,
    TURN_MS = 5,
    FIRST_LEASE = 2000000,
};

typedef struct fleet {
    const yr_sample *sample;
    size_t service_count;
    size_t consumer_count;
    size_t provider_count;
    yurpc_registry *providers[HANDLES_MAX];
    yurpc_registry *consumers[HANDLES_MAX];
    yurpc_service *services[HANDLES_MAX][YR_FLEET_FOLLOWED];
    yurpc_etcd *watchers[HANDLES_MAX];
    _Atomic uint64_t events;
    _Atomic size_t created;
} fleet;

static size_t followed(const fleet *self, size_t consumer, size_t index)
{
    return (consumer * YR_FLEET_FOLLOWED + index) % self->service_count;
}

/* ---- What is measured ---- */

static uint64_t count_changes(const fleet *self)
{
    uint64_t changes = self->events;
    for (size_t i = 0; i < self->consumer_count; i++) {
        yurpc_registry_stats stats = {.size = sizeof(stats)};
        if (self->consumers[i] != NULL &&
            yurpc_registry_get_stats(self->consumers[i], &stats) == YURPC_OK) {
            changes += stats.changes;
        }
    }
    return changes;
}

typedef struct moment {
    yr_etcd_metrics etcd;
    uint64_t changes;
    int64_t at_ns;
} moment;

static bool look(const fleet *self, moment *ret_moment)
{
    ret_moment->changes = count_changes(self);
    ret_moment->at_ns = yr_now_ns();
    return yr_etcd_metrics_read(self->sample->address, &ret_moment->etcd);
}

static void report(const moment *before, const moment *after)
{
    double seconds = (double)(after->at_ns - before->at_ns) / 1e9;
    yr_report("etcd_ms", (after->etcd.cpu_ms - before->etcd.cpu_ms) / seconds);
    yr_report("messages", (after->etcd.messages - before->etcd.messages) / seconds);
    yr_report("keepalives", (after->etcd.keepalives - before->etcd.keepalives) / seconds);
    yr_report("revisions", (after->etcd.revision - before->etcd.revision) / seconds);
    yr_report("events", (double)(after->changes - before->changes) / seconds);
    yr_report("resident_mb", after->etcd.resident_mb);
    yr_report("db_mb", after->etcd.db_mb);
}

/* ---- Ours ---- */

static bool register_provider(const fleet *self, size_t index, yurpc_registry *registry)
{
    enum { COUNT = PROVIDER_SERVICES * YR_FLEET_EACH };
    static char names[PROVIDER_SERVICES][YR_SCALE_SERVICE_SIZE];
    yurpc_registration *registrations[COUNT];
    yurpc_error *error = NULL;
    yurpc_instance_spec *specs = yr_name_specs(COUNT);
    if (specs == NULL) {
        return false;
    }
    for (size_t i = 0; i < PROVIDER_SERVICES; i++) {
        yr_scale_service(index * PROVIDER_SERVICES + i, names[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        specs[i].service = names[i / YR_FLEET_EACH];
    }
    yurpc_status status =
        yurpc_registry_register_many(registry, specs, COUNT, NULL, registrations, &error);
    free(specs);
    return status == YURPC_OK || yr_fail(self->sample, "cannot register", error);
}

static bool open_providers(fleet *self)
{
    bool is_fine = true;
    for (size_t i = 0; is_fine && i < self->provider_count; i++) {
        self->providers[i] = yr_sample_open(self->sample, 0);
        is_fine = self->providers[i] != NULL && register_provider(self, i, self->providers[i]);
    }
    return is_fine;
}

static bool is_fresh(const fleet *self, size_t consumer)
{
    size_t count = 0;
    for (size_t i = 0; i < YR_FLEET_FOLLOWED; i++) {
        const yurpc_snapshot *now = yurpc_service_acquire(self->services[consumer][i]);
        count += yurpc_snapshot_count(now) == YR_FLEET_EACH && !yurpc_snapshot_is_stale(now);
        yurpc_service_release(self->services[consumer][i], now);
    }
    return count == YR_FLEET_FOLLOWED;
}

static bool open_consumers(fleet *self)
{
    yurpc_discover_options options = YURPC_DISCOVER_OPTIONS_INIT;
    options.is_background = true;
    bool is_fine = true;
    for (size_t i = 0; is_fine && i < self->consumer_count; i++) {
        self->consumers[i] = yr_sample_open(self->sample, 0);
        is_fine = self->consumers[i] != NULL;
        for (size_t j = 0; is_fine && j < YR_FLEET_FOLLOWED; j++) {
            char name[YR_SCALE_SERVICE_SIZE];
            yr_scale_service(followed(self, i, j), name);
            is_fine = yurpc_registry_discover(self->consumers[i], name, &options,
                                              &self->services[i][j], NULL) == YURPC_OK;
        }
    }
    size_t fresh = 0;
    for (int i = 0; is_fine && fresh < self->consumer_count && i < WAIT_MAX_MS / PAUSE_MS;
         i++) {
        yr_pause_ms(PAUSE_MS);
        while (fresh < self->consumer_count && is_fresh(self, fresh)) {
            fresh++;
        }
    }
    return is_fine && fresh == self->consumer_count;
}

static void close_all(fleet *self)
{
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        for (size_t j = 0; j < YR_FLEET_FOLLOWED; j++) {
            yurpc_service_close(self->services[i][j]);
        }
        yurpc_registry_close(self->consumers[i]);
        yurpc_registry_close(self->providers[i]);
        yurpc_etcd_close(self->watchers[i]);
    }
}

static bool run_yurpc(yr_sample *sample)
{
    static fleet self;
    moment before;
    moment after;
    self = (fleet){.sample = sample, .consumer_count = 500, .provider_count = 100};
    self.service_count = self.provider_count * PROVIDER_SERVICES;
    yr_etcd_metrics empty;
    yr_etcd_metrics full;
    bool is_fine = yr_etcd_metrics_read(sample->address, &empty) && open_providers(&self) &&
                   yr_etcd_metrics_read(sample->address, &full) && open_consumers(&self) &&
                   look(&self, &before);
    if (is_fine) {
        yr_report("register_ms", full.cpu_ms - empty.cpu_ms);
        yr_report("join_ms", before.etcd.cpu_ms - full.cpu_ms);
        yr_pause_ms(STEADY_MS);
        is_fine = look(&self, &after);
        report(&before, &after);
    }
    close_all(&self);
    return is_fine || yr_fail(sample, "the fleet did not come together", NULL);
}

/* ---- Yu-RPC's ---- */

/*
 * One beat of instance @p index of all: what it does every 10 s. Instead of waiting for its
 * lease it writes under the one of 64 beats ago, which is there by now: etcd does the same.
 */
static void beat(yr_load *load, size_t index, size_t number)
{
    char key[YR_KEY_SIZE];
    char value[YR_VALUE_SIZE];
    size_t service = index / YR_FLEET_EACH;
    size_t instance = index % YR_FLEET_EACH;
    int64_t lease = FIRST_LEASE + (int64_t)number;
    yurpc_bytes name = yr_scale_key(service, instance, key);
    yr_load_get(load, name);
    yr_load_grant(load, lease, LEASE_TTL_S);
    if (number >= IN_FLIGHT) {
        yr_load_put(load, name, yr_scale_value(service, instance, 1, value), lease - IN_FLIGHT);
    }
}

/* Beat for @p ms, each instance once in 10 s; goes on from *@p number. */
static void beat_for(yr_load *load, size_t count, int64_t ms, size_t *number)
{
    int64_t begin = yr_now_ns();
    size_t first = *number;
    for (int64_t now = begin; now < begin + ms * 1000000; now = yr_now_ns()) {
        size_t due = (size_t)((double)(now - begin) / 1e6 / BEAT_MS * (double)count);
        for (; *number < first + due; (*number)++) {
            beat(load, *number % count, *number);
        }
        yr_pause_ms(TURN_MS);
    }
}

static bool beat_as_reference(fleet *self, yr_load *load)
{
    size_t count = self->service_count * YR_FLEET_EACH;
    size_t number = 0;
    moment before;
    moment after;
    beat_for(load, count, WARM_UP_MS, &number);
    bool is_fine = look(self, &before);
    size_t first = number;
    beat_for(load, count, STEADY_MS, &number);
    is_fine = look(self, &after) && is_fine && yr_load_settle(load);
    report(&before, &after);
    yr_report("beats", (double)(number - first) / ((double)(after.at_ns - before.at_ns) / 1e9));
    return is_fine;
}

static void on_created(void *context, int64_t revision)
{
    (void)revision;
    fleet *self = context;
    self->created++;
}

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    fleet *self = context;
    self->events += changes->count;
}

static bool watch_keys(fleet *self, size_t consumer)
{
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    yurpc_etcd_watch_events events = {
        .size = sizeof(events), .on_created = on_created, .on_changes = on_changes};
    config.endpoints = self->sample->address;
    bool is_fine = yurpc_etcd_open(&config, &self->watchers[consumer], NULL) == YURPC_OK;
    for (size_t i = 0; is_fine && i < (size_t)YR_FLEET_FOLLOWED * YR_FLEET_EACH; i++) {
        char key[YR_KEY_SIZE];
        yurpc_etcd_watch *watch = NULL; /* goes with its client */
        yurpc_etcd_watch_options options = YURPC_ETCD_WATCH_OPTIONS_INIT;
        options.key =
            yr_scale_key(followed(self, consumer, i / YR_FLEET_EACH), i % YR_FLEET_EACH, key);
        is_fine = yurpc_etcd_watch_start(self->watchers[consumer], &options, &events, self,
                                         &watch) == YURPC_OK;
    }
    return is_fine;
}

static bool open_watchers(fleet *self)
{
    size_t wanted = self->consumer_count * YR_FLEET_FOLLOWED * YR_FLEET_EACH;
    bool is_fine = true;
    for (size_t i = 0; is_fine && i < self->consumer_count; i++) {
        is_fine = watch_keys(self, i);
    }
    for (int i = 0; is_fine && self->created < wanted && i < WAIT_MAX_MS / PAUSE_MS; i++) {
        yr_pause_ms(PAUSE_MS);
    }
    return is_fine && self->created >= wanted;
}

static bool run_reference(yr_sample *sample)
{
    static fleet self;
    static yr_load load;
    bool has_keys = strstr(sample->work->name, "keys") != NULL;
    self = (fleet){.sample = sample, .consumer_count = 50, .service_count = 100};
    yr_etcd_metrics full;
    yr_etcd_metrics joined;
    bool is_fine = yr_load_open(&load, sample, IN_FLIGHT);
    if (is_fine) {
        yr_load_fill(&load, self.service_count, YR_FLEET_EACH);
        is_fine = yr_load_settle(&load) && yr_etcd_metrics_read(sample->address, &full) &&
                  (has_keys ? open_watchers(&self) : open_consumers(&self)) &&
                  yr_etcd_metrics_read(sample->address, &joined);
    }
    if (is_fine) {
        yr_report("join_ms", joined.cpu_ms - full.cpu_ms);
        is_fine = beat_as_reference(&self, &load);
    }
    close_all(&self);
    yr_load_close(&load);
    return is_fine || yr_fail(sample, "the fleet did not come together", NULL);
}

#define STEADY                                                                        \
    {"CPU of etcd, a second", "ms", "yurpc.etcd_ms", NULL, NULL, NULL, NULL},         \
        {"messages to etcd", "/s", "yurpc.messages", NULL, NULL, NULL, NULL},         \
        {"revisions", "/s", "yurpc.revisions", NULL, NULL, NULL, NULL},               \
        {"events delivered", "/s", "yurpc.events", NULL, NULL, NULL, NULL},           \
        {"memory of etcd", "MB", "yurpc.resident_mb", NULL, NULL, NULL, NULL},        \
        {"database of etcd", "MB", "yurpc.db_mb", NULL, NULL, NULL, NULL},            \
    {                                                                                 \
        "CPU of etcd until all follow", "ms", "yurpc.join_ms", NULL, NULL, NULL, NULL \
    }

static const yr_row rows[] = {
    STEADY,
    {"CPU of etcd for registering", "ms", "yurpc.register_ms", NULL, NULL, NULL, NULL},
};

static const yr_row reference_rows[] = {
    STEADY,
    {"beats", "/s", "yurpc.beats", NULL, NULL, NULL, NULL},
};

#define FLEET(what, fn, its_rows)                                                             \
    {                                                                                         \
        .name = "scale.fleet." what, .backend = YR_BACKEND_ETCD, .is_apart = true, .runs = 1, \
        .programs = {{"yurpc", fn, false}}, .rows = (its_rows),                               \
        .row_count = sizeof(its_rows) / sizeof((its_rows)[0]),                                \
    }

static const yr_work works[] = {
    FLEET("yurpc", run_yurpc, rows),
    FLEET("reference", run_reference, reference_rows),
    FLEET("keys", run_reference, reference_rows),
};

const yr_works yr_works_scale_fleet = {works, sizeof(works) / sizeof(works[0])};
