#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "etcd/decode.h"
#include "etcd/encode.h"
#include "etcd/watch_parts.h"
#include "yr_test.h"

#include <string.h>

/* ---- Requests: exact bytes ---- */

static void assert_bytes(const yr_buf *buf, const char *expected, size_t len)
{
    assert_int_equal(buf->len, len);
    assert_memory_equal(buf->data, expected, len);
}

#define ASSERT_BYTES(buf, text) assert_bytes(buf, text, sizeof(text) - 1)

static void a_prefix_ends_before_the_next_key(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *request;
        size_t len;
    } cases[] = {
        {"a/",
         "\x0a\x02"
         "a/"
         "\x12\x02"
         "a0",
         8},
        {"a\xff",
         "\x0a\x02"
         "a\xff"
         "\x12\x01"
         "b",
         7},
        {"\xff\xff", "\x0a\x02\xff\xff\x12\x01\x00", 7},
        {"", "\x0a\x01\x00\x12\x01\x00", 6},
    };
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.is_prefix = true;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        yr_buf out;
        yr_buf_init(&out, 1000);
        yurpc_etcd_op op = {
            YURPC_ETCD_RANGE, yr_bytes_of_text(cases[i].key), {NULL, 0}, &options};
        assert_ok(yr_encode_op(&op, &out));
        assert_bytes(&out, cases[i].request, cases[i].len);
        yr_buf_deinit(&out);
    }
}

static void operations_have_etcds_field_numbers(void **state)
{
    (void)state;
    yr_buf out;
    yr_buf_init(&out, 1000);
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = 300;
    options.has_prev_kv = true;
    options.limit = 7;
    options.revision = 9;
    options.is_serializable = true;
    options.is_keys_only = true;
    options.is_count_only = true;
    yurpc_etcd_op op = {YURPC_ETCD_PUT, yr_bytes_of_text("k"), yr_bytes_of_text("v"), &options};
    assert_ok(yr_encode_op(&op, &out));
    ASSERT_BYTES(&out, "\x0a\x01k\x12\x01v\x18\xac\x02\x20\x01");
    yr_buf_clear(&out);
    op.kind = YURPC_ETCD_RANGE;
    assert_ok(yr_encode_op(&op, &out));
    ASSERT_BYTES(&out, "\x0a\x01k\x18\x07\x20\x09\x38\x01\x40\x01\x48\x01");
    yr_buf_clear(&out);
    op.kind = YURPC_ETCD_DELETE;
    assert_ok(yr_encode_op(&op, &out));
    ASSERT_BYTES(&out, "\x0a\x01k\x18\x01");
    yr_buf_clear(&out);
    assert_ok(yr_encode_lease_grant(5, 30, &out));
    ASSERT_BYTES(&out, "\x08\x1e\x10\x05");
    yr_buf_clear(&out);
    assert_ok(yr_encode_lease_keepalive(5, &out));
    ASSERT_BYTES(&out, "\x08\x05");
    yr_buf_clear(&out);
    yr_etcd_watch_options watch = {.key = yr_bytes_of_text("k"), .is_delete_ignored = true};
    assert_ok(yr_encode_watch_create(3, 8, &watch, &out));
    ASSERT_BYTES(&out, "\x0a\x0e\x0a\x01k\x18\x08\x20\x01\x2a\x01\x01\x38\x03\x40\x01");
    yr_buf_deinit(&out);
}

