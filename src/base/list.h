/*
 * An intrusive doubly linked list: a ring through a head that is itself a node.
 *
 * Nothing is allocated. A node is either in one ring or alone (linked to itself); removing
 * a node that is alone is allowed and does nothing.
 */
#ifndef YR_BASE_LIST_H
#define YR_BASE_LIST_H

#include "base/assert.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct yr_list yr_list;
struct yr_list {
    yr_list *next;
    yr_list *prev;
};

static inline void yr_list_init(yr_list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool yr_list_is_empty(const yr_list *head)
{
    return head->next == head;
}

static inline void yr_list_append(yr_list *head, yr_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void yr_list_remove(yr_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    yr_list_init(node);
}

/* The first node, unlinked; NULL when the list is empty. */
static inline yr_list *yr_list_take_first(yr_list *head)
{
    yr_list *node = head->next;
    if (node == head) {
        return NULL;
    }
    yr_list_remove(node);
    return node;
}

/* Move every node of @p from to the end of @p to. */
static inline void yr_list_move_all(yr_list *to, yr_list *from)
{
    if (yr_list_is_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    yr_list_init(from);
}

#endif /* YR_BASE_LIST_H */
