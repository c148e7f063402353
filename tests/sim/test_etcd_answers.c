/* Watches and lists of the etcd client when what comes is odd, on a virtual clock. */
#include "base/bytes.h"
#include "sim/etcd_rig.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 20000, SOON_MS = 100 };

static void watch(sim_rig *rig, watch_log *log, int64_t start_revision)
{
    yr_etcd_watch_options options = {
        .key = yr_bytes_of_text("k/"), .is_prefix = true, .start_revision = start_revision};
    watch_log_init(log, rig->client, &options);
}

static void put_many(sim_rig *rig, int count)
{
    for (int i = 0; i < count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k/%d", i);
        yr_fake_etcd_put(rig->fake, key, "v", 0);
    }
}

/* D59: what "created" says of the store's revision is not what was told. */
static void a_watch_cut_behind_its_creation_begins_where_it_began(void **state)
{
    enum { COUNT = 50, CUTS = 5 };
    sim_rig *rig = *state;
    watch_log log;
    put_many(rig, COUNT);
    yr_fake_rule cut = {.method = "Watch", .times = CUTS, .action = YR_FAKE_CREATED_THEN_CUT};
    yr_fake_etcd_add_rule(rig->fake, &cut);
    watch(rig, &log, 5);
    assert_true(sim_rig_wait_count(rig, &log.events, COUNT - 3, 3 * LIMIT_MS));
    int64_t first = 0;
    int watches = 0;
    for (size_t i = 0; i < yr_fake_etcd_request_count(rig->fake); i++) {
        const yr_fake_request *request = yr_fake_etcd_request(rig->fake, i);
        if (strcmp(request->method, "Watch") == 0) {
            first = first == 0 ? request->revision : first;
            assert_int_equal(request->revision, first);
            watches++;
        }
    }
    assert_int_equal(watches, CUTS + 1);
    yr_sim_run_for(rig->sim, SOON_MS);
    assert_int_equal(log.events, COUNT - 3);
    yr_etcd_watch_stop(log.watch);
}

/* ---- D61 ---- */

enum { KEYS = 8 };

typedef struct monotone {
    int64_t last[KEYS];
    int64_t events;
} monotone;

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    monotone *seen = context;
    for (size_t i = 0; i < changes->count; i++) {
        const yurpc_etcd_kv *kv = &changes->events[i].kv;
        int key = ((const char *)kv->key.data)[2] - '0';
        assert_in_range(key, 0, KEYS - 1);
        assert_true(kv->mod_revision > seen->last[key]);
        seen->last[key] = kv->mod_revision;
        seen->events++;
    }
}

/* A million events: most are old, some come twice, overtaken, early, or in pieces. */
static void a_key_never_goes_back_whatever_events_come(void **state)
{
    enum { PUTS = 5000, OLD = 550, PRIME = 7919, CUT_EVERY = 1000 };
    static const yr_fake_rule faults[] = {
        {.action = YR_FAKE_OLD_EVENTS, .number = OLD},
        {.action = YR_FAKE_OLD_EVENTS, .number = OLD},
        {.action = YR_FAKE_OLD_EVENTS, .number = OLD},
        {.action = YR_FAKE_DUP_EVENTS},
        {.action = YR_FAKE_DELAY, .number = 7},
        {.action = YR_FAKE_EARLY_PROGRESS, .number = 3},
        {.action = YR_FAKE_FRAGMENT, .number = 1},
    };
    static const yr_fake_rule cut = {.action = YR_FAKE_DROP_IN_ANSWER, .number = 10};
    static const yr_etcd_watch_events events = {.on_changes = on_changes};
    sim_rig *rig = *state;
    monotone seen = {.events = 0};
    yr_etcd_watch *watching = NULL;
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("k/"), .is_prefix = true};
    assert_ok(yr_etcd_watch_start(rig->client, &options, &events, &seen, &watching));
    yr_sim_run_for(rig->sim, SOON_MS);
    for (int i = 0; i < PUTS; i++) {
        yr_fake_rule fault = faults[i * PRIME % (int)(sizeof faults / sizeof *faults)];
        fault = i % CUT_EVERY == CUT_EVERY - 1 ? cut : fault;
        char key[16];
        (void)snprintf(key, sizeof key, "k/%d", i * 31 % KEYS);
        fault.method = "Events";
        yr_fake_etcd_clear_rules(rig->fake);
        yr_fake_etcd_add_rule(rig->fake, &fault);
        yr_fake_etcd_put(rig->fake, key, "v", 0);
        yr_sim_run_for(rig->sim, i % 10);
    }
    yr_fake_etcd_clear_rules(rig->fake);
    yr_sim_run_for(rig->sim, LIMIT_MS);
    assert_in_range(seen.events, PUTS / 2, PUTS);
    yr_etcd_watch_stop(watching);
}

