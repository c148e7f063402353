/*
 * Faults of the registry and what they may cost providers and consumers at most, one named
 * sentence each, on the virtual clock.
 */
#include "fake/conditions.h"
#include "sim/pair.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SOON_MS = 1000,
    RECOVERY_MS = 10000,
    TTL_MS = YR_FLEET_TTL_MS,
    EXPIRY_MS = TTL_MS + 1000,
    NO_LEADER_MS = 3700,
    SILENCE_MS = 8000,
};

static size_t requests_since(const yr_pair *scene, int64_t since_ms)
{
    return yr_fake_etcd_count_requests(scene->fleet->etcd, NULL, since_ms);
}

static int64_t now_of(const yr_pair *scene)
{
    return yr_sim_now_ms(scene->fleet->sim);
}

/* ---- The cluster ---- */

/* B23: whichever member each of them is on. */
static void a_member_without_a_leader_is_left_by_all(void **state)
{
    (void)state;
    enum { MEMBERS = 3, SEEDS = 5 };
    for (size_t i = 0; i < MEMBERS * SEEDS; i++) {
        yr_pair scene = yr_pair_new(1 + i, MEMBERS);
        yr_pair_run_for(&scene, SOON_MS);
        yr_fake_etcd_set_member_isolated(scene.fleet->etcd, i % MEMBERS, true);
        yr_process *other = yr_fleet_start(scene.fleet, "other");
        yr_process_register(other, SERVICE, 2);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, NO_LEADER_MS + RECOVERY_MS));
        yr_fake_etcd_set_member_isolated(scene.fleet->etcd, i % MEMBERS, false);
        yr_pair_run_for(&scene, RECOVERY_MS);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
        yr_pair_free(&scene);
    }
}

/* B24: at most two requests a second of each; and all is as it was afterwards. */
static void an_outage_of_the_majority_is_waited_for_in_patience(void **state)
{
    (void)state;
    enum { OUTAGE_MS = 40000, PROCESSES = 2, REQUESTS_PER_S = 2 };
    yr_pair scene = yr_pair_new(1, 3);
    yr_pair_run_for(&scene, SOON_MS);
    yr_fake_etcd_set_quorum(scene.fleet->etcd, false);
    int64_t since_ms = now_of(&scene);
    yr_pair_run_for(&scene, OUTAGE_MS);
    assert_string_equal(yr_view_list(scene.view), "10.0.0.1:1 ");
    assert_in_range(requests_since(&scene, since_ms), 1,
                    PROCESSES * REQUESTS_PER_S * OUTAGE_MS / 1000);
    yr_fake_etcd_set_quorum(scene.fleet->etcd, true);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    yr_pair_run_for(&scene, EXPIRY_MS);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
    yr_pair_free(&scene);
}

/* A9: one after the other, and each comes back before the next goes. */
static void a_rolling_restart_takes_nobody_off_any_list(void **state)
{
    (void)state;
    enum { MEMBERS = 3, DOWN_MS = 1000, PAUSE_MS = 5000 };
    for (uint64_t seed = 1; seed <= 10; seed++) {
        yr_pair scene = yr_pair_new(seed, MEMBERS);
        int64_t lease = yr_fake_etcd_get(scene.fleet->etcd, yr_pair_key)->lease;
        for (size_t i = 0; i < MEMBERS; i++) {
            yr_fake_etcd_set_member_down(scene.fleet->etcd, i, true);
            yr_pair_run_for(&scene, DOWN_MS);
            yr_fake_etcd_set_member_down(scene.fleet->etcd, i, false);
            yr_pair_run_for(&scene, PAUSE_MS);
        }
        assert_int_equal(yr_fake_etcd_get(scene.fleet->etcd, yr_pair_key)->lease, lease);
        assert_int_equal(scene.view->downs, 0);
        assert_int_equal(scene.wanted->losses, 0);
        yr_pair_free(&scene);
    }
}

