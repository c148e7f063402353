#include "registry/roster.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "registry/roster_node.h"

#include <string.h>

enum {
    WIDTH_MAX = YR_ROSTER_WIDTH_MAX,
    WIDTH_THIN = WIDTH_MAX / 4,     /* narrower nodes are put together with a neighbour */
    WIDTH_BULK = WIDTH_MAX * 3 / 4, /* of nodes made many at once: room for what comes */
    ROW_CAP_MIN = 64,
};

/* Nodes of one level, in order, on their way to becoming a parent's children. Owns them. */
typedef struct node_row {
    const yr_roster **nodes; /* NULL where a node has found its parent */
    size_t count;
    size_t cap;
} node_row;

/* ---- Nodes ---- */

static yr_roster *node_new(size_t size, uint16_t level, size_t width)
{
    yr_roster *node = yr_calloc(1, size);
    if (node != NULL) {
        atomic_init(&node->refs, 1);
        node->level = level;
        node->width = (uint16_t)width;
    }
    return node;
}

static const yr_roster *leaf_new(const yurpc_instance *const *instances, size_t width)
{
    yr_roster *node = node_new(sizeof(yr_roster_leaf) + width * sizeof(void *), 0, width);
    if (node == NULL) {
        return NULL;
    }
    yr_roster_leaf *leaf = (yr_roster_leaf *)node;
    for (size_t i = 0; i < width; i++) {
        leaf->instances[i] = yr_instance_ref(instances[i]);
        node->draining += yurpc_instance_is_draining(instances[i]);
        node->suspects += yurpc_instance_is_suspect(instances[i]);
    }
    node->count = (uint32_t)width;
    return node;
}

/* The new node owns the children now, unless it is NULL. */
static const yr_roster *inner_new_taking(const yr_roster *const *children, size_t width)
{
    yr_roster *node = node_new(sizeof(yr_roster_inner) + width * sizeof(yr_roster_branch),
                               (uint16_t)(children[0]->level + 1), width);
    if (node == NULL) {
        return NULL;
    }
    yr_roster_inner *inner = (yr_roster_inner *)node;
    memset(inner->ends, 0xff, sizeof inner->ends);
    for (size_t i = 0; i < width; i++) {
        const yr_roster *child = children[i];
        node->count += child->count;
        node->draining += child->draining;
        node->suspects += child->suspects;
        inner->branches[i].child = child;
        inner->ends[i] = node->count;
        inner->branches[i].first = child->level == 0
                                       ? yr_roster_as_leaf(child)->instances[0]
                                       : yr_roster_as_inner(child)->branches[0].first;
    }
    return node;
}

/* The count is what changes in a node, behind a const: the rest stands. */
static yr_roster *shared(const yr_roster *roster)
{
    union {
        const yr_roster *in;
        yr_roster *out;
    } pointer = {.in = roster};
    return pointer.out;
}

const yr_roster *yr_roster_ref(const yr_roster *roster)
{
    if (roster != NULL) {
        uint32_t before =
            atomic_fetch_add_explicit(&shared(roster)->refs, 1, memory_order_relaxed);
        YR_ASSERT(before > 0 && before < UINT32_MAX);
    }
    return roster;
}

void yr_roster_unref(const yr_roster *roster)
{
    if (roster == NULL ||
        atomic_fetch_sub_explicit(&shared(roster)->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < roster->width; i++) {
        if (roster->level == 0) {
            yr_instance_unref(yr_roster_as_leaf(roster)->instances[i]);
        } else {
            yr_roster_unref(yr_roster_as_inner(roster)->branches[i].child);
        }
    }
    yr_free(shared(roster));
}

/* ---- Rows ---- */

static void row_deinit(node_row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        yr_roster_unref(row->nodes[i]);
    }
    yr_free(row->nodes);
}

static yurpc_status row_reserve(node_row *row)
{
    if (row->count < row->cap) {
        return YURPC_OK;
    }
    size_t cap = row->cap > 0 ? row->cap * 2 : ROW_CAP_MIN;
    const yr_roster **nodes = yr_realloc(row->nodes, cap * sizeof(void *));
    if (nodes == NULL) {
        return YURPC_NO_MEMORY;
    }
    row->nodes = nodes;
    row->cap = cap;
    return YURPC_OK;
}

