/* The client's calls against a real etcd. */
#include "base/bytes.h"
#include "rig.h"
#include "yr_test.h"

#include <signal.h>
#include <string.h>

static void what_was_put_is_read_back(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    rig_put(rig, "a/1", "one", 0);
    rig_put(rig, "a/1", "two", 0);
    rig_do(rig, YURPC_ETCD_RANGE, "a/1", NULL, NULL, &answer);
    assert_int_equal(answer.status, YURPC_OK);
    assert_int_equal(answer.reply->kv_count, 1);
    const yurpc_etcd_kv *kv = &answer.reply->kvs[0];
    assert_true(yr_bytes_equal(kv->key, yr_bytes_of_text("a/1")));
    assert_true(yr_bytes_equal(kv->value, yr_bytes_of_text("two")));
    assert_int_equal(kv->version, 2);
    assert_int_equal(kv->mod_revision, answer.reply->revision);
    assert_int_equal(kv->create_revision, answer.reply->revision - 1);
    assert_int_not_equal(answer.reply->cluster_id, 0);
    rig_do(rig, YURPC_ETCD_RANGE, "a/none", NULL, NULL, &answer);
    assert_int_equal(answer.status, YURPC_OK);
    assert_int_equal(answer.reply->kv_count, 0);
    etcd_answer_clear(&answer);
}

static void a_prefix_reads_its_keys_and_no_others(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    const char *keys[] = {"p/", "p/a", "p/\xff", "p0", "o", "q"};
    for (size_t i = 0; i < 6; i++) {
        rig_put(rig, keys[i], "x", 0);
    }
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.is_prefix = true;
    rig_do(rig, YURPC_ETCD_RANGE, "p/", NULL, &options, &answer);
    assert_int_equal(answer.reply->kv_count, 3);
    options.limit = 2;
    options.is_keys_only = true;
    rig_do(rig, YURPC_ETCD_RANGE, "p/", NULL, &options, &answer);
    assert_int_equal(answer.reply->kv_count, 2);
    assert_int_equal(answer.reply->count, 3);
    assert_true(answer.reply->has_more);
    assert_int_equal(answer.reply->kvs[0].value.len, 0);
    options.limit = 0;
    options.is_count_only = true;
    options.is_serializable = true;
    rig_do(rig, YURPC_ETCD_RANGE, "", NULL, &options, &answer);
    assert_int_equal(answer.reply->kv_count, 0);
    assert_true(answer.reply->count >= 6);
    etcd_answer_clear(&answer);
}

static void what_was_there_before_is_given_back(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.has_prev_kv = true;
    rig_put(rig, "prev", "old", 0);
    rig_do(rig, YURPC_ETCD_PUT, "prev", "new", &options, &answer);
    assert_int_equal(answer.reply->kv_count, 1);
    assert_true(yr_bytes_equal(answer.reply->kvs[0].value, yr_bytes_of_text("old")));
    rig_do(rig, YURPC_ETCD_DELETE, "prev", NULL, &options, &answer);
    assert_int_equal(answer.reply->count, 1);
    assert_true(yr_bytes_equal(answer.reply->kvs[0].value, yr_bytes_of_text("new")));
    rig_do(rig, YURPC_ETCD_DELETE, "prev", NULL, &options, &answer);
    assert_int_equal(answer.reply->count, 0);
    etcd_answer_clear(&answer);
}

static void txn(etcd_rig *rig, const yurpc_etcd_compare *compare, etcd_answer *answer)
{
    yurpc_etcd_op then_ops[] = {
        {YURPC_ETCD_PUT, yr_bytes_of_text("t/then"), yr_bytes_of_text("1"), NULL},
        {YURPC_ETCD_RANGE, compare->key, {NULL, 0}, NULL},
        {YURPC_ETCD_DELETE, yr_bytes_of_text("t/none"), {NULL, 0}, NULL}};
    yurpc_etcd_op else_ops[] = {{YURPC_ETCD_RANGE, compare->key, {NULL, 0}, NULL}};
    yurpc_etcd_txn_request request = YURPC_ETCD_TXN_INIT;
    request.compares = compare;
    request.compare_count = 1;
    request.then_ops = then_ops;
    request.then_count = 3;
    request.else_ops = else_ops;
    request.else_count = 1;
    etcd_answer_clear(answer);
    assert_ok(yr_etcd_txn(rig->client, &request, etcd_answer_on_reply, answer, NULL));
    assert_true(rig_wait(rig, &answer->is_done));
    assert_int_equal(answer->status, YURPC_OK);
}

static void a_transaction_does_one_side(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    rig_put(rig, "t/key", "v", 0);
    yurpc_etcd_compare compare = {.key = yr_bytes_of_text("t/key"),
                                  .target = YURPC_ETCD_VALUE,
                                  .relation = YURPC_ETCD_EQUAL,
                                  .value = yr_bytes_of_text("v")};
    txn(rig, &compare, &answer);
    assert_true(answer.reply->is_succeeded);
    assert_int_equal(answer.reply->reply_count, 3);
    assert_int_equal(answer.reply->replies[1]->kv_count, 1);
    int64_t mod_revision = answer.reply->replies[1]->kvs[0].mod_revision;
    assert_int_equal(answer.reply->replies[2]->count, 0);
    compare = (yurpc_etcd_compare){.key = yr_bytes_of_text("t/key"),
                                   .target = YURPC_ETCD_MOD_REVISION,
                                   .relation = YURPC_ETCD_LESS,
                                   .number = mod_revision};
    txn(rig, &compare, &answer);
    assert_false(answer.reply->is_succeeded);
    assert_int_equal(answer.reply->reply_count, 1);
    compare.target = YURPC_ETCD_CREATE_REVISION;
    compare.relation = YURPC_ETCD_EQUAL;
    txn(rig, &compare, &answer);
    assert_true(answer.reply->is_succeeded);
    compare.target = YURPC_ETCD_LEASE;
    compare.number = 0;
    txn(rig, &compare, &answer);
    assert_true(answer.reply->is_succeeded);
    compare.target = YURPC_ETCD_VERSION;
    compare.relation = YURPC_ETCD_GREATER;
    txn(rig, &compare, &answer);
    assert_true(answer.reply->is_succeeded);
    etcd_answer_clear(&answer);
}