static void a_transaction_has_conditions_and_two_lists(void **state)
{
    (void)state;
    yr_buf out;
    yr_buf_init(&out, 1000);
    yurpc_etcd_compare compare = {.key = yr_bytes_of_text("k"),
                                  .target = YURPC_ETCD_LEASE,
                                  .relation = YURPC_ETCD_NOT_EQUAL,
                                  .number = 4};
    yurpc_etcd_op then_op = {YURPC_ETCD_DELETE, yr_bytes_of_text("k"), {NULL, 0}, NULL};
    yurpc_etcd_op else_op = {YURPC_ETCD_RANGE, yr_bytes_of_text("k"), {NULL, 0}, NULL};
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.compares = &compare;
    txn.compare_count = 1;
    txn.then_ops = &then_op;
    txn.then_count = 1;
    txn.else_ops = &else_op;
    txn.else_count = 1;
    assert_ok(yr_encode_txn(&txn, &out));
    ASSERT_BYTES(&out, "\x0a\x09\x08\x03\x10\x04\x1a\x01k\x40\x04"
                       "\x12\x05\x1a\x03\x0a\x01k\x1a\x05\x0a\x03\x0a\x01k");
    yr_buf_deinit(&out);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    yr_buf out;
    yr_buf_init(&out, 1000);
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    yurpc_etcd_op op = {YURPC_ETCD_PUT, {NULL, 0}, {NULL, 0}, &options};
    assert_int_equal(yr_encode_op(&op, &out), YURPC_INVALID);
    op.key = yr_bytes_of_text("k");
    op.kind = (yurpc_etcd_op_kind)7;
    assert_int_equal(yr_encode_op(&op, &out), YURPC_INVALID);
    op.kind = YURPC_ETCD_RANGE;
    options.limit = -1;
    assert_int_equal(yr_encode_op(&op, &out), YURPC_INVALID);
    options.limit = 0;
    options.is_prefix = true;
    options.range_end = yr_bytes_of_text("z");
    assert_int_equal(yr_encode_op(&op, &out), YURPC_INVALID);
    options.size = 0;
    assert_int_equal(yr_encode_op(&op, &out), YURPC_INVALID);
    assert_int_equal(yr_encode_lease_grant(-1, 30, &out), YURPC_INVALID);
    assert_int_equal(yr_encode_lease_grant(1, 0, &out), YURPC_INVALID);
    yurpc_etcd_compare compare = {.key = yr_bytes_of_text("k"), .target = (yurpc_etcd_target)9};
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.compares = &compare;
    txn.compare_count = 1;
    assert_int_equal(yr_encode_txn(&txn, &out), YURPC_INVALID);
    compare.target = YURPC_ETCD_VALUE;
    compare.relation = (yurpc_etcd_relation)4;
    assert_int_equal(yr_encode_txn(&txn, &out), YURPC_INVALID);
    assert_int_equal(out.len, 0);
    yr_buf_deinit(&out);
}

static void a_request_past_the_limit_appends_nothing(void **state)
{
    (void)state;
    yr_buf out;
    yr_buf_init(&out, 4);
    yurpc_etcd_op op = {YURPC_ETCD_PUT, yr_bytes_of_text("k"), yr_bytes_of_text("v"), NULL};
    assert_int_equal(yr_encode_op(&op, &out), YURPC_TOO_LARGE);
    assert_int_equal(out.len, 0);
    yr_buf_deinit(&out);
}

/* ---- Replies ---- */

/* Two keys of a range: header {1, 2, 3, 4}; "a" = "x" with all its numbers, and "b". */
#define RANGE                                   \
    "\x0a\x08\x08\x01\x10\x02\x18\x03\x20\x04"  \
    "\x12\x0e\x0a\x01"                          \
    "a"                                         \
    "\x10\x05\x18\x06\x20\x07\x2a\x01x\x30\x08" \
    "\x12\x03\x0a\x01"                          \
    "b"                                         \
    "\x18\x01\x20\x09"

