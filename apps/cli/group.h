/*
 * Showing only one group of a service: an instance that joins the group comes up, one that
 * leaves it goes down, whatever happened in the registry.
 */
#ifndef CLI_GROUP_H
#define CLI_GROUP_H

#include <yurpc/service.h>

typedef struct cli_group cli_group;

/* NULL: out of memory. @p name is borrowed. */
cli_group *cli_group_new(const char *name);

/* NULL is allowed. */
void cli_group_free(cli_group *group);

/*
 * Whether what happened to @p instance concerns @p group (NULL: always), and as what:
 * *@p kind is changed accordingly.
 */
bool cli_group_filter(cli_group *group, const yurpc_instance *instance, yurpc_event_kind *kind);

#endif /* CLI_GROUP_H */
