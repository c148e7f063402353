/*
 * An intrusive min-heap (a pairing heap) ordered by an int64 key: timers.
 *
 * Nothing is allocated, so inserting cannot fail. Equal keys come out in the order in which
 * they went in, so that a simulated run is the same each time.
 *
 * Source: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap", Algorithmica 1986.
 */
#ifndef YR_BASE_HEAP_H
#define YR_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct yr_heap_node yr_heap_node;
struct yr_heap_node {
    int64_t key;
    uint64_t order;      /* breaks ties: the heap's insertion counter */
    yr_heap_node *child; /* first child */
    yr_heap_node *next;  /* next sibling */
    yr_heap_node *prev;  /* previous sibling, or the parent of a first child */
    bool is_in;          /* false in a zeroed node */
};

typedef struct yr_heap {
    yr_heap_node *root;
    uint64_t inserted;
} yr_heap;

void yr_heap_init(yr_heap *heap);

/* @p node must not be in a heap. */
void yr_heap_insert(yr_heap *heap, yr_heap_node *node, int64_t key);

/* Does nothing when @p node is not in a heap. */
void yr_heap_remove(yr_heap *heap, yr_heap_node *node);

/* The node with the smallest key, still in the heap; NULL when empty. */
yr_heap_node *yr_heap_first(const yr_heap *heap);

#endif /* YR_BASE_HEAP_H */