/* C35: every second write of that time takes effect although it is refused. */
static void a_registration_during_an_election_ends_in_one_key(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        yr_pair scene = yr_pair_new(seed, 3);
        size_t leader = yr_fake_etcd_leader(scene.fleet->etcd);
        yr_wanted *leaving = yr_process_register(scene.provider, SERVICE, 2);
        yr_pair_run_for(&scene, (int64_t)seed * 7);
        yr_fake_etcd_set_member_down(scene.fleet->etcd, leader, true);
        yr_process_register(scene.provider, SERVICE, 3);
        yr_process_unregister(scene.provider, leaving);
        yr_pair_run_for(&scene, SOON_MS);
        yr_process_register(scene.provider, SERVICE, 4);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, 2 * RECOVERY_MS));
        yr_fake_etcd_set_member_down(scene.fleet->etcd, leader, false);
        yr_pair_run_for(&scene, 2 * RECOVERY_MS);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
        yr_pair_free(&scene);
    }
}

/* ---- Leases ---- */

/* C34: a hundred grants whose answers come too late leave one lease. */
static void grants_that_are_answered_too_late_leave_one_lease(void **state)
{
    (void)state;
    enum { GRANTS = 100, LATE_MS = 60000, LIMIT_MS = 3600000, PIECE_MS = 5000 };
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_fake_rule late = {
        .method = "LeaseGrant", .action = YR_FAKE_DELAY_ANSWER, .number = LATE_MS};
    yr_fake_etcd_add_rule(fleet->etcd, &late);
    yr_process_register(yr_fleet_start(fleet, "provider"), SERVICE, 1);
    size_t most = 0;
    for (int64_t ms = 0; ms < LIMIT_MS; ms += PIECE_MS) {
        yr_sim_run_for(fleet->sim, PIECE_MS);
        size_t leases = yr_fake_etcd_leases(fleet->etcd)->count;
        most = leases > most ? leases : most;
        if (yr_fake_etcd_count_requests(fleet->etcd, "LeaseGrant", 0) >= GRANTS) {
            break;
        }
    }
    assert_true(yr_fake_etcd_count_requests(fleet->etcd, "LeaseGrant", 0) >= GRANTS);
    assert_int_equal(most, 1);
    yr_fake_etcd_clear_rules(fleet->etcd);
    assert_null(yr_fleet_settle(fleet, SERVICE, RECOVERY_MS));
    assert_int_equal(yr_fake_etcd_leases(fleet->etcd)->count, 1);
    yr_fleet_free(fleet);
}

/* C31: the lease is revoked, and each keepalive says that all is well. */
static void a_lease_that_only_seems_to_live_is_found_out(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_fake_rule lie = {
        .method = "LeaseKeepAlive", .action = YR_FAKE_TTL, .number = TTL_MS / 1000};
    yr_fake_etcd_add_rule(scene.fleet->etcd, &lie);
    assert_int_equal(yr_fake_etcd_revoke_all(scene.fleet->etcd), 1);
    yr_pair_run_for(&scene, EXPIRY_MS);
    yr_fake_etcd_clear_rules(scene.fleet->etcd);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
    yr_pair_free(&scene);
}

/* C45, V22 */
static void a_full_disk_costs_no_registration_and_little_noise(void **state)
{
    (void)state;
    enum { FULL_MS = 300000, MINUTES = 5, NEWS = 2, REQUESTS = 3 * FULL_MS / 1000 };
    yr_pair scene = yr_pair_new(1, 1);
    yr_pair_run_for(&scene, SOON_MS);
    yr_fake_etcd_set_full(scene.fleet->etcd, true);
    yr_pair_run_for(&scene, FULL_MS);
    assert_int_equal(scene.view->downs, 0);
    assert_int_equal(scene.wanted->losses, 0);
    /* Whoever loses its lease now stays away, and asks without haste. */
    size_t warnings = scene.provider->warnings;
    int64_t since_ms = now_of(&scene);
    assert_int_equal(yr_fake_etcd_revoke_all(scene.fleet->etcd), 1);
    yr_pair_run_for(&scene, FULL_MS);
    assert_string_equal(yr_fleet_registered(scene.fleet, SERVICE), "");
    /* That key and lease are gone, and then once a minute why it is not there again. */
    assert_in_range(scene.provider->warnings - warnings, NEWS + MINUTES - 1, NEWS + MINUTES);
    assert_int_equal(scene.wanted->losses, 1);
    assert_in_range(requests_since(&scene, since_ms), 1, REQUESTS);
    yr_fake_etcd_set_full(scene.fleet->etcd, false);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    yr_pair_free(&scene);
}

