#include "registry/batch.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

yurpc_bytes yr_batch_node(const yr_batch_item *item)
{
    return item->instance != NULL ? yr_instance_node(item->instance)
                                  : yr_bytes(item->departure->node, item->departure->len);
}

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
        yr_free(batch->items[i].departure);
    }
    yr_slab_leave(&batch->slab);
    batch->count = 0;
    batch->is_list = false;
    batch->is_unsorted = false;
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
    batch->is_unsorted =
        batch->is_unsorted ||
        (batch->count > 0 &&
         yr_bytes_compare(yr_batch_node(&items[batch->count - 1]), yr_batch_node(&item)) >= 0);
    batch->items[batch->count++] = item;
    return YURPC_OK;
}

yurpc_status yr_batch_take_put(yr_batch *batch, const yurpc_instance *instance)
{
    yurpc_status status = append(batch, (yr_batch_item){.instance = instance});
    if (status != YURPC_OK) {
        yr_instance_unref(instance);
    }
    return status;
}

yurpc_status yr_batch_delete(yr_batch *batch, yurpc_bytes node)
{
    yr_departure *departure = yr_calloc(1, sizeof *departure + node.len);
    if (departure == NULL) {
        return YURPC_NO_MEMORY;
    }
    departure->len = node.len;
    if (node.len > 0) {
        memcpy(departure->node, node.data, node.len);
    }
    yurpc_status status = append(batch, (yr_batch_item){.departure = departure});
    if (status != YURPC_OK) {
        yr_free(departure);
    }
    return status;
}

/* ---- Sorting ---- */

/* Nodes have much in common at their beginning. What follows that mostly decides. */
typedef struct sort_key {
    uint64_t word; /* the first eight bytes that are not common to all, the first one highest */
    const yr_batch_item *item;
} sort_key;

static size_t common_len(yurpc_bytes a, yurpc_bytes b, size_t most)
{
    const uint8_t *left = a.data;
    const uint8_t *right = b.data;
    size_t len = a.len < b.len ? a.len : b.len;
    len = len < most ? len : most;
    size_t common = 0;
    while (common < len && left[common] == right[common]) {
        common++;
    }
    return common;
}

static uint64_t word_behind(yurpc_bytes node, size_t skipped)
{
    const uint8_t *data = node.data;
    uint64_t word = 0;
    for (size_t i = skipped; i < skipped + sizeof word; i++) {
        word = word << 8 | (i < node.len ? data[i] : 0);
    }
    return word;
}

static int compare(const void *a, const void *b)
{
    const sort_key *left = a;
    const sort_key *right = b;
    if (left->word != right->word) {
        return left->word < right->word ? -1 : 1;
    }
    int order = yr_bytes_compare(yr_batch_node(left->item), yr_batch_node(right->item));
    return order != 0 ? order : (left->item > right->item) - (left->item < right->item);
}

/* By node, and in the order of arrival within a node. Lists mostly come sorted. */
static yurpc_status sort(yr_batch *batch)
{
    if (!batch->is_unsorted) {
        return YURPC_OK;
    }
    size_t count = batch->count;
    sort_key *keys = yr_calloc(count, sizeof *keys);
    yr_batch_item *sorted = yr_calloc(batch->cap, sizeof *sorted);
    if (keys == NULL || sorted == NULL) {
        yr_free(keys);
        yr_free(sorted);
        return YURPC_NO_MEMORY;
    }
    yurpc_bytes first = yr_batch_node(&batch->items[0]);
    size_t common = first.len;
    for (size_t i = 1; i < count; i++) {
        common = common_len(first, yr_batch_node(&batch->items[i]), common);
    }
    for (size_t i = 0; i < count; i++) {
        keys[i].item = &batch->items[i];
        keys[i].word = word_behind(yr_batch_node(keys[i].item), common);
    }
    qsort(keys, count, sizeof *keys, compare);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = *keys[i].item;
    }
    yr_free(keys);
    yr_free(batch->items);
    batch->items = sorted;
    return YURPC_OK;
}

/* ---- Settling ---- */

/* @p last is how it was last known, @p before how it is in the snapshot. */
static void add_gone(yr_batch_result *result, yurpc_bytes node, const yurpc_instance *last,
                     const yurpc_instance *before)
{
    result->changes[result->count++] = (yr_snapshot_change){
        .node = node, .before = before, .has_drained = yurpc_instance_is_draining(last)};
}

/* What @p item, the last of its node, takes away: as it was in the batch, or before. */
static const yurpc_instance *last_known(const yr_batch *batch, const yr_batch_item *item,
                                        const yurpc_instance *before)
{
    const yr_batch_item *previous = item > batch->items ? item - 1 : NULL;
    bool is_of_node =
        previous != NULL && yr_bytes_equal(yr_batch_node(previous), yr_batch_node(item));
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
    yurpc_bytes node = yr_batch_node(item);
    if (item->instance == NULL) {
        if (before != NULL) {
            add_gone(result, node, last_known(batch, item, before), before);
        }
        return;
    }
    bool is_outdated =
        before != NULL && !batch->is_list &&
        yurpc_instance_revision(item->instance) < yurpc_instance_revision(before) &&
        (absent == NULL || yr_map_find(absent, node) == NULL);
    bool is_equal = before != NULL && yr_instance_is_equal(before, item->instance);
    bool is_renewed = is_equal && batch->is_list && needs_revision(before, item->instance);
    result->unchanged += is_outdated || is_equal;
    result->renewed += is_renewed;
    if ((is_outdated || is_equal) && !is_renewed) {
        return;
    }
    result->changes[result->count++] =
        (yr_snapshot_change){.node = node, .instance = item->instance, .before = before};
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
        add_gone(result, node, instance, instance);
        at++;
    }
    return at;
}

static bool says_the_same(const yr_batch_item *a, const yr_batch_item *b)
{
    return a->instance != NULL && b->instance != NULL &&
           yr_instance_is_equal(a->instance, b->instance);
}

yurpc_status yr_batch_settle(yr_batch *batch, const yurpc_snapshot *current,
                             const yr_map *absent, yr_batch_result *ret_result)
{
    yr_batch_result result = {.count = 0};
    size_t most = batch->count + (batch->is_list ? yurpc_snapshot_count(current) : 0);
    yurpc_status status = sort(batch);
    if (status != YURPC_OK) {
        return status;
    }
    result.changes = yr_calloc(most > 0 ? most : 1, sizeof *result.changes);
    if (result.changes == NULL) {
        return YURPC_NO_MEMORY;
    }
    size_t at = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const yr_batch_item *item = &batch->items[i];
        yurpc_bytes node = yr_batch_node(item);
        if (batch->is_unsorted && i + 1 < batch->count &&
            yr_bytes_equal(node, yr_batch_node(&batch->items[i + 1]))) {
            result.unchanged += says_the_same(item, item + 1);
            continue; /* overtaken */
        }
        if (batch->is_list) {
            at = add_missing(current, at, &node, &result);
        }
        settle_item(batch, item, yr_snapshot_find(current, node), absent, &result);
    }
    if (batch->is_list) {
        (void)add_missing(current, at, NULL, &result);
    }
    *ret_result = result;
    return YURPC_OK;
}
