/* Leases and watches of the etcd client when things go wrong, on a virtual clock. */
#include "base/bytes.h"
#include "sim/etcd_rig.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 20000, TTL_S = 30, TTL_MS = 30000, DAY_MS = 86400000, LEASE = 77 };

/* ---- Leases ---- */

static void keep(sim_rig *rig, lease_log *log)
{
    etcd_answer answer = {0};
    yr_etcd_grant grant = {.id = LEASE, .ttl_s = TTL_S, .timeout_ms = 10000};
    yr_etcd_lease lease = {LEASE, TTL_S, yr_io_now_ms(rig->io)};
    assert_ok(yr_etcd_lease_grant(rig->client, &grant, etcd_answer_on_reply, &answer, NULL));
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_OK);
    etcd_answer_clear(&answer);
    lease_log_init(log, rig->client, &lease);
}

static size_t beats(sim_rig *rig)
{
    return yr_fake_etcd_count_requests(rig->fake, "LeaseKeepAlive", 0);
}

static void a_day_has_one_beat_per_third_of_the_ttl(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    yr_sim_run_for(rig->sim, DAY_MS);
    assert_in_range(log.renewals, 8600, 8640);
    assert_in_range(beats(rig), 8600, 8640);
    assert_false(log.is_lost);
    assert_true(yr_fake_etcd_last_request(rig->fake, "LeaseKeepAlive")->has_leader);
    yr_etcd_keepalive_stop(log.keepalive);
    yr_sim_run_for(rig->sim, 60000);
    assert_in_range(beats(rig), 8600, 8640);
}

static void lost_connections_add_no_beats_and_lose_no_lease(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    for (int i = 0; i < 100; i++) {
        yr_fake_etcd_drop_connections(rig->fake);
        yr_sim_run_for(rig->sim, 5000);
    }
    assert_false(log.is_lost);
    assert_in_range(beats(rig), 48, 60); /* 500 s / 10 s, and those that were cut off */
    assert_int_equal(yr_fake_etcd_leases(rig->fake) == NULL, 0);
    yr_etcd_keepalive_stop(log.keepalive);
}

/* However often it was lost: the connection waited, and the stream need not wait again. */
static void a_stream_is_back_as_soon_as_there_is_a_connection(void **state)
{
    enum { NOTICE_MS = 20, SOON_MS = 50, LOSSES = 20, UP_MS = 20000 };
    sim_rig *rig = *state;
    lease_log log;
    watch_log watch;
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("k/"), .is_prefix = true};
    keep(rig, &log);
    watch_log_init(&watch, rig->client, &options);
    assert_true(sim_rig_wait_count(rig, &watch.fresh, 1, UP_MS));
    for (int i = 0; i < LOSSES; i++) {
        yr_fake_etcd_drop_connections(rig->fake);
        yr_sim_run_for(rig->sim, NOTICE_MS);
        assert_true(sim_rig_wait(rig, &rig->is_connected, UP_MS));
        int64_t up_ms = yr_sim_now_ms(rig->sim) - NOTICE_MS;
        yr_sim_run_for(rig->sim, SOON_MS);
        assert_true(yr_fake_etcd_count_requests(rig->fake, "Watch", up_ms) > 0);
    }
    yr_etcd_watch_stop(watch.watch);
    yr_etcd_keepalive_stop(log.keepalive);
}

static void an_unanswered_beat_goes_to_another_connection_in_time(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    assert_true(sim_rig_wait_count(rig, &log.renewals, 1, LIMIT_MS));
    const void *conn = yr_fake_etcd_last_request(rig->fake, "LeaseKeepAlive")->conn;
    sim_rig_once(rig, "LeaseKeepAlive", YR_FAKE_SILENT, 0, NULL);
    int64_t start_ms = yr_sim_now_ms(rig->sim);
    assert_true(sim_rig_wait_count(rig, &log.renewals, 2, LIMIT_MS));
    assert_in_range(yr_sim_now_ms(rig->sim) - start_ms, 13000, 13500);
    assert_true(yr_fake_etcd_last_request(rig->fake, "LeaseKeepAlive")->conn != conn);
    yr_etcd_keepalive_stop(log.keepalive);
}

