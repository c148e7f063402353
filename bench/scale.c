#include "scale.h"

#include "work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEASE_TTL_S = 3600 };

size_t yr_scale_size(const yr_sample *self)
{
    const char *dot = strrchr(self->work->name, '.');
    return dot != NULL ? strtoul(dot + 1, NULL, 10) : 0;
}

void yr_scale_service(size_t index, char service[YR_SCALE_SERVICE_SIZE])
{
    (void)snprintf(service, YR_SCALE_SERVICE_SIZE, "com.acme.S%05zu:1.0", index);
}

yurpc_bytes yr_scale_key(size_t service, size_t instance, char key[YR_KEY_SIZE])
{
    char name[YR_SCALE_SERVICE_SIZE];
    char host[YR_HOST_SIZE];
    yr_scale_service(service, name);
    yr_name_host(instance, host);
    int len = snprintf(key, YR_KEY_SIZE, "/rpc/%s/%s:%d", name, host, YR_PORT);
    return (yurpc_bytes){key, (size_t)len};
}

yurpc_bytes yr_scale_value(size_t service, size_t instance, unsigned weight,
                           char value[YR_VALUE_SIZE])
{
    char host[YR_HOST_SIZE];
    yr_name_host(instance, host);
    int len = snprintf(value, YR_VALUE_SIZE,
                       "{\"serviceName\":\"com.acme.S%05zu\",\"serviceVersion\":\"1.0\","
                       "\"serviceHost\":\"%s\",\"servicePort\":%d,"
                       "\"serviceGroup\":\"default\",\"weight\":%u}",
                       service, host, YR_PORT, weight);
    return (yurpc_bytes){value, (size_t)len};
}

/* ---- A load ---- */

static void wait_for_room(yr_load *load)
{
    while (sem_wait(&load->room) != 0 && errno == EINTR) {
    }
}

static void on_reply(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    yr_load *load = context;
    (void)reply;
    load->failures += error != NULL ? 1 : 0;
    (void)sem_post(&load->room);
}

/* It was begun, or never will be. */
static void check_begun(yr_load *load, yurpc_status status)
{
    if (status != YURPC_OK) {
        load->failures++;
        (void)sem_post(&load->room);
    }
}

bool yr_load_open(yr_load *load, const yr_sample *self, int in_flight_max)
{
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    yurpc_etcd_reply *reply = NULL;
    yurpc_error *error = NULL;
    config.endpoints = self->address;
    config.timeout_ms = YR_SAMPLE_TIMEOUT_MS;
    *load = (yr_load){.in_flight_max = in_flight_max};
    (void)sem_init(&load->room, 0, (unsigned)in_flight_max);
    yurpc_status status = yurpc_etcd_open(&config, &load->client, &error);
    if (status == YURPC_OK) {
        status = yurpc_etcd_status(load->client, &reply, &error); /* it is connected now */
    }
    yurpc_etcd_reply_free(reply);
    return status == YURPC_OK || yr_fail(self, "etcd cannot be reached", error);
}

void yr_load_put(yr_load *load, yurpc_bytes key, yurpc_bytes value, int64_t lease)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = lease;
    wait_for_room(load);
    check_begun(load, yurpc_etcd_put_async(load->client, key, value, &options, on_reply, load));
}

void yr_load_get(yr_load *load, yurpc_bytes key)
{
    wait_for_room(load);
    check_begun(load, yurpc_etcd_range_async(load->client, key, NULL, on_reply, load));
}

void yr_load_grant(yr_load *load, int64_t lease, int64_t ttl_s)
{
    wait_for_room(load);
    check_begun(load, yurpc_etcd_lease_grant_async(load->client, lease, ttl_s, on_reply, load));
}

void yr_load_revoke(yr_load *load, int64_t lease)
{
    wait_for_room(load);
    check_begun(load, yurpc_etcd_lease_revoke_async(load->client, lease, on_reply, load));
}

/* Keys @p first and on of all, in one transaction. */
static void put_batch(yr_load *load, size_t first, size_t count, size_t each)
{
    char keys[YR_SCALE_KEYS_MAX][YR_KEY_SIZE];
    char values[YR_SCALE_KEYS_MAX][YR_VALUE_SIZE];
    yurpc_etcd_op ops[YR_SCALE_KEYS_MAX];
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    options.lease = YR_SCALE_LEASE;
    for (size_t i = 0; i < count; i++) {
        size_t service = (first + i) / each;
        size_t instance = (first + i) % each;
        ops[i] = (yurpc_etcd_op){
            .kind = YURPC_ETCD_PUT,
            .key = yr_scale_key(service, instance, keys[i]),
            .value = yr_scale_value(service, instance, 1, values[i]),
            .options = &options,
        };
    }
    txn.then_ops = ops;
    txn.then_count = count;
    wait_for_room(load);
    check_begun(load, yurpc_etcd_txn_async(load->client, &txn, on_reply, load));
}

void yr_load_fill(yr_load *load, size_t count, size_t each)
{
    size_t all = count * each;
    yurpc_etcd_reply *reply = NULL;
    yurpc_status status =
        yurpc_etcd_lease_grant(load->client, YR_SCALE_LEASE, LEASE_TTL_S, &reply, NULL);
    yurpc_etcd_reply_free(reply);
    load->failures += status != YURPC_OK && status != YURPC_EXISTS ? 1 : 0;
    for (size_t at = 0; at < all; at += YR_SCALE_KEYS_MAX) {
        put_batch(load, at, all - at < YR_SCALE_KEYS_MAX ? all - at : YR_SCALE_KEYS_MAX, each);
    }
}

bool yr_load_settle(yr_load *load)
{
    for (int i = 0; i < load->in_flight_max; i++) {
        wait_for_room(load);
    }
    for (int i = 0; i < load->in_flight_max; i++) {
        (void)sem_post(&load->room);
    }
    return load->failures == 0;
}

void yr_load_close(yr_load *load)
{
    yurpc_etcd_close(load->client);
    (void)sem_destroy(&load->room);
}
