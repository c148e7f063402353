#include "base/heap.h"

#include "base/assert.h"

#include <stddef.h>

void yr_heap_init(yr_heap *heap)
{
    *heap = (yr_heap){.root = NULL};
}

static bool is_before(const yr_heap_node *a, const yr_heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* Both are roots without siblings; either may be NULL. */
static yr_heap_node *meld(yr_heap_node *a, yr_heap_node *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    if (is_before(b, a)) {
        yr_heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child != NULL) {
        a->child->prev = b;
    }
    a->child = b;
    return a;
}

/* Two passes over a list of siblings: meld pairs left to right, then all right to left. */
static yr_heap_node *meld_siblings(yr_heap_node *first)
{
    yr_heap_node *pairs = NULL;
    while (first != NULL) {
        yr_heap_node *a = first;
        yr_heap_node *b = a->next;
        first = b != NULL ? b->next : NULL;
        a->next = NULL;
        a->prev = NULL;
        if (b != NULL) {
            b->next = NULL;
            b->prev = NULL;
        }
        yr_heap_node *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    yr_heap_node *root = NULL;
    while (pairs != NULL) {
        yr_heap_node *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        root = meld(root, pair);
    }
    return root;
}

void yr_heap_insert(yr_heap *heap, yr_heap_node *node, int64_t key)
{
    YR_ASSERT(!node->is_in);
    *node = (yr_heap_node){.key = key, .order = heap->inserted++, .is_in = true};
    heap->root = meld(heap->root, node);
}

void yr_heap_remove(yr_heap *heap, yr_heap_node *node)
{
    if (!node->is_in) {
        return;
    }
    yr_heap_node *children = meld_siblings(node->child);
    if (node == heap->root) {
        heap->root = children;
    } else {
        if (node->prev->child == node) {
            node->prev->child = node->next;
        } else {
            node->prev->next = node->next;
        }
        if (node->next != NULL) {
            node->next->prev = node->prev;
        }
        heap->root = meld(heap->root, children);
    }
    *node = (yr_heap_node){.is_in = false};
}

yr_heap_node *yr_heap_first(const yr_heap *heap)
{
    return heap->root;
}
