/* The file of a list: what is written is read, and nothing else is believed. */
#include "base/bytes.h"
#include "base/mem.h"
#include "cache_lists.h"
#include "registry/instance.h"
#include "yr_test.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { COUNT_AT = 12, METADATA_COUNT = 200 };

static yr_buf encode(const yurpc_snapshot *list)
{
    yr_buf file;
    yr_buf_init(&file, YR_CACHE_LEN_MAX);
    assert_ok(yr_cache_encode(&cache_key, list, &file));
    return file;
}

static yurpc_status decode(yurpc_bytes file, yr_batch *batch)
{
    yr_batch_init(batch);
    return yr_cache_decode(&cache_key, file, batch, NULL);
}

static void assert_refused(yurpc_bytes file)
{
    yr_batch batch;
    assert_int_equal(decode(file, &batch), YURPC_INVALID);
    assert_int_equal(batch.count, 0);
    yr_batch_deinit(&batch);
}

static void assert_comes_back(yurpc_snapshot *list)
{
    yr_buf file = encode(list);
    yr_batch batch;
    assert_ok(decode(yr_bytes(file.data, file.len), &batch));
    cache_list_check(&batch, list);
    yr_batch_deinit(&batch);
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
}

/* What Yu-RPC writes, and what else may stand in a registry. */
static void every_kind_of_instance_comes_back_as_it_was(void **state)
{
    (void)state;
    static const char *const nodes[] = {"10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", "10.0.0.1:4",
                                        "::1:5",      "[::1]:6",    "h\xc3\xa4:7"};
    static const char *const values[] = {
        "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
        "\"serviceHost\":\"10.0.0.1\",\"servicePort\":1,\"serviceGroup\":\"default\"}",
        "{\"serviceHost\":\"10.0.0.1\",\"servicePort\":2,\"serviceGroup\":\"\",\"weight\":1000,"
        "\"draining\":true}",
        "{\"serviceHost\":\"elsewhere\",\"servicePort\":\"33\",\"serviceName\":\"other\"}",
        "{\"serviceHost\":\"10.0.0.1\",\"servicePort\":4,\"serviceGroup\":\"a\\\"\\u00e4\\n\","
        "\"metadata\":{\"k\":\"v\\t\\\\\",\"empty\":\"\"}}",
        "{\"serviceHost\":\"[::1]\",\"servicePort\":5}",
        "{\"service_host\":\"::1\",\"service_port\":6}",
        "{\"serviceHost\":\"h\xc3\xa4\",\"servicePort\":7}",
    };
    assert_comes_back(cache_list_of(nodes, values, sizeof nodes / sizeof *nodes));
}

static void more_metadata_than_we_write_comes_back(void **state)
{
    (void)state;
    static const char node[] = "h:1";
    char value[METADATA_COUNT * 16 + 64];
    size_t len = (size_t)snprintf(value, sizeof value,
                                  "{\"serviceHost\":\"h\",\"servicePort\":1,\"metadata\":{");
    for (int i = 0; i < METADATA_COUNT; i++) {
        len += (size_t)snprintf(value + len, sizeof value - len, "%s\"k%d\":\"v\"",
                                i == 0 ? "" : ",", i);
    }
    (void)snprintf(value + len, sizeof value - len, "}}");
    const char *nodes[] = {node};
    const char *values[] = {value};
    yurpc_snapshot *list = cache_list_of(nodes, values, 1);
    assert_int_equal(yurpc_instance_metadata_count(yurpc_snapshot_at(list, 0)), METADATA_COUNT);
    assert_comes_back(list);
}

static void an_empty_list_comes_back(void **state)
{
    (void)state;
    assert_comes_back(cache_list_new(0, 1));
}

static void many_instances_come_back(void **state)
{
    (void)state;
    assert_comes_back(cache_list_new(5000, 7));
}

