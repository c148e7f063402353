#include "names.h"

#include <stdio.h>
#include <stdlib.h>

void yr_name_host(size_t index, char host[YR_HOST_SIZE])
{
    unsigned low = (unsigned)(index & 255U);
    unsigned middle = (unsigned)(index >> 8 & 255U);
    unsigned high = (unsigned)(index >> 16 & 255U);
    (void)snprintf(host, YR_HOST_SIZE, "10.%u.%u.%u", high, middle, low);
}

yurpc_bytes yr_name_key(size_t index, char key[YR_KEY_SIZE])
{
    char host[YR_HOST_SIZE];
    yr_name_host(index, host);
    int len = snprintf(key, YR_KEY_SIZE, YR_PREFIX "%s:%d", host, YR_PORT);
    return (yurpc_bytes){key, (size_t)len};
}

yurpc_bytes yr_name_value(size_t index, unsigned weight, char value[YR_VALUE_SIZE])
{
    char host[YR_HOST_SIZE];
    char more[32] = "";
    yr_name_host(index, host);
    if (weight != 100) {
        (void)snprintf(more, sizeof(more), ",\"weight\":%u", weight);
    }
    int len = snprintf(value, YR_VALUE_SIZE,
                       "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
                       "\"serviceHost\":\"%s\",\"servicePort\":%d,"
                       "\"serviceGroup\":\"default\"%s}",
                       host, YR_PORT, more);
    return (yurpc_bytes){value, (size_t)len};
}

yurpc_instance_spec *yr_name_specs(size_t count)
{
    /* One block: the specs, and behind them the hosts they point to. */
    yurpc_instance_spec *specs = calloc(count, sizeof(*specs) + YR_HOST_SIZE);
    if (specs == NULL) {
        return NULL;
    }
    char(*hosts)[YR_HOST_SIZE] = (void *)(specs + count);
    for (size_t i = 0; i < count; i++) {
        yr_name_host(i, hosts[i]);
        specs[i] = (yurpc_instance_spec)YURPC_INSTANCE_SPEC_INIT;
        specs[i].service = YR_SERVICE;
        specs[i].host = hosts[i];
        specs[i].port = YR_PORT;
    }
    return specs;
}