static void gather(const yr_roster *node, const void **out)
{
    for (size_t i = 0; i < node->width; i++) {
        out[i] = node->level == 0 ? (const void *)yr_roster_as_leaf(node)->instances[i]
                                  : yr_roster_as_inner(node)->branches[i].child;
    }
}

/* A node of that level over @p slots, which stay the caller's. */
static const yr_roster *node_over(uint16_t level, const void *const *slots, size_t width)
{
    if (level == 0) {
        return leaf_new((const yurpc_instance *const *)slots, width);
    }
    const yr_roster *const *children = (const yr_roster *const *)slots;
    const yr_roster *node = inner_new_taking(children, width);
    for (size_t i = 0; node != NULL && i < width; i++) {
        (void)yr_roster_ref(children[i]);
    }
    return node;
}

/* Put what is in the row's last node and in @p node (borrowed) into one node, or evenly into
 * two. */
static yurpc_status row_even_out(node_row *row, const yr_roster *node)
{
    const void *slots[2 * WIDTH_MAX] = {NULL};
    const yr_roster *last = row->nodes[row->count - 1];
    size_t width = (size_t)last->width + node->width;
    gather(last, slots);
    gather(node, slots + last->width);

    size_t half = width <= WIDTH_MAX ? width : width / 2;
    const yr_roster *left = node_over(node->level, slots, half);
    const yr_roster *right =
        half < width ? node_over(node->level, slots + half, width - half) : NULL;
    if (left == NULL || (half < width && right == NULL)) {
        yr_roster_unref(left);
        yr_roster_unref(right);
        return YURPC_NO_MEMORY;
    }
    yr_roster_unref(last);
    row->nodes[row->count - 1] = left;
    if (right != NULL) {
        row->nodes[row->count] = right;
        row->count++;
    }
    return YURPC_OK;
}

/* Append @p node, which the row owns now, also on failure. NULL: there was no memory for it. */
static yurpc_status row_take(node_row *row, const yr_roster *node)
{
    yurpc_status status = node != NULL ? row_reserve(row) : YURPC_NO_MEMORY;
    if (status != YURPC_OK) {
        yr_roster_unref(node);
        return status;
    }
    const yr_roster *last = row->count > 0 ? row->nodes[row->count - 1] : NULL;
    if (last != NULL && (last->width < WIDTH_THIN || node->width < WIDTH_THIN)) {
        status = row_even_out(row, node);
        yr_roster_unref(node);
        return status;
    }
    row->nodes[row->count] = node;
    row->count++;
    return YURPC_OK;
}

/* Into how many nodes so many slots go. */
static size_t pieces_of(size_t slots)
{
    return slots <= WIDTH_MAX ? slots > 0 : (slots + WIDTH_BULK - 1) / WIDTH_BULK;
}

/* Make parents of the nodes in @p below, in @p row. */
static yurpc_status row_take_parents(node_row *row, node_row *below)
{
    yurpc_status status = YURPC_OK;
    size_t pieces = pieces_of(below->count);
    YR_ASSERT(pieces == 0 || below->nodes != NULL);
    for (size_t i = 0; i < pieces && status == YURPC_OK; i++) {
        size_t from = below->count * i / pieces;
        size_t to = below->count * (i + 1) / pieces;
        const yr_roster *parent = inner_new_taking(below->nodes + from, to - from);
        if (parent != NULL) {
            memset(below->nodes + from, 0, (to - from) * sizeof(void *));
        }
        status = row_take(row, parent);
    }
    return status;
}

/* ---- Applying changes ---- */

static int compare(const yurpc_instance *instance, yurpc_bytes node)
{
    return yr_bytes_compare(yr_instance_node(instance), node);
}

/* Merge into @p out, which has room for all: how many there are. */
static size_t merge(const yr_roster_leaf *old, const yr_snapshot_change *changes, size_t count,
                    const yurpc_instance **out)
{
    size_t width = old != NULL ? old->head.width : 0;
    size_t at = 0;
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        int order = -1;
        while (at < width && (order = compare(old->instances[at], changes[i].node)) < 0) {
            out[len++] = old->instances[at++];
        }
        at += at < width && order == 0;
        if (changes[i].instance != NULL) {
            out[len++] = changes[i].instance;
        }
    }
    while (at < width) {
        out[len++] = old->instances[at++];
    }
    return len;
}