/* C46: not lost, not given up, and at most one request a second after 3 s. */
static void an_overloaded_server_is_asked_less_and_less(void **state)
{
    (void)state;
    enum { LESS_MS = 3000, LATER_MS = 10000 };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        yr_fleet *fleet = yr_fleet_new(seed, false);
        yr_process *provider = yr_fleet_start(fleet, "provider");
        yr_sim_run_for(fleet->sim, SOON_MS);
        size_t overload = yr_fake_condition_find("there are too many requests");
        yr_fake_condition_begin(fleet->etcd, overload, 0);
        yr_process_register(provider, SERVICE, 1);
        yr_sim_run_for(fleet->sim, LESS_MS);
        int64_t since_ms = yr_sim_now_ms(fleet->sim);
        yr_sim_run_for(fleet->sim, LATER_MS);
        size_t requests = yr_fake_etcd_count_requests(fleet->etcd, NULL, since_ms);
        assert_in_range(requests, 1, LATER_MS / 1000);
        yr_fake_condition_end(fleet->etcd, overload);
        assert_null(yr_fleet_settle(fleet, SERVICE, RECOVERY_MS));
        yr_fleet_free(fleet);
    }
}

/* ---- Every status ---- */

/* C44: 0 … 17 as the answer to each kind of request. */
static void every_status_as_every_answer_is_survived(void **state)
{
    (void)state;
    enum { CODES = 18, DURING_MS = 3000 };
    static const char *const methods[] = {"LeaseGrant", "Txn", "LeaseKeepAlive", "Watch",
                                          "Range"};
    size_t wrong = 0;
    for (size_t i = 0; i < CODES * sizeof methods / sizeof *methods; i++) {
        yr_pair scene = yr_pair_new(1 + i, 1);
        yr_fake_rule rule = {.method = methods[i / CODES],
                             .action = YR_FAKE_STATUS,
                             .code = (int)(i % CODES),
                             .text = "x"};
        yr_fake_etcd_add_rule(scene.fleet->etcd, &rule);
        yr_process_register(scene.provider, SERVICE, 2);
        yr_process_register(yr_fleet_start(scene.fleet, "other"), SERVICE, 3);
        yr_fake_etcd_drop_connections(scene.fleet->etcd);
        yr_pair_run_for(&scene, DURING_MS);
        yr_fake_etcd_clear_rules(scene.fleet->etcd);
        const char *complaint = yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS);
        if (complaint != NULL) {
            printf("%s, code %d: %s\n", rule.method, rule.code, complaint);
            wrong++;
        }
        yr_pair_free(&scene);
    }
    assert_int_equal(wrong, 0);
}

/* ---- Races ---- */

static uint64_t runs = 1000; /* of each race */

/* C50: whatever is late, what was unregistered is absent at the end. */
static void what_was_unregistered_stays_away_whatever_is_late(void **state)
{
    (void)state;
    enum { LATE_MS = 3000, TOGETHER_MS = 400, END_MS = 20000 };
    static const char *const methods[] = {"Txn", "Range", "LeaseGrant", "Watch", "Events"};
    size_t wrong = 0;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        yr_fleet *fleet = yr_fleet_new(seed, false);
        yr_process *provider = yr_fleet_start(fleet, "provider");
        for (int i = 0; i < 3; i++) {
            bool is_answer = yr_sim_random_below(fleet->sim, 2) == 0;
            const char *method = methods[yr_sim_random_below(fleet->sim, 5)];
            bool is_event = strcmp(method, "Events") == 0 || strcmp(method, "Watch") == 0;
            yr_fake_rule late = {.method = method,
                                 .nth = 1 + (uint32_t)yr_sim_random_below(fleet->sim, 3),
                                 .times = 1,
                                 .action = is_answer && !is_event ? YR_FAKE_DELAY_ANSWER
                                                                  : YR_FAKE_DELAY,
                                 .number = (int64_t)yr_sim_random_below(fleet->sim, LATE_MS)};
            yr_fake_etcd_add_rule(fleet->etcd, &late);
        }
        yr_process_register(provider, SERVICE, 2); /* keeps the session */
        yr_wanted *leaving = yr_process_register(provider, SERVICE, 1);
        yr_sim_run_for(fleet->sim, (int64_t)yr_sim_random_below(fleet->sim, TOGETHER_MS));
        yr_process_unregister(provider, leaving);
        if (seed % 4 == 0) {
            yr_sim_reset_connections(provider->host);
        }
        yr_sim_run_for(fleet->sim, END_MS);
        if (strcmp(yr_fleet_registered(fleet, SERVICE), "10.0.0.1:2 ") != 0) {
            printf("seed %llu: [%s]\n", (unsigned long long)seed,
                   yr_fleet_registered(fleet, SERVICE));
            wrong++;
        }
        yr_fleet_free(fleet);
    }
    assert_int_equal(wrong, 0);
}