static void the_deadline_counts_from_when_the_answered_beat_was_sent(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    yr_fake_rule rule = {
        .method = "LeaseKeepAlive", .times = 1, .action = YR_FAKE_DELAY_ANSWER, .number = 2500};
    yr_fake_etcd_add_rule(rig->fake, &rule);
    assert_true(sim_rig_wait_count(rig, &log.renewals, 1, LIMIT_MS));
    int64_t sent_ms = yr_fake_etcd_last_request(rig->fake, "LeaseKeepAlive")->at_ms;
    int64_t deadline_ms = yr_etcd_keepalive_deadline_ms(log.keepalive);
    assert_true(deadline_ms <= sent_ms + TTL_MS);
    assert_true(deadline_ms >= sent_ms + TTL_MS - 10);
    yr_etcd_keepalive_stop(log.keepalive);
}

static void a_lease_without_answers_is_lost_at_its_deadline(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    assert_true(sim_rig_wait_count(rig, &log.renewals, 1, LIMIT_MS));
    int64_t deadline_ms = yr_etcd_keepalive_deadline_ms(log.keepalive);
    yr_fake_etcd_set_silent(rig->fake, true);
    assert_true(sim_rig_wait(rig, &log.is_lost, 40000));
    assert_int_equal(log.status, YURPC_TIMEOUT);
    assert_int_equal(yr_sim_now_ms(rig->sim), deadline_ms);
}

static void no_answer_about_a_lease_harms_it_unless_it_says_so(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    for (int code = 0; code <= 17; code++) {
        sim_rig_once(rig, "LeaseKeepAlive", YR_FAKE_STATUS, code, "x");
        assert_true(sim_rig_wait_count(rig, &log.renewals, log.renewals + 1, 40000));
    }
    yr_fake_rule rule = {
        .method = "LeaseKeepAlive", .times = 1, .action = YR_FAKE_TTL, .number = 1000000};
    yr_fake_etcd_add_rule(rig->fake, &rule);
    assert_true(sim_rig_wait_count(rig, &log.renewals, log.renewals + 1, 40000));
    int64_t left_ms = yr_etcd_keepalive_deadline_ms(log.keepalive) - yr_sim_now_ms(rig->sim);
    assert_true(left_ms <= TTL_MS);
    rule.number = -5;
    yr_fake_etcd_add_rule(rig->fake, &rule);
    assert_true(sim_rig_wait(rig, &log.is_lost, 40000));
    assert_int_equal(log.status, YURPC_LEASE_LOST);
}

/* V1: no error, but an answer without a TTL. */
static void a_revoked_lease_is_lost_with_the_next_beat(void **state)
{
    sim_rig *rig = *state;
    lease_log log;
    keep(rig, &log);
    assert_true(sim_rig_wait_count(rig, &log.renewals, 1, LIMIT_MS));
    assert_int_equal(yr_fake_etcd_revoke(rig->fake, LEASE), 1);
    assert_true(sim_rig_wait(rig, &log.is_lost, TTL_MS / 3 + 100));
    assert_int_equal(log.status, YURPC_LEASE_LOST);
}

/* ---- Watches ---- */

static void watch(sim_rig *rig, watch_log *log, int64_t start_revision)
{
    yr_etcd_watch_options options = {
        .key = yr_bytes_of_text("k/"), .is_prefix = true, .start_revision = start_revision};
    watch_log_init(log, rig->client, &options);
}

static void each_change_is_reported_once_through_lost_connections(void **state)
{
    enum { COUNT = 200 };
    sim_rig *rig = *state;
    watch_log log;
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k/%d", i);
        yr_fake_etcd_put(rig->fake, key, "v", 0);
        if (i % 7 == 0) {
            yr_fake_etcd_drop_connections(rig->fake);
        }
        yr_sim_run_for(rig->sim, i % 3 == 0 ? 0 : 100);
    }
    assert_true(sim_rig_wait_count(rig, &log.events, COUNT, LIMIT_MS));
    yr_sim_run_for(rig->sim, 1000);
    assert_int_equal(log.events, COUNT);
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k/%d", i);
        assert_string_equal(log.keys[i], key);
    }
    assert_int_equal(log.fresh, log.stale + 1);
    yr_etcd_watch_stop(log.watch);
}

