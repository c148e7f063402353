/* What a registry may do to those who trust it, one named trouble each, on the virtual clock.
 */
#include "drivers/etcd/etcd_driver.h"
#include "etcd/watch_hub.h"
#include "sim/fleet.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

#define SERVICE "com.acme.UserService:1.0"

enum { SOON_MS = 1000, RECOVERY_MS = 10000, BEAT_MS = 10000, LONG_MS = 30000 };

static void a_put_that_takes_effect_after_leaving_is_undone(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process_register(provider, SERVICE, 2);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_rule rule = {
        .method = "Txn", .times = 1, .action = YR_FAKE_DELAY, .number = SOON_MS};
    yr_fake_etcd_add_rule(fleet->etcd, &rule);
    yr_wanted *wanted = yr_process_register(provider, SERVICE, 1);
    yr_sim_run_for(fleet->sim, 10);
    yr_sim_reset_connections(provider->host); /* its put is on its way, and alone */
    yr_sim_run_for(fleet->sim, SOON_MS / 2);
    yr_process_unregister(provider, wanted);
    yr_sim_run_for(fleet->sim, SOON_MS);
    assert_null(yr_fleet_settle(fleet, SERVICE, SOON_MS));
    yr_sim_run_for(fleet->sim, LONG_MS);
    assert_null(yr_fleet_settle(fleet, SERVICE, 1));
    assert_int_equal(provider->registry->provider.claims.count, 1);
    yr_fleet_free(fleet);
}

/* The registry falls silent @p pause_ms after unregistering began: how long until all is
 * closed. */
static int64_t unregister_and_close_ms(int64_t pause_ms)
{
    yr_fleet *fleet = yr_fleet_new(1, false);
    fleet->ttl_ms = LONG_MS; /* no beat notices meanwhile that nobody answers */
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_wanted *wanted = yr_process_register(provider, SERVICE, 1);
    yr_process_register(provider, SERVICE, 2);
    yr_sim_run_for(fleet->sim, SOON_MS);
    int64_t begun_ms = yr_sim_now_ms(fleet->sim);
    const yr_life *life = wanted->life;
    yr_process_unregister(provider, wanted);
    yr_sim_run_for(fleet->sim, pause_ms);
    yr_fake_etcd_set_silent(fleet->etcd, true);
    while (life->endings == 0) {
        yr_sim_run_for(fleet->sim, 1);
    }
    yr_process_close(provider);
    int64_t took_ms = yr_sim_now_ms(fleet->sim) - begun_ms;
    yr_fleet_free(fleet);
    return took_ms;
}

static void who_unregisters_and_closes_in_vain_waits_but_once(void **state)
{
    (void)state;
    for (int64_t pause_ms = 0; pause_ms < 50; pause_ms++) {
        assert_in_range(unregister_and_close_ms(pause_ms), 0, YR_CLOSE_MS);
    }
}

static void what_could_not_leave_is_waited_for_again_once_the_registry_was_heard(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    fleet->ttl_ms = LONG_MS; /* no beat notices meanwhile that nobody answers */
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_wanted *wanted = yr_process_register(provider, SERVICE, 1);
    yr_process_register(provider, SERVICE, 2);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_etcd_set_silent(fleet->etcd, true);
    yr_process_unregister(provider, wanted);
    yr_sim_run_for(fleet->sim, YR_CLOSE_MS);
    yr_fake_etcd_set_silent(fleet->etcd, false);
    assert_null(yr_fleet_settle(fleet, SERVICE, RECOVERY_MS));
    yr_fake_rule slow = {.action = YR_FAKE_DELAY, .number = SOON_MS};
    yr_fake_etcd_add_rule(fleet->etcd, &slow);
    yr_process_close(provider);
    assert_null(yr_fleet_settle(fleet, SERVICE, 1)); /* nobody is there any more */
    yr_fleet_free(fleet);
}

