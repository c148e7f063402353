/* What happens to a fleet on a bad day, one named scenario each, on the virtual clock. */
#include "sim/pair.h"
#include "yr_test.h"

#include <string.h>

enum {
    SOON_MS = 1000, /* while connected */
    TTL_MS = YR_FLEET_TTL_MS,
    EXPIRY_MS = TTL_MS + 1000, /* after a death */
    RECOVERY_MS = 10000,       /* after connectivity is back */
    LONG_MS = 10 * YR_FLEET_TTL_MS,
    SILENCE_MS = 8000, /* until a silent peer is noticed */
};

static void a_consumer_before_any_provider_sees_the_first_one_at_once(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_view *view = yr_process_follow(yr_fleet_start(fleet, "consumer"), SERVICE);
    yr_sim_run_for(fleet->sim, 60000);
    assert_string_equal(yr_view_list(view), "");
    assert_false(yurpc_snapshot_is_stale(yr_snapshot_cell_current(view->entry->cell)));
    yr_process_register(yr_fleet_start(fleet, "provider"), SERVICE, 7);
    assert_true(yr_view_becomes(view, "10.0.0.1:7 ", SOON_MS));
    yr_fleet_free(fleet);
}

static void a_registered_instance_costs_one_keepalive_per_third_of_the_ttl_and_no_write(
    void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_pair_run_for(&scene, 2000);
    int64_t revision = yr_fake_etcd_revision(scene.fleet->etcd);
    int64_t since = yr_sim_now_ms(scene.fleet->sim);
    yr_fake_etcd_forget_requests(scene.fleet->etcd);
    yr_pair_run_for(&scene, 60000);
    assert_int_equal(yr_fake_etcd_revision(scene.fleet->etcd), revision);
    size_t beats = yr_fake_etcd_count_requests(scene.fleet->etcd, "LeaseKeepAlive", since);
    assert_in_range(beats, 60000 / (TTL_MS / 3) - 2, 60000 / (TTL_MS / 3) + 2);
    assert_int_equal(scene.view->downs, 0);
    yr_pair_free(&scene);
}

static void an_unregistered_instance_is_gone_at_once(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_process_unregister(scene.provider, scene.wanted);
    assert_true(yr_view_becomes(scene.view, "", SOON_MS));
    yr_pair_free(&scene);
}

static bool is_registered(void *context)
{
    const yr_wanted *wanted = context;
    return yurpc_registration_get_state(wanted->registration) == YURPC_REGISTERED;
}

/* Its own key is just being listed, because a second one has to be watched now. */
static void an_instance_unregistered_while_its_key_is_listed_is_gone_too(void **state)
{
    (void)state;
    for (int64_t delay = 0; delay < 80; delay++) { /* it is listed after 50 ms */
        yr_pair scene = yr_pair_new(1, 1);
        yr_pair_run_for(&scene, 1000);
        yr_wanted *second = yr_process_register(scene.provider, SERVICE, 2);
        assert_true(yr_sim_run_until(scene.fleet->sim, is_registered, second, SOON_MS));
        yr_pair_run_for(&scene, delay);
        yr_process_unregister(scene.provider, scene.wanted);
        assert_true(yr_view_becomes(scene.view, "10.0.0.1:2 ", SOON_MS));
        yr_pair_run_for(&scene, 1000);
        assert_string_equal(yr_fleet_registered(scene.fleet, SERVICE), "10.0.0.1:2 ");
        yr_pair_free(&scene);
    }
}

static void a_closed_provider_is_gone_at_once_and_leaves_no_lease(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_process_close(scene.provider);
    assert_true(yr_view_becomes(scene.view, "", SOON_MS));
    assert_int_equal(yr_fake_etcd_leases(scene.fleet->etcd)->count, 0);
    yr_pair_free(&scene);
}

static void a_killed_provider_is_gone_when_its_lease_expires(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_process_kill(scene.provider);
    yr_pair_run_for(&scene, TTL_MS - 1500);
    assert_string_equal(yr_view_list(scene.view), "10.0.0.1:1 ");
    assert_true(yr_view_becomes(scene.view, "", EXPIRY_MS - (TTL_MS - 1500)));
    yr_pair_free(&scene);
}