/* D67, V14: they come as one change, and nobody asks for the values of before. */
static void a_mass_deletion_is_one_change(void **state)
{
    enum { COUNT = 5000 };
    sim_rig *rig = *state;
    watch_log log;
    int64_t lease = sim_rig_hold(rig, COUNT);
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    assert_int_equal(yr_fake_etcd_revoke(rig->fake, lease), 1);
    assert_true(sim_rig_wait_count(rig, &log.deletions, COUNT, LIMIT_MS));
    assert_in_range(yr_sim_now_ms(rig->sim) - begun_ms, 0, 500);
    assert_int_equal(log.changes, 1);
    yr_etcd_watch_stop(log.watch);
}

/* D58: a live watch that is cancelled is taken up again or ends; it is never silently dead. */
static void a_live_watch_that_is_cancelled_goes_on_or_says_that_it_ended(void **state)
{
    static const struct {
        const char *reason;
        int64_t compacted;
        yurpc_status status; /* OK: it goes on */
    } cases[] = {
        {"", 3, YURPC_COMPACTED},
        {"etcdserver: mvcc: required revision has been compacted", 0, YURPC_COMPACTED},
        {"etcdserver: no leader", 0, YURPC_OK},
        {"rpc error: code = Unavailable desc = etcdserver: server stopped", 0, YURPC_OK},
        {"etcdserver: permission denied", 0, YURPC_DENIED},
        {"mvcc: watcher range is empty", 0, YURPC_INVALID},
        {"mvcc: duplicate watch ID provided on the WatchStream", 0, YURPC_PROTOCOL},
        {"some news", 0, YURPC_REMOTE},
        {"", 0, YURPC_REMOTE},
    };
    sim_rig *rig = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        watch_log log;
        yr_fake_rule cancel = {.method = "Events",
                               .times = 1,
                               .action = YR_FAKE_CANCEL,
                               .number = cases[i].compacted,
                               .text = cases[i].reason};
        watch(rig, &log, 0);
        assert_true(sim_rig_wait_count(rig, &log.fresh, 1, LIMIT_MS));
        yr_fake_etcd_add_rule(rig->fake, &cancel);
        yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
        yr_sim_run_for(rig->sim, SOON_MS);
        if (cases[i].status != YURPC_OK) {
            assert_true(log.is_canceled);
            assert_int_equal(log.status, cases[i].status);
        } else {
            assert_false(log.is_canceled);
            assert_int_equal(log.stale, 1);
            assert_true(sim_rig_wait_count(rig, &log.events, 1, LIMIT_MS));
            yr_etcd_watch_stop(log.watch);
        }
        yr_fake_etcd_clear_rules(rig->fake);
    }
}

/* V12, D63: no watch begins in the future; data that went back end it. */
static void restored_data_end_the_watches_that_saw_more(void **state)
{
    sim_rig *rig = *state;
    watch_log log;
    put_many(rig, 20);
    watch(rig, &log, 2);
    assert_true(sim_rig_wait_count(rig, &log.events, 20, LIMIT_MS));
    int64_t newest = yr_fake_etcd_revision(rig->fake);
    yr_fake_etcd_forget_requests(rig->fake);
    assert_ok(yr_fake_etcd_restore(rig->fake, newest - 10));
    assert_true(sim_rig_wait(rig, &log.is_canceled, LIMIT_MS));
    assert_int_equal(log.status, YURPC_COMPACTED);
    assert_int_equal(rig->regressions, 1);
    assert_int_equal(yr_fake_etcd_count_requests(rig->fake, "Watch", 0), 0);
}