/* C33 */
static void leases_that_the_registry_does_not_know_are_not_asked_for_without_pause(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_fake_rule rule = {.method = "Txn",
                         .action = YR_FAKE_STATUS,
                         .code = 5,
                         .text = "etcdserver: requested lease not found"};
    yr_fake_etcd_add_rule(fleet->etcd, &rule);
    yr_process_register(yr_fleet_start(fleet, "provider"), SERVICE, 1);
    yr_sim_run_for(fleet->sim, RECOVERY_MS);
    assert_in_range(yr_fake_etcd_count_requests(fleet->etcd, "LeaseGrant", 0), 2, 20);
    yr_fake_etcd_clear_rules(fleet->etcd);
    assert_null(yr_fleet_settle(fleet, SERVICE, RECOVERY_MS));
    yr_fleet_free(fleet);
}

/* ---- What stands in the registry ---- */

static const char odd_value[] =
    "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
    "\"serviceHost\":\"10.0.0.2\",\"servicePort\":9,\"serviceGroup\":\"default\"}";

static void a_bad_value_is_counted_each_time_and_named_once(void **state)
{
    (void)state;
    enum { BEATS = 6 };
    static const char bad_key[] = "/rpc/" SERVICE "/10.0.0.1:8";
    static const char odd_key[] = "/rpc/" SERVICE "/10.0.0.1:9";
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_view *view = yr_process_follow(consumer, SERVICE);
    for (int beat = 0; beat < BEATS; beat++) {
        int64_t lease = yr_fake_etcd_grant(fleet->etcd, 30);
        yr_fake_etcd_put(fleet->etcd, bad_key, "not json", lease);
        yr_fake_etcd_put(fleet->etcd, odd_key, odd_value, lease);
        yr_sim_run_for(fleet->sim, BEAT_MS);
    }
    const yr_counters *counters = &consumer->registry->core.counters;
    assert_in_range(counters->skipped, BEATS, 3 * BEATS); /* lists name it, too */
    assert_in_range(counters->mismatches, BEATS, 3 * BEATS);
    assert_int_equal(consumer->warnings, 2);
    assert_string_equal(yr_view_list(view), "10.0.0.2:9 ");
    yr_fake_etcd_put(fleet->etcd, bad_key, "not json either", 0);
    yr_sim_run_for(fleet->sim, SOON_MS);
    assert_int_equal(consumer->warnings, 3);
    yr_fleet_free(fleet);
}

static void a_beat_counts_as_a_change_that_changes_nothing(void **state)
{
    (void)state;
    static const char key[] = "/rpc/" SERVICE "/10.0.0.2:9";
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_process_follow(consumer, SERVICE);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_etcd_put(fleet->etcd, key, odd_value, 0);
    yr_fake_etcd_put(fleet->etcd, key, odd_value, 0);
    yr_fake_etcd_put(fleet->etcd, key, odd_value, 0);
    yr_sim_run_for(fleet->sim, SOON_MS);
    assert_int_equal(consumer->registry->core.counters.changes, 3);
    assert_int_equal(consumer->registry->core.counters.unchanged, 2);
    yr_fleet_free(fleet);
}

/* ---- Lists ---- */

static void what_changed_during_an_outage_is_no_repair(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process_follow(consumer, SERVICE);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_sim_cut_host(consumer->host);
    yr_sim_run_for(fleet->sim, 2 * YR_FLEET_RECONCILE_MS); /* the periodic list is due */
    yr_process_register(provider, SERVICE, 1);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_sim_heal_all(fleet->sim);
    assert_null(yr_fleet_settle(fleet, SERVICE, RECOVERY_MS));
    assert_int_equal(consumer->registry->core.counters.reconcile_repairs, 0);
    yr_fleet_free(fleet);
}