/* Read with its short field names it fits; written again it would not. */
static void an_instance_that_cannot_be_written_is_left_out(void **state)
{
    (void)state;
    enum { GROUP_LEN = YR_INSTANCE_VALUE_MAX - 60 };
    char *value = yr_calloc(1, YR_INSTANCE_VALUE_MAX + 1);
    assert_non_null(value);
    int len = snprintf(value, YR_INSTANCE_VALUE_MAX,
                       "{\"serviceHost\":\"h\",\"servicePort\":1,\"serviceGroup\":\"");
    memset(value + len, 'g', GROUP_LEN);
    memcpy(value + len + GROUP_LEN, "\"}", 3);
    const char *nodes[] = {"h:1", "h:2"};
    const char *values[] = {value, "{\"serviceHost\":\"h\",\"servicePort\":2}"};
    yurpc_snapshot *list = cache_list_of(nodes, values, 2);
    yr_buf file = encode(list);
    yr_batch batch;
    assert_ok(decode(yr_bytes(file.data, file.len), &batch));
    assert_int_equal(batch.count, 1);
    assert_true(yr_bytes_equal(yr_batch_node(&batch.items[0]), yr_bytes_of_text("h:2")));
    yr_batch_deinit(&batch);
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
    yr_free(value);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    yurpc_snapshot *list = cache_list_new(3, 7);
    yr_buf file = encode(list);
    for (size_t len = 0; len < file.len; len++) {
        assert_refused(yr_bytes(file.data, len));
    }
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    yurpc_snapshot *list = cache_list_new(3, 7);
    yr_buf file = encode(list);
    for (size_t bit = 0; bit < file.len * 8; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_refused(yr_bytes(file.data, file.len));
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_ok(yr_buf_append(&file, "x", 1));
    assert_refused(yr_bytes(file.data, file.len));
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
}

/* Every piece of a file that goes to a sink, and when that has had enough. */
typedef struct pieces {
    size_t count;
    size_t longest;
    size_t len;
    size_t count_max;
} pieces;

static yurpc_status count_piece(void *context, yurpc_bytes bytes)
{
    pieces *seen = context;
    if (seen->count == seen->count_max) {
        return YURPC_IO;
    }
    seen->count++;
    seen->longest = bytes.len > seen->longest ? bytes.len : seen->longest;
    seen->len += bytes.len;
    return YURPC_OK;
}

static void a_long_list_is_written_in_short_pieces(void **state)
{
    (void)state;
    enum { SHORT = 128 * 1024 };
    yurpc_snapshot *list = cache_list_new(5000, 7);
    yr_buf file = encode(list);
    pieces seen = {.count_max = SIZE_MAX};
    uint8_t head[YR_CACHE_HEAD_LEN];
    assert_ok(yr_cache_write(&cache_key, list, count_piece, &seen, head));
    assert_true(seen.count > 2 && seen.longest < SHORT);
    assert_int_equal(seen.len + sizeof head, file.len);
    assert_memory_equal(head, file.data, sizeof head);
    assert_int_equal(yr_cache_count(head), 5000);
    assert_int_equal(yr_cache_len(head), file.len);

    uint8_t alone[YR_CACHE_HEAD_LEN];
    assert_ok(yr_cache_write(&cache_key, list, NULL, NULL, alone));
    assert_memory_equal(alone, head, sizeof head);
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
}

static void whoever_takes_no_more_ends_the_writing(void **state)
{
    (void)state;
    yurpc_snapshot *list = cache_list_new(5000, 7);
    pieces seen = {.count_max = 2};
    uint8_t head[YR_CACHE_HEAD_LEN];
    assert_int_equal(yr_cache_write(&cache_key, list, count_piece, &seen, head), YURPC_IO);
    assert_int_equal(seen.count, 2);
    yr_snapshot_unref(list);
}

static void assert_fault(const yr_cache_key *key, yurpc_bytes file, const char *text)
{
    yr_batch batch;
    yurpc_error *error = NULL;
    yr_batch_init(&batch);
    assert_int_equal(yr_cache_decode(key, file, &batch, &error), YURPC_INVALID);
    assert_string_equal(yurpc_error_text(error), text);
    yurpc_error_free(error);
    yr_batch_deinit(&batch);
}

static void the_list_of_another_is_refused(void **state)
{
    (void)state;
    static const char text[] = "it is the list of another registry or service";
    yurpc_snapshot *list = cache_list_new(3, 7);
    yr_buf file = encode(list);
    yr_cache_key other = cache_key;
    other.service = "com.acme.UserService:1.1";
    assert_fault(&other, yr_bytes(file.data, file.len), text);
    other = cache_key;
    other.registry = "etcd 10.0.0.2:2379";
    assert_fault(&other, yr_bytes(file.data, file.len), text);
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
}

static void each_fault_has_its_text(void **state)
{
    (void)state;
    yurpc_snapshot *list = cache_list_new(3, 7);
    yr_buf file = encode(list);
    yurpc_bytes bytes = yr_bytes(file.data, file.len);
    assert_fault(&cache_key, yr_bytes("SQLite format 3", 15), "it is not a list of instances");
    assert_fault(&cache_key, yr_bytes(file.data, file.len - 1),
                 "it is cut off, or more was added");
    file.data[8] = 1;
    assert_fault(&cache_key, bytes, "it was written by another version");
    file.data[8] = 2;
    file.data[file.len - 1] ^= 1;
    assert_fault(&cache_key, bytes, "its checksum is wrong");
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
}

/* The seal keeps nobody out: what has been made up must do no harm either. */
static void made_up_counts_are_refused(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 2, 4, 1000000, UINT32_MAX};
    yurpc_snapshot *list = cache_list_new(3, 7);
    yr_buf file = encode(list);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        memcpy(file.data + COUNT_AT, &counts[i], sizeof counts[i]);
        yr_cache_seal(&file);
        assert_fault(&cache_key, yr_bytes(file.data, file.len),
                     "its contents do not fit together");
    }
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
}

