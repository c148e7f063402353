/*
 * An intrusive hash map from bytes to objects.
 *
 * A node is embedded in the object it finds, and borrows its key from it. Inserting cannot
 * fail: when the table cannot grow for lack of memory it only becomes slower. Keys come from
 * outside, so the hash (SipHash-1-3) is seeded per map: give random seeds outside of tests.
 */
#ifndef YR_BASE_MAP_H
#define YR_BASE_MAP_H

#include <yurpc/bytes.h>

#include <stddef.h>
#include <stdint.h>

enum { YR_MAP_BUCKETS_MIN = 8 };

typedef struct yr_map_node yr_map_node;
struct yr_map_node {
    yr_map_node *next;
    uint64_t hash;
    yurpc_bytes key;
};

typedef struct yr_map {
    yr_map_node **buckets; /* points to few until the table grows */
    size_t bucket_count;   /* a power of two */
    size_t count;
    uint64_t seed[2];
    yr_map_node *few[YR_MAP_BUCKETS_MIN];
} yr_map;

/* A map that was initialised must not be moved in memory. */
void yr_map_init(yr_map *map, const uint64_t seed[2]);

/* Frees the table, not the objects. */
void yr_map_deinit(yr_map *map);

/* The node with this key, or NULL. */
yr_map_node *yr_map_find(const yr_map *map, yurpc_bytes key);

/* @p key must live as long as @p node is in the map, and must not be in the map. */
void yr_map_insert(yr_map *map, yr_map_node *node, yurpc_bytes key);

/* @p node must be in the map. */
void yr_map_remove(yr_map *map, yr_map_node *node);

/*
 * Walk all nodes, in no useful order: NULL gives the first, the last gives NULL. The map
 * must not change on the way, except that the node just passed may be removed after its
 * successor was asked for.
 */
yr_map_node *yr_map_next(const yr_map *map, const yr_map_node *node);

#endif /* YR_BASE_MAP_H */
