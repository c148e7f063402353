/* Watches against a real etcd. V11 … are facts about etcd that the client is built on. */
#include "base/bytes.h"
#include "rig.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

static yr_etcd_watch_options prefix(const char *key)
{
    return (yr_etcd_watch_options){.key = yr_bytes_of_text(key), .is_prefix = true};
}

static int64_t current_revision(etcd_rig *rig)
{
    etcd_answer answer = {0};
    rig_do(rig, YURPC_ETCD_RANGE, "none", NULL, NULL, &answer);
    int64_t revision = answer.reply->revision;
    etcd_answer_clear(&answer);
    return revision;
}

static void a_watch_sees_what_happens_under_its_prefix(void **state)
{
    etcd_rig *rig = *state;
    watch_log watch;
    etcd_answer answer = {0};
    yr_etcd_watch_options options = prefix("w1/");
    rig_watch_start(rig, &watch, &options);
    assert_true(rig_wait_count(rig, &watch.created, 1));
    assert_int_equal(watch.fresh, 1);
    rig_put(rig, "w1/a", "1", 0);
    rig_put(rig, "w1", "1", 0);
    rig_put(rig, "w10", "1", 0);
    rig_do(rig, YURPC_ETCD_DELETE, "w1/a", NULL, NULL, &answer);
    assert_true(rig_wait_count(rig, &watch.events, 2));
    assert_int_equal(watch.deletions, 1);
    assert_string_equal(watch.keys[0], "w1/a");
    assert_string_equal(watch.keys[1], "w1/a");
    yr_etcd_watch_stop(watch.watch);
    rig_put(rig, "w1/b", "1", 0);
    assert_int_equal(watch.events, 2);
    etcd_answer_clear(&answer);
}

static void a_watch_from_the_past_catches_up_and_is_fresh_then(void **state)
{
    etcd_rig *rig = *state;
    watch_log watch;
    yr_etcd_watch_options options = prefix("w2/");
    options.start_revision = current_revision(rig) + 1;
    for (int i = 0; i < 100; i++) {
        rig_put(rig, "w2/a", "1", 0);
    }
    rig_put(rig, "other", "1", 0);
    rig_watch_start(rig, &watch, &options);
    assert_true(rig_wait_count(rig, &watch.fresh, 1));
    assert_int_equal(watch.events, 100);
    assert_int_equal(watch.stale, 0);
    yr_etcd_watch_stop(watch.watch);
}

static void many_watches_share_one_stream_and_each_gets_its_own(void **state)
{
    enum { COUNT = 100 };
    static watch_log watches[COUNT];
    etcd_rig *rig = *state;
    for (int i = 0; i < COUNT; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "w3/%d/", i);
        yr_etcd_watch_options options = prefix(key);
        rig_watch_start(rig, &watches[i], &options);
    }
    for (int i = 0; i < COUNT; i += 2) {
        yr_etcd_watch_stop(watches[i].watch);
    }
    for (int i = 1; i < COUNT; i += 2) {
        assert_true(rig_wait_count(rig, &watches[i].created, 1));
    }
    for (int i = 0; i < COUNT; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "w3/%d/x", i);
        rig_put(rig, key, "1", 0);
    }
    for (int i = 1; i < COUNT; i += 2) {
        assert_true(rig_wait_count(rig, &watches[i].events, 1));
        yr_etcd_watch_stop(watches[i].watch);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(watches[i].events, i % 2);
    }
}

static void a_compacted_watch_ends_and_others_go_on(void **state) /* V11 */
{
    etcd_rig *rig = *state;
    watch_log compacted;
    watch_log other;
    etcd_answer answer = {0};
    yr_etcd_watch_options options = prefix("w4/");
    rig_watch_start(rig, &other, &options);
    assert_true(rig_wait_count(rig, &other.created, 1));
    rig_put(rig, "w4/a", "1", 0);
    options.start_revision = current_revision(rig);
    rig_put(rig, "w4/a", "2", 0);
    rig_put(rig, "w4/a", "3", 0);
    int64_t revision = current_revision(rig);
    assert_ok(
        yr_etcd_compact(rig->client, revision, NULL, etcd_answer_on_reply, &answer, NULL));
    assert_true(rig_wait(rig, &answer.is_done));
    rig_watch_start(rig, &compacted, &options);
    assert_true(rig_wait(rig, &compacted.is_canceled));
    assert_int_equal(compacted.status, YURPC_COMPACTED);
    assert_int_equal(compacted.compact_revision, revision);
    rig_put(rig, "w4/a", "4", 0);
    assert_true(rig_wait_count(rig, &other.events, 4));
    yr_etcd_watch_stop(other.watch);
    etcd_answer_clear(&answer);
}

static void a_watch_from_the_future_is_not_left_in_silence(void **state) /* V12 */
{
    etcd_rig *rig = *state;
    watch_log watch;
    yr_etcd_watch_options options = prefix("w5/");
    options.start_revision = current_revision(rig) + 1000;
    rig_watch_start(rig, &watch, &options);
    assert_true(rig_wait(rig, &watch.is_canceled));
    assert_int_equal(watch.status, YURPC_COMPACTED);
    assert_int_equal(watch.compact_revision, 0);
}

