/* Comparing two rosters, and checking one. */
#include "base/bytes.h"
#include "registry/instance.h"
#include "registry/roster_node.h"

/* A place between two slots: all before it was passed. */
typedef struct cursor_step {
    const yr_roster *node;
    size_t next;
} cursor_step;

typedef struct roster_cursor {
    cursor_step steps[YR_ROSTER_LEVELS_MAX];
    size_t depth;
    const yr_roster *whole; /* not yet entered: the root; else NULL */
} roster_cursor;

/* What comes next: a node with all that is below it, or an instance; or nothing. */
typedef struct cursor_item {
    const yr_roster *node;
    const yurpc_instance *instance;
    int level; /* -1: an instance; -2: nothing */
} cursor_item;

static cursor_item look(roster_cursor *cursor)
{
    if (cursor->whole != NULL) {
        return (cursor_item){.node = cursor->whole, .level = cursor->whole->level};
    }
    while (cursor->depth > 0) {
        const cursor_step *step = &cursor->steps[cursor->depth - 1];
        if (step->next == step->node->width) {
            cursor->depth--;
        } else if (step->node->level == 0) {
            const yr_roster_leaf *leaf = yr_roster_as_leaf(step->node);
            return (cursor_item){.instance = leaf->instances[step->next], .level = -1};
        } else {
            const yr_roster *child = yr_roster_as_inner(step->node)->branches[step->next].child;
            return (cursor_item){.node = child, .level = child->level};
        }
    }
    return (cursor_item){.level = -2};
}

/* Go behind the next item, without looking into it. */
static void pass(roster_cursor *cursor)
{
    if (cursor->whole != NULL) {
        cursor->whole = NULL;
    } else {
        cursor->steps[cursor->depth - 1].next++;
    }
}

/* Go before the first slot of the next item, which is a node. */
static void enter(roster_cursor *cursor, const yr_roster *node)
{
    pass(cursor);
    YR_ASSERT(cursor->depth < YR_ROSTER_LEVELS_MAX);
    cursor->steps[cursor->depth] = (cursor_step){node, 0};
    cursor->depth++;
}

/* Report the lesser of two instances, or what became of one; pass what was reported. */
static void compare_instances(roster_cursor *old, const yurpc_instance *was, roster_cursor *now,
                              const yurpc_instance *is, const yr_snapshot_visitor *visitor,
                              void *context)
{
    int order = is == NULL ? -1 : 1;
    if (was != NULL && is != NULL) {
        order = yr_bytes_compare(yr_instance_node(was), yr_instance_node(is));
    }
    if (order < 0) {
        visitor->on_down(context, was);
    } else if (order > 0) {
        visitor->on_up(context, is);
    } else if (!yr_instance_is_equal(was, is)) {
        visitor->on_changed(context, is);
    }
    if (order <= 0) {
        pass(old);
    }
    if (order >= 0) {
        pass(now);
    }
}

void yr_roster_diff(const yr_roster *old, const yr_roster *now,
                    const yr_snapshot_visitor *visitor, void *context)
{
    roster_cursor before = {.whole = old};
    roster_cursor after = {.whole = now};
    for (;;) {
        cursor_item was = look(&before);
        cursor_item is = look(&after);
        if (was.level < -1 && is.level < -1) {
            return;
        }
        if (was.node != NULL && was.node == is.node) {
            /* Shared: nothing below can differ, however deep it hangs in either tree. */
            pass(&before);
            pass(&after);
            continue;
        }
        /* Enter the higher of the two, so that what is shared is met at the same time. */
        if (was.node != NULL && was.level >= is.level) {
            enter(&before, was.node);
        }
        if (is.node != NULL && is.level >= was.level) {
            enter(&after, is.node);
        }
        if (was.node == NULL && is.node == NULL) {
            compare_instances(&before, was.instance, &after, is.instance, visitor, context);
        }
    }
}

static bool is_leaf_in_order(const yr_roster_leaf *leaf)
{
    uint32_t draining = 0;
    uint32_t suspects = 0;
    for (size_t i = 0; i < leaf->head.width; i++) {
        draining += yurpc_instance_is_draining(leaf->instances[i]);
        suspects += yurpc_instance_is_suspect(leaf->instances[i]);
        if (i > 0 && yr_bytes_compare(yr_instance_node(leaf->instances[i - 1]),
                                      yr_instance_node(leaf->instances[i])) >= 0) {
            return false;
        }
    }
    return leaf->head.count == leaf->head.width && leaf->head.draining == draining &&
           leaf->head.suspects == suspects;
}

static const yurpc_instance *last_of(const yr_roster *node)
{
    return yr_roster_at(node, yr_roster_count(node) - 1);
}

static bool is_inner_in_order(const yr_roster_inner *inner)
{
    uint32_t count = 0;
    uint32_t draining = 0;
    uint32_t suspects = 0;
    for (size_t i = 0; i < inner->head.width; i++) {
        const yr_roster_branch *branch = &inner->branches[i];
        count += branch->child->count;
        draining += branch->child->draining;
        suspects += branch->child->suspects;
        if (branch->child->level + 1 != inner->head.level || inner->ends[i] != count ||
            branch->first != yr_roster_at(branch->child, 0) ||
            !yr_roster_check(branch->child)) {
            return false;
        }
        if (i > 0 && yr_bytes_compare(yr_instance_node(last_of(inner->branches[i - 1].child)),
                                      yr_instance_node(branch->first)) >= 0) {
            return false;
        }
    }
    return inner->head.count == count && inner->head.draining == draining &&
           inner->head.suspects == suspects;
}

bool yr_roster_check(const yr_roster *roster)
{
    if (roster == NULL) {
        return true;
    }
    if (roster->width == 0 || roster->width > YR_ROSTER_WIDTH_MAX ||
        roster->level >= YR_ROSTER_LEVELS_MAX) {
        return false;
    }
    return roster->level == 0 ? is_leaf_in_order(yr_roster_as_leaf(roster))
                              : is_inner_in_order(yr_roster_as_inner(roster));
}