/* B23, V9: who is cut off with a member that has no leader finds another. */
static void a_watch_on_a_member_without_a_leader_moves_to_another(void **state)
{
    enum { NO_LEADER_MS = 3700, RECOVERY_MS = 10000 };
    sim_rig *rig = *state;
    watch_log log;
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    for (int i = 0; i < 6; i++) {
        size_t member = yr_fake_etcd_last_request(rig->fake, "Watch")->member;
        int events = log.events;
        yr_fake_etcd_set_member_isolated(rig->fake, member, true);
        yr_sim_run_for(rig->sim, SOON_MS);
        yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
        assert_true(
            sim_rig_wait_count(rig, &log.events, events + 1, NO_LEADER_MS + RECOVERY_MS));
        assert_int_not_equal(yr_fake_etcd_last_request(rig->fake, "Watch")->member, member);
        yr_fake_etcd_set_member_isolated(rig->fake, member, false);
        yr_sim_run_for(rig->sim, LIMIT_MS);
    }
    yr_etcd_watch_stop(log.watch);
}

/* A5: ten minutes before a closed door. */
static void a_client_knocks_at_a_closed_door_with_full_jitter(void **state)
{
    enum { DOWN_MS = 600000 };
    sim_rig *rig = *state;
    yr_fake_server *server = yr_fake_etcd_server(rig->fake, 0);
    assert_true(sim_rig_wait(rig, &rig->is_connected, LIMIT_MS));
    yr_fake_server_options(server)->drops_new = true;
    yr_fake_etcd_drop_connections(rig->fake);
    uint64_t before = yr_fake_server_stats(server)->connections;
    yr_sim_run_for(rig->sim, DOWN_MS);
    assert_in_range(yr_fake_server_stats(server)->connections - before, 190, 300);
    yr_fake_server_options(server)->drops_new = false;
    assert_true(sim_rig_wait(rig, &rig->is_connected, 5100));
}

/* A12: one endpoint of the list belongs to another cluster. Only its status is ever asked. */
static void two_clusters_are_never_mixed(void **state)
{
    enum { OUTAGE_MS = 60000 };
    sim_rig *rig = *state;
    yr_fake_etcd *foreign = NULL;
    yr_fake_etcd_options other = {.cluster_id = 42};
    yr_etcd *client = NULL;
    watch_log log;
    assert_ok(
        yr_fake_etcd_new(yr_sim_host_io(rig->other_host), "other", 2379, &other, &foreign));
    yr_etcd_options options = {.endpoints = "http://etcd:2379,http://other:2379"};
    yr_etcd_events events = {NULL, NULL};
    yr_fake_etcd_stop(foreign); /* so that the first contact is with ours */
    assert_ok(yr_etcd_new(rig->io, &options, &events, NULL, &client, NULL));
    yr_etcd_watch_options all = {.key = yr_bytes_of_text("k/"), .is_prefix = true};
    watch_log_init(&log, client, &all);
    assert_true(sim_rig_wait_count(rig, &log.created, 1, LIMIT_MS));
    assert_ok(yr_fake_etcd_start(foreign));
    for (int i = 0; i < 3; i++) {
        yr_fake_etcd_stop(rig->fake);
        for (int k = 0; k < 50; k++) {
            yr_fake_etcd_put(foreign, "k/foreign", "v", 0);
        }
        yr_sim_run_for(rig->sim, OUTAGE_MS);
        assert_int_equal(log.events, i);
        assert_ok(yr_fake_etcd_start(rig->fake));
        yr_fake_etcd_put(rig->fake, "k/ours", "v", 0);
        assert_true(sim_rig_wait_count(rig, &log.events, i + 1, LIMIT_MS));
        assert_false(log.is_canceled);
    }
    for (size_t i = 0; i < yr_fake_etcd_request_count(foreign); i++) {
        assert_string_equal(yr_fake_etcd_request(foreign, i)->method, "Status");
    }
    assert_true(yr_fake_etcd_request_count(foreign) > 0);
    yr_etcd_watch_stop(log.watch);
    yr_etcd_close(client, NULL, NULL);
    yr_sim_run_for(rig->sim, SOON_MS);
    yr_fake_etcd_free(foreign);
}

