/* yurpc watch: one line per change of a service, until interrupted. */
#include "commands.h"
#include "group.h"
#include "output.h"
#include "session.h"
#include "signals.h"

#include <yurpc/service.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct watcher {
    cli_format format;
    cli_group *group; /* NULL: all groups */
} watcher;

/* Runs on the handle's callback thread. */
static void on_event(void *context, const yurpc_event *event)
{
    watcher *self = context;
    if (event->kind == YURPC_EVENT_STALE || event->kind == YURPC_EVENT_FRESH) {
        cli_print_event(self->format, event->kind, NULL);
    }
    for (size_t i = 0; i < event->count; i++) {
        yurpc_event_kind kind = event->kind;
        if (cli_group_filter(self->group, event->instances[i], &kind)) {
            cli_print_event(self->format, kind, event->instances[i]);
        }
    }
    if (ferror(stdout) != 0) {
        /* Nobody reads any more: a consumer leaves nothing behind. */
        _exit(errno == EPIPE ? CLI_DONE : cli_finish(CLI_FAILED));
    }
}

/* Until a signal asks to stop, or whoever read stdout has gone. */
static void wait_for_end(int signals)
{
    struct pollfd fds[] = {
        {.fd = signals, .events = POLLIN},
        {.fd = STDOUT_FILENO, .events = 0}, /* POLLERR: a pipe without a reader */
    };
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        if (cli_signals_next(signals) != 0 || fds[1].revents != 0) {
            return;
        }
    }
}

static int watch(const cli_options *options, yurpc_service *service)
{
    watcher self = {.format = options->format};
    if (options->group != NULL && (self.group = cli_group_new(options->group)) == NULL) {
        return cli_fail(YURPC_NO_MEMORY, NULL);
    }
    int code = CLI_DONE;
    yurpc_watch *handle;
    int signals = cli_signals_catch(false);
    yurpc_status status =
        signals < 0 ? YURPC_IO : yurpc_service_watch(service, on_event, &self, &handle);
    if (status == YURPC_OK) {
        wait_for_end(signals);
        yurpc_watch_stop(handle);
    } else {
        code = signals < 0 ? CLI_FAILED : cli_fail(status, NULL);
    }
    cli_group_free(self.group);
    return code;
}

static int run(const cli_options *options)
{
    char name[CLI_SERVICE_SIZE];
    if (!cli_service(options, name, sizeof name)) {
        return CLI_USAGE;
    }
    yurpc_registry *registry;
    int code = cli_open(options, &registry);
    if (code != CLI_DONE) {
        return code;
    }
    yurpc_service *service;
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registry_discover(registry, name, NULL, &service, &error);
    if (status == YURPC_OK) {
        const yurpc_snapshot *snapshot = yurpc_service_acquire(service);
        cli_say_cached(registry, snapshot);
        yurpc_service_release(service, snapshot);
        code = watch(options, service);
        yurpc_service_close(service);
    } else {
        code = cli_fail(status, error);
    }
    yurpc_registry_close(registry);
    return code;
}

const cli_command cli_command_watch = {
    .name = "watch",
    .arguments = "SERVICE",
    .argument_count = 1,
    .options = CLI_TAKES_GROUP,
    .summary = "Print a line for each change of a service, until interrupted",
    .text =
        "The instances found first come as 'up', then each change as 'up', 'down' or\n"
        "'changed' with the address. 'stale': the registry is out of reach and the list may\n"
        "be out of date; 'fresh': it is up to date again. When most instances vanish at once\n"
        "they are 'changed' to suspect (\"suspect\":true) and go 'down' when their hosts "
        "refuse\n"
        "connections, or one TTL later; or they return, 'changed' once more. With -o json one\n"
        "object a line.\n",
    .example = "  yurpc watch com.acme.UserService:1.0 -o json\n",
    .run = run,
};
