#include "registry/handle/driver_table.h"

#include <string.h>

enum { DRIVER_COUNT = 2 };

static const yr_driver_ops *const drivers[DRIVER_COUNT] = {&yr_driver_etcd, &yr_driver_local};

const yr_driver_ops *yr_driver_find(const char *name)
{
    for (size_t i = 0; i < DRIVER_COUNT; i++) {
        if (strcmp(drivers[i]->name, name) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}

const char *yr_driver_names(void)
{
    return "etcd, local";
}
