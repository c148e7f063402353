/* yurpc unregister: remove one instance, whoever registered it. */
#include "address.h"
#include "commands.h"
#include "session.h"

#include <yurpc/registry.h>

#include <stdio.h>

static int run(const cli_options *options)
{
    char service[CLI_SERVICE_SIZE];
    cli_address address;
    if (!cli_service(options, service, sizeof service) ||
        !cli_address_parse(options->arguments[1], &address)) {
        return CLI_USAGE;
    }
    yurpc_registry *registry;
    int code = cli_open(options, &registry);
    if (code != CLI_DONE) {
        return code;
    }
    yurpc_error *error = NULL;
    yurpc_status status =
        yurpc_registry_remove(registry, service, address.host, address.port, &error);
    if (status == YURPC_OK) {
        printf("unregistered %s %s\n", service, address.text);
        cli_say("if its provider still runs it will register again; stop the provider to keep "
                "it away");
    } else if (status == YURPC_NOT_FOUND) {
        yurpc_error_free(error);
        cli_say("%s %s is not registered; yurpc discover %s shows what is", service,
                address.text, service);
        code = CLI_NOT_FOUND;
    } else {
        code = cli_fail(status, error);
    }
    yurpc_registry_close(registry);
    return code;
}

const cli_command cli_command_unregister = {
    .name = "unregister",
    .arguments = "SERVICE HOST:PORT",
    .argument_count = 2,
    .options = 0,
    .summary = "Remove one instance, whoever registered it",
    .text =
        "For what a crash or a mistake left behind: a provider that still runs puts itself\n"
        "back. Exit status 3 when the instance is not there.\n",
    .example = "  yurpc unregister com.acme.UserService:1.0 10.0.0.5:8080\n",
    .run = run,
};
