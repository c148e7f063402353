/*
 * Is the program that we started ready? A thread asks, again and again, until it is: by
 * connecting to its address, or by an HTTP request.
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "address.h"

/*
 * Begin to check @p address. @p how is "tcp", "none" or "http:PATH"; NULL: "tcp". Returns a
 * descriptor that becomes readable when the check has passed; -1: has said why not. Both are
 * borrowed for the rest of the process.
 */
int cli_check_start(const char *how, const cli_address *address);

#endif /* CLI_CHECK_H */
