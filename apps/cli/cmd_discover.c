/* yurpc discover: the instances of a service, once. */
#include "commands.h"
#include "output.h"
#include "session.h"

#include <yurpc/service.h>

#include <stdlib.h>
#include <string.h>

/* Print the instances of @p snapshot that are in the group asked for. */
static int print_snapshot(const cli_options *options, const yurpc_snapshot *snapshot,
                          const char *service)
{
    size_t total = yurpc_snapshot_count(snapshot);
    const yurpc_instance **chosen = calloc(total + 1, sizeof(const yurpc_instance *));
    if (chosen == NULL) {
        return cli_fail(YURPC_NO_MEMORY, NULL);
    }
    size_t count = 0;
    for (size_t i = 0; i < total; i++) {
        const yurpc_instance *one = yurpc_snapshot_at(snapshot, i);
        if (options->group == NULL || strcmp(options->group, yurpc_instance_group(one)) == 0) {
            chosen[count++] = one;
        }
    }
    if (count > 0 || options->format == CLI_JSON) {
        cli_print_instances(options->format, chosen, count);
    }
    free(chosen);
    if (count > 0) {
        return CLI_DONE;
    }
    cli_say("no instance of %s%s%s is registered", service,
            options->group != NULL ? " in group " : "",
            options->group != NULL ? options->group : "");
    return CLI_NOT_FOUND;
}

/* A program is better off with a list from disk; who asks once should hear of a refusal. */
static int check_refusal(yurpc_registry *registry, const yurpc_snapshot *snapshot)
{
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registry_get_connection(registry, &error);
    if (yurpc_snapshot_is_cached(snapshot) && cli_exit_code(status) == CLI_REFUSED) {
        return cli_fail(status, error);
    }
    yurpc_error_free(error);
    return CLI_DONE;
}

/* Otherwise it looks as if they were not registered. How many is not known: what is read twice
 * counts twice. */
static void say_disallowed(const yurpc_registry *registry)
{
    yurpc_registry_stats stats = {.size = sizeof stats};
    if (yurpc_registry_get_stats(registry, &stats) == YURPC_OK && stats.disallowed > 0) {
        cli_say("some instances are left out: their hosts are not allowed (--allow-hosts)");
    }
}

static int run(const cli_options *options)
{
    char service[CLI_SERVICE_SIZE];
    if (!cli_service(options, service, sizeof service)) {
        return CLI_USAGE;
    }
    yurpc_registry *registry;
    int code = cli_open(options, &registry);
    if (code != CLI_DONE) {
        return code;
    }
    yurpc_service *found;
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registry_discover(registry, service, NULL, &found, &error);
    if (status != YURPC_OK) {
        code = cli_fail(status, error);
    } else {
        const yurpc_snapshot *snapshot = yurpc_service_acquire(found);
        code = check_refusal(registry, snapshot);
        if (code == CLI_DONE) {
            cli_say_cached(registry, snapshot);
            say_disallowed(registry);
            code = print_snapshot(options, snapshot, service);
        }
        yurpc_service_release(found, snapshot);
        yurpc_service_close(found);
    }
    yurpc_registry_close(registry);
    return code;
}

const cli_command cli_command_discover = {
    .name = "discover",
    .arguments = "SERVICE",
    .argument_count = 1,
    .options = CLI_TAKES_GROUP,
    .summary = "List the instances of a service",
    .text =
        "With -o json one array, with -o address one HOST:PORT a line. Exit status 3 when\n"
        "there is none. When the registry is out of reach the list comes from disk, where\n"
        "it was kept on better days (--cache-dir), and stderr says so; not when the registry\n"
        "refuses us (exit status 5).\n",
    .example = "  yurpc discover com.acme.UserService:1.0 -o address\n",
    .run = run,
};