static void a_large_value_comes_back_whole_and_a_too_large_one_is_refused(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    enum { LARGE = 1024 * 1024, TOO_LARGE = 1800 * 1024, SIZE = 3 * LARGE };
    static char value[SIZE];
    memset(value, 'x', sizeof value);
    value[LARGE] = '\0';
    rig_put(rig, "large", value, 0);
    rig_do(rig, YURPC_ETCD_RANGE, "large", NULL, NULL, &answer);
    assert_int_equal(answer.reply->kvs[0].value.len, LARGE);
    value[LARGE] = 'x';
    value[TOO_LARGE] = '\0';
    rig_do(rig, YURPC_ETCD_PUT, "large", value, NULL, &answer);
    assert_int_equal(answer.status, YURPC_TOO_LARGE);
    value[TOO_LARGE] = 'x';
    value[sizeof value - 1] = '\0';
    rig_do(rig, YURPC_ETCD_PUT, "large", value, NULL, &answer);
    assert_int_equal(answer.status, YURPC_TOO_LARGE);
    etcd_answer_clear(&answer);
}

static void a_compacted_revision_cannot_be_read(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    rig_put(rig, "c", "1", 0);
    rig_put(rig, "c", "2", 0);
    rig_do(rig, YURPC_ETCD_RANGE, "c", NULL, NULL, &answer);
    int64_t revision = answer.reply->revision;
    etcd_answer_clear(&answer);
    assert_ok(
        yr_etcd_compact(rig->client, revision, NULL, etcd_answer_on_reply, &answer, NULL));
    assert_true(rig_wait(rig, &answer.is_done));
    assert_int_equal(answer.status, YURPC_OK);
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.revision = revision - 1;
    rig_do(rig, YURPC_ETCD_RANGE, "c", NULL, &options, &answer);
    assert_int_equal(answer.status, YURPC_COMPACTED);
    options.revision = revision + 1000;
    rig_do(rig, YURPC_ETCD_RANGE, "c", NULL, &options, &answer);
    assert_int_equal(answer.status, YURPC_INVALID);
    etcd_answer_clear(&answer);
}

static void the_state_of_the_member_is_known(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    assert_ok(yr_etcd_status(rig->client, NULL, etcd_answer_on_reply, &answer, NULL));
    assert_true(rig_wait(rig, &answer.is_done));
    assert_int_equal(answer.reply->version[0], '3');
    assert_int_equal(answer.reply->leader_id, answer.reply->member_id);
    assert_true(answer.reply->db_size > 0);
    etcd_answer_clear(&answer);
}

static void a_cancelled_call_is_silent(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    yr_etcd_call *call;
    yurpc_etcd_op op = {YURPC_ETCD_RANGE, yr_bytes_of_text("a"), {NULL, 0}, NULL};
    assert_ok(yr_etcd_do(rig->client, &op, etcd_answer_on_reply, &answer, &call));
    yr_etcd_call_cancel(call);
    rig_put(rig, "a", "b", 0);
    assert_ok(yr_etcd_do(rig->client, &op, etcd_answer_on_reply, &answer, &call));
    yr_etcd_call_cancel(call);
    rig_put(rig, "a", "c", 0);
    assert_false(answer.is_done);
}

static void closing_cancels_what_is_open(void **state)
{
    (void)state;
    etcd_rig rig;
    etcd_answer answers[2] = {{0}, {0}};
    yurpc_etcd_op op = {YURPC_ETCD_RANGE, yr_bytes_of_text("a"), {NULL, 0}, NULL};
    rig_init(&rig, rig_address());
    assert_ok(yr_etcd_do(rig.client, &op, etcd_answer_on_reply, &answers[0], NULL));
    assert_ok(yr_etcd_do(rig.client, &op, etcd_answer_on_reply, &answers[1], NULL));
    rig_deinit(&rig);
    for (size_t i = 0; i < 2; i++) {
        assert_true(answers[i].is_done);
        assert_int_equal(answers[i].status, YURPC_CANCELED);
    }
}

static void an_endpoint_without_etcd_is_named(void **state)
{
    (void)state;
    etcd_rig rig;
    etcd_answer answer = {0};
    rig_init(&rig, "http://127.0.0.1:1");
    rig_do(&rig, YURPC_ETCD_RANGE, "a", NULL, NULL, &answer);
    assert_int_equal(answer.status, YURPC_UNAVAILABLE);
    assert_string_equal(answer.text, "cannot connect to 127.0.0.1:1: connection refused");
    assert_int_equal(rig.connection_changes, 1);
    assert_false(rig.is_connected);
    rig_deinit(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_read_back, rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_prefix_reads_its_keys_and_no_others, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(what_was_there_before_is_given_back, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_transaction_does_one_side, rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(
            a_large_value_comes_back_whole_and_a_too_large_one_is_refused, rig_set_up,
            rig_tear_down),
        cmocka_unit_test_setup_teardown(a_compacted_revision_cannot_be_read, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(the_state_of_the_member_is_known, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_cancelled_call_is_silent, rig_set_up, rig_tear_down),
        cmocka_unit_test(closing_cancels_what_is_open),
        cmocka_unit_test(an_endpoint_without_etcd_is_named),
    };
    return rig_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
