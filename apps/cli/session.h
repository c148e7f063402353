/*
 * What every command does: open the registry, say what went wrong, choose the exit code.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "options.h"

#include <yurpc/service.h>

/* Exit codes; scripts rely on them. */
enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_UNREACHABLE = 4,
    CLI_REFUSED = 5,
    CLI_CONFLICT = 6,
};

/* "yurpc: …" and a newline on stderr, as one line whatever the values contain. Any thread. */
void cli_say(const char *format, ...) YURPC_PRINTF(1, 2);

/* Say what @p error is and what to do, free it, and return the exit code for @p status. */
int cli_fail(yurpc_status status, yurpc_error *error);

/* The exit code for @p status. */
int cli_exit_code(yurpc_status status);

/* Open the registry that @p options name. On failure has said why and returns the exit code. */
int cli_open(const cli_options *options, yurpc_registry **ret_registry);

/* When @p snapshot came from disk, say so, how old it is, and why. */
void cli_say_cached(yurpc_registry *registry, const yurpc_snapshot *snapshot);

/* "5 min old"; negative: "of unknown age". */
void cli_format_age(int64_t age_ms, char *ret_text, size_t size);

/*
 * Check the first argument, SERVICE, as far as can be done before the registry is opened, and
 * write it out in full ("name" becomes "name:1.0"). False: has said why.
 */
bool cli_service(const cli_options *options, char *ret_service, size_t size);

enum { CLI_SERVICE_SIZE = 512 + 1 };

/* Flush what was written to stdout; the exit code is @p code unless that failed. */
int cli_finish(int code);

#endif /* CLI_SESSION_H */
