/* Writing JSON: what the command prints with -o json. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <yurpc/instance.h>

#include <stdio.h>

/* @p text as a JSON string. Bytes that are no UTF-8 become U+FFFD. */
void cli_json_string(FILE *out, const char *text);

/*
 * @p instance as an object: the fields of its value in the registry, in their order, then
 * "service" and "address".
 */
void cli_json_instance(FILE *out, const yurpc_instance *instance);

#endif /* CLI_JSON_H */