static void events_that_come_twice_are_reported_once(void **state)
{
    sim_rig *rig = *state;
    watch_log log;
    yr_fake_rule rule = {.method = "Events", .action = YR_FAKE_DUP_EVENTS};
    yr_fake_etcd_add_rule(rig->fake, &rule);
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    for (int i = 0; i < 10; i++) {
        yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
        yr_sim_run_for(rig->sim, 20);
    }
    assert_int_equal(log.events, 10);
    yr_etcd_watch_stop(log.watch);
}

static void a_revision_cut_between_its_fragments_is_reported_whole(void **state)
{
    enum { COUNT = 50 };
    sim_rig *rig = *state;
    watch_log log;
    int64_t lease = sim_rig_hold(rig, COUNT);
    yr_fake_rule rule = {.method = "Events", .action = YR_FAKE_FRAGMENT, .number = 3};
    yr_fake_etcd_add_rule(rig->fake, &rule);
    yr_sim_set_splitting(rig->sim, true);
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    assert_int_equal(yr_fake_etcd_revoke(rig->fake, lease), 1);
    for (int64_t i = 0; i < 40 && log.changes == 0; i++) {
        yr_sim_run_for(rig->sim, i % 11);
        if (log.changes == 0) {
            yr_fake_etcd_drop_connections(rig->fake);
        }
    }
    yr_sim_run_for(rig->sim, 5000);
    assert_int_equal(log.changes, 1);
    assert_int_equal(log.deletions, COUNT);
    yr_etcd_watch_stop(log.watch);
}

static void a_watch_that_is_refused_for_a_while_is_taken_up_again(void **state)
{
    sim_rig *rig = *state;
    watch_log log;
    yr_fake_rule rules[] = {
        {.method = "Watch",
         .nth = 1,
         .times = 1,
         .action = YR_FAKE_CANCEL,
         .text = "etcdserver: no leader"},
        {.method = "Watch",
         .nth = 2,
         .times = 1,
         .action = YR_FAKE_STATUS,
         .code = 14,
         .text = "etcdserver: no leader"},
        {.method = "Watch", .nth = 3, .times = 1, .action = YR_FAKE_STATUS, .text = ""},
    };
    for (size_t i = 0; i < 3; i++) {
        yr_fake_etcd_add_rule(rig->fake, &rules[i]);
    }
    watch(rig, &log, 0);
    yr_sim_run_for(rig->sim, LIMIT_MS);
    assert_int_equal(yr_fake_etcd_count_requests(rig->fake, "Watch", 0), 4);
    assert_int_equal(log.fresh, log.stale + 1);
    yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
    assert_true(sim_rig_wait_count(rig, &log.events, 1, LIMIT_MS));
    yr_etcd_watch_stop(log.watch);
}

static void a_watch_that_is_refused_for_good_ends(void **state)
{
    static const struct {
        const char *reason;
        yurpc_status status;
    } cases[] = {
        {"etcdserver: permission denied", YURPC_DENIED},
        {"rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
         YURPC_UNAUTHENTICATED},
        {"something new", YURPC_REMOTE},
        {"", YURPC_REMOTE},
    };
    sim_rig *rig = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        watch_log log;
        sim_rig_once(rig, "Watch", YR_FAKE_CANCEL, 0, cases[i].reason);
        watch(rig, &log, 0);
        assert_true(sim_rig_wait(rig, &log.is_canceled, LIMIT_MS));
        assert_int_equal(log.status, cases[i].status);
    }
}

