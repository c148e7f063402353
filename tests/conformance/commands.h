/* The commands of a case, as run.h lists them, and what comes of each. */
#ifndef YR_CONFORMANCE_COMMANDS_H
#define YR_CONFORMANCE_COMMANDS_H

#include "base/buf.h"
#include "run.h"

#define YR_CASE_INDENT "    "

typedef struct yr_case_runner yr_case_runner;

yr_case_runner *yr_case_runner_new(yr_conformance *conformance);
void yr_case_runner_free(yr_case_runner *runner);

/* A case begins; the last one ends, and its streams and leases with it. */
void yr_case_runner_begin(yr_case_runner *runner, const char *name);
void yr_case_runner_end(yr_case_runner *runner);

/* Run one command; what came of it, line by line, each indented. Good until the next one. */
yr_buf *yr_case_runner_do(yr_case_runner *runner, const char *line);

/* Why the line that was run makes no sense; NULL: it did. */
const char *yr_case_runner_error(const yr_case_runner *runner);

#endif /* YR_CONFORMANCE_COMMANDS_H */