/* D56, and what a page more adds to it. */
static void a_list_of_many_pages_is_one_moment(void **state)
{
    (void)state;
    enum { PAGE_LEN = 3, NODES = 10 };
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process *second = yr_fleet_start(fleet, "second");
    for (int i = 0; i < YR_FLEET_WANTED_MAX; i++) {
        yr_process_register(provider, SERVICE, (uint16_t)(20 + i));
        yr_process_register(second, SERVICE, (uint16_t)(40 + i));
    }
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    consumer->registry->core.driver->page_len = PAGE_LEN;
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_etcd_forget_requests(fleet->etcd);
    yr_view *view = yr_process_follow(consumer, SERVICE);
    yr_sim_run_for(fleet->sim, 10); /* some pages are there: those to come must not see this */
    yr_process_unregister(provider, &provider->wanted[0]);
    yr_process_unregister(second, &second->wanted[YR_FLEET_WANTED_MAX - 1]);
    assert_null(yr_fleet_settle(fleet, SERVICE, SOON_MS));
    assert_int_equal(view->ups, 2 * YR_FLEET_WANTED_MAX); /* as it was, and then as it is */
    assert_int_equal(view->downs, 2);
    size_t pages = yr_fake_etcd_count_requests(fleet->etcd, "Range", 0);
    assert_in_range(pages, 2 * YR_FLEET_WANTED_MAX / PAGE_LEN, NODES);
    yr_fleet_free(fleet);
}

static void a_list_whose_moment_is_compacted_away_begins_anew(void **state)
{
    (void)state;
    enum { PAGE_LEN = 3 };
    for (int64_t delay = 0; delay < 40; delay++) {
        yr_fleet *fleet = yr_fleet_new((uint64_t)delay + 1, false);
        yr_process *provider = yr_fleet_start(fleet, "provider");
        for (int i = 0; i < YR_FLEET_WANTED_MAX; i++) {
            yr_process_register(provider, SERVICE, (uint16_t)(20 + i));
        }
        yr_process *consumer = yr_fleet_start(fleet, "consumer");
        consumer->registry->core.driver->page_len = PAGE_LEN;
        yr_sim_run_for(fleet->sim, SOON_MS);
        yr_view *view = yr_process_follow(consumer, SERVICE);
        yr_sim_run_for(fleet->sim, delay);
        yr_fake_etcd_delete(fleet->etcd, "/rpc/" SERVICE "/10.0.0.1:21");
        yr_fake_etcd_compact(fleet->etcd, 0);
        assert_null(yr_fleet_settle(fleet, SERVICE, SOON_MS));
        assert_in_range(view->ups, YR_FLEET_WANTED_MAX, YR_FLEET_WANTED_MAX + 1);
        yr_fleet_free(fleet);
    }
}

/* What was asked for while a list was under way is asked for again behind it. */
static void a_list_asked_for_during_a_list_comes_behind_it(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_etcd_forget_requests(fleet->etcd);
    yr_view *view = yr_process_follow(consumer, SERVICE);
    yr_driver_etcd.relist(view->entry->follow);
    yr_driver_etcd.relist(view->entry->follow);
    yr_sim_run_for(fleet->sim, SOON_MS);
    assert_int_equal(yr_fake_etcd_count_requests(fleet->etcd, "Range", 0), 2);
    assert_int_equal(consumer->registry->core.counters.lists, 2);
    yr_fleet_free(fleet);
}

