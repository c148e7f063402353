#include "base/bytes.h"
#include "base/mem.h"
#include "etcd/range_reader.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

/* A header at revision 7 of cluster 5, keys "a" and "b" at 3 and 4, of 9 altogether. */
static const char answer[] = "\x0a\x04\x08\x05\x18\x07"
                             "\x12\x08\x0a\x01"
                             "a\x18\x03\x2a\x01x"
                             "\x12\x08\x0a\x01"
                             "b\x18\x04\x2a\x01y"
                             "\x18\x01\x20\x09";

enum { ANSWER_LEN = sizeof answer - 1 };

typedef struct seen {
    char text[256];
} seen;

static void on_kvs(void *context, const yurpc_etcd_kv *kvs, size_t count)
{
    seen *all = context;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(all->text);
        (void)snprintf(all->text + len, sizeof all->text - len, "%.*s=%.*s@%d ",
                       (int)kvs[i].key.len, (const char *)kvs[i].key.data,
                       (int)kvs[i].value.len, (const char *)kvs[i].value.data,
                       (int)kvs[i].mod_revision);
    }
}

static yurpc_status add(yr_range_reader *reader, const char *bytes, size_t from, size_t to,
                        size_t len)
{
    yr_grpc_part part = {.bytes = yr_bytes(bytes + from, to - from),
                         .message_len = len,
                         .is_first = from == 0,
                         .is_last = to == len};
    return yr_range_reader_add(reader, &part);
}

static void a_key_is_handed_out_when_its_bytes_are_there(void **state)
{
    (void)state;
    seen all = {""};
    yr_range_reader reader;
    yr_range_reader_init(&reader, on_kvs, &all);
    assert_ok(add(&reader, answer, 0, 15, ANSWER_LEN));
    assert_string_equal(all.text, "");
    assert_ok(add(&reader, answer, 15, 16, ANSWER_LEN));
    assert_string_equal(all.text, "a=x@3 ");
    assert_ok(add(&reader, answer, 16, ANSWER_LEN, ANSWER_LEN));
    assert_string_equal(all.text, "a=x@3 b=y@4 ");
    yr_range_reader_deinit(&reader);
}

static void wherever_it_is_cut_the_answer_is_the_same(void **state)
{
    (void)state;
    for (size_t first = 0; first <= ANSWER_LEN; first++) {
        for (size_t second = first; second <= ANSWER_LEN; second++) {
            seen all = {""};
            yr_range_reader reader;
            yr_range_reader_init(&reader, on_kvs, &all);
            if (first > 0) {
                assert_ok(add(&reader, answer, 0, first, ANSWER_LEN));
            }
            if (second > first) {
                assert_ok(add(&reader, answer, first, second, ANSWER_LEN));
            }
            if (second < ANSWER_LEN) {
                assert_ok(add(&reader, answer, second, ANSWER_LEN, ANSWER_LEN));
            }
            yr_reply *reply = NULL;
            assert_ok(yr_range_reader_finish(&reader, &reply));
            assert_string_equal(all.text, "a=x@3 b=y@4 ");
            assert_int_equal(reply->reply.revision, 7);
            assert_int_equal(reply->reply.cluster_id, 5);
            assert_int_equal(reply->reply.count, 9);
            assert_true(reply->reply.has_more);
            assert_int_equal(reply->reply.kv_count, 0);
            yr_reply_free(reply);
            yr_range_reader_deinit(&reader);
        }
    }
}

static void an_answer_that_has_not_all_come_is_none(void **state)
{
    (void)state;
    seen all = {""};
    yr_reply *reply = NULL;
    yr_range_reader reader;
    yr_range_reader_init(&reader, on_kvs, &all);
    assert_int_equal(yr_range_reader_finish(&reader, &reply), YURPC_PROTOCOL);
    assert_ok(add(&reader, answer, 0, 16, ANSWER_LEN));
    assert_int_equal(yr_range_reader_finish(&reader, &reply), YURPC_PROTOCOL);
    assert_null(reply);
    yr_range_reader_deinit(&reader);
}

static void a_second_answer_is_refused(void **state)
{
    (void)state;
    seen all = {""};
    yr_range_reader reader;
    yr_range_reader_init(&reader, on_kvs, &all);
    assert_ok(add(&reader, answer, 0, ANSWER_LEN, ANSWER_LEN));
    assert_int_equal(add(&reader, answer, 0, ANSWER_LEN, ANSWER_LEN), YURPC_PROTOCOL);
    yr_range_reader_deinit(&reader);
}

static void an_empty_answer_has_no_header(void **state)
{
    (void)state;
    seen all = {""};
    yr_reply *reply = NULL;
    yr_range_reader reader;
    yr_range_reader_init(&reader, on_kvs, &all);
    assert_ok(add(&reader, "", 0, 0, 0));
    assert_ok(yr_range_reader_finish(&reader, &reply));
    assert_int_equal(reply->reply.cluster_id, 0);
    yr_reply_free(reply);
    yr_range_reader_deinit(&reader);
}

static void a_key_longer_than_the_rest_is_refused_before_it_is_awaited(void **state)
{
    (void)state;
    static const char hostile[] = "\x12\xff\xff\xff\x07"
                                  "abcdefghij";
    for (size_t first = 5; first < 10; first++) {
        seen all = {""};
        yr_range_reader reader;
        yr_range_reader_init(&reader, on_kvs, &all);
        assert_int_equal(add(&reader, hostile, 0, first, 1000), YURPC_PROTOCOL);
        assert_true(reader.kept.cap == 0);
        yr_range_reader_deinit(&reader);
    }
}

static void what_is_kept_of_a_long_key_grows_with_what_has_come(void **state)
{
    (void)state;
    enum { LEN = 8 * 1024 * 1024 };
    static const char head[] = "\x12\xfa\xff\xff\x03"; /* all but the last byte */
    seen all = {""};
    yr_range_reader reader;
    yr_range_reader_init(&reader, on_kvs, &all);
    assert_ok(add(&reader, head, 0, 5, LEN));
    assert_true(reader.kept.cap < 1024);
    yr_range_reader_deinit(&reader);
}

static void without_memory_for_a_cut_key_it_fails(void **state)
{
    (void)state;
    seen all = {""};
    yr_range_reader reader;
    yr_range_reader_init(&reader, on_kvs, &all);
    yr_mem_fail_after(0);
    yurpc_status status = add(&reader, answer, 0, 10, ANSWER_LEN);
    yr_mem_fail_after(-1);
    assert_int_equal(status, YURPC_NO_MEMORY);
    yr_range_reader_deinit(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_handed_out_when_its_bytes_are_there),
        cmocka_unit_test(wherever_it_is_cut_the_answer_is_the_same),
        cmocka_unit_test(an_answer_that_has_not_all_come_is_none),
        cmocka_unit_test(a_second_answer_is_refused),
        cmocka_unit_test(an_empty_answer_has_no_header),
        cmocka_unit_test(a_key_longer_than_the_rest_is_refused_before_it_is_awaited),
        cmocka_unit_test(what_is_kept_of_a_long_key_grows_with_what_has_come),
        cmocka_unit_test(without_memory_for_a_cut_key_it_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