/* D54: a thousand services come up while somebody begins to follow them. */
static void nothing_is_missed_by_whoever_begins_to_follow(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        yr_fleet *fleet = yr_fleet_new(seed, false);
        yr_process *provider = yr_fleet_start(fleet, "provider");
        yr_process_register(provider, SERVICE, 1);
        yr_process *consumer = yr_fleet_start(fleet, "consumer");
        yr_sim_run_for(fleet->sim, 100);
        yr_process_follow(consumer, SERVICE);
        for (uint16_t port = 2; port < 7; port++) {
            yr_sim_run_for(fleet->sim, (int64_t)yr_sim_random_below(fleet->sim, 6));
            yr_wanted *wanted = yr_process_register(provider, SERVICE, port);
            if (port % 2 == 0) {
                yr_sim_run_for(fleet->sim, (int64_t)yr_sim_random_below(fleet->sim, 20));
                yr_process_unregister(provider, wanted);
            }
        }
        assert_null(yr_fleet_settle(fleet, SERVICE, SOON_MS));
        yr_fleet_free(fleet);
    }
}

/* D56, V11: twenty put, three deleted, all compacted: one list, and three are told as gone. */
static void a_compacted_outage_costs_one_list(void **state)
{
    (void)state;
    enum { PUTS = 20, OUTAGE_MS = 12000 };
    yr_pair scene = yr_pair_new(1, 1);
    yr_process *other = yr_fleet_start(scene.fleet, "other");
    yr_wanted *leaving[3];
    for (uint16_t i = 0; i < 3; i++) {
        leaving[i] = yr_process_register(other, SERVICE, (uint16_t)(2 + i));
    }
    yr_process_register(other, SERVICE, 5);
    yr_process_register(other, SERVICE, 6);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, SOON_MS));
    size_t lists = scene.consumer->registry->core.counters.lists;
    yr_sim_cut_host(scene.consumer->host);
    for (int i = 0; i < PUTS; i++) {
        yr_fake_etcd_put(scene.fleet->etcd, "/other", "x", 0);
    }
    for (size_t i = 0; i < 3; i++) {
        yr_process_unregister(other, leaving[i]);
    }
    yr_pair_run_for(&scene, OUTAGE_MS);
    yr_fake_etcd_compact(scene.fleet->etcd, 0);
    yr_sim_heal_all(scene.fleet->sim);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:5 10.0.0.1:6 ", RECOVERY_MS));
    assert_int_equal(scene.view->downs, 3);
    assert_int_equal(scene.consumer->registry->core.counters.lists, lists + 1);
    yr_pair_free(&scene);
}

/* ---- The network ---- */

/* A8, V20: FIN without a word, as from a server that is told to stop. */
static void an_orderly_goodbye_of_the_server_costs_nothing(void **state)
{
    (void)state;
    enum { BACK_MS = 2000 };
    yr_pair scene = yr_pair_new(1, 2);
    for (int i = 0; i < 5; i++) {
        yr_pair_run_for(&scene, RECOVERY_MS);
        for (size_t member = 0; member < 2; member++) {
            yr_fake_conn *conn =
                yr_fake_server_newest(yr_fake_etcd_server(scene.fleet->etcd, member));
            for (; conn != NULL; conn = yr_fake_conn_older(conn)) {
                yr_fake_conn_finish(conn);
            }
        }
        yr_pair_run_for(&scene, BACK_MS);
        assert_false(scene.view->is_told_stale);
        assert_int_equal(yurpc_registration_get_state(scene.wanted->registration),
                         YURPC_REGISTERED);
    }
    assert_int_equal(scene.view->downs + scene.wanted->losses, 0);
    yr_pair_free(&scene);
}

