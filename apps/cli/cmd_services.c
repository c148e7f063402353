/* yurpc services: the names in the registry. */
#include "commands.h"
#include "output.h"
#include "session.h"

#include <yurpc/registry.h>

#include <stdlib.h>
#include <string.h>

typedef struct list {
    cli_service_count *items;
    size_t count;
    size_t room;
    bool is_cut; /* out of memory */
} list;

static void list_add(void *context, const char *service, uint64_t count)
{
    list *self = context;
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 64 : self->room * 2;
        cli_service_count *items = reallocarray(self->items, room, sizeof *items);
        if (items == NULL) {
            self->is_cut = true;
            return;
        }
        self->items = items;
        self->room = room;
    }
    char *copy = strdup(service);
    if (copy == NULL) {
        self->is_cut = true;
        return;
    }
    self->items[self->count++] = (cli_service_count){.service = copy, .count = count};
}

static void list_deinit(list *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->items[i].service);
    }
    free(self->items);
}

static int run(const cli_options *options)
{
    yurpc_registry *registry;
    int code = cli_open(options, &registry);
    if (code != CLI_DONE) {
        return code;
    }
    list all = {0};
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registry_list_services(registry, list_add, &all, &error);
    if (status == YURPC_OK && all.is_cut) {
        status = YURPC_NO_MEMORY;
    }
    if (status == YURPC_OK) {
        cli_print_services(options->format, all.items, all.count);
    } else {
        code = cli_fail(status, error);
    }
    list_deinit(&all);
    yurpc_registry_close(registry);
    return code;
}

const cli_command cli_command_services = {
    .name = "services",
    .arguments = "",
    .argument_count = 0,
    .options = 0,
    .summary = "List the services with their number of instances",
    .text = "With -o json one array of {\"service\":…,\"instances\":N}.\n",
    .example = "  yurpc services -r etcd -a http://10.0.0.1:2379,http://10.0.0.2:2379\n",
    .run = run,
};
