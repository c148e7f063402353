/*
 * The instances that all works are about, and how they look in a registry.
 */
#ifndef YR_NAMES_H
#define YR_NAMES_H

#include <yurpc/yurpc.h>

#include <stddef.h>

#define YR_SERVICE "com.acme.UserService:1.0"
#define YR_PREFIX  "/rpc/" YR_SERVICE "/"

enum {
    YR_PORT = 8080,
    YR_HOST_SIZE = sizeof("10.255.255.255"),
    YR_KEY_SIZE = 64,
    YR_VALUE_SIZE = 192,
    YR_SAMPLE_TIMEOUT_MS = 60000, /* of one call: far more than any should take */
};

/* The host of instance @p index: 10.0.0.0 and up. */
void yr_name_host(size_t index, char host[YR_HOST_SIZE]);

/* Its key in etcd, and its value as Yu-RPC writes it; @p weight 100: left out. */
yurpc_bytes yr_name_key(size_t index, char key[YR_KEY_SIZE]);
yurpc_bytes yr_name_value(size_t index, unsigned weight, char value[YR_VALUE_SIZE]);

/* The specs of instances 0 to @p count; NULL: out of memory. To be passed to free(). */
yurpc_instance_spec *yr_name_specs(size_t count);

#endif /* YR_NAMES_H */