static void a_revoked_lease_brings_the_instance_back_under_a_new_one(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    int64_t lease = scene.provider->registry->provider.session.id;
    assert_int_equal(yr_fake_etcd_revoke(scene.fleet->etcd, lease), 1);
    assert_true(yr_view_becomes(scene.view, "", SOON_MS));
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", TTL_MS));
    assert_int_not_equal(yr_fake_etcd_get(scene.fleet->etcd, yr_pair_key)->lease, lease);
    assert_true(scene.wanted->losses > 0);
    yr_pair_free(&scene);
}

static void a_key_deleted_by_hand_is_put_back(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_fake_etcd_delete(scene.fleet->etcd, yr_pair_key);
    yr_pair_run_for(&scene, 200);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", SOON_MS));
    assert_int_equal(scene.wanted->losses, 1);
    yr_pair_free(&scene);
}

/* A second key is watched, with all of its service, a moment after it was put. */
static void any_of_many_keys_that_is_deleted_is_put_back_and_they_cost_one_watch(void **state)
{
    (void)state;
    enum { MOMENT_MS = 50, COUNT = 7 };
    for (int64_t delay = 0; delay < 3 * MOMENT_MS; delay += MOMENT_MS / 5) {
        yr_pair scene = yr_pair_new(1, 1);
        yr_pair_run_for(&scene, 1000);
        int64_t since = yr_sim_now_ms(scene.fleet->sim);
        yr_wanted *last = NULL;
        for (uint16_t port = 2; port < 2 + COUNT; port++) {
            last = yr_process_register(scene.provider, SERVICE, port);
        }
        assert_true(yr_sim_run_until(scene.fleet->sim, is_registered, last, SOON_MS));
        yr_pair_run_for(&scene, delay);
        yr_fake_etcd_delete(scene.fleet->etcd, "/rpc/" SERVICE "/10.0.0.1:8");
        yr_pair_run_for(&scene, SOON_MS);
        assert_int_equal(yr_fake_etcd_count_requests(scene.fleet->etcd, "Watch", since), 1);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
        assert_int_equal(last->losses, 1);
        yr_pair_free(&scene);
    }
}

static void a_key_overwritten_by_hand_is_repaired(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_fake_etcd_put(scene.fleet->etcd, yr_pair_key, "{\"broken\"", 0);
    yr_pair_run_for(&scene, 200);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", SOON_MS));
    assert_int_not_equal(yr_fake_etcd_get(scene.fleet->etcd, yr_pair_key)->lease, 0);
    yr_pair_free(&scene);
}

static void a_wiped_registry_has_everything_again(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    for (int i = 0; i < 20; i++) {
        yr_fake_etcd_put(scene.fleet->etcd, "/other", "x", 0); /* so that revisions go back */
    }
    assert_ok(yr_fake_etcd_restart(scene.fleet->etcd, true));
    yr_pair_run_for(&scene, RECOVERY_MS);
    assert_string_equal(yr_fleet_registered(scene.fleet, SERVICE), "10.0.0.1:1 ");
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", 1));
    yr_pair_free(&scene);
}

static void a_registry_wiped_to_the_same_revision_has_everything_again(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    int64_t revision = yr_fake_etcd_revision(scene.fleet->etcd);
    assert_ok(yr_fake_etcd_restart(scene.fleet->etcd, true));
    while (yr_fake_etcd_revision(scene.fleet->etcd) < revision) {
        yr_fake_etcd_put(scene.fleet->etcd, "/other", "x", 0);
    }
    yr_pair_run_for(&scene, RECOVERY_MS);
    assert_string_equal(yr_fleet_registered(scene.fleet, SERVICE), "10.0.0.1:1 ");
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", 1));
    yr_pair_free(&scene);
}

/* Other flags, another volume: even the cluster's id is a new one, and its revision is higher.
 */