/* The leaves that take the place of @p old (NULL: of none) are put into @p row. */
static yurpc_status apply_to_leaf(const yr_roster_leaf *old, const yr_snapshot_change *changes,
                                  size_t count, node_row *row)
{
    size_t width = old != NULL ? old->head.width : 0;
    const yurpc_instance **merged = yr_calloc(width + count, sizeof(void *));
    if (merged == NULL) {
        return YURPC_NO_MEMORY;
    }
    size_t len = merge(old, changes, count, merged);
    yurpc_status status = YURPC_OK;
    size_t pieces = pieces_of(len);
    for (size_t i = 0; i < pieces && status == YURPC_OK; i++) {
        size_t from = len * i / pieces;
        size_t to = len * (i + 1) / pieces;
        status = row_take(row, leaf_new(merged + from, to - from));
    }
    yr_free(merged);
    return status;
}

/* The branch in which @p node is or would be. */
static size_t find_branch(const yr_roster_inner *inner, yurpc_bytes node)
{
    size_t from = 0;
    size_t to = inner->head.width;
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        if (compare(inner->branches[middle].first, node) <= 0) {
            from = middle;
        } else {
            to = middle;
        }
    }
    return from;
}

/* How many of @p changes, the first for certain, belong to @p branch. */
static size_t count_in_branch(const yr_roster_inner *inner, size_t branch,
                              const yr_snapshot_change *changes, size_t count)
{
    if (branch + 1u == inner->head.width) {
        return count;
    }
    const yurpc_instance *next = inner->branches[branch + 1].first;
    size_t here = 1;
    while (here < count && compare(next, changes[here].node) > 0) {
        here++;
    }
    return here;
}

static yurpc_status apply_to_node(const yr_roster *old, const yr_snapshot_change *changes,
                                  size_t count, node_row *row);

/* The children that take the place of @p old's are put into @p below. */
static yurpc_status apply_to_children(const yr_roster_inner *old,
                                      const yr_snapshot_change *changes, size_t count,
                                      node_row *below)
{
    yurpc_status status = YURPC_OK;
    size_t branch = 0;
    while (branch < old->head.width && status == YURPC_OK) {
        size_t touched = count > 0 ? find_branch(old, changes[0].node) : old->head.width;
        for (; branch < touched && status == YURPC_OK; branch++) {
            status = row_take(below, yr_roster_ref(old->branches[branch].child));
        }
        if (count > 0 && status == YURPC_OK) {
            size_t here = count_in_branch(old, touched, changes, count);
            status = apply_to_node(old->branches[touched].child, changes, here, below);
            changes += here;
            count -= here;
            branch++;
        }
    }
    return status;
}

/* The nodes of its level that take the place of @p old are put into @p row. */
static yurpc_status apply_to_node(const yr_roster *old, const yr_snapshot_change *changes,
                                  size_t count, node_row *row)
{
    if (old == NULL || old->level == 0) {
        return apply_to_leaf(old != NULL ? yr_roster_as_leaf(old) : NULL, changes, count, row);
    }
    node_row below = {NULL, 0, 0};
    yurpc_status status = apply_to_children(yr_roster_as_inner(old), changes, count, &below);
    if (status == YURPC_OK) {
        status = row_take_parents(row, &below);
    }
    row_deinit(&below);
    return status;
}

/* One node over all of @p row, which is emptied; NULL when there is none. */
static yurpc_status row_detach_root(node_row *row, const yr_roster **ret_root)
{
    while (row->count > 1) {
        node_row above = {NULL, 0, 0};
        yurpc_status status = row_take_parents(&above, row);
        row_deinit(row);
        *row = above;
        if (status != YURPC_OK) {
            return status;
        }
    }
    const yr_roster *root = row->count > 0 ? row->nodes[0] : NULL;
    row->count = 0;
    while (root != NULL && root->level > 0 && root->width == 1) {
        const yr_roster *only = yr_roster_ref(yr_roster_as_inner(root)->branches[0].child);
        yr_roster_unref(root);
        root = only;
    }
    *ret_root = root;
    return YURPC_OK;
}