/* B29: a link that is there for 2 s and away for 2 s, for two minutes. */
static void a_flapping_link_costs_no_more_than_the_leases_it_really_cost(void **state)
{
    (void)state;
    enum { FLAPS = 30, FLAP_MS = 2000 };
    yr_pair scene = yr_pair_new(1, 1);
    size_t leases = scene.provider->registry->core.counters.leases_lost;
    for (int i = 0; i < FLAPS; i++) {
        yr_sim_cut_host(scene.provider->host);
        yr_pair_run_for(&scene, FLAP_MS);
        yr_sim_heal_all(scene.fleet->sim);
        yr_pair_run_for(&scene, FLAP_MS);
    }
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    leases = scene.provider->registry->core.counters.leases_lost - leases;
    assert_in_range(scene.provider->registry->core.counters.announcements, 1, leases + 1);
    yr_pair_free(&scene);
}

/* B18: what the registry says does not arrive any more; what it is told does. */
static void a_one_way_cut_is_noticed_by_its_silence(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_pair_run_for(&scene, SOON_MS);
    yr_sim_cut_one_way(scene.fleet->etcd_host, scene.consumer->host);
    yr_pair_run_for(&scene, SILENCE_MS + SOON_MS);
    assert_true(yurpc_snapshot_is_stale(yr_snapshot_cell_current(scene.view->entry->cell)));
    yr_process_register(scene.provider, SERVICE, 2);
    yr_pair_run_for(&scene, SOON_MS);
    yr_sim_heal_all(scene.fleet->sim);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    yr_pair_free(&scene);
}

/* Instances of one host, with so many bytes more in each value. */
static void put_many(yr_fleet *fleet, int count, int filler_len)
{
    for (int i = 0; i < count; i++) {
        char name[128];
        char value[2048];
        (void)snprintf(name, sizeof name, "/rpc/" SERVICE "/10.0.0.1:%d", 10000 + i);
        (void)snprintf(value, sizeof value,
                       "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
                       "\"serviceHost\":\"10.0.0.1\",\"servicePort\":%d,\"filler\":\"%0*d\"}",
                       10000 + i, filler_len, 0);
        yr_fake_etcd_put(fleet->etcd, name, value, 0);
    }
}

/* Follow a service, and see that so many of it are known in time. */
static void expect_listed(yr_fleet *fleet, size_t count, int64_t within_ms)
{
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_directory *directory = &consumer->registry->directory;
    yr_entry *entry = NULL;
    assert_ok(yr_directory_open(directory, SERVICE, &entry));
    yr_sim_run_for(fleet->sim, within_ms);
    assert_int_equal(yurpc_snapshot_count(yr_snapshot_cell_current(entry->cell)), count);
    yr_directory_close(directory, entry);
}

/* D65, in the small: ten thousand instances of 1 KiB come in pages, well within 3 s. */
static void a_service_of_ten_thousand_is_listed_in_time(void **state)
{
    (void)state;
    enum { COUNT = 10000, FILLER_LEN = 900, SYNC_MS = 3000 };
    yr_fleet *fleet = yr_fleet_new(1, false);
    put_many(fleet, COUNT, FILLER_LEN);
    expect_listed(fleet, COUNT, SYNC_MS);
    assert_true(yr_fake_etcd_count_requests(fleet->etcd, "Range", 0) > 1);
    yr_fleet_free(fleet);
}

/*
 * A page of a large service takes a busy etcd as long as the whole list would, because it
 * counts all of it each time: pages must not stay small for that.
 */
static void a_server_that_thinks_long_over_each_page_is_asked_for_few(void **state)
{
    (void)state;
    enum { COUNT = 10000, THINKING_MS = 1500, PAGES = 6, SYNC_MS = (PAGES + 1) * THINKING_MS };
    yr_fleet *fleet = yr_fleet_new(1, false);
    put_many(fleet, COUNT, 1);
    yr_fake_rule rule = {
        .method = "Range", .action = YR_FAKE_DELAY_ANSWER, .number = THINKING_MS};
    yr_fake_etcd_add_rule(fleet->etcd, &rule);
    expect_listed(fleet, COUNT, SYNC_MS);
    assert_in_range(yr_fake_etcd_count_requests(fleet->etcd, "Range", 0), 2, PAGES);
    yr_fleet_free(fleet);
}

