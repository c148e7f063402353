/* yurpc register: register an instance and stay in the foreground. */
#include "commands.h"
#include "provider.h"
#include "session.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { INTERRUPTED = 130, GRACE_MS = 2600 }; /* of 3 s: the rest is for closing */

/* The blocking call, on a thread of its own so that ^C is heard meanwhile. */
typedef struct attempt {
    yurpc_registry *registry;
    cli_provider *provider;
    int done_fd;
    yurpc_status status;
    yurpc_registration *registration;
    yurpc_error *error;
} attempt;

static void *attempt_run(void *context)
{
    attempt *self = context;
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.on_state = cli_provider_on_state;
    options.context = self->provider;
    self->status = yurpc_registry_register(self->registry, &self->provider->spec, &options,
                                           &self->registration, &self->error);
    (void)eventfd_write(self->done_fd, 1);
    return NULL;
}

/*
 * Wait until the attempt has ended. An interrupted one gets a moment to end, so that it can be
 * undone; false: it did not, or a second signal came.
 */
static bool attempt_wait(const attempt *self, int signals, bool *ret_is_interrupted)
{
    struct pollfd fds[] = {
        {.fd = self->done_fd, .events = POLLIN},
        {.fd = signals, .events = POLLIN},
    };
    *ret_is_interrupted = false;
    for (;;) {
        int n = poll(fds, 2, *ret_is_interrupted ? GRACE_MS : -1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || fds[0].revents != 0) {
            return n > 0;
        }
        bool is_signal = cli_signals_next(signals) != 0;
        if (is_signal && *ret_is_interrupted) {
            return false;
        }
        *ret_is_interrupted = is_signal || *ret_is_interrupted;
    }
}

static void wait_for_signal(int signals)
{
    struct pollfd fd = {.fd = signals, .events = POLLIN};
    while (cli_signals_next(signals) == 0) {
        (void)poll(&fd, 1, -1);
    }
}

/* From the end of the attempt on. */
static int stay(attempt *self, int signals, bool is_interrupted)
{
    if (self->status != YURPC_OK) {
        return is_interrupted ? INTERRUPTED : cli_fail(self->status, self->error);
    }
    printf("registered %s %s\n", self->provider->service, self->provider->address.text);
    if (!is_interrupted) {
        wait_for_signal(signals);
    }
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registration_unregister(self->registration, &error);
    if (status == YURPC_CONFLICT) {
        /* Another process took the address over: it is not ours to remove. */
        yurpc_error_free(error);
        return CLI_DONE;
    }
    return status == YURPC_OK ? CLI_DONE : cli_fail(status, error);
}

static int register_and_stay(attempt *self, int signals)
{
    pthread_t thread;
    self->done_fd = eventfd(0, EFD_CLOEXEC);
    if (self->done_fd < 0 || pthread_create(&thread, NULL, attempt_run, self) != 0) {
        cli_say("cannot start: %s", strerrordesc_np(errno));
        return CLI_FAILED;
    }
    bool is_interrupted;
    if (!attempt_wait(self, signals, &is_interrupted)) {
        _exit(INTERRUPTED); /* nothing was reached; what the thread holds goes with us */
    }
    (void)pthread_join(thread, NULL);
    (void)close(self->done_fd);
    return stay(self, signals, is_interrupted);
}

static int run(const cli_options *options)
{
    static cli_provider provider;
    if (!cli_provider_init(&provider, options)) {
        return CLI_USAGE;
    }
    int signals = cli_signals_catch(false);
    if (signals < 0) {
        return CLI_FAILED;
    }
    attempt self = {.provider = &provider};
    int code = cli_open(options, &self.registry);
    if (code != CLI_DONE) {
        return code;
    }
    cli_provider_warn(&provider, self.registry);
    code = register_and_stay(&self, signals);
    yurpc_registry_close(self.registry);
    return code;
}

const cli_command cli_command_register = {
    .name = "register",
    .arguments = "SERVICE HOST:PORT",
    .argument_count = 2,
    .options = CLI_PROVIDER_OPTIONS,
    .summary = "Register an instance and keep it registered until interrupted",
    .text =
        "Stays in the foreground. What is lost is put back, whatever happens to the\n"
        "connection or the registry. SIGINT or SIGTERM unregisters and exits 0. When the\n"
        "registry cannot be reached within the timeout, exits 4 and leaves nothing behind.\n",
    .example =
        "  yurpc register com.acme.UserService:1.0 10.0.0.5:8080 --ttl 10 --meta zone=a\n",
    .run = run,
};