/* The list was made before the key was put, and comes after the put was answered. */
static void a_list_from_before_does_not_deny_what_came_since(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process_register(provider, SERVICE, 1);
    yr_process_register(provider, SERVICE, 2); /* the whole service is watched */
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_map_node *node = yr_map_next(&provider->registry->provider.claims, NULL);
    assert_non_null(node);
    yr_fake_rule late = {
        .method = "Range", .times = 1, .action = YR_FAKE_DELAY_ANSWER, .number = SOON_MS};
    yr_fake_etcd_add_rule(fleet->etcd, &late);
    yr_guards_ask(&provider->registry->provider.guards,
                  YR_CONTAINER_OF(node, yr_claim, map_node));
    yr_sim_run_for(fleet->sim, 100);
    yr_wanted *wanted = yr_process_register(provider, SERVICE, 3);
    yr_sim_run_for(fleet->sim, 2 * SOON_MS);
    assert_int_equal(wanted->losses, 0);
    assert_int_equal(provider->registry->core.counters.repairs, 0);
    assert_int_equal(provider->registry->core.counters.announcements, 3);
    /* The next one is believed. */
    yr_fake_rule lost = {.method = "Events", .times = 1, .action = YR_FAKE_DROP_EVENTS};
    yr_fake_etcd_add_rule(fleet->etcd, &lost);
    yr_fake_etcd_delete(fleet->etcd, "/rpc/" SERVICE "/10.0.0.1:3");
    yr_sim_run_for(fleet->sim, 2 * YR_FLEET_RECONCILE_MS);
    assert_int_equal(wanted->losses, 1);
    assert_null(yr_fleet_settle(fleet, SERVICE, SOON_MS));
    yr_fleet_free(fleet);
}

/* Looked at, and taken over before it is deleted. */
static void a_key_that_changes_hands_while_it_is_being_withdrawn_is_left_alone(void **state)
{
    (void)state;
    static const char key[] = "/rpc/" SERVICE "/10.0.0.1:1";
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process_register(provider, SERVICE, 2); /* keeps the session */
    yr_wanted *wanted = yr_process_register(provider, SERVICE, 1);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_rule late = {
        .method = "Txn", .nth = 2, .times = 1, .action = YR_FAKE_DELAY, .number = SOON_MS / 2};
    yr_fake_etcd_add_rule(fleet->etcd, &late); /* the first says that it drains */
    yr_process_unregister(provider, wanted);
    yr_sim_run_for(fleet->sim, SOON_MS / 4);
    yr_fake_etcd_put(fleet->etcd, key, odd_value, yr_fake_etcd_grant(fleet->etcd, 3600));
    yr_sim_run_for(fleet->sim, LONG_MS);
    assert_non_null(yr_fake_etcd_get(fleet->etcd, key));
    yr_fleet_free(fleet);
}

static void after_a_compaction_the_list_is_read_at_once(void **state)
{
    (void)state;
    enum { HOUR_MS = 3600 * 1000, NOTICED_MS = 8000 };
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process_register(provider, SERVICE, 1);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_registry_set_reconcile_ms(consumer->registry,
                                 HOUR_MS); /* which shall not be what helps */
    yr_view *view = yr_process_follow(consumer, SERVICE);
    assert_true(yr_view_becomes(view, "10.0.0.1:1 ", SOON_MS));
    yr_sim_cut_host(consumer->host);
    yr_process_register(provider, SERVICE, 2);
    yr_sim_run_for(fleet->sim, LONG_MS);
    yr_fake_etcd_compact(fleet->etcd, 0);
    yr_fake_etcd_forget_requests(fleet->etcd);
    yr_sim_heal_all(fleet->sim);
    assert_true(yr_view_becomes(view, "10.0.0.1:1 10.0.0.1:2 ", NOTICED_MS + RECOVERY_MS));
    yr_fleet_free(fleet);
}

/* ---- Watches ---- */

/* D58: a list that succeeds is no success when the watch behind it is refused. */
static void watches_refused_time_and_again_are_not_asked_for_without_pause(void **state)
{
    (void)state;
    enum { COMPACTED_AT = 2 };
    for (int64_t compacted = 0; compacted <= COMPACTED_AT; compacted += COMPACTED_AT) {
        yr_fleet *fleet = yr_fleet_new(1, false);
        yr_fake_rule rule = {.method = "Watch",
                             .action = YR_FAKE_CANCEL,
                             .number = compacted,
                             .text = compacted > 0 ? "" : "etcdserver: permission denied"};
        yr_fake_etcd_add_rule(fleet->etcd, &rule);
        yr_process_follow(yr_fleet_start(fleet, "consumer"), SERVICE);
        yr_sim_run_for(fleet->sim, LONG_MS);
        assert_in_range(yr_fake_etcd_count_requests(fleet->etcd, "Range", 0), 5, 40);
        yr_fake_etcd_clear_rules(fleet->etcd);
        assert_null(yr_fleet_settle(fleet, SERVICE, RECOVERY_MS));
        yr_fleet_free(fleet);
    }
}