static void a_replaced_cluster_has_everything_again(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_fleet *fleet = scene.fleet;
    int64_t revision = yr_fake_etcd_revision(fleet->etcd);
    yr_fake_etcd_free(fleet->etcd);
    yr_fake_etcd_options options = {.cluster_id = 42};
    assert_ok(yr_fake_etcd_new(yr_sim_host_io(fleet->etcd_host), "etcd", 2379, &options,
                               &fleet->etcd));
    while (yr_fake_etcd_revision(fleet->etcd) < revision + 10) {
        yr_fake_etcd_put(fleet->etcd, "/other", "x", 0);
    }
    yr_pair_run_for(&scene, RECOVERY_MS);
    assert_string_equal(yr_fleet_registered(fleet, SERVICE), "10.0.0.1:1 ");
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", 1));
    assert_null(yr_fleet_settle(fleet, SERVICE, 1));
    yr_pair_free(&scene);
}

static void a_short_restart_of_the_registry_changes_no_list(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_fake_etcd_stop(scene.fleet->etcd);
    yr_pair_run_for(&scene, 1000);
    assert_ok(yr_fake_etcd_start(scene.fleet->etcd));
    yr_pair_run_for(&scene, RECOVERY_MS);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", 1));
    assert_int_equal(scene.view->downs, 0);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
    yr_pair_free(&scene);
}

static void a_registry_away_for_longer_than_the_ttl_leaves_the_list_as_it_was(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_fake_etcd_stop(scene.fleet->etcd);
    yr_pair_run_for(&scene, LONG_MS);
    assert_string_equal(yr_view_list(scene.view), "10.0.0.1:1 ");
    assert_true(yurpc_snapshot_is_stale(yr_snapshot_cell_current(scene.view->entry->cell)));
    assert_int_equal(yurpc_registration_get_state(scene.wanted->registration), YURPC_LOST);
    assert_ok(yr_fake_etcd_start(scene.fleet->etcd));
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    yr_pair_free(&scene);
}

/* Its old lease expires while it freezes; the deletion is reported together with our new put.
 */
static void a_frozen_registry_costs_one_loss_and_not_two(void **state)
{
    (void)state;
    for (int64_t silence = TTL_MS; silence < 4 * (int64_t)TTL_MS; silence += 500) {
        yr_pair scene = yr_pair_new(1, 1);
        yr_pair_run_for(&scene, 500);
        yr_fake_etcd_set_silent(scene.fleet->etcd, true);
        yr_pair_run_for(&scene, silence);
        yr_fake_etcd_set_silent(scene.fleet->etcd, false);
        yr_pair_run_for(&scene, RECOVERY_MS);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
        assert_in_range(scene.wanted->losses, 0, 1);
        yr_pair_free(&scene);
    }
}

static void a_lost_connection_resumes_without_missing_a_change(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_process *other = yr_fleet_start(scene.fleet, "other");
    for (uint16_t port = 2; port < 8; port++) {
        yr_sim_reset_connections(scene.consumer->host);
        yr_process_register(other, SERVICE, port);
        yr_pair_run_for(&scene, 300);
    }
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    assert_int_equal(scene.view->downs, 0);
    yr_pair_free(&scene);
}

static void changes_during_an_outage_and_a_compaction_are_all_seen(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_process *other = yr_fleet_start(scene.fleet, "other");
    yr_wanted *leaving = yr_process_register(other, SERVICE, 2);
    yr_process_register(other, SERVICE, 3);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 ", SOON_MS));
    yr_sim_cut_host(scene.consumer->host);
    yr_process_unregister(other, leaving);
    yr_process_register(other, SERVICE, 4);
    yr_pair_run_for(&scene, 2000);
    yr_fake_etcd_compact(scene.fleet->etcd, 0);
    yr_pair_run_for(&scene, 60000);
    assert_string_equal(yr_view_list(scene.view), "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 ");
    yr_sim_heal_all(scene.fleet->sim);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:3 10.0.0.1:4 ", RECOVERY_MS));
    yr_pair_free(&scene);
}

static void a_silent_connection_is_noticed_and_replaced(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_sim_cut_host(scene.consumer->host);
    yr_pair_run_for(&scene, SILENCE_MS + 1000);
    assert_true(yurpc_snapshot_is_stale(yr_snapshot_cell_current(scene.view->entry->cell)));
    yr_process_register(scene.provider, SERVICE, 2);
    yr_pair_run_for(&scene, 1000);
    yr_sim_heal_all(scene.fleet->sim);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:2 ", RECOVERY_MS));
    yr_pair_free(&scene);
}

