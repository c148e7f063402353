/* `yurpc register` as a process of its own, which can be stopped, killed and asked to leave. */
#ifndef FAULTS_COMMAND_H
#define FAULTS_COMMAND_H

#include "scene.h"

#include <sys/types.h>

typedef struct command {
    pid_t pid;      /* 0: it does not run */
    int ttl_s;      /* 0: the shortest, 5 s */
    char path[128]; /* what it says goes there, behind what others said */
} command;

/* Register the scene's service at ACTORS_HOST:@p port. It dies with the test. */
void command_start(command *command, const fault_scene *scene, int road, uint16_t port);

/* Send a signal; when it ends by it, wait for that: its status as of waitpid(2). */
void command_signal(const command *command, int signal);
int command_end(command *command, int signal);

/*
 * Whether it runs. It ends by itself when it could not register in time: that is expected (exit
 * status 4), anything else is not.
 */
bool command_is_running(command *command);

/* What it has said, to stdout. */
void command_print(const command *command);

/* Whether it has said that. */
bool command_has_said(const command *command, const char *text);

#endif /* FAULTS_COMMAND_H */