/* What was not answered is asked for again after YR_WATCH_CREATE_MS, with all others. */
static void a_watch_that_is_not_taken_up_makes_no_other_deaf(void **state)
{
    (void)state;
    static const char other[] = "com.acme.OrderService:1.0";
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_rule rule = {.method = "Watch", .times = 1, .action = YR_FAKE_SILENT};
    yr_fake_etcd_add_rule(fleet->etcd, &rule);
    yr_view *first = yr_process_follow(consumer, SERVICE);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_view *second = yr_process_follow(consumer, other);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process_register(provider, SERVICE, 1);
    yr_process_register(provider, other, 2);
    assert_true(yr_view_becomes(second, "10.0.0.1:2 ", SOON_MS));
    assert_true(yr_view_becomes(first, "10.0.0.1:1 ", YR_WATCH_CREATE_MS + SOON_MS));
    assert_in_range(consumer->registry->core.counters.lists, 2, 3);
    yr_fleet_free(fleet);
}

/* etcd's grpc-proxy does: 0, 1, 2 … on each stream. */
static void watches_may_be_numbered_by_the_server(void **state)
{
    (void)state;
    static const char other[] = "com.acme.OrderService:1.0";
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_fake_rule rule = {.method = "Watch", .action = YR_FAKE_OWN_NUMBER};
    yr_fake_etcd_add_rule(fleet->etcd, &rule);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_view *first = yr_process_follow(consumer, SERVICE);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_view *second = yr_process_follow(consumer, other);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_etcd_drop_connections(fleet->etcd);
    yr_sim_run_for(fleet->sim, LONG_MS);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process_register(provider, SERVICE, 1);
    yr_process_register(provider, other, 2);
    assert_true(yr_view_becomes(first, "10.0.0.1:1 ", SOON_MS));
    assert_true(yr_view_becomes(second, "10.0.0.1:2 ", SOON_MS));
    yr_fleet_free(fleet);
}

/* Wiped data begins again at revision 1: what was seen before must not make it look old. */
static void after_a_wipe_what_is_equal_may_change_again(void **state)
{
    (void)state;
    enum { WRITES = 20 };
    static const char key[] = "/rpc/" SERVICE "/10.0.0.2:9";
    static const char draining[] =
        "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
        "\"serviceHost\":\"10.0.0.2\",\"servicePort\":9,\"serviceGroup\":\"default\","
        "\"draining\":true}";
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_registry_set_reconcile_ms(consumer->registry, 100 * LONG_MS); /* shall not help */
    yr_view *view = yr_process_follow(consumer, SERVICE);
    for (int i = 0; i < WRITES; i++) {
        yr_fake_etcd_put(fleet->etcd, key, odd_value, 0);
    }
    assert_true(yr_view_becomes(view, "10.0.0.2:9 ", SOON_MS));
    yr_sim_cut_host(consumer->host);
    assert_int_equal(yr_fake_etcd_restart(fleet->etcd, true), YURPC_OK);
    yr_fake_etcd_put(fleet->etcd, key, odd_value, 0);
    yr_sim_run_for(fleet->sim, RECOVERY_MS);
    yr_sim_heal_all(fleet->sim);
    yr_sim_run_for(fleet->sim, RECOVERY_MS);
    assert_int_equal(view->downs + view->changes, 0);
    yr_fake_etcd_put(fleet->etcd, key, draining, 0);
    yr_sim_run_for(fleet->sim, SOON_MS);
    assert_int_equal(view->changes, 1);
    yr_fleet_free(fleet);
}