/*
 * A busy etcd takes longer over each watch than a follow waits for it. Asking anew in the same
 * rhythm for ever would keep it busy: ten thousand follows of one consumer did that.
 */
static void a_server_that_is_slow_with_watches_is_given_more_and_more_time(void **state)
{
    (void)state;
    enum { COUNT = 10, THINKING_MS = 12000, SYNC_MS = 60000 };
    enum { LISTS = 4 + SYNC_MS / YR_FLEET_RECONCILE_MS }; /* the latter come in any case */
    yr_fleet *fleet = yr_fleet_new(1, false);
    put_many(fleet, COUNT, 1);
    yr_fake_rule rule = {.method = "Watch", .action = YR_FAKE_DELAY, .number = THINKING_MS};
    yr_fake_etcd_add_rule(fleet->etcd, &rule);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_directory *directory = &consumer->registry->directory;
    yr_entry *entry = NULL;
    assert_ok(yr_directory_open(directory, SERVICE, &entry));
    yr_sim_run_for(fleet->sim, SYNC_MS);
    const yurpc_snapshot *now = yr_snapshot_cell_current(entry->cell);
    assert_int_equal(yurpc_snapshot_count(now), COUNT);
    assert_false(yurpc_snapshot_is_stale(now));
    assert_in_range(yr_fake_etcd_count_requests(fleet->etcd, "Range", 0), 1, LISTS);
    yr_directory_close(directory, entry);
    yr_fleet_free(fleet);
}

/* D66: more than a message may hold: smaller pages, and what is good among the junk comes. */
static void a_list_that_is_too_large_for_one_message_comes_in_smaller_pages(void **state)
{
    (void)state;
    enum { JUNK = 100, JUNK_LEN = 1024 * 1024, REQUESTS = 20 };
    static char junk[JUNK_LEN + 1];
    yr_pair scene = yr_pair_new(1, 1);
    memset(junk, 'x', JUNK_LEN);
    for (int i = 0; i < JUNK; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "/rpc/" SERVICE "/10.0.0.2:%d", 10000 + i);
        yr_fake_etcd_put(scene.fleet->etcd, name, junk, 0);
    }
    yr_process *late = yr_fleet_start(scene.fleet, "late");
    yr_pair_run_for(&scene, SOON_MS);
    int64_t since_ms = now_of(&scene);
    yr_view *view = yr_process_follow(late, SERVICE);
    assert_true(yr_view_becomes(view, "10.0.0.1:1 ", RECOVERY_MS));
    size_t lists = yr_fake_etcd_count_requests(scene.fleet->etcd, "Range", since_ms);
    assert_in_range(lists, 3, REQUESTS);
    yr_pair_free(&scene);
}

/* D66, afterwards: what made answers too large is gone, and lists are few large pages again. */
static void pages_that_had_to_be_small_grow_again(void **state)
{
    (void)state;
    enum { COUNT = 400, LISTS = 10, REQUESTS = 12 };
    enum { LIST_MS = YR_FLEET_RECONCILE_MS * 6 / 5 };
    yr_pair scene = yr_pair_new(1, 1);
    yr_fake_etcd *etcd = scene.fleet->etcd;
    for (int i = 0; i < COUNT; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "/rpc/" SERVICE "/10.0.0.2:%d", 10000 + i);
        yr_fake_etcd_put(etcd, name, "{}", 0);
    }
    yr_fake_rule rule = {.method = "Range", .action = YR_FAKE_HUGE_HEADERS, .number = 40000};
    yr_fake_etcd_add_rule(etcd, &rule);
    yr_pair_run_for(&scene, LIST_MS);
    yr_fake_etcd_clear_rules(etcd);
    yr_pair_run_for(&scene, LIST_MS);
    int64_t since_ms = now_of(&scene);
    yr_pair_run_for(&scene, LIST_MS);
    assert_true(yr_fake_etcd_count_requests(etcd, "Range", since_ms) > COUNT / 4);
    yr_pair_run_for(&scene, LISTS * LIST_MS);
    since_ms = now_of(&scene);
    yr_pair_run_for(&scene, LIST_MS);
    assert_in_range(yr_fake_etcd_count_requests(etcd, "Range", since_ms), 1, REQUESTS);
    yr_pair_free(&scene);
}

