/*
 * Who suffers from faults: providers and consumers through the public API, each with a handle
 * of its own, and an operator who looks at etcd and meddles with it.
 */
#ifndef FAULTS_ACTORS_H
#define FAULTS_ACTORS_H

#include <yurpc/etcd.h>
#include <yurpc/service.h>

#include <pthread.h>
#include <stdatomic.h>

enum { PATIENCE_MS = 30000, PROVIDER_MAX = 32, CONSUMER_NODES_MAX = 64, ENDPOINT_MAX = 64 };

#define ACTORS_HOST "10.0.0.1" /* every instance is there; they differ by their ports */

/* Waits until @p is_so, at most @p limit_ms: how long it took, or -1. */
typedef bool await_fn(void *context);
int64_t await(await_fn *is_so, void *context, int64_t limit_ms);

/* Where a client is connected, from what it logs: "127.0.0.1:15000"; empty: never was. */
typedef struct whereabouts {
    const char *name; /* in the log */
    pthread_mutex_t mutex;
    char endpoint[ENDPOINT_MAX];
    int64_t lost_ms; /* when it last said that it has no connection */
} whereabouts;

void whereabouts_get(whereabouts *where, char ret_endpoint[ENDPOINT_MAX]);

/*
 * Wait until the client has noticed after @p since_ms that its connection is no good: how long
 * it took, or -1. (That it was stale may be over before anybody sees it.)
 */
int64_t whereabouts_await_loss(whereabouts *where, int64_t since_ms, int64_t limit_ms);

/* ---- Providers ---- */

typedef struct actor_provider {
    yurpc_registry *registry; /* NULL: closed */
    yurpc_registration *registrations[PROVIDER_MAX];
    int count;
    whereabouts where;
    atomic_int registered; /* times that a registration became REGISTERED */
    atomic_int lost;
    atomic_int conflicts;
    int wanted_losses;
} actor_provider;

typedef struct provider_options {
    const char *endpoints;
    const char *service;
    uint16_t port; /* of the first instance; those of the others follow */
    int count;     /* instances */
    uint32_t ttl_s;
    bool is_background;
} provider_options;

void provider_start(actor_provider *provider, const provider_options *options);
void provider_close(actor_provider *provider);

/* Its lease; 0: it has none now. */
int64_t provider_lease(const actor_provider *provider);

/* Whether it is in the registry with all it has, as it believes. An await_fn. */
bool provider_is_registered(void *provider);

/* Whether callbacks, which come later, have told a recovery for each loss. An await_fn. */
bool provider_was_told(void *provider);

/* Wait until callbacks have told of so many losses and as many recoveries, and of no more. */
void provider_expect_losses(actor_provider *provider, int losses);

/* ---- Consumers ---- */

typedef struct consumer_node {
    char address[32];
    int64_t revision; /* shown last */
    bool is_up;
} consumer_node;

/* What events told a consumer. */
typedef struct consumer_told {
    consumer_node nodes[CONSUMER_NODES_MAX];
    size_t node_count;
    int count; /* up now */
    int least; /* fewest that were up since consumer_begin() */
    int events;
    int ups;
    int downs;
    int stales;
    int backward;    /* values older than one shown before */
    int64_t down_ms; /* when the last of them came */
    int64_t up_ms;
    int64_t stale_ms;
    int64_t fresh_ms;
    int64_t stale_longest_ms; /* since consumer_begin() */
} consumer_told;

typedef struct actor_consumer {
    yurpc_registry *registry; /* NULL: closed */
    yurpc_service *service;
    yurpc_watch *watch;
    whereabouts where;
    pthread_mutex_t mutex; /* of what follows */
    consumer_told told;
} actor_consumer;

/* Returns when it was told of the instances there are. */
void consumer_start(actor_consumer *consumer, const char *endpoints, const char *service);
void consumer_close(actor_consumer *consumer);

/* Count events, downs, stales and the least from now on. */
void consumer_begin(actor_consumer *consumer);

/* What it holds now: instances in its snapshot. */
int consumer_count(const actor_consumer *consumer);

/* A copy of what events told. */
consumer_told consumer_ask(actor_consumer *consumer);

/* Wait until the snapshot holds @p count and events said so: how long, or -1. */
int64_t consumer_await(actor_consumer *consumer, int count, int64_t limit_ms);

/* Whether it is up to date. Await_fns. */
bool consumer_is_fresh(void *consumer);
bool consumer_is_stale(void *consumer);

/* ---- The operator ---- */

/* CA, user and password come from the environment, as they do for the registry's handles. */
yurpc_etcd *operator_open(const char *endpoints);

/* Instances of a service in etcd. */
int operator_count(yurpc_etcd *etcd, const char *service);

/* One instance's key; what is 0 when it is not there. */
typedef struct operator_key {
    int64_t lease;
    int64_t create_revision;
    int64_t mod_revision;
    int64_t version;
} operator_key;

operator_key operator_look(yurpc_etcd *etcd, const char *service, uint16_t port);

void operator_delete(yurpc_etcd *etcd, const char *service, uint16_t port);

/* Write any key, without a lease; at which revision. */
int64_t operator_put(yurpc_etcd *etcd, const char *key, const char *value);

void operator_revoke(yurpc_etcd *etcd, int64_t lease);

/* Forget all history. */
void operator_compact(yurpc_etcd *etcd);

/* Wait until etcd has @p count instances: how long, or -1. */
int64_t operator_await(yurpc_etcd *etcd, const char *service, int count, int64_t limit_ms);

#endif /* FAULTS_ACTORS_H */
