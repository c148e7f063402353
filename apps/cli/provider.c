#include "provider.h"

#include <string.h>

bool cli_provider_init(cli_provider *provider, const cli_options *options)
{
    atomic_init(&provider->was_registered, false);
    atomic_init(&provider->has_failed, false);
    if (!cli_service(options, provider->service, sizeof provider->service) ||
        !cli_address_parse(options->arguments[1], &provider->address)) {
        return false;
    }
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = provider->service;
    spec.host = provider->address.host;
    spec.port = provider->address.port;
    spec.group = options->group;
    spec.weight = options->weight;
    spec.metadata = options->metadata;
    spec.metadata_count = options->metadata_count;
    provider->spec = spec;
    return true;
}

/* Whether @p address, a list of URLs, names another machine. */
static bool is_elsewhere(const char *address)
{
    static const char *const here[] = {"localhost", "127.", "[::1]"};
    for (const char *at = address; *at != '\0';) {
        size_t len = strcspn(at, ",");
        const char *slashes = strstr(at, "://");
        const char *host = slashes != NULL && slashes < at + len ? slashes + 3 : at;
        bool is_here = false;
        for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
            is_here = is_here || strncmp(host, here[i], strlen(here[i])) == 0;
        }
        if (!is_here) {
            return true;
        }
        at += len;
        at += *at == ',';
    }
    return false;
}

void cli_provider_warn(const cli_provider *provider, const yurpc_registry *registry)
{
    const char *address = yurpc_registry_address(registry);
    bool is_shared = strcmp(yurpc_registry_kind(registry), "local") != 0;
    if (is_shared && address != NULL && is_elsewhere(address) &&
        cli_host_is_loopback(provider->address.host)) {
        cli_say("warning: %s reaches only this machine, but the registry is on another; "
                "consumers elsewhere will connect to themselves",
                provider->address.text);
    }
}

void cli_provider_on_state(void *context, yurpc_registration_state state,
                           const yurpc_error *error)
{
    cli_provider *self = context;
    const char *why = error != NULL ? yurpc_error_text(error) : "no reason is known";
    switch (state) {
    case YURPC_REGISTERED:
        atomic_store(&self->has_failed, false);
        if (atomic_exchange(&self->was_registered, true)) {
            cli_say("REGISTERED again: %s %s", self->service, self->address.text);
        } else if (self->is_background) {
            cli_say("registered %s %s", self->service, self->address.text);
        }
        break;
    case YURPC_LOST:
        cli_say("LOST: %s %s: %s; putting it back", self->service, self->address.text, why);
        break;
    case YURPC_CONFLICT_STATE:
        cli_say("CONFLICT: another process registered %s %s; waiting until it leaves",
                self->service, self->address.text);
        break;
    case YURPC_REGISTERING:
        if (self->is_background && error != NULL && !atomic_exchange(&self->has_failed, true)) {
            cli_say("not registered yet: %s; trying again", why);
        }
        break;
    case YURPC_DRAINING:
    case YURPC_GONE:
        break;
    }
}