static void a_provider_cut_off_longer_than_its_ttl_comes_back_by_itself(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_sim_cut_host(scene.provider->host);
    assert_true(yr_view_becomes(scene.view, "", EXPIRY_MS));
    yr_pair_run_for(&scene, 20000);
    yr_sim_heal_all(scene.fleet->sim);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", RECOVERY_MS));
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    yr_pair_free(&scene);
}

static void a_frozen_provider_is_dropped_at_its_ttl_and_returns_when_thawed(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_sim_freeze(scene.provider->host);
    assert_true(yr_view_becomes(scene.view, "", EXPIRY_MS));
    yr_pair_run_for(&scene, 5000);
    yr_sim_thaw(scene.provider->host);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", RECOVERY_MS));
    yr_pair_free(&scene);
}

static void a_node_taken_by_another_process_is_not_fought_over(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_process *successor = yr_fleet_start(scene.fleet, "successor");
    yr_wanted *taken = yr_process_register(successor, SERVICE, 1);
    yr_pair_run_for(&scene, 2000);
    assert_int_equal(yurpc_registration_get_state(taken->registration), YURPC_REGISTERED);
    assert_int_equal(yurpc_registration_get_state(scene.wanted->registration),
                     YURPC_CONFLICT_STATE);
    int64_t revision = yr_fake_etcd_revision(scene.fleet->etcd);
    yr_pair_run_for(&scene, 60000);
    assert_int_equal(yr_fake_etcd_revision(scene.fleet->etcd), revision);
    assert_int_equal(scene.wanted->conflicts, 1);
    /* When the successor goes, the first is back. */
    yr_process_close(successor);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 ", SOON_MS));
    yr_pair_run_for(&scene,
                    100); /* the provider's own answer may come after the consumer's event */
    assert_int_equal(yurpc_registration_get_state(scene.wanted->registration),
                     YURPC_REGISTERED);
    yr_pair_free(&scene);
}

static void the_beat_of_a_java_node_is_no_change(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    const char *value =
        "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
        "\"serviceHost\":\"10.0.0.1\",\"servicePort\":9,\"serviceGroup\":\"default\"}";
    for (int beat = 0; beat < 6; beat++) {
        int64_t lease = yr_fake_etcd_grant(scene.fleet->etcd, 30);
        yr_fake_etcd_put(scene.fleet->etcd, "/rpc/" SERVICE "/10.0.0.1:9", value, lease);
        yr_pair_run_for(&scene, 10000);
    }
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:9 ", 1));
    assert_int_equal(scene.view->ups, 2);
    assert_int_equal(scene.view->changes, 0);
    yr_pair_free(&scene);
}

static void a_broken_value_hides_no_good_one(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_fake_etcd_put(scene.fleet->etcd, "/rpc/" SERVICE "/10.0.0.1:8", "not json", 0);
    yr_fake_etcd_put(scene.fleet->etcd, "/rpc/" SERVICE "/config/deep:1", "{}", 0);
    yr_view *fresh = yr_process_follow(yr_fleet_start(scene.fleet, "fresh"), SERVICE);
    assert_true(yr_view_becomes(fresh, "10.0.0.1:1 ", SOON_MS));
    assert_string_equal(yr_view_list(scene.view), "10.0.0.1:1 ");
    yr_pair_free(&scene);
}

static void services_that_share_a_prefix_do_not_mix(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_process_register(scene.provider, "com.acme.UserService:1.0.1", 2);
    yr_process_register(scene.provider, "com.acme.User:1.0", 3);
    yr_view *other = yr_process_follow(scene.consumer, "com.acme.UserService:1.0.1");
    assert_true(yr_view_becomes(other, "10.0.0.1:2 ", SOON_MS));
    yr_pair_run_for(&scene, 1000);
    assert_string_equal(yr_view_list(scene.view), "10.0.0.1:1 ");
    yr_pair_free(&scene);
}

