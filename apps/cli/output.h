/*
 * What the command prints on stdout, in each of its formats.
 *
 * On a terminal a table with a header, in colour; in a pipe plain text without a header, one
 * line an item, fields separated by tabs. NO_COLOR is respected.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "options.h"

#include <yurpc/service.h>

/* Begin: stdout is flushed at the end of each line. */
void cli_output_begin(void);

/* A list of instances. */
void cli_print_instances(cli_format format, const yurpc_instance *const *instances,
                         size_t count);

/* One line for an event; @p instance is NULL when the event has none. */
void cli_print_event(cli_format format, yurpc_event_kind kind, const yurpc_instance *instance);

/* One service and how many instances it has. */
typedef struct cli_service_count {
    char *service;
    uint64_t count;
} cli_service_count;

/* A list of services. */
void cli_print_services(cli_format format, const cli_service_count *services, size_t count);

#endif /* CLI_OUTPUT_H */