static void a_made_up_value_leaves_its_instance_out(void **state)
{
    (void)state;
    yurpc_snapshot *list = cache_list_new(3, 7);
    yr_buf file = encode(list);
    char *last = memmem(file.data + file.len - 20, 20, "}", 1);
    assert_non_null(last);
    *last = '{';
    yr_cache_seal(&file);
    yr_batch batch;
    assert_ok(decode(yr_bytes(file.data, file.len), &batch));
    assert_int_equal(batch.count, 2);
    yr_batch_deinit(&batch);
    yr_buf_deinit(&file);
    yr_snapshot_unref(list);
}

static void no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char *const nodes[] = {"h:1"};
    static const char *const values[] = {
        "{\"serviceHost\":\"h\",\"servicePort\":1,\"metadata\":{\"k\":\"v\"}}"};
    yurpc_snapshot *list = cache_list_of(nodes, values, 1);
    yurpc_status status = YURPC_NO_MEMORY;
    for (long n = 0; status != YURPC_OK; n++) {
        yr_buf file;
        yr_batch batch;
        yr_buf_init(&file, YR_CACHE_LEN_MAX);
        yr_batch_init(&batch);
        yr_mem_fail_after(n);
        status = yr_cache_encode(&cache_key, list, &file);
        assert_true(status == YURPC_OK || file.len == 0);
        if (status == YURPC_OK) {
            status = yr_cache_decode(&cache_key, yr_bytes(file.data, file.len), &batch, NULL);
            assert_true(status == YURPC_OK || batch.count == 0);
        }
        yr_mem_fail_after(-1);
        assert_true(status == YURPC_OK || status == YURPC_NO_MEMORY);
        yr_batch_deinit(&batch);
        yr_buf_deinit(&file);
    }
    yr_snapshot_unref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_instance_comes_back_as_it_was),
        cmocka_unit_test(more_metadata_than_we_write_comes_back),
        cmocka_unit_test(an_empty_list_comes_back),
        cmocka_unit_test(many_instances_come_back),
        cmocka_unit_test(an_instance_that_cannot_be_written_is_left_out),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(a_long_list_is_written_in_short_pieces),
        cmocka_unit_test(whoever_takes_no_more_ends_the_writing),
        cmocka_unit_test(the_list_of_another_is_refused),
        cmocka_unit_test(each_fault_has_its_text),
        cmocka_unit_test(made_up_counts_are_refused),
        cmocka_unit_test(a_made_up_value_leaves_its_instance_out),
        cmocka_unit_test(no_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("cache_format", tests, NULL, NULL);
}
