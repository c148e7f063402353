#include "registry/batch.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"

#include <stdlib.h>

void yr_batch_init(yr_batch *batch)
{
    *batch = (yr_batch){.items = NULL};
}

void yr_batch_clear(yr_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].instance != NULL) {
            yr_instance_unref(batch->items[i].instance);
        }
        yr_free(batch->items[i].node);
    }
    batch->count = 0;
    batch->is_list = false;
    if (batch->cap > YR_GROW_MIN) {
        /* A first list of 100,000 must not hold its room for ever. */
        yr_free(batch->items);
        yr_batch_init(batch);
    }
}

void yr_batch_deinit(yr_batch *batch)
{
    yr_batch_clear(batch);
    yr_free(batch->items);
    yr_batch_init(batch);
}

static yurpc_status append(yr_batch *batch, yr_batch_item item)
{
    if (batch->count == YR_SERVICE_INSTANCES_MAX) {
        return YURPC_TOO_LARGE;
    }
    yr_batch_item *items = yr_grow(batch->items, batch->count, &batch->cap, sizeof *items);
    if (items == NULL) {
        return YURPC_NO_MEMORY;
    }
    batch->items = items;
    item.order = batch->count;
    batch->items[batch->count++] = item;
    return YURPC_OK;
}

yurpc_status yr_batch_take_put(yr_batch *batch, const yurpc_instance *instance)
{
    yr_batch_item item = {.instance = instance, .key = yr_instance_node(instance)};
    yurpc_status status = append(batch, item);
    if (status != YURPC_OK) {
        yr_instance_unref(instance);
    }
    return status;
}

yurpc_status yr_batch_delete(yr_batch *batch, yurpc_bytes node)
{
    char *copy = yr_memdup0(node.data, node.len);
    if (copy == NULL) {
        return YURPC_NO_MEMORY;
    }
    yr_batch_item item = {.node = copy, .key = yr_bytes(copy, node.len)};
    yurpc_status status = append(batch, item);
    if (status != YURPC_OK) {
        yr_free(copy);
    }
    return status;
}

static int compare(const void *a, const void *b)
{
    const yr_batch_item *left = a;
    const yr_batch_item *right = b;
    int order = yr_bytes_compare(left->key, right->key);
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

/* By node, and in the order of arrival within a node. Lists mostly come sorted. */
static void sort(yr_batch *batch)
{
    for (size_t i = 1; i < batch->count; i++) {
        if (compare(&batch->items[i - 1], &batch->items[i]) > 0) {
            qsort(batch->items, batch->count, sizeof *batch->items, compare);
            return;
        }
    }
}

static void add(yr_batch_result *result, yurpc_bytes node, const yurpc_instance *instance)
{
    result->changes[result->count++] = (yr_snapshot_change){.node = node, .instance = instance};
}

static void add_gone(yr_batch_result *result, yurpc_bytes node, const yurpc_instance *last)
{
    result->changes[result->count++] =
        (yr_snapshot_change){.node = node, .has_drained = yurpc_instance_is_draining(last)};
}

/* What @p item, the last of its node, takes away: as it was in the batch, or before. */
static const yurpc_instance *last_known(const yr_batch *batch, const yr_batch_item *item,
                                        const yurpc_instance *before)
{
    const yr_batch_item *previous = item > batch->items ? item - 1 : NULL;
    bool is_of_node = previous != NULL && yr_bytes_equal(previous->key, item->key);
    return is_of_node && previous->instance != NULL ? previous->instance : before;
}

/* What follows would seem outdated: the registry's revisions begin anew, or @p before is from
 * disk and has none. */
static bool needs_revision(const yurpc_instance *before, const yurpc_instance *now)
{
    int64_t was = yurpc_instance_revision(before);
    int64_t is = yurpc_instance_revision(now);
    return is < was || (was == 0 && is != 0);
}

static void settle_item(const yr_batch *batch, const yr_batch_item *item,
                        const yurpc_instance *before, const yr_map *absent,
                        yr_batch_result *result)
{
    if (item->instance == NULL) {
        if (before != NULL) {
            add_gone(result, item->key, last_known(batch, item, before));
        }
        return;
    }
    bool is_outdated =
        before != NULL && !batch->is_list &&
        yurpc_instance_revision(item->instance) < yurpc_instance_revision(before) &&
        (absent == NULL || yr_map_find(absent, item->key) == NULL);
    bool is_equal = before != NULL && yr_instance_is_equal(before, item->instance);
    bool is_renewed = is_equal && batch->is_list && needs_revision(before, item->instance);
    result->unchanged += is_outdated || is_equal;
    result->renewed += is_renewed;
    if ((is_outdated || is_equal) && !is_renewed) {
        return;
    }
    add(result, item->key, item->instance);
}

/* Every node of @p current before @p key is missing from the list. */
static size_t add_missing(const yurpc_snapshot *current, size_t at, const yurpc_bytes *key,
                          yr_batch_result *result)
{
    size_t count = yurpc_snapshot_count(current);
    while (at < count) {
        const yurpc_instance *instance = yurpc_snapshot_at(current, at);
        yurpc_bytes node = yr_instance_node(instance);
        int order = key != NULL ? yr_bytes_compare(node, *key) : -1;
        if (order >= 0) {
            return order == 0 ? at + 1 : at;
        }
        add_gone(result, node, instance);
        at++;
    }
    return at;
}

yurpc_status yr_batch_settle(yr_batch *batch, const yurpc_snapshot *current,
                             const yr_map *absent, yr_batch_result *ret_result)
{
    yr_batch_result result = {.count = 0};
    size_t most = batch->count + (batch->is_list ? yurpc_snapshot_count(current) : 0);
    result.changes = yr_calloc(most > 0 ? most : 1, sizeof *result.changes);
    if (result.changes == NULL) {
        return YURPC_NO_MEMORY;
    }
    sort(batch);
    size_t at = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const yr_batch_item *item = &batch->items[i];
        if (i + 1 < batch->count && yr_bytes_equal(item->key, batch->items[i + 1].key)) {
            continue; /* overtaken */
        }
        if (batch->is_list) {
            at = add_missing(current, at, &item->key, &result);
        }
        settle_item(batch, item, yr_snapshot_find(current, item->key), absent, &result);
    }
    if (batch->is_list) {
        (void)add_missing(current, at, NULL, &result);
    }
    *ret_result = result;
    return YURPC_OK;
}