static void a_compacted_watch_ends_after_a_cut(void **state)
{
    sim_rig *rig = *state;
    watch_log log;
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    yr_sim_cut_host(rig->client_host);
    for (int i = 0; i < 20; i++) {
        yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
    }
    yr_fake_etcd_compact(rig->fake, 0);
    assert_true(sim_rig_wait_count(rig, &log.stale, 1, LIMIT_MS));
    yr_fake_etcd_drop_connections(rig->fake);
    yr_sim_heal_all(rig->sim);
    assert_true(sim_rig_wait(rig, &log.is_canceled, LIMIT_MS));
    assert_int_equal(log.status, YURPC_COMPACTED);
    assert_int_equal(log.compact_revision, yr_fake_etcd_revision(rig->fake));
}

static void a_watch_whose_creation_is_not_answered_is_taken_up_on_another_stream(void **state)
{
    sim_rig *rig = *state;
    watch_log log;
    sim_rig_once(rig, "Watch", YR_FAKE_SILENT, 0, NULL);
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
    assert_true(sim_rig_wait_count(rig, &log.changes, 1, LIMIT_MS));
    yr_etcd_watch_stop(log.watch);
}

/* etcd 3.4.23 accepts such a watch, and has lost the deletions of its first revision. */
static void a_watch_from_just_the_compacted_revision_is_not_trusted(void **state)
{
    sim_rig *rig = *state;
    watch_log log;
    yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
    yr_fake_etcd_delete(rig->fake, "k/a");
    yr_fake_etcd_compact(rig->fake, 0);
    watch(rig, &log, yr_fake_etcd_revision(rig->fake));
    assert_true(sim_rig_wait(rig, &log.is_canceled, LIMIT_MS));
    assert_int_equal(log.status, YURPC_COMPACTED);
}

static void a_wiped_store_ends_watches_and_is_never_watched_from_the_future(void **state)
{
    sim_rig *rig = *state;
    watch_log log;
    for (int i = 0; i < 20; i++) {
        yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
    }
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    yr_fake_etcd_forget_requests(rig->fake);
    assert_ok(yr_fake_etcd_restart(rig->fake, true));
    assert_true(sim_rig_wait(rig, &log.is_canceled, LIMIT_MS));
    assert_int_equal(log.status, YURPC_COMPACTED);
    assert_int_equal(log.compact_revision, 0);
    assert_int_equal(rig->regressions, 1);
    assert_int_equal(yr_fake_etcd_count_requests(rig->fake, "Watch", 0), 0);
}

int main(void)
{
#define ON_SIM(test) \
    cmocka_unit_test_setup_teardown(test, sim_rig_set_up_single, sim_rig_tear_down)
    const struct CMUnitTest tests[] = {
        ON_SIM(a_day_has_one_beat_per_third_of_the_ttl),
        ON_SIM(lost_connections_add_no_beats_and_lose_no_lease),
        ON_SIM(a_stream_is_back_as_soon_as_there_is_a_connection),
        ON_SIM(an_unanswered_beat_goes_to_another_connection_in_time),
        ON_SIM(the_deadline_counts_from_when_the_answered_beat_was_sent),
        ON_SIM(a_lease_without_answers_is_lost_at_its_deadline),
        ON_SIM(no_answer_about_a_lease_harms_it_unless_it_says_so),
        ON_SIM(a_revoked_lease_is_lost_with_the_next_beat),
        ON_SIM(each_change_is_reported_once_through_lost_connections),
        ON_SIM(events_that_come_twice_are_reported_once),
        ON_SIM(a_revision_cut_between_its_fragments_is_reported_whole),
        ON_SIM(a_watch_that_is_refused_for_a_while_is_taken_up_again),
        ON_SIM(a_watch_that_is_refused_for_good_ends),
        ON_SIM(a_compacted_watch_ends_after_a_cut),
        ON_SIM(a_watch_whose_creation_is_not_answered_is_taken_up_on_another_stream),
        ON_SIM(a_watch_from_just_the_compacted_revision_is_not_trusted),
        ON_SIM(a_wiped_store_ends_watches_and_is_never_watched_from_the_future),
    };
#undef ON_SIM
    return cmocka_run_group_tests(tests, NULL, NULL);
}
