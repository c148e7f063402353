/*
 * Waiting for signals. The library's threads block them all, so they come to the main thread,
 * which reads them from a descriptor.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

/*
 * Hold back the signals that ask to stop (SIGINT, SIGTERM, and SIGHUP unless it is ignored),
 * and SIGCHLD if @p has_child, and return a descriptor that is readable when one came. -1: has
 * said why not.
 */
int cli_signals_catch(bool has_child);

/* The next signal that came, or 0 when there is none. */
int cli_signals_next(int fd);

#endif /* CLI_SIGNALS_H */