/* G111, G112: an old server, or a proxy in front of it, that knows nothing of progress. */
static void a_server_without_progress_serves_all_the_same(void **state)
{
    (void)state;
    enum { BUSY_MS = 30000, STEP_MS = 3, LISTS = 8, DROP_EVERY = 7000 };
    static const yr_fake_rule refusals[] = {
        {.method = "WatchProgress", .action = YR_FAKE_SILENT},
        {.method = "WatchProgress", .action = YR_FAKE_STATUS, .code = 12, .text = "unknown"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        yr_fleet *fleet = yr_fleet_new(1, false);
        yr_fake_etcd_add_rule(fleet->etcd, &refusals[i]);
        yr_process *consumer = yr_fleet_start(fleet, "consumer");
        yr_view *view = yr_process_follow(consumer, SERVICE);
        yr_process *provider = yr_fleet_start(fleet, "provider");
        size_t stales = 0;
        for (int64_t ms = 0; ms < BUSY_MS; ms += STEP_MS) {
            yr_fake_etcd_put(fleet->etcd, "/other", "x", 0); /* the store is never still */
            yr_sim_run_for(fleet->sim, STEP_MS);
            stales = ms < BUSY_MS / 2 ? view->stales : stales;
            if (ms == BUSY_MS / 3 / STEP_MS * STEP_MS) {
                yr_sim_reset_connections(consumer->host);
            }
        }
        yr_process_register(provider, SERVICE, 1);
        assert_true(yr_view_becomes(view, "10.0.0.1:1 ", SOON_MS));
        assert_false(yurpc_snapshot_is_stale(yr_snapshot_cell_current(view->entry->cell)));
        assert_int_equal(view->stales, stales);
        assert_in_range(consumer->registry->core.counters.lists, 1, LISTS);
        yr_fleet_free(fleet);
    }
}

/* test_sim_faults [RUNS]: how often each race is run. */
int main(int argc, char **argv)
{
    if (argc > 1) {
        runs = strtoull(argv[1], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_without_a_leader_is_left_by_all),
        cmocka_unit_test(an_outage_of_the_majority_is_waited_for_in_patience),
        cmocka_unit_test(a_rolling_restart_takes_nobody_off_any_list),
        cmocka_unit_test(a_registration_during_an_election_ends_in_one_key),
        cmocka_unit_test(grants_that_are_answered_too_late_leave_one_lease),
        cmocka_unit_test(a_lease_that_only_seems_to_live_is_found_out),
        cmocka_unit_test(a_full_disk_costs_no_registration_and_little_noise),
        cmocka_unit_test(an_overloaded_server_is_asked_less_and_less),
        cmocka_unit_test(every_status_as_every_answer_is_survived),
        cmocka_unit_test(what_was_unregistered_stays_away_whatever_is_late),
        cmocka_unit_test(nothing_is_missed_by_whoever_begins_to_follow),
        cmocka_unit_test(a_compacted_outage_costs_one_list),
        cmocka_unit_test(an_orderly_goodbye_of_the_server_costs_nothing),
        cmocka_unit_test(a_flapping_link_costs_no_more_than_the_leases_it_really_cost),
        cmocka_unit_test(a_one_way_cut_is_noticed_by_its_silence),
        cmocka_unit_test(a_server_without_progress_serves_all_the_same),
        cmocka_unit_test(a_service_of_ten_thousand_is_listed_in_time),
        cmocka_unit_test(a_server_that_thinks_long_over_each_page_is_asked_for_few),
        cmocka_unit_test(a_server_that_is_slow_with_watches_is_given_more_and_more_time),
        cmocka_unit_test(a_list_that_is_too_large_for_one_message_comes_in_smaller_pages),
        cmocka_unit_test(pages_that_had_to_be_small_grow_again),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
