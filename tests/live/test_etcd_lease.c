/* Leases against a real etcd. V1 … are facts about etcd that the client is built on. */
#include "base/bytes.h"
#include "rig.h"
#include "yr_test.h"

#include <inttypes.h>
#include <string.h>

static int64_t random_id(etcd_rig *rig)
{
    return (int64_t)(yr_io_random(rig->io) >> 1);
}

static void revoke(etcd_rig *rig, int64_t id, yurpc_status expected)
{
    etcd_answer answer = {0};
    assert_ok(yr_etcd_lease_revoke(rig->client, id, NULL, etcd_answer_on_reply, &answer, NULL));
    assert_true(rig_wait(rig, &answer.is_done));
    assert_int_equal(answer.status, expected);
    etcd_answer_clear(&answer);
}

static void ask_ttl(etcd_rig *rig, int64_t id, etcd_answer *answer)
{
    yr_etcd_lease_query query = {.id = id, .has_keys = true};
    etcd_answer_clear(answer);
    assert_ok(yr_etcd_lease_ttl(rig->client, &query, etcd_answer_on_reply, answer, NULL));
    assert_true(rig_wait(rig, &answer->is_done));
    assert_int_equal(answer->status, YURPC_OK);
}

static void a_lease_has_the_id_we_chose_and_holds_its_keys(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    int64_t id = random_id(rig);
    rig_grant(rig, id, 30, &answer);
    assert_int_equal(answer.status, YURPC_OK);
    assert_true(answer.reply->lease == id);
    assert_int_equal(answer.reply->ttl_s, 30);
    rig_put(rig, "leased", "x", id);
    ask_ttl(rig, id, &answer);
    assert_int_equal(answer.reply->granted_ttl_s, 30);
    assert_true(answer.reply->ttl_s >= 28);
    assert_int_equal(answer.reply->key_count, 1);
    assert_true(yr_bytes_equal(answer.reply->keys[0], yr_bytes_of_text("leased")));
    revoke(rig, id, YURPC_OK);
    rig_do(rig, YURPC_ETCD_RANGE, "leased", NULL, NULL, &answer);
    assert_int_equal(answer.reply->kv_count, 0);
    etcd_answer_clear(&answer);
}

static void an_unknown_lease_is_lost_or_absent(void **state) /* V2 */
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = random_id(rig);
    rig_do(rig, YURPC_ETCD_PUT, "x", "y", &options, &answer);
    assert_int_equal(answer.status, YURPC_LEASE_LOST);
    assert_string_equal(answer.text, "etcdserver: requested lease not found");
    revoke(rig, options.lease, YURPC_LEASE_LOST);
    ask_ttl(rig, options.lease, &answer);
    assert_int_equal(answer.reply->ttl_s, -1);
    etcd_answer_clear(&answer);
}

static void the_granted_ttl_counts(void **state) /* V3 */
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    int64_t id = random_id(rig);
    rig_grant(rig, id, 1, &answer);
    assert_int_equal(answer.reply->ttl_s, 2);
    revoke(rig, id, YURPC_OK);
    rig_grant(rig, id, 9000000001, &answer);
    assert_int_equal(answer.status, YURPC_INVALID);
    etcd_answer_clear(&answer);
}

static void an_id_that_is_taken_is_refused(void **state) /* V4 */
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    int64_t id = random_id(rig);
    rig_grant(rig, id, 30, &answer);
    assert_int_equal(answer.status, YURPC_OK);
    rig_grant(rig, id, 30, &answer);
    assert_int_equal(answer.status, YURPC_EXISTS);
    revoke(rig, id, YURPC_OK);
    etcd_answer_clear(&answer);
}

static void a_kept_lease_outlives_its_ttl_with_one_beat_per_third(void **state)
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    lease_log keepalive;
    int64_t id = random_id(rig);
    rig_grant(rig, id, 3, &answer);
    rig_keepalive_start(rig, &keepalive, id, answer.reply->ttl_s);
    rig_run_ms(rig, 6500);
    assert_false(keepalive.is_lost);
    assert_in_range(keepalive.renewals, 5, 6);
    int64_t left_ms =
        yr_etcd_keepalive_deadline_ms(keepalive.keepalive) - yr_io_now_ms(rig->io);
    assert_in_range(left_ms, 1900, 3000);
    ask_ttl(rig, id, &answer);
    assert_true(answer.reply->ttl_s >= 1);
    yr_etcd_keepalive_stop(keepalive.keepalive);
    revoke(rig, id, YURPC_OK);
    etcd_answer_clear(&answer);
}

static void a_revoked_lease_is_reported_lost_and_others_go_on(void **state) /* V1 */
{
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    lease_log lost;
    lease_log kept;
    int64_t lost_id = random_id(rig);
    int64_t kept_id = random_id(rig);
    rig_grant(rig, lost_id, 3, &answer);
    rig_grant(rig, kept_id, 3, &answer);
    rig_keepalive_start(rig, &lost, lost_id, 3);
    rig_keepalive_start(rig, &kept, kept_id, 3);
    assert_true(rig_wait_count(rig, &lost.renewals, 1));
    revoke(rig, lost_id, YURPC_OK);
    assert_true(rig_wait(rig, &lost.is_lost));
    assert_int_equal(lost.status, YURPC_LEASE_LOST);
    assert_true(rig_wait_count(rig, &kept.renewals, kept.renewals + 2));
    assert_false(kept.is_lost);
    yr_etcd_keepalive_stop(kept.keepalive);
    revoke(rig, kept_id, YURPC_OK);
    etcd_answer_clear(&answer);
}

static void many_leases_share_one_stream(void **state)
{
    enum { COUNT = 200 };
    static lease_log keepalives[COUNT];
    etcd_rig *rig = *state;
    etcd_answer answer = {0};
    int64_t first_id = random_id(rig) / 2 + 1;
    for (int i = 0; i < COUNT; i++) {
        rig_grant(rig, first_id + i, 3, &answer);
        rig_keepalive_start(rig, &keepalives[i], first_id + i, 3);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(rig_wait_count(rig, &keepalives[i].renewals, 4));
    }
    for (int i = 0; i < COUNT; i++) {
        assert_false(keepalives[i].is_lost);
        yr_etcd_keepalive_stop(keepalives[i].keepalive);
        revoke(rig, first_id + i, YURPC_OK);
    }
    etcd_answer_clear(&answer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lease_has_the_id_we_chose_and_holds_its_keys,
                                        rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_lease_is_lost_or_absent, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(the_granted_ttl_counts, rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(an_id_that_is_taken_is_refused, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_kept_lease_outlives_its_ttl_with_one_beat_per_third,
                                        rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_revoked_lease_is_reported_lost_and_others_go_on,
                                        rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(many_leases_share_one_stream, rig_set_up,
                                        rig_tear_down),
    };
    return rig_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
