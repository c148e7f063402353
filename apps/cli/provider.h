/* What register and run have in common: describing the instance, and telling what becomes of
 * it. */
#ifndef CLI_PROVIDER_H
#define CLI_PROVIDER_H

#include "address.h"
#include "options.h"
#include "session.h"

#include <yurpc/registry.h>

#include <stdatomic.h>

/* An instance to be registered; must outlive its registration. */
typedef struct cli_provider {
    char service[CLI_SERVICE_SIZE];
    cli_address address;
    yurpc_instance_spec spec; /* borrows from the above and from the options */
    bool is_background;       /* nobody waits for it: say also how the first registering goes */
    atomic_bool was_registered;
    atomic_bool has_failed; /* to register, since it last was */
} cli_provider;

enum {
    CLI_PROVIDER_OPTIONS = CLI_TAKES_TTL | CLI_TAKES_GROUP | CLI_TAKES_WEIGHT | CLI_TAKES_META,
};

/* From SERVICE HOST:PORT and the options. False: has said what is wrong. */
bool cli_provider_init(cli_provider *provider, const cli_options *options);

/* Warn when consumers on other machines would be sent to themselves. */
void cli_provider_warn(const cli_provider *provider, const yurpc_registry *registry);

/*
 * A yurpc_registration_fn with a cli_provider as context: says on stderr when the instance was
 * lost, is back, or belongs to another process.
 */
void cli_provider_on_state(void *context, yurpc_registration_state state,
                           const yurpc_error *error);

#endif /* CLI_PROVIDER_H */
