/*
 * Other programs as a user starts them: what they take, and what they print.
 */
#ifndef YR_COMMAND_H
#define YR_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct yr_command_outcome {
    int64_t wall_ns; /* from before it was started until it was waited for */
    int64_t cpu_ns;  /* its own, user and system */
    size_t lines;    /* that it has printed */
} yr_command_outcome;

/*
 * Run a program to its end, without an environment; what it says on stderr is dropped. @p
 * arguments end with NULL; the first is its path, or its name when that has no slash. False: it
 * could not be started, or has failed.
 */
bool yr_command_run(const char *const *arguments, yr_command_outcome *ret_outcome);

#endif /* YR_COMMAND_H */
