/*
 * Runs a file of cases against one server, and compares what it answers with what the file
 * says.
 *
 * A file has comments (#), and cases: a line `case NAME`, then commands, each followed by what
 * comes of it, indented by four spaces. Where versions differ, such a line begins with "3.4| "
 * or "3.5| ". Messages are written as in parse.h and print.h say. The commands:
 *
 *     call KV/Put {…}        a unary call: its answer, or its status
 *     raw KV/Put 0aff        the same with these bytes as the request
 *     open NAME Watch/Watch  begin a stream
 *     send NAME {…}          a message on it
 *     recv NAME [N]          the next message, or N of them
 *     gather NAME N          the same, sorted: their order is not the server's promise
 *     within NAME MIN MAX    the next message, which has to come in that time, in ms
 *     quiet NAME             what comes within 300 ms, which is nothing
 *     finish NAME            half close
 *     end NAME               how it ends
 *     close NAME             drop it
 *     sleep MS
 *     login USER PASSWORD    whatever follows has the token of that user; `login`: none
 *     token TEXT             whatever follows has this token
 *     swap                   put the token aside, and take the one that was put aside
 *     restart                kill the server and start it again
 *     restart wiped          … with no data; from then on revisions and terms are absolute
 */
#ifndef YR_CONFORMANCE_RUN_H
#define YR_CONFORMANCE_RUN_H

#include "net/io.h"
#include "scope.h"

#include <stdio.h>

typedef struct yr_conformance {
    yr_io *io; /* a yr_uv_io */
    uint16_t port;
    const char *version; /* whose lines count: "3.4" or "3.5" */
    bool (*restart)(void *context, bool is_wiped);
    void *context;
    const char *only; /* the one case to run; NULL: all */
    FILE *print;      /* NULL, or where the file goes with what the server really answered */
    yr_case_scope scope;
    size_t cases;    /* how many were run, … */
    size_t failures; /* … and how many of them saw something else */
} yr_conformance;

/* Run all cases of a file; false: it cannot be read, or is wrong, which is printed. */
bool yr_conformance_run(yr_conformance *conformance, const char *path);

#endif /* YR_CONFORMANCE_RUN_H */
