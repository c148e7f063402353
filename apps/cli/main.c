/* The command yurpc. It uses the public headers only, which proves that they are enough. */
#include "commands.h"
#include "output.h"
#include "session.h"

#include <yurpc/version.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

const cli_command *const cli_commands[] = {
    &cli_command_register,
    &cli_command_run,
    &cli_command_discover,
    &cli_command_watch,
    &cli_command_services,
    &cli_command_unregister,
    NULL,
};

/*
 * Whoever closed stdin, stdout or stderr for us must not get a file or a connection of ours in
 * that place. What stands in for them is open the wrong way round, so that using it fails.
 */
static bool hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode | O_CLOEXEC) != fd) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static cli_options options; /* checks run in a thread that may outlive main's frame */
    (void)argc;
    if (!hold_standard_streams()) {
        return CLI_FAILED;
    }
    cli_output_begin();
    /* A reader that went away is a failed write, not the end of a provider. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (!cli_options_parse(&options, argv)) {
        return CLI_USAGE;
    }
    if (options.wants_help) {
        cli_help(options.command);
        return cli_finish(CLI_DONE);
    }
    if (options.wants_version) {
        printf("yurpc %s\n", yurpc_version());
        return cli_finish(CLI_DONE);
    }
    return cli_finish(options.command->run(&options));
}
