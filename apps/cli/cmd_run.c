/*
 * yurpc run: start a program and register it as long as it runs.
 *
 * The program stays in our process group and session, so that a terminal's ^C and job control
 * reach it as if it had been started without us.
 */
#include "check.h"
#include "commands.h"
#include "provider.h"
#include "session.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    STOP_GRACE_MS = 10000,     /* from SIGTERM to SIGKILL */
    CHECK_PATIENCE_MS = 10000, /* until we say that the check has not passed */
    PATIENCE_MS = 3000,        /* until we say that registering takes long */
    CODE_CANNOT_EXEC = 126,
    CODE_NO_COMMAND = 127,
    CODE_SIGNAL = 128, /* plus the signal's number */
};

typedef struct runner {
    cli_provider provider;
    yurpc_registry *registry;
    yurpc_registration *registration; /* NULL: the check has not passed, or we are leaving */
    int signals;
    int passed; /* readable when the check has passed; -1: not interesting any more */
    pid_t child;
    bool is_gone;      /* the child; its status is */
    int code;          /* our exit code once it is gone */
    int64_t notice_ms; /* when to look whether it is registered; 0: never */
    int64_t due_ms;    /* when the child is killed; 0: it has not been asked to stop */
    int failure; /* what to exit with although the child was only asked to stop; 0: none */
} runner;

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- The child ---- */

/* With every signal as a program expects it. Descriptors of ours are all close-on-exec. */
static int spawn(pid_t *ret_pid, char **argv)
{
    posix_spawnattr_t attributes;
    int failure = posix_spawnattr_init(&attributes);
    if (failure != 0) {
        return failure;
    }
    sigset_t none, defaults;
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failure = posix_spawnp(ret_pid, argv[0], NULL, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    return failure;
}

static void reap(runner *self)
{
    int status;
    if (!self->is_gone && waitpid(self->child, &status, WNOHANG) == self->child) {
        self->is_gone = true;
        self->code = WIFSIGNALED(status) ? CODE_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
    }
}

static void ask_to_stop(runner *self)
{
    if (self->due_ms == 0) {
        self->due_ms = now_ms() + STOP_GRACE_MS;
        (void)kill(self->child, SIGTERM);
    } else {
        (void)kill(self->child, SIGKILL);
    }
}

/* ---- Registered as long as the child runs ---- */

/* Out of the registry before the program stops answering. */
static void leave(runner *self)
{
    self->passed = -1;
    self->notice_ms = 0;
    if (self->registration == NULL) {
        return;
    }
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registration_unregister(self->registration, &error);
    self->registration = NULL;
    if (status != YURPC_OK && status != YURPC_CONFLICT) {
        (void)cli_fail(status, error);
    } else {
        yurpc_error_free(error);
    }
}

static void on_passed(runner *self)
{
    self->passed = -1;
    self->notice_ms = 0;
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.is_background = true;
    options.on_state = cli_provider_on_state;
    options.context = &self->provider;
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registry_register(self->registry, &self->provider.spec,
                                                  &options, &self->registration, &error);
    if (status != YURPC_OK) {
        self->failure = cli_fail(status, error);
        ask_to_stop(self);
        return;
    }
    self->notice_ms = now_ms() + PATIENCE_MS;
}

/* Silence is no good sign when the registry is away, or the address is a mistake. */
static void notice(runner *self)
{
    self->notice_ms = 0;
    if (self->registration == NULL) {
        cli_say("not registered yet: %s does not pass the check (see --check); trying on",
                self->provider.address.text);
        return;
    }
    yurpc_registry_stats stats = {.size = sizeof stats};
    if (atomic_load(&self->provider.was_registered) ||
        yurpc_registry_get_stats(self->registry, &stats) != YURPC_OK) {
        return;
    }
    cli_say("not registered yet: %s; trying on", stats.is_connected
                                                     ? "the registry does not take it"
                                                     : "the registry cannot be reached");
}

static void on_signal(runner *self, int number)
{
    if (number == SIGCHLD) {
        return; /* it only woke us */
    }
    leave(self);
    ask_to_stop(self);
}

/* When poll() must end: the earlier of two times, of which 0 means never. */
static int wait_ms(const runner *self)
{
    int64_t until = self->due_ms;
    if (self->notice_ms != 0 && (until == 0 || self->notice_ms < until)) {
        until = self->notice_ms;
    }
    if (until == 0) {
        return -1;
    }
    int64_t left = until - now_ms();
    return left > 0 ? (int)left : 0;
}

static void on_time(runner *self)
{
    int64_t now = now_ms();
    if (self->notice_ms != 0 && now >= self->notice_ms) {
        notice(self);
    }
    if (self->due_ms != 0 && now >= self->due_ms) {
        ask_to_stop(self);
    }
}

static int loop(runner *self)
{
    while (!self->is_gone) {
        struct pollfd fds[] = {
            {.fd = self->signals, .events = POLLIN},
            {.fd = self->passed, .events = POLLIN},
        };
        int n = poll(fds, 2, wait_ms(self));
        on_time(self);
        if (n > 0 && fds[1].revents != 0) {
            on_passed(self);
        }
        int number;
        while ((number = cli_signals_next(self->signals)) != 0) {
            on_signal(self, number);
        }
        reap(self);
    }
    leave(self);
    return self->failure != 0 ? self->failure : self->code;
}

static int start(runner *self, const cli_options *options)
{
    int failure = spawn(&self->child, options->child);
    if (failure != 0) {
        cli_say("cannot start %s: %s", options->child[0], strerrordesc_np(failure));
        return failure == ENOENT ? CODE_NO_COMMAND : CODE_CANNOT_EXEC;
    }
    self->passed = cli_check_start(options->check, &self->provider.address);
    if (self->passed >= 0) {
        self->notice_ms = now_ms() + CHECK_PATIENCE_MS;
    } else {
        self->failure = CLI_FAILED;
        ask_to_stop(self);
    }
    return loop(self);
}

static int run(const cli_options *options)
{
    static runner self;
    if (!cli_provider_init(&self.provider, options)) {
        return CLI_USAGE;
    }
    self.provider.is_background = true;
    self.signals = cli_signals_catch(true);
    if (self.signals < 0) {
        return CLI_FAILED;
    }
    int code = cli_open(options, &self.registry);
    if (code != CLI_DONE) {
        return code;
    }
    cli_provider_warn(&self.provider, self.registry);
    code = start(&self, options);
    yurpc_registry_close(self.registry);
    return code;
}

const cli_command cli_command_run = {
    .name = "run",
    .arguments = "SERVICE HOST:PORT -- CMD…",
    .argument_count = 2,
    .has_child = true,
    .options = CLI_PROVIDER_OPTIONS | CLI_TAKES_CHECK,
    .summary = "Start a program, and register it as long as it runs",
    .text =
        "Starts CMD, registers when the check passes, and keeps trying if the registry is\n"
        "away. SIGTERM or SIGINT: leaves the registry first, then stops CMD with SIGTERM,\n"
        "and after 10 s, or at a second signal, with SIGKILL. Exits with CMD's status, or\n"
        "128+N when signal N killed it. --check tcp connects to HOST:PORT, http:PATH wants\n"
        "a 2xx answer from there, none registers at once.\n",
    .example =
        "  yurpc run com.acme.UserService:1.0 10.0.0.5:8080 --check http:/health -- ./server\n",
    .run = run,
};
