#include "registry/driver_table.h"

#include <string.h>

static const yr_driver_ops *const drivers[] = {&yr_driver_etcd, &yr_driver_local};

const yr_driver_ops *yr_driver_find(const char *name)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
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
