/*
 * The command line: one table of options, and what they set.
 *
 * Options may stand anywhere before "--". An option means the same for every command that
 * takes it, so there is one table; each command says which of them it takes.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <yurpc/instance.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_METADATA_MAX = 64, CLI_ARGUMENTS_MAX = 2 };

/* How results are written. */
typedef enum cli_format {
    CLI_TABLE,
    CLI_JSON,
    CLI_ADDRESS,
} cli_format;

/* Options that not every command takes; ORed in cli_command.options. */
enum {
    CLI_TAKES_TTL = 1 << 0,
    CLI_TAKES_GROUP = 1 << 1,
    CLI_TAKES_WEIGHT = 1 << 2,
    CLI_TAKES_META = 1 << 3,
    CLI_TAKES_CHECK = 1 << 4,
};

typedef struct cli_command cli_command;

/* What the user wants. Strings are borrowed from argv; NULL and 0: not given. */
typedef struct cli_options {
    const cli_command *command;
    const char *arguments[CLI_ARGUMENTS_MAX];
    size_t argument_count;
    char **child; /* what follows "--", ended by NULL; NULL without "--" */

    const char *registry;
    const char *address;
    const char *config;
    const char *user;
    const char *password_file;
    const char *cacert;
    const char *cert;
    const char *key;
    uint32_t is_insecure; /* a flag */
    const char *cache_dir;
    const char *allowed_hosts;
    cli_format format;
    uint32_t timeout_ms;
    uint32_t verbosity;
    uint32_t wants_help; /* flags are counted */
    uint32_t wants_version;

    uint32_t ttl_s;
    const char *group;
    uint32_t weight;
    yurpc_metadata metadata[CLI_METADATA_MAX];
    size_t metadata_count;
    const char *check;
} cli_options;

/* One command: all that the parser, the help and main() know of it. */
struct cli_command {
    const char *name;
    const char *arguments; /* for the usage line */
    size_t argument_count;
    bool has_child; /* takes "-- CMD…" */
    unsigned options;
    const char *summary; /* one line, without a full stop */
    const char *text;    /* the rest of what there is to say; lines end with \n */
    const char *example;
    int (*run)(const cli_options *options); /* the exit code */
};

/* The commands, ended by NULL. */
extern const cli_command *const cli_commands[];

/* Read the command line. On failure says on stderr what is wrong and returns false. */
bool cli_options_parse(cli_options *options, char **argv);

/* Write the help of @p command, or with NULL of the whole, to stdout. */
void cli_help(const cli_command *command);

#endif /* CLI_OPTIONS_H */
