#include "cache_lists.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "yr_test.h"

#include <stdio.h>

const yr_cache_key cache_key = {.registry = "etcd 10.0.0.1:2379", .service = SERVICE};

yurpc_snapshot *cache_list_of(const char *const *nodes, const char *const *values, size_t count)
{
    yr_snapshot_change *changes = yr_calloc(count + 1, sizeof *changes);
    assert_non_null(changes);
    for (size_t i = 0; i < count; i++) {
        yurpc_instance *made = NULL;
        changes[i].node = yr_bytes_of_text(nodes[i]);
        assert_ok(yr_instance_decode(yr_bytes_of_text(SERVICE), changes[i].node,
                                     yr_bytes_of_text(values[i]), 1, &made, NULL));
        changes[i].instance = made;
    }
    yurpc_snapshot *list = NULL;
    assert_ok(yr_snapshot_apply(NULL, changes, count, false, &list));
    for (size_t i = 0; i < count; i++) {
        yr_instance_unref(changes[i].instance);
    }
    yr_free(changes);
    return list;
}

yurpc_snapshot *cache_list_new(size_t count, uint32_t weight)
{
    yr_snapshot_change *changes = yr_calloc(count + 1, sizeof *changes);
    char(*nodes)[32] = yr_calloc(count + 1, sizeof *nodes);
    assert_true(changes != NULL && nodes != NULL);
    for (size_t i = 0; i < count; i++) {
        char value[200];
        (void)snprintf(nodes[i], sizeof nodes[i], "h:%zu", i + 10000);
        (void)snprintf(value, sizeof value,
                       "{\"serviceHost\":\"h\",\"servicePort\":%zu,\"weight\":%u}", i + 10000,
                       (unsigned)weight);
        yurpc_instance *made = NULL;
        changes[i].node = yr_bytes_of_text(nodes[i]);
        assert_ok(yr_instance_decode(yr_bytes_of_text(SERVICE), changes[i].node,
                                     yr_bytes_of_text(value), 1, &made, NULL));
        changes[i].instance = made;
    }
    yurpc_snapshot *list = NULL;
    assert_ok(yr_snapshot_apply(NULL, changes, count, false, &list));
    for (size_t i = 0; i < count; i++) {
        yr_instance_unref(changes[i].instance);
    }
    yr_free(changes);
    yr_free(nodes);
    return list;
}

void cache_list_check(yr_batch *batch, const yurpc_snapshot *wanted)
{
    assert_true(batch->is_list);
    assert_int_equal(batch->count, yurpc_snapshot_count(wanted));
    for (size_t i = 0; i < batch->count; i++) {
        const yr_batch_item *item = &batch->items[i];
        const yurpc_instance *one = yurpc_snapshot_at(wanted, i);
        assert_true(yr_bytes_equal(yr_batch_node(item), yr_instance_node(one)));
        assert_true(yr_instance_is_equal(item->instance, one));
    }
}
