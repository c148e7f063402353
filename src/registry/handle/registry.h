/*
 * One registry handle without its threads: the driver, the provider's side and the consumer's
 * side on the loop of any yr_io. The public, thread-safe handle (handle.h) is a layer over it;
 * the simulated world uses it as it is.
 *
 * Loop-only.
 */
#ifndef YR_REGISTRY_REGISTRY_H
#define YR_REGISTRY_REGISTRY_H

#include "registry/consumer/directory.h"
#include "registry/handle/config.h"
#include "registry/provider/provider.h"

enum {
    YR_RECONCILE_MS = 300000, /* the mean time between two lists of a followed service */
};

typedef struct yr_registry {
    yr_core core;
    yr_provider provider;
    yr_directory directory;
    int64_t close_deadline_ms;
    void (*on_closed)(void *context);
    void *closed_context;
} yr_registry;

/* @p config is borrowed for the call, its log hook for the registry's life. The driver's
 * errors. */
YURPC_NODISCARD yurpc_status yr_registry_new(yr_io *io, const yr_config *config,
                                             const yr_driver_ops *ops,
                                             yr_registry **ret_registry,
                                             yurpc_error **ret_error);

/* Drain, end the session, free; within YR_CLOSE_MS. @p on_closed is the last callback. */
void yr_registry_close(yr_registry *registry, void (*on_closed)(void *context), void *context);

/* How long a change of our own may take to reach a consumer that lost an event: tests shorten
 * it. */
void yr_registry_set_reconcile_ms(yr_registry *registry, int64_t mean_ms);

#endif /* YR_REGISTRY_REGISTRY_H */
