/* The commands; each has a file of its own. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "options.h"

extern const cli_command cli_command_register;
extern const cli_command cli_command_run;
extern const cli_command cli_command_discover;
extern const cli_command cli_command_watch;
extern const cli_command cli_command_services;
extern const cli_command cli_command_unregister;

#endif /* CLI_COMMANDS_H */