static void events_that_the_server_lost_are_repaired_by_the_periodic_list(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_fake_rule rule = {.method = "Events", .times = 0, .action = YR_FAKE_DROP_EVENTS};
    yr_fake_etcd_add_rule(scene.fleet->etcd, &rule);
    yr_process_register(scene.provider, SERVICE, 2);
    yr_pair_run_for(&scene, 2000);
    assert_string_equal(yr_view_list(scene.view), "10.0.0.1:1 ");
    yr_fake_etcd_clear_rules(scene.fleet->etcd);
    assert_true(
        yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:2 ", YR_FLEET_RECONCILE_MS * 12 / 10));
    assert_int_equal(scene.consumer->registry->core.counters.reconcile_repairs, 1);
    yr_pair_free(&scene);
}

static void a_lost_event_about_our_own_key_is_repaired_by_the_periodic_list(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    yr_pair_run_for(&scene, 1000);
    yr_fake_rule rule = {.method = "Events", .times = 0, .action = YR_FAKE_DROP_EVENTS};
    yr_fake_etcd_add_rule(scene.fleet->etcd, &rule);
    yr_fake_etcd_delete(scene.fleet->etcd, yr_pair_key);
    yr_pair_run_for(&scene, 2000);
    yr_fake_etcd_clear_rules(scene.fleet->etcd);
    assert_null(yr_fake_etcd_get(scene.fleet->etcd, yr_pair_key));
    yr_pair_run_for(&scene, YR_FLEET_RECONCILE_MS * 12 / 10);
    assert_non_null(yr_fake_etcd_get(scene.fleet->etcd, yr_pair_key));
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, YR_FLEET_RECONCILE_MS * 12 / 10));
    yr_pair_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_consumer_before_any_provider_sees_the_first_one_at_once),
        cmocka_unit_test(
            a_registered_instance_costs_one_keepalive_per_third_of_the_ttl_and_no_write),
        cmocka_unit_test(an_unregistered_instance_is_gone_at_once),
        cmocka_unit_test(an_instance_unregistered_while_its_key_is_listed_is_gone_too),
        cmocka_unit_test(a_closed_provider_is_gone_at_once_and_leaves_no_lease),
        cmocka_unit_test(a_killed_provider_is_gone_when_its_lease_expires),
        cmocka_unit_test(a_revoked_lease_brings_the_instance_back_under_a_new_one),
        cmocka_unit_test(a_key_deleted_by_hand_is_put_back),
        cmocka_unit_test(any_of_many_keys_that_is_deleted_is_put_back_and_they_cost_one_watch),
        cmocka_unit_test(a_key_overwritten_by_hand_is_repaired),
        cmocka_unit_test(a_wiped_registry_has_everything_again),
        cmocka_unit_test(a_registry_wiped_to_the_same_revision_has_everything_again),
        cmocka_unit_test(a_replaced_cluster_has_everything_again),
        cmocka_unit_test(a_short_restart_of_the_registry_changes_no_list),
        cmocka_unit_test(a_registry_away_for_longer_than_the_ttl_leaves_the_list_as_it_was),
        cmocka_unit_test(a_frozen_registry_costs_one_loss_and_not_two),
        cmocka_unit_test(a_lost_connection_resumes_without_missing_a_change),
        cmocka_unit_test(changes_during_an_outage_and_a_compaction_are_all_seen),
        cmocka_unit_test(a_silent_connection_is_noticed_and_replaced),
        cmocka_unit_test(a_provider_cut_off_longer_than_its_ttl_comes_back_by_itself),
        cmocka_unit_test(a_frozen_provider_is_dropped_at_its_ttl_and_returns_when_thawed),
        cmocka_unit_test(a_node_taken_by_another_process_is_not_fought_over),
        cmocka_unit_test(the_beat_of_a_java_node_is_no_change),
        cmocka_unit_test(a_broken_value_hides_no_good_one),
        cmocka_unit_test(services_that_share_a_prefix_do_not_mix),
        cmocka_unit_test(events_that_the_server_lost_are_repaired_by_the_periodic_list),
        cmocka_unit_test(a_lost_event_about_our_own_key_is_repaired_by_the_periodic_list),
    };
    return cmocka_run_group_tests_name("scenarios", tests, NULL, NULL);
}