static void a_range_is_read(void **state)
{
    (void)state;
    yr_reply *reply = NULL;
    assert_ok(yr_decode_range(yr_bytes(RANGE, sizeof RANGE - 1), &reply));
    assert_int_equal(reply->reply.cluster_id, 1);
    assert_int_equal(reply->reply.member_id, 2);
    assert_int_equal(reply->reply.revision, 3);
    assert_int_equal(reply->reply.raft_term, 4);
    assert_int_equal(reply->reply.kv_count, 2);
    assert_int_equal(reply->reply.count, 9);
    assert_true(reply->reply.has_more);
    const yurpc_etcd_kv *kv = &reply->reply.kvs[0];
    assert_true(yr_bytes_equal(kv->key, yr_bytes_of_text("a")));
    assert_true(yr_bytes_equal(kv->value, yr_bytes_of_text("x")));
    assert_int_equal(kv->create_revision, 5);
    assert_int_equal(kv->mod_revision, 6);
    assert_int_equal(kv->version, 7);
    assert_int_equal(kv->lease, 8);
    yr_reply_free(reply);
}

/* Try @p decode on each part of @p bytes, and on them with each byte changed. */
static void torment(yr_decode_fn *decode, const char *bytes, size_t len)
{
    char changed[256];
    assert_true(len <= sizeof changed);
    for (size_t cut = 0; cut <= len; cut++) {
        yr_reply *reply = NULL;
        char *exact =
            yr_memdup0(bytes, cut); /* so that the sanitizer sees reads past its end */
        assert_non_null(exact);
        if (decode(yr_bytes(exact, cut), &reply) == YURPC_OK) {
            yr_reply_free(reply);
        }
        yr_free(exact);
    }
    for (size_t i = 0; i < len * 256; i++) {
        yr_reply *reply = NULL;
        memcpy(changed, bytes, len);
        changed[i / 256] = (char)(i % 256);
        if (decode(yr_bytes(changed, len), &reply) == YURPC_OK) {
            yr_reply_free(reply);
        }
    }
}

static void damaged_replies_do_no_harm(void **state)
{
    (void)state;
    static yr_decode_fn *const decoders[] = {
        yr_decode_range,        yr_decode_put,       yr_decode_delete,
        yr_decode_txn,          yr_decode_compact,   yr_decode_lease_grant,
        yr_decode_lease_revoke, yr_decode_lease_ttl, yr_decode_status};
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++) {
        torment(decoders[i], RANGE, sizeof RANGE - 1);
    }
}

static void a_small_message_cannot_take_much_memory(void **state)
{
    (void)state;
    enum { LEN = 400 * 1024 };
    char *bytes = yr_calloc(1, LEN);
    yr_reply *reply = NULL;
    assert_non_null(bytes);
    for (size_t i = 0; i < LEN; i += 2) {
        bytes[i] = 0x12; /* an empty key-value */
    }
    assert_int_equal(yr_decode_range(yr_bytes(bytes, LEN), &reply), YURPC_TOO_LARGE);
    yr_free(bytes);
}

static void an_answer_without_a_lease_is_no_grant(void **state)
{
    (void)state;
    yr_reply *reply = NULL;
    assert_int_equal(yr_decode_lease_grant(yr_bytes("", 0), &reply), YURPC_PROTOCOL);
    assert_int_equal(yr_decode_lease_grant(yr_bytes("\x10\x05", 2), &reply), YURPC_PROTOCOL);
    assert_ok(yr_decode_lease_grant(yr_bytes("\x10\x05\x18\x1e", 4), &reply));
    assert_int_equal(reply->reply.lease, 5);
    assert_int_equal(reply->reply.ttl_s, 30);
    yr_reply_free(reply);
}

static void lack_of_memory_is_returned_at_each_step(void **state)
{
    (void)state;
    yurpc_status status = YURPC_NO_MEMORY;
    for (long n = 0; status == YURPC_NO_MEMORY; n++) {
        yr_reply *reply = NULL;
        yr_mem_fail_after(n);
        status = yr_decode_range(yr_bytes(RANGE, sizeof RANGE - 1), &reply);
        yr_mem_fail_after(-1);
        assert_true((status == YURPC_OK) == (reply != NULL));
        yr_reply_free(reply);
    }
    assert_ok(status);
    status = YURPC_NO_MEMORY;
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.is_prefix = true;
    yurpc_etcd_op op = {YURPC_ETCD_RANGE, yr_bytes_of_text("k"), {NULL, 0}, &options};
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.then_ops = &op;
    txn.then_count = 1;
    for (long n = 0; status == YURPC_NO_MEMORY; n++) {
        yr_buf out;
        yr_buf_init(&out, 1000);
        yr_mem_fail_after(n);
        status = yr_encode_txn(&txn, &out);
        yr_mem_fail_after(-1);
        assert_true(status == YURPC_OK || out.len == 0);
        yr_buf_deinit(&out);
    }
    assert_ok(status);
}

