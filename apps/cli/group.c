#include "group.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct cli_group {
    const char *name;
    void *members; /* a tsearch(3) tree of addresses */
};

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

cli_group *cli_group_new(const char *name)
{
    cli_group *group = calloc(1, sizeof *group);
    if (group != NULL) {
        group->name = name;
    }
    return group;
}

void cli_group_free(cli_group *group)
{
    if (group != NULL) {
        tdestroy(group->members, free);
        free(group);
    }
}

/* Remember @p address; out of memory only makes a later line be missing. */
static void add_member(cli_group *group, const char *address)
{
    char *copy = strdup(address);
    if (copy != NULL && tsearch(copy, &group->members, compare) == NULL) {
        free(copy);
    }
}

/* Whether @p address was a member; it is none any more. */
static bool remove_member(cli_group *group, const char *address)
{
    char **found = tfind(address, &group->members, compare);
    if (found == NULL) {
        return false;
    }
    char *copy = *found;
    (void)tdelete(address, &group->members, compare);
    free(copy);
    return true;
}

bool cli_group_filter(cli_group *group, const yurpc_instance *instance, yurpc_event_kind *kind)
{
    if (group == NULL) {
        return true;
    }
    const char *address = yurpc_instance_address(instance);
    bool was_member = remove_member(group, address);
    bool is_member =
        *kind != YURPC_EVENT_DOWN && strcmp(yurpc_instance_group(instance), group->name) == 0;
    if (is_member) {
        add_member(group, address);
        *kind = was_member ? YURPC_EVENT_CHANGED : YURPC_EVENT_UP;
    } else {
        *kind = YURPC_EVENT_DOWN;
    }
    return was_member || is_member;
}
