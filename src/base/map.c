#include "base/map.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/siphash.h"

#include <string.h>

void yr_map_init(yr_map *map, const uint64_t seed[2])
{
    *map = (yr_map){.bucket_count = YR_MAP_BUCKETS_MIN, .seed = {seed[0], seed[1]}};
    map->buckets = map->few;
}

void yr_map_deinit(yr_map *map)
{
    if (map->buckets != map->few) {
        yr_free(map->buckets);
    }
    map->buckets = map->few;
    map->bucket_count = YR_MAP_BUCKETS_MIN;
    map->count = 0;
    memset(map->few, 0, sizeof map->few);
}

static yr_map_node **bucket_of(const yr_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

yr_map_node *yr_map_find(const yr_map *map, yurpc_bytes key)
{
    uint64_t hash = yr_siphash(map->seed, key);
    for (yr_map_node *node = *bucket_of(map, hash); node != NULL; node = node->next) {
        if (node->hash == hash && node->key.len == key.len &&
            (key.len == 0 || memcmp(node->key.data, key.data, key.len) == 0)) {
            return node;
        }
    }
    return NULL;
}

static void grow(yr_map *map)
{
    size_t count = map->bucket_count * 2;
    yr_map_node **buckets = yr_calloc(count, sizeof(yr_map_node *));
    if (buckets == NULL) {
        return; /* slower, not wrong */
    }
    for (size_t i = 0; i < map->bucket_count; i++) {
        yr_map_node *node = map->buckets[i];
        while (node != NULL) {
            yr_map_node *next = node->next;
            yr_map_node **to = &buckets[node->hash & (count - 1)];
            node->next = *to;
            *to = node;
            node = next;
        }
    }
    if (map->buckets != map->few) {
        yr_free(map->buckets);
    }
    map->buckets = buckets;
    map->bucket_count = count;
}

void yr_map_insert(yr_map *map, yr_map_node *node, yurpc_bytes key)
{
    if (map->count >= map->bucket_count) {
        grow(map);
    }
    node->key = key;
    node->hash = yr_siphash(map->seed, key);
    yr_map_node **bucket = bucket_of(map, node->hash);
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

void yr_map_remove(yr_map *map, yr_map_node *node)
{
    yr_map_node **link = bucket_of(map, node->hash);
    while (*link != node) {
        YR_ASSERT(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

yr_map_node *yr_map_next(const yr_map *map, const yr_map_node *node)
{
    size_t i = 0;
    if (node != NULL) {
        if (node->next != NULL) {
            return node->next;
        }
        i = (size_t)(node->hash & (map->bucket_count - 1)) + 1;
    }
    while (i < map->bucket_count && map->buckets[i] == NULL) {
        i++;
    }
    return i < map->bucket_count ? map->buckets[i] : NULL;
}
