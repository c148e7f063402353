/*
 * Another process that uses the registry: the test's own program, run again with the name of a
 * role. It tells what it does in lines on its standard output.
 */
#ifndef YR_ACTOR_H
#define YR_ACTOR_H

#include "stage.h"

#include <sys/types.h>

typedef struct yr_actor {
    pid_t pid;
    int output;
    char pending[256];
    size_t pending_len;
} yr_actor;

/*
 * Start one. Roles, all in service "svc:1.0":
 *  provider NODE   registers NODE, says "ready"; says "lost" when the session is lost
 *  forker NODE     the same, then forks a child that lives on; says "child PID" first
 *  ticker COUNT    registers "t:1" with the time of CLOCK_MONOTONIC in ns as value, COUNT
 * times, then "end:1" writer SEED     registers and withdraws nodes without end services says
 * "services LIST" as it sees them first, and ends
 */
void yr_actor_start(yr_actor *actor, const char *address, const char *role,
                    const char *argument);

/* The next line, within 10 s; without the newline. */
void yr_actor_read(yr_actor *actor, char *line, size_t size);
void yr_actor_expect(yr_actor *actor, const char *line);

/* Send a signal. */
void yr_actor_signal(const yr_actor *actor, int signal);

/* Kill it with SIGKILL if it runs, and wait for its end. */
void yr_actor_kill(yr_actor *actor);

/* For main(): play the role that the arguments name, and return the exit code; -1: none. */
int yr_actor_main(int argc, char **argv);

#endif /* YR_ACTOR_H */
