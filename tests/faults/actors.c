#include "actors.h"

#include "measure.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 5, KEY_MAX = 160 };

int64_t await(await_fn *is_so, void *context, int64_t limit_ms)
{
    int64_t begin_ms = measure_now_ms();
    while (!is_so(context)) {
        if (measure_now_ms() - begin_ms > limit_ms) {
            return -1;
        }
        measure_pause_ms(POLL_MS);
    }
    return measure_now_ms() - begin_ms;
}

/* ---- Where ---- */

static void log_line(void *context, yurpc_log_level level, const char *component,
                     const char *text)
{
    static const char connected[] = "connected to ";
    static const char lost[] = "no connection";
    whereabouts *where = context;
    if (strncmp(text, lost, sizeof lost - 1) == 0) {
        pthread_mutex_lock(&where->mutex);
        where->lost_ms = measure_now_ms();
        pthread_mutex_unlock(&where->mutex);
    }
    if (strncmp(text, connected, sizeof connected - 1) == 0) {
        const char *endpoint = text + sizeof connected - 1;
        pthread_mutex_lock(&where->mutex);
        (void)snprintf(where->endpoint, sizeof where->endpoint, "%.*s",
                       (int)strcspn(endpoint, ","), endpoint);
        pthread_mutex_unlock(&where->mutex);
    }
    (void)printf("%10.3f %s [%d] %s: %s\n", (double)measure_now_ms() / 1000, where->name,
                 (int)level, component, text);
}

void whereabouts_get(whereabouts *where, char ret_endpoint[ENDPOINT_MAX])
{
    pthread_mutex_lock(&where->mutex);
    memcpy(ret_endpoint, where->endpoint, ENDPOINT_MAX);
    pthread_mutex_unlock(&where->mutex);
}

typedef struct wanted_loss {
    whereabouts *where;
    int64_t since_ms;
    int64_t took_ms;
} wanted_loss;

static bool has_lost(void *context)
{
    wanted_loss *wanted = context;
    pthread_mutex_lock(&wanted->where->mutex);
    wanted->took_ms = wanted->where->lost_ms - wanted->since_ms;
    pthread_mutex_unlock(&wanted->where->mutex);
    return wanted->took_ms >= 0;
}

int64_t whereabouts_await_loss(whereabouts *where, int64_t since_ms, int64_t limit_ms)
{
    wanted_loss wanted = {.where = where, .since_ms = since_ms};
    return await(has_lost, &wanted, limit_ms) < 0 ? -1 : wanted.took_ms;
}

static yurpc_registry *open_registry(const char *endpoints, uint32_t ttl_s, whereabouts *where,
                                     const char *name)
{
    yurpc_registry *registry = NULL;
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    where->name = name;
    pthread_mutex_init(&where->mutex, NULL);
    config.registry = "etcd";
    config.address = endpoints;
    config.timeout_ms = PATIENCE_MS;
    config.ttl_s = ttl_s;
    config.cache_dir = "none";
    config.is_unprotected = true;
    config.log = log_line;
    config.log_context = where;
    config.log_level = YURPC_LOG_INFO;
    assert_ok(yurpc_registry_open(&config, &registry, NULL));
    return registry;
}

/* ---- Providers ---- */

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    actor_provider *self = context;
    (void)error;
    if (state == YURPC_REGISTERED) {
        atomic_fetch_add(&self->registered, 1);
    } else if (state == YURPC_LOST) {
        atomic_fetch_add(&self->lost, 1);
    } else if (state == YURPC_CONFLICT_STATE) {
        atomic_fetch_add(&self->conflicts, 1);
    }
}

void provider_start(actor_provider *self, const provider_options *options)
{
    yurpc_instance_spec specs[PROVIDER_MAX];
    memset(self, 0, sizeof *self);
    assert_in_range(options->count, 1, PROVIDER_MAX);
    self->registry =
        open_registry(options->endpoints, options->ttl_s, &self->where, "provider");
    self->count = options->count;
    for (int i = 0; i < options->count; i++) {
        specs[i] = (yurpc_instance_spec)YURPC_INSTANCE_SPEC_INIT;
        specs[i].service = options->service;
        specs[i].host = ACTORS_HOST;
        specs[i].port = (uint16_t)(options->port + i);
    }
    yurpc_register_options how = YURPC_REGISTER_OPTIONS_INIT;
    how.is_background = options->is_background;
    how.on_state = on_state;
    how.context = self;
    assert_ok(yurpc_registry_register_many(self->registry, specs, (size_t)self->count, &how,
                                           self->registrations, NULL));
}

void provider_close(actor_provider *self)
{
    yurpc_registry_close(self->registry);
    self->registry = NULL;
}

