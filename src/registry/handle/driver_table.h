/* The drivers there are, by the name that the configuration gives. */
#ifndef YR_REGISTRY_DRIVER_TABLE_H
#define YR_REGISTRY_DRIVER_TABLE_H

#include "registry/driver.h"

/* NULL: there is none of that name. */
const yr_driver_ops *yr_driver_find(const char *name);

/* Their names, for messages: "etcd, local". */
const char *yr_driver_names(void);

#endif /* YR_REGISTRY_DRIVER_TABLE_H */