/* ---- Watch ---- */

/* A put of "k" at revision @p revision (one byte), as an event. */
static yr_watch_message *watch_message(char first, char second, bool is_fragment)
{
    char bytes[] = "\x5a\x07\x12\x05\x0a\x01k\x18.\x5a\x07\x12\x05\x0a\x01k\x18.\x38.";
    bytes[8] = first;
    bytes[17] = second;
    bytes[19] = is_fragment ? 1 : 0;
    yr_watch_message *message = NULL;
    assert_ok(yr_decode_watch(yr_bytes(bytes, sizeof bytes - 1), &message));
    assert_int_equal(message->event_count, 2);
    assert_true(message->is_fragment == is_fragment);
    return message;
}

static void parts_are_joined_and_old_events_dropped(void **state)
{
    (void)state;
    yr_watch_parts parts;
    yurpc_etcd_changes changes = {0};
    yr_watch_parts_init(&parts);
    assert_ok(yr_watch_parts_take(&parts, watch_message(4, 5, true)));
    assert_ok(yr_watch_parts_take(&parts, watch_message(5, 4, true)));
    assert_ok(yr_watch_parts_take(&parts, watch_message(5, 6, false)));
    assert_ok(yr_watch_parts_join(&parts, 5, &changes));
    assert_int_equal(changes.count, 4);
    assert_int_equal(changes.revision, 6);
    assert_int_equal(changes.events[0].kv.mod_revision, 5);
    assert_int_equal(changes.events[3].kv.mod_revision, 6);
    yr_watch_parts_deinit(&parts);
    assert_true(yr_watch_parts_is_empty(&parts));
    assert_ok(yr_watch_parts_take(&parts, watch_message(4, 5, false)));
    assert_ok(yr_watch_parts_join(&parts, 6, &changes));
    assert_int_equal(changes.count, 0);
    yr_watch_parts_deinit(&parts);
}

static void an_event_without_a_key_is_a_violation(void **state)
{
    (void)state;
    yr_watch_message *message = NULL;
    assert_int_equal(yr_decode_watch(yr_bytes("\x5a\x00", 2), &message), YURPC_PROTOCOL);
    assert_int_equal(yr_decode_watch(yr_bytes("\x5a\x04\x08\x09\x12\x00", 6), &message),
                     YURPC_PROTOCOL);
    assert_int_equal(yr_decode_watch(yr_bytes("\x5a\x02\x12\x00", 4), &message),
                     YURPC_PROTOCOL);
    assert_ok(yr_decode_watch(yr_bytes("", 0), &message));
    assert_string_equal(message->reason, "");
    yr_watch_message_free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_ends_before_the_next_key),
        cmocka_unit_test(operations_have_etcds_field_numbers),
        cmocka_unit_test(a_transaction_has_conditions_and_two_lists),
        cmocka_unit_test(requests_that_make_no_sense_are_refused),
        cmocka_unit_test(a_request_past_the_limit_appends_nothing),
        cmocka_unit_test(a_range_is_read),
        cmocka_unit_test(damaged_replies_do_no_harm),
        cmocka_unit_test(a_small_message_cannot_take_much_memory),
        cmocka_unit_test(an_answer_without_a_lease_is_no_grant),
        cmocka_unit_test(lack_of_memory_is_returned_at_each_step),
        cmocka_unit_test(parts_are_joined_and_old_events_dropped),
        cmocka_unit_test(an_event_without_a_key_is_a_violation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