int64_t provider_lease(const actor_provider *self)
{
    yurpc_registry_stats stats = {.size = sizeof stats};
    assert_ok(yurpc_registry_get_stats(self->registry, &stats));
    return stats.lease_id;
}

bool provider_is_registered(void *context)
{
    const actor_provider *self = context;
    for (int i = 0; i < self->count; i++) {
        if (yurpc_registration_get_state(self->registrations[i]) != YURPC_REGISTERED) {
            return false;
        }
    }
    return true;
}

bool provider_was_told(void *context)
{
    actor_provider *self = context;
    return atomic_load(&self->registered) == self->count + atomic_load(&self->lost);
}

static bool has_losses(void *context)
{
    const actor_provider *self = context;
    return self->lost >= self->wanted_losses && provider_was_told(context);
}

void provider_expect_losses(actor_provider *self, int losses)
{
    self->wanted_losses = losses;
    assert_true(await(has_losses, self, PATIENCE_MS) >= 0);
    assert_int_equal(self->lost, losses);
}

/* ---- Consumers ---- */

static consumer_node *node_of(consumer_told *told, const char *address)
{
    for (size_t i = 0; i < told->node_count; i++) {
        if (strcmp(told->nodes[i].address, address) == 0) {
            return &told->nodes[i];
        }
    }
    if (told->node_count == CONSUMER_NODES_MAX) {
        return &told->nodes[0]; /* more than any test has */
    }
    consumer_node *fresh = &told->nodes[told->node_count++];
    memset(fresh, 0, sizeof *fresh);
    (void)snprintf(fresh->address, sizeof fresh->address, "%s", address);
    return fresh;
}

static void tell(consumer_told *told, const yurpc_event *event)
{
    int64_t now_ms = measure_now_ms();
    told->events++;
    if (event->kind == YURPC_EVENT_STALE) {
        told->stales++;
        told->stale_ms = now_ms;
    } else if (event->kind == YURPC_EVENT_FRESH) {
        told->fresh_ms = now_ms;
        int64_t stale_ms = now_ms - told->stale_ms;
        told->stale_longest_ms =
            stale_ms > told->stale_longest_ms ? stale_ms : told->stale_longest_ms;
    }
    for (size_t i = 0; i < event->count; i++) {
        const yurpc_instance *instance = event->instances[i];
        consumer_node *node = node_of(told, yurpc_instance_address(instance));
        int64_t revision = yurpc_instance_revision(instance);
        bool is_up = event->kind != YURPC_EVENT_DOWN;
        told->count += (int)is_up - (int)node->is_up;
        told->ups += event->kind == YURPC_EVENT_UP;
        told->downs += event->kind == YURPC_EVENT_DOWN;
        *(is_up ? &told->up_ms : &told->down_ms) = now_ms;
        node->is_up = is_up;
        told->backward += revision < node->revision;
        node->revision = revision > node->revision ? revision : node->revision;
    }
    told->least = told->count < told->least ? told->count : told->least;
}

static void on_event(void *context, const yurpc_event *event)
{
    actor_consumer *self = context;
    pthread_mutex_lock(&self->mutex);
    tell(&self->told, event);
    pthread_mutex_unlock(&self->mutex);
    (void)printf("%10.3f consumer: %zu %s\n", (double)measure_now_ms() / 1000, event->count,
                 yurpc_event_kind_name(event->kind));
}

void consumer_close(actor_consumer *self)
{
    yurpc_watch_stop(self->watch);
    yurpc_service_close(self->service);
    yurpc_registry_close(self->registry);
    self->registry = NULL;
}

void consumer_begin(actor_consumer *self)
{
    pthread_mutex_lock(&self->mutex);
    self->told.events = 0;
    self->told.ups = 0;
    self->told.downs = 0;
    self->told.stales = 0;
    self->told.stale_longest_ms = 0;
    self->told.least = self->told.count;
    pthread_mutex_unlock(&self->mutex);
}

consumer_told consumer_ask(actor_consumer *self)
{
    pthread_mutex_lock(&self->mutex);
    consumer_told told = self->told;
    pthread_mutex_unlock(&self->mutex);
    return told;
}

int consumer_count(const actor_consumer *self)
{
    const yurpc_snapshot *now = yurpc_service_acquire(self->service);
    int count = (int)yurpc_snapshot_count(now);
    yurpc_service_release(self->service, now);
    return count;
}

typedef struct wanted_count {
    actor_consumer *consumer;
    yurpc_etcd *etcd;
    const char *service;
    int count;
} wanted_count;

static bool has_count(void *context)
{
    const wanted_count *wanted = context;
    return consumer_count(wanted->consumer) == wanted->count &&
           consumer_ask(wanted->consumer).count == wanted->count;
}

int64_t consumer_await(actor_consumer *self, int count, int64_t limit_ms)
{
    wanted_count wanted = {.consumer = self, .count = count};
    return await(has_count, &wanted, limit_ms);
}

