/* Ranges whose keys are given as they come, when the connection does what it likes. */
#include "base/bytes.h"
#include "sim/etcd_rig.h"
#include "yr_test.h"

#include <string.h>

enum { LIMIT_MS = 20000, KEYS = 200, SOME_BYTES = 3000, NO_KEY_BYTES = 20 };

typedef struct listing {
    yr_etcd_call *call;
    int keys;
    int keys_max; /* then it is cancelled; 0: never */
    bool is_ended;
    yurpc_status status;
    int64_t revision;
    size_t kv_count; /* in the reply */
} listing;

static void on_kvs(void *context, const yurpc_etcd_kv *kvs, size_t count)
{
    listing *list = context;
    assert_false(list->is_ended);
    for (size_t i = 0; i < count; i++) {
        assert_true(yr_bytes_have_prefix(kvs[i].key, yr_bytes_of_text("k/")));
    }
    list->keys += (int)count;
    if (list->keys_max > 0) {
        assert_true(list->keys - (int)count < list->keys_max);
        if (list->keys >= list->keys_max) {
            yr_etcd_call_cancel(list->call);
        }
    }
}

static void on_reply(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    listing *list = context;
    list->is_ended = true;
    list->status = yurpc_error_status(error);
    list->revision = reply != NULL ? reply->revision : 0;
    list->kv_count = reply != NULL ? reply->kv_count : 0;
}

static void begin(sim_rig *rig, listing *list)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.is_prefix = true;
    yurpc_etcd_op range = {YURPC_ETCD_RANGE, yr_bytes_of_text("k/"), {NULL, 0}, &options};
    assert_ok(yr_etcd_range(rig->client, &range, on_kvs, on_reply, list, &list->call));
}

/* What the client asks for on its own account is behind it. */
static void fill(sim_rig *rig, int count)
{
    (void)sim_rig_hold(rig, count);
    assert_true(sim_rig_wait(rig, &rig->is_connected, LIMIT_MS));
    yr_sim_run_for(rig->sim, LIMIT_MS);
}

static int ranges_of_keys(const sim_rig *rig)
{
    int count = 0;
    for (size_t i = 0; i < yr_fake_etcd_request_count(rig->fake); i++) {
        count += strcmp(yr_fake_etcd_request(rig->fake, i)->method, "Range") == 0;
    }
    return count;
}

static void cut_answer_after(sim_rig *rig, int64_t bytes)
{
    yr_fake_rule cut = {
        .method = "Range", .times = 1, .action = YR_FAKE_DROP_IN_ANSWER, .number = bytes};
    yr_fake_etcd_add_rule(rig->fake, &cut);
}

static void keys_are_given_once_and_are_not_in_the_reply(void **state)
{
    sim_rig *rig = *state;
    listing list = {.keys = 0};
    fill(rig, KEYS);
    begin(rig, &list);
    assert_true(sim_rig_wait(rig, &list.is_ended, LIMIT_MS));
    assert_int_equal(list.status, YURPC_OK);
    assert_int_equal(list.keys, KEYS);
    assert_int_equal(list.kv_count, 0);
    assert_true(list.revision > 0);
}

static void a_range_that_breaks_off_among_its_keys_is_not_repeated(void **state)
{
    sim_rig *rig = *state;
    listing list = {.keys = 0};
    fill(rig, KEYS);
    cut_answer_after(rig, SOME_BYTES);
    int before = ranges_of_keys(rig);
    begin(rig, &list);
    assert_true(sim_rig_wait(rig, &list.is_ended, LIMIT_MS));
    assert_int_equal(list.status, YURPC_UNAVAILABLE);
    assert_in_range(list.keys, 1, KEYS - 1);
    assert_int_equal(ranges_of_keys(rig), before + 1);
}

static void one_that_breaks_off_before_its_first_key_is_repeated(void **state)
{
    sim_rig *rig = *state;
    listing list = {.keys = 0};
    fill(rig, KEYS);
    cut_answer_after(rig, NO_KEY_BYTES);
    begin(rig, &list);
    assert_true(sim_rig_wait(rig, &list.is_ended, LIMIT_MS));
    assert_int_equal(list.status, YURPC_OK);
    assert_int_equal(list.keys, KEYS);
}

static void one_that_is_cancelled_among_its_keys_gives_no_more(void **state)
{
    sim_rig *rig = *state;
    listing list = {.keys_max = 1};
    fill(rig, KEYS);
    begin(rig, &list);
    assert_true(sim_rig_wait_count(rig, &list.keys, 1, LIMIT_MS));
    yr_sim_run_for(rig->sim, LIMIT_MS);
    assert_false(list.is_ended);
    assert_true(list.keys < KEYS);
}

static void two_answers_are_none(void **state)
{
    sim_rig *rig = *state;
    listing list = {.keys = 0};
    fill(rig, 3);
    yr_fake_rule twice = {.method = "Range", .times = 1, .action = YR_FAKE_DUP_ANSWER};
    yr_fake_etcd_add_rule(rig->fake, &twice);
    begin(rig, &list);
    assert_true(sim_rig_wait(rig, &list.is_ended, LIMIT_MS));
    assert_int_equal(list.status, YURPC_PROTOCOL);
    assert_int_equal(list.keys, 3);
}

int main(void)
{
#define ON_ONE(test) \
    cmocka_unit_test_setup_teardown(test, sim_rig_set_up_single, sim_rig_tear_down)
    const struct CMUnitTest tests[] = {
        ON_ONE(keys_are_given_once_and_are_not_in_the_reply),
        ON_ONE(a_range_that_breaks_off_among_its_keys_is_not_repeated),
        ON_ONE(one_that_breaks_off_before_its_first_key_is_repeated),
        ON_ONE(one_that_is_cancelled_among_its_keys_gives_no_more),
        ON_ONE(two_answers_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
