/*
 * What the works about growing have in common: many services, and a load on an etcd whose own
 * cost is the question, so that what makes the load need not be bare.
 */
#ifndef YR_SCALE_H
#define YR_SCALE_H

#include "etcd_metrics.h"
#include "names.h"
#include "sample.h"

#include <yurpc/etcd.h>

#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { YR_SCALE_SERVICE_SIZE = 32, YR_SCALE_KEYS_MAX = 128, YR_SCALE_LEASE = 4713 };

/* The number at the end of the work's name: "scale.consumers.500". */
size_t yr_scale_size(const yr_sample *self);

/* Service number @p index; a key of it in etcd, and the value there. */
void yr_scale_service(size_t index, char service[YR_SCALE_SERVICE_SIZE]);
yurpc_bytes yr_scale_key(size_t service, size_t instance, char key[YR_KEY_SIZE]);
yurpc_bytes yr_scale_value(size_t service, size_t instance, unsigned weight,
                           char value[YR_VALUE_SIZE]);

/* How many services one consumer follows in a fleet, and how many instances each has. */
enum { YR_FLEET_FOLLOWED = 10, YR_FLEET_EACH = 100 };

/* ---- A load: so many calls under way at once ---- */

typedef struct yr_load {
    yurpc_etcd *client;
    sem_t room;
    int in_flight_max;
    _Atomic size_t failures;
} yr_load;

bool yr_load_open(yr_load *load, const yr_sample *self, int in_flight_max);
void yr_load_put(yr_load *load, yurpc_bytes key, yurpc_bytes value, int64_t lease);
void yr_load_get(yr_load *load, yurpc_bytes key);
void yr_load_grant(yr_load *load, int64_t lease, int64_t ttl_s);
void yr_load_revoke(yr_load *load, int64_t lease);

/* Write @p count services of @p each instances in transactions of 128, under one lease. */
void yr_load_fill(yr_load *load, size_t count, size_t each);

/* Wait until all is answered. False: something failed. */
bool yr_load_settle(yr_load *load);
void yr_load_close(yr_load *load);

#endif /* YR_SCALE_H */