void consumer_start(actor_consumer *self, const char *endpoints, const char *service)
{
    memset(self, 0, sizeof *self);
    pthread_mutex_init(&self->mutex, NULL);
    self->registry = open_registry(endpoints, 0, &self->where, "consumer");
    assert_ok(yurpc_registry_discover(self->registry, service, NULL, &self->service, NULL));
    assert_ok(yurpc_service_watch(self->service, on_event, self, &self->watch));
    assert_true(consumer_await(self, consumer_count(self), PATIENCE_MS) >= 0);
}

bool consumer_is_stale(void *context)
{
    const actor_consumer *self = context;
    const yurpc_snapshot *now = yurpc_service_acquire(self->service);
    bool is_stale = yurpc_snapshot_is_stale(now);
    yurpc_service_release(self->service, now);
    return is_stale;
}

bool consumer_is_fresh(void *context)
{
    return !consumer_is_stale(context);
}

/* ---- The operator ---- */

static yurpc_bytes bytes(const char *text)
{
    return (yurpc_bytes){text, strlen(text)};
}

static void write_key(char key[KEY_MAX], const char *service, uint16_t port)
{
    (void)snprintf(key, KEY_MAX, "/rpc/%s/%s:%u", service, ACTORS_HOST, (unsigned)port);
}

static yurpc_etcd_op_options patient(void)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = PATIENCE_MS;
    options.is_idempotent = true;
    return options;
}

yurpc_etcd *operator_open(const char *endpoints)
{
    yurpc_etcd *etcd = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = endpoints;
    config.timeout_ms = PATIENCE_MS;
    config.tls_ca_file = getenv("YURPC_TLS_CA_FILE"); /* NOLINT(concurrency-mt-unsafe) */
    config.username = getenv("YURPC_USERNAME");       /* NOLINT(concurrency-mt-unsafe) */
    config.password = getenv("YURPC_PASSWORD");       /* NOLINT(concurrency-mt-unsafe) */
    assert_ok(yurpc_etcd_open(&config, &etcd, NULL));
    return etcd;
}

int operator_count(yurpc_etcd *etcd, const char *service)
{
    char prefix[KEY_MAX];
    yurpc_etcd_reply *reply = NULL;
    yurpc_etcd_op_options options = patient();
    options.is_prefix = true;
    options.is_count_only = true;
    (void)snprintf(prefix, sizeof prefix, "/rpc/%s/", service);
    assert_ok(yurpc_etcd_range(etcd, bytes(prefix), &options, &reply, NULL));
    int count = (int)reply->count;
    yurpc_etcd_reply_free(reply);
    return count;
}

operator_key operator_look(yurpc_etcd *etcd, const char *service, uint16_t port)
{
    char key[KEY_MAX];
    operator_key found = {0};
    yurpc_etcd_reply *reply = NULL;
    yurpc_etcd_op_options options = patient();
    write_key(key, service, port);
    assert_ok(yurpc_etcd_range(etcd, bytes(key), &options, &reply, NULL));
    if (reply->kv_count == 1) {
        const yurpc_etcd_kv *kv = &reply->kvs[0];
        found = (operator_key){kv->lease, kv->create_revision, kv->mod_revision, kv->version};
    }
    yurpc_etcd_reply_free(reply);
    return found;
}

void operator_delete(yurpc_etcd *etcd, const char *service, uint16_t port)
{
    char key[KEY_MAX];
    yurpc_etcd_op_options options = patient();
    write_key(key, service, port);
    assert_ok(yurpc_etcd_delete(etcd, bytes(key), &options, NULL, NULL));
}

int64_t operator_put(yurpc_etcd *etcd, const char *key, const char *value)
{
    yurpc_etcd_reply *reply = NULL;
    yurpc_etcd_op_options options = patient();
    assert_ok(yurpc_etcd_put(etcd, bytes(key), bytes(value), &options, &reply, NULL));
    int64_t revision = reply->revision;
    yurpc_etcd_reply_free(reply);
    return revision;
}

void operator_revoke(yurpc_etcd *etcd, int64_t lease)
{
    assert_ok(yurpc_etcd_lease_revoke(etcd, lease, NULL));
}

void operator_compact(yurpc_etcd *etcd)
{
    int64_t revision = operator_put(etcd, "/tests/compact", "now");
    assert_ok(yurpc_etcd_compact(etcd, revision, NULL));
}

static bool has_registered(void *context)
{
    const wanted_count *wanted = context;
    return operator_count(wanted->etcd, wanted->service) == wanted->count;
}

int64_t operator_await(yurpc_etcd *etcd, const char *service, int count, int64_t limit_ms)
{
    wanted_count wanted = {.etcd = etcd, .service = service, .count = count};
    return await(has_registered, &wanted, limit_ms);
}
