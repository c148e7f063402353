/*
 * The file of a list on disk. What is believed is sealed, is of the right registry and service,
 * and says the same when it is written and read again.
 *
 * The first byte: bit 0 off, the rest is the whole file; on, the rest is what follows the head
 * of one that is sealed for it, as somebody would make one up. Bit 1: the next byte is how many
 * allocations succeed.
 */
#include "base/mem.h"
#include "fuzz.h"
#include "registry/cache/cache_format.h"
#include "registry/instance.h"

#include <stdint.h>

enum { HEAD_FIXED_LEN = 12, COUNT_LEN = 4 };

static const yr_cache_key key = {.registry = "etcd h:2379", .service = "s:1.0"};

static yurpc_snapshot *snapshot_of(yr_batch *batch)
{
    yurpc_snapshot *empty = NULL;
    yurpc_snapshot *snapshot = NULL;
    yr_batch_result result;
    require(yr_snapshot_apply(NULL, NULL, 0, true, &empty) == YURPC_OK);
    require(yr_batch_settle(batch, empty, NULL, &result) == YURPC_OK);
    require(yr_snapshot_apply(empty, result.changes, result.count, true, &snapshot) ==
            YURPC_OK);
    yr_free(result.changes);
    yr_snapshot_unref(empty);
    return snapshot;
}

static yr_buf encode(const yurpc_snapshot *snapshot)
{
    yr_buf file;
    yr_buf_init(&file, YR_CACHE_LEN_MAX);
    require(yr_cache_encode(&key, snapshot, &file) == YURPC_OK);
    return file;
}

static void decode(yr_buf *file, yr_batch *batch)
{
    yr_batch_init(batch);
    require(yr_cache_decode(&key, yr_bytes(file->data, file->len), batch, NULL) == YURPC_OK);
    yr_buf_deinit(file);
}

/* What a value of 64 KiB says may need more when it is written anew, and is then left out. */
static void write_and_read_again(yr_batch *batch)
{
    yurpc_snapshot *snapshot = snapshot_of(batch);
    yr_buf file = encode(snapshot);
    yr_batch again;
    decode(&file, &again);
    require(again.is_list && again.count <= yurpc_snapshot_count(snapshot));
    for (size_t i = 0; i < again.count; i++) {
        const yurpc_instance *was = yr_snapshot_find(snapshot, yr_batch_node(&again.items[i]));
        require(was != NULL && yr_instance_is_equal(was, again.items[i].instance));
    }
    yr_batch_deinit(&again);
    yr_snapshot_unref(snapshot);
}

/* A head that is right up to the count, which is the input's, and the input's body. */
static yr_buf make_up(fuzz_input *in)
{
    yurpc_snapshot *empty = NULL;
    require(yr_snapshot_apply(NULL, NULL, 0, true, &empty) == YURPC_OK);
    yr_buf file = encode(empty);
    yr_snapshot_unref(empty);
    uint8_t count[COUNT_LEN] = {fuzz_byte(in), fuzz_byte(in)};
    for (size_t i = 0; i < COUNT_LEN; i++) {
        file.data[HEAD_FIXED_LEN + i] = count[i];
    }
    if (fuzz_byte(in) % 2 == 0) {
        file.len = YR_CACHE_HEAD_LEN; /* the names, too, are the input's */
    }
    yurpc_bytes body = fuzz_piece(in, in->left);
    require(yr_buf_append(&file, body.data, body.len) == YURPC_OK);
    yr_cache_seal(&file);
    return file;
}

/* Without memory it is neither read nor written by half. */
static void run_short(yurpc_bytes file, long allocations)
{
    yr_batch batch;
    yr_batch_init(&batch);
    yr_mem_fail_after(allocations);
    yurpc_status status = yr_cache_decode(&key, file, &batch, NULL);
    yr_mem_fail_after(-1);
    require(status == YURPC_OK || status == YURPC_INVALID || status == YURPC_NO_MEMORY);
    require(status == YURPC_OK || batch.count == 0);
    yr_batch_deinit(&batch);
}

static void write_short(yr_batch *batch, long allocations)
{
    yurpc_snapshot *snapshot = snapshot_of(batch);
    yr_buf file;
    yr_buf_init(&file, YR_CACHE_LEN_MAX);
    yr_mem_fail_after(allocations);
    yurpc_status status = yr_cache_encode(&key, snapshot, &file);
    yr_mem_fail_after(-1);
    require(status == YURPC_OK || (status == YURPC_NO_MEMORY && file.len == 0));
    yr_buf_deinit(&file);
    yr_snapshot_unref(snapshot);
}

static void run(yurpc_bytes file, long allocations)
{
    yr_batch batch;
    yurpc_error *error = NULL;
    yr_batch_init(&batch);
    yurpc_status status = yr_cache_decode(&key, file, &batch, &error);
    require(status == YURPC_OK || status == YURPC_INVALID);
    require((status == YURPC_OK) == (error == NULL) && batch.is_list == (status == YURPC_OK));
    if (status == YURPC_OK) {
        write_and_read_again(&batch);
        write_short(&batch, allocations);
    } else {
        require(batch.count == 0);
    }
    yurpc_error_free(error);
    yr_batch_deinit(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MADE_UP = 1, SHORT = 2 };
    fuzz_input in = {data, size};
    yr_buf made;
    yr_buf_init(&made, YR_CACHE_LEN_MAX);
    uint8_t kind = fuzz_byte(&in);
    long allocations = (kind & SHORT) != 0 ? fuzz_byte(&in) : -1;
    yurpc_bytes file = yr_bytes(in.at, in.left);
    if ((kind & MADE_UP) != 0) {
        made = make_up(&in);
        file = yr_bytes(made.data, made.len);
    }
    run(file, allocations);
    if (allocations >= 0) {
        run_short(file, allocations);
    }
    yr_buf_deinit(&made);
    return 0;
}