static void an_impossible_watch_ends_with_the_reason(void **state) /* V15 */
{
    etcd_rig *rig = *state;
    watch_log bad;
    watch_log good;
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("b"),
                                     .range_end = yr_bytes_of_text("a")};
    rig_watch_start(rig, &bad, &options);
    options = prefix("w6/");
    rig_watch_start(rig, &good, &options);
    assert_true(rig_wait(rig, &bad.is_canceled));
    assert_int_equal(bad.status, YURPC_INVALID);
    assert_non_null(strstr(bad.text, "watcher range is empty"));
    assert_true(rig_wait_count(rig, &good.created, 1));
    rig_put(rig, "w6/a", "1", 0);
    assert_true(rig_wait_count(rig, &good.events, 1));
    yr_etcd_watch_stop(good.watch);
}

static void a_revoked_lease_deletes_its_keys_in_one_change(void **state) /* V14 */
{
    etcd_rig *rig = *state;
    watch_log watch;
    etcd_answer answer = {0};
    int64_t id = (int64_t)(yr_io_random(rig->io) >> 1);
    rig_grant(rig, id, 30, &answer);
    rig_put(rig, "w7/a", "1", id);
    rig_put(rig, "w7/b", "1", id);
    rig_put(rig, "w7/c", "1", id);
    yr_etcd_watch_options options = prefix("w7/");
    options.is_put_ignored = true;
    rig_watch_start(rig, &watch, &options);
    assert_true(rig_wait_count(rig, &watch.created, 1));
    etcd_answer_clear(&answer);
    assert_ok(yr_etcd_lease_revoke(rig->client, id, NULL, etcd_answer_on_reply, &answer, NULL));
    assert_true(rig_wait_count(rig, &watch.deletions, 3));
    assert_int_equal(watch.changes, 1);
    yr_etcd_watch_stop(watch.watch);
    assert_true(rig_wait(rig, &answer.is_done));
    etcd_answer_clear(&answer);
}

static void a_revision_sent_in_fragments_is_reported_whole(void **state) /* V14 */
{
    enum { KEYS = 1200, BATCH = 100 };
    static char value[4096];
    etcd_rig *rig = *state;
    watch_log watch;
    etcd_answer answer = {0};
    int64_t id = (int64_t)(yr_io_random(rig->io) >> 1);
    memset(value, 'v', sizeof value - 1);
    rig_grant(rig, id, 60, &answer);
    yurpc_etcd_op_options put_options = YURPC_ETCD_OP_OPTIONS_INIT;
    put_options.lease = id;
    for (int batch = 0; batch < KEYS / BATCH; batch++) {
        static char keys[BATCH][32];
        yurpc_etcd_op ops[BATCH];
        for (int i = 0; i < BATCH; i++) {
            (void)snprintf(keys[i], sizeof keys[i], "w8/%d", batch * BATCH + i);
            ops[i] = (yurpc_etcd_op){YURPC_ETCD_PUT, yr_bytes_of_text(keys[i]),
                                     yr_bytes_of_text(value), &put_options};
        }
        yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
        txn.then_ops = ops;
        txn.then_count = BATCH;
        etcd_answer_clear(&answer);
        assert_ok(yr_etcd_txn(rig->client, &txn, etcd_answer_on_reply, &answer, NULL));
        assert_true(rig_wait(rig, &answer.is_done));
        assert_int_equal(answer.status, YURPC_OK);
    }
    yr_etcd_watch_options options = prefix("w8/");
    options.has_prev_kv = true;
    rig_watch_start(rig, &watch, &options);
    assert_true(rig_wait_count(rig, &watch.created, 1));
    etcd_answer_clear(&answer);
    assert_ok(yr_etcd_lease_revoke(rig->client, id, NULL, etcd_answer_on_reply, &answer, NULL));
    assert_true(rig_wait_count(rig, &watch.changes, 1));
    assert_int_equal(watch.deletions, KEYS);
    assert_int_equal(watch.changes, 1);
    yr_etcd_watch_stop(watch.watch);
    rig_run_ms(rig, 100);
    etcd_answer_clear(&answer);
}

static void progress_is_reported_when_asked_for(void **state)
{
    etcd_rig *rig = *state;
    watch_log watch;
    etcd_answer answer = {0};
    yr_etcd_watch_options options = prefix("w9/");
    rig_watch_start(rig, &watch, &options);
    assert_true(rig_wait_count(rig, &watch.created, 1));
    rig_put(rig, "other", "1", 0);
    int64_t revision = current_revision(rig);
    assert_ok(yr_etcd_status(rig->client, NULL, etcd_answer_on_reply, &answer, NULL));
    assert_true(rig_wait(rig, &answer.is_done));
    bool is_synced = strcmp(answer.reply->version, "3.4.23") != 0;
    yr_etcd_watch_request_progress(rig->client);
    rig_run_ms(rig, 500);
    assert_int_equal(watch.progress, is_synced ? 1 : 0);
    assert_true(!is_synced || watch.progress_revision == revision);
    yr_etcd_watch_stop(watch.watch);
    etcd_answer_clear(&answer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_watch_sees_what_happens_under_its_prefix, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_watch_from_the_past_catches_up_and_is_fresh_then,
                                        rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(many_watches_share_one_stream_and_each_gets_its_own,
                                        rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_compacted_watch_ends_and_others_go_on, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_watch_from_the_future_is_not_left_in_silence,
                                        rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(an_impossible_watch_ends_with_the_reason, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_revoked_lease_deletes_its_keys_in_one_change,
                                        rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_revision_sent_in_fragments_is_reported_whole,
                                        rig_set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(progress_is_reported_when_asked_for, rig_set_up,
                                        rig_tear_down),
    };
    return rig_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