/* B17, B28: a flow that somebody in between forgot: nothing is refused, nothing comes. */
static void a_forgotten_flow_is_noticed_by_its_silence(void **state)
{
    enum { IDLE_MS = 60000, NOTICE_MS = 8000, RECOVERY_MS = 10000 };
    sim_rig *rig = *state;
    watch_log log;
    watch(rig, &log, 0);
    assert_true(sim_rig_wait_count(rig, &log.fresh, 1, LIMIT_MS));
    for (int i = 0; i < 3; i++) {
        yr_sim_run_for(rig->sim, IDLE_MS);
        yr_fake_conn_freeze(yr_fake_server_newest(yr_fake_etcd_server(rig->fake, 0)));
        yr_fake_etcd_put(rig->fake, "k/a", "v", 0);
        assert_true(sim_rig_wait_count(rig, &log.events, i + 1, NOTICE_MS + RECOVERY_MS));
        assert_int_equal(log.stale, i + 1);
    }
    yr_etcd_watch_stop(log.watch);
}

/* D54: as much as may happen between a list and the watch behind it. */
static void nothing_is_missed_between_a_list_and_its_watch(void **state)
{
    enum { RUNS = 1000 };
    static const yurpc_etcd_op_options prefix = {.size = sizeof prefix, .is_prefix = true};
    sim_rig *rig = *state;
    assert_true(sim_rig_wait(rig, &rig->is_connected, LIMIT_MS));
    for (int i = 0; i < RUNS; i++) {
        char key[16];
        etcd_answer list = {0};
        watch_log log;
        yurpc_etcd_op range = {YURPC_ETCD_RANGE, yr_bytes_of_text("k/"), {NULL, 0}, &prefix};
        assert_ok(yr_etcd_do(rig->client, &range, etcd_answer_on_reply, &list, NULL));
        yr_sim_run_for(rig->sim, i % 7); /* before, while and after the list is made */
        (void)snprintf(key, sizeof key, "k/%d", i);
        yr_fake_etcd_put(rig->fake, key, "v", 0);
        assert_true(sim_rig_wait(rig, &list.is_done, LIMIT_MS));
        yr_fake_etcd_put(rig->fake, key, "w", 0);
        watch(rig, &log, list.reply->revision + 1);
        yr_sim_run_for(rig->sim, i % 5);
        yr_fake_etcd_delete(rig->fake, key);
        int missing = (int)(yr_fake_etcd_revision(rig->fake) - list.reply->revision);
        assert_true(sim_rig_wait_count(rig, &log.events, missing, LIMIT_MS));
        assert_int_equal(log.deletions, 1);
        yr_etcd_watch_stop(log.watch);
        etcd_answer_clear(&list);
    }
}

int main(void)
{
#define ON_ONE(test) \
    cmocka_unit_test_setup_teardown(test, sim_rig_set_up_single, sim_rig_tear_down)
#define ON_THREE(test) \
    cmocka_unit_test_setup_teardown(test, sim_rig_set_up_three, sim_rig_tear_down)
    const struct CMUnitTest tests[] = {
        ON_ONE(a_watch_cut_behind_its_creation_begins_where_it_began),
        ON_ONE(a_key_never_goes_back_whatever_events_come),
        ON_ONE(a_mass_deletion_is_one_change),
        ON_ONE(a_live_watch_that_is_cancelled_goes_on_or_says_that_it_ended),
        ON_ONE(restored_data_end_the_watches_that_saw_more),
        ON_THREE(a_watch_on_a_member_without_a_leader_moves_to_another),
        ON_ONE(a_client_knocks_at_a_closed_door_with_full_jitter),
        ON_ONE(two_clusters_are_never_mixed),
        ON_ONE(a_forgotten_flow_is_noticed_by_its_silence),
        ON_ONE(nothing_is_missed_between_a_list_and_its_watch),
    };
#undef ON_ONE
#undef ON_THREE
    return cmocka_run_group_tests_name("etcd_answers", tests, NULL, NULL);
}