yurpc_status yr_roster_apply(const yr_roster *old, const yr_snapshot_change *changes,
                             size_t count, const yr_roster **ret_roster)
{
    if (count == 0) {
        *ret_roster = yr_roster_ref(old);
        return YURPC_OK;
    }
    node_row row = {NULL, 0, 0};
    yurpc_status status = apply_to_node(old, changes, count, &row);
    if (status == YURPC_OK) {
        status = row_detach_root(&row, ret_roster);
    }
    row_deinit(&row);
    return status;
}

/* ---- Looking ---- */

size_t yr_roster_count(const yr_roster *roster)
{
    return roster != NULL ? roster->count : 0;
}

size_t yr_roster_count_draining(const yr_roster *roster)
{
    return roster != NULL ? roster->draining : 0;
}

size_t yr_roster_count_suspects(const yr_roster *roster)
{
    return roster != NULL ? roster->suspects : 0;
}

static yr_roster_run seek_any(const yr_roster *roster, size_t index)
{
    YR_ASSERT(index < yr_roster_count(roster));
    while (roster->level > 0) {
        const yr_roster_inner *inner = yr_roster_as_inner(roster);
        uint32_t sought = (uint32_t)index;
        uint32_t branch = 0;
        /* Always all of them, without a jump: the compiler counts several at once. */
        for (size_t i = 0; i < WIDTH_MAX; i++) {
            branch += inner->ends[i] <= sought;
        }
        index -= branch > 0 ? inner->ends[branch - 1] : 0;
        roster = inner->branches[branch].child;
    }
    const yr_roster_leaf *leaf = yr_roster_as_leaf(roster);
    return (yr_roster_run){leaf->instances + index, leaf->instances + roster->width};
}

const yurpc_instance *yr_roster_at(const yr_roster *roster, size_t index)
{
    return *seek_any(roster, index).next;
}

static size_t count_of_kind(const yr_roster *roster, yr_roster_kind kind)
{
    switch (kind) {
    case YR_ROSTER_ALL:
        return roster->count;
    case YR_ROSTER_ORDINARY:
        return roster->count - roster->draining - roster->suspects;
    case YR_ROSTER_DRAINING:
        return roster->draining;
    case YR_ROSTER_SUSPECT:
        return roster->suspects;
    }
    return 0;
}

static bool is_of_kind(const yurpc_instance *instance, yr_roster_kind kind)
{
    bool is_suspect = yurpc_instance_is_suspect(instance);
    bool is_draining = yurpc_instance_is_draining(instance);
    switch (kind) {
    case YR_ROSTER_ALL:
        return true;
    case YR_ROSTER_ORDINARY:
        return !is_suspect && !is_draining;
    case YR_ROSTER_DRAINING:
        return is_draining;
    case YR_ROSTER_SUSPECT:
        return is_suspect;
    }
    return false;
}

yr_roster_run yr_roster_seek(const yr_roster *roster, yr_roster_kind kind, size_t index)
{
    if (kind == YR_ROSTER_ALL) {
        return seek_any(roster, index);
    }
    YR_ASSERT(roster != NULL && index < count_of_kind(roster, kind));
    while (roster->level > 0) {
        const yr_roster_branch *branch = yr_roster_as_inner(roster)->branches;
        size_t here = count_of_kind(branch->child, kind);
        while (index >= here) {
            index -= here;
            branch++;
            here = count_of_kind(branch->child, kind);
        }
        roster = branch->child;
    }
    const yr_roster_leaf *leaf = yr_roster_as_leaf(roster);
    size_t at = 0;
    while (at + 1 < roster->width && (index > 0 || !is_of_kind(leaf->instances[at], kind))) {
        index -= is_of_kind(leaf->instances[at], kind);
        at++;
    }
    return (yr_roster_run){leaf->instances + at, leaf->instances + roster->width};
}

const yurpc_instance *yr_roster_find(const yr_roster *roster, yurpc_bytes node)
{
    if (roster == NULL) {
        return NULL;
    }
    while (roster->level > 0) {
        const yr_roster_inner *inner = yr_roster_as_inner(roster);
        roster = inner->branches[find_branch(inner, node)].child;
    }
    const yr_roster_leaf *leaf = yr_roster_as_leaf(roster);
    size_t from = 0;
    size_t to = leaf->head.width;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare(leaf->instances[middle], node);
        if (order == 0) {
            return leaf->instances[middle];
        }
        from = order < 0 ? middle + 1 : from;
        to = order < 0 ? to : middle;
    }
    return NULL;
}