/* No bytes at all are a valid message: a list of nothing. */
static void an_answer_without_a_header_removes_nobody(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_view *view = yr_process_follow(consumer, SERVICE);
    yr_process_register(yr_fleet_start(fleet, "provider"), SERVICE, 1);
    assert_true(yr_view_becomes(view, "10.0.0.1:1 ", SOON_MS));
    yr_fake_rule rule = {.method = "Range", .action = YR_FAKE_RAW_MESSAGE};
    yr_fake_etcd_add_rule(fleet->etcd, &rule);
    yr_driver_etcd.relist(view->entry->follow);
    yr_sim_run_for(fleet->sim, LONG_MS);
    assert_int_equal(view->downs, 0);
    yr_fake_etcd_clear_rules(fleet->etcd);
    assert_null(yr_fleet_settle(fleet, SERVICE, RECOVERY_MS));
    assert_int_equal(view->downs, 0);
    yr_fleet_free(fleet);
}

/* The values are back before the consumer is: then their revisions are what tells. */
static void what_changes_after_a_wipe_is_seen_though_revisions_began_anew(void **state)
{
    (void)state;
    static const char key[] = "/rpc/" SERVICE "/10.0.0.2:9";
    static const char changed[] =
        "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
        "\"serviceHost\":\"10.0.0.2\",\"servicePort\":9,\"serviceGroup\":\"default\","
        "\"draining\":true}";
    enum { BEATS = 50 };
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_view *view = yr_process_follow(consumer, SERVICE);
    for (int i = 0; i < BEATS; i++) {
        yr_fake_etcd_put(fleet->etcd, key, i % 2 == 0 ? changed : odd_value, 0);
    }
    assert_true(yr_view_becomes(view, "10.0.0.2:9 ", SOON_MS));
    yr_sim_cut_host(consumer->host);
    assert_ok(yr_fake_etcd_restart(fleet->etcd, true));
    yr_fake_etcd_put(fleet->etcd, key, odd_value, 0);
    yr_sim_heal_all(fleet->sim);
    yr_sim_run_for(fleet->sim, RECOVERY_MS);
    size_t told = view->changes;
    yr_fake_etcd_put(fleet->etcd, key, changed, 0);
    yr_sim_run_for(fleet->sim, SOON_MS);
    assert_int_equal(view->changes, told + 1);
    assert_int_equal(view->downs, 0);
    yr_fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_that_takes_effect_after_leaving_is_undone),
        cmocka_unit_test(who_unregisters_and_closes_in_vain_waits_but_once),
        cmocka_unit_test(what_could_not_leave_is_waited_for_again_once_the_registry_was_heard),
        cmocka_unit_test(
            leases_that_the_registry_does_not_know_are_not_asked_for_without_pause),
        cmocka_unit_test(a_bad_value_is_counted_each_time_and_named_once),
        cmocka_unit_test(a_beat_counts_as_a_change_that_changes_nothing),
        cmocka_unit_test(a_list_of_many_pages_is_one_moment),
        cmocka_unit_test(a_list_whose_moment_is_compacted_away_begins_anew),
        cmocka_unit_test(a_list_asked_for_during_a_list_comes_behind_it),
        cmocka_unit_test(a_list_from_before_does_not_deny_what_came_since),
        cmocka_unit_test(what_changes_after_a_wipe_is_seen_though_revisions_began_anew),
        cmocka_unit_test(what_changed_during_an_outage_is_no_repair),
        cmocka_unit_test(a_key_that_changes_hands_while_it_is_being_withdrawn_is_left_alone),
        cmocka_unit_test(after_a_compaction_the_list_is_read_at_once),
        cmocka_unit_test(watches_refused_time_and_again_are_not_asked_for_without_pause),
        cmocka_unit_test(a_watch_that_is_not_taken_up_makes_no_other_deaf),
        cmocka_unit_test(watches_may_be_numbered_by_the_server),
        cmocka_unit_test(after_a_wipe_what_is_equal_may_change_again),
        cmocka_unit_test(an_answer_without_a_header_removes_nobody),
    };
    return cmocka_run_group_tests_name("troubles", tests, NULL, NULL);
}
