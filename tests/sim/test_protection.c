/* Mass disappearance, and what only looks like it: both policies, exactly as documented. */
#include "base/mem.h"
#include "sim/fleet.h"
#include "sim/ports.h"
#include "yr_test.h"

#include <stdio.h>

#define SERVICE "com.acme.UserService:1.0"

enum {
    COUNT = 5,
    SOON_MS = 1000,
    TTL_MS = YR_FLEET_TTL_MS,
    EXPIRY_MS = TTL_MS + 1000,
    RECOVERY_MS = 10000,
    TOLD_MS = YR_TELL_INTERVAL_MS + 50,
    PROBED_MS = YR_PROBE_SPREAD_MS + 500,
};

static const char all[] = "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 10.0.0.1:4 10.0.0.1:5 ";

typedef struct stage {
    yr_fleet *fleet;
    yr_ports *ports;
    yr_process *consumer;
    yr_process *providers[COUNT];
    yr_view *view;
} stage;

/* @p count providers with one instance each, and a consumer that sees them. */
static stage set(size_t count, yr_ports_kind ports)
{
    static const char *const names[COUNT] = {"a", "b", "c", "d", "e"};
    stage scene = {.fleet = yr_fleet_new(1, false)};
    scene.ports = yr_calloc(1, sizeof *scene.ports);
    assert_non_null(scene.ports);
    yr_ports_init(scene.ports, scene.fleet->sim, ports);
    scene.consumer = yr_fleet_start(scene.fleet, "consumer");
    scene.view = yr_process_follow(scene.consumer, SERVICE);
    for (size_t i = 0; i < count; i++) {
        scene.providers[i] = yr_fleet_start(scene.fleet, names[i]);
        yr_process_register(scene.providers[i], SERVICE, (uint16_t)(i + 1));
    }
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, SOON_MS));
    return scene;
}

static void end(stage *scene)
{
    yr_ports_deinit(scene->ports);
    yr_fleet_free(scene->fleet);
    yr_free(scene->ports);
}

static void run_for(const stage *scene, int64_t ms)
{
    yr_sim_run_for(scene->fleet->sim, ms);
}

static const yr_counters *counters(const stage *scene)
{
    return &scene->consumer->registry->core.counters;
}

static size_t suspects(const stage *scene)
{
    size_t count = 0;
    const yurpc_snapshot *now = yr_snapshot_cell_current(scene->view->entry->cell);
    for (size_t i = 0; i < yurpc_snapshot_count(now); i++) {
        count += yurpc_instance_is_suspect(yurpc_snapshot_at(now, i));
    }
    assert_int_equal(count, yr_snapshot_count_suspects(now));
    assert_int_equal(count, counters(scene)->suspects);
    return count;
}

/* The first @p count die at the same moment, and with them their keys. */
static void kill_first(stage *scene, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t lease = scene->providers[i]->registry->provider.session.id;
        yr_process_kill(scene->providers[i]);
        yr_fake_etcd_revoke(scene->fleet->etcd, lease);
    }
}

static void run_and_see_nobody_missing(stage *scene, int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        run_for(scene, 1);
        assert_string_equal(yr_view_list(scene->view), all);
    }
    assert_int_equal(scene->view->downs, 0);
}

static void all_leases_are_revoked_and_nobody_ever_misses_an_instance(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_ANSWER);
    size_t warnings = scene.consumer->warnings;
    yr_fake_etcd_revoke_all(scene.fleet->etcd);
    run_for(&scene, 50);
    assert_int_equal(suspects(&scene), COUNT);
    assert_int_equal(scene.view->changes, COUNT); /* told as changed, with the mark */
    assert_int_equal(scene.consumer->warnings, warnings + 1);
    run_and_see_nobody_missing(&scene, RECOVERY_MS);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
    assert_int_equal(suspects(&scene), 0);
    assert_int_equal(counters(&scene)->suspected, COUNT);
    assert_int_equal(scene.view->changes, 2 * COUNT); /* and as changed when they were back */
    assert_int_equal(scene.consumer->warnings, warnings + 1);
    assert_in_range(scene.ports->accepted, 0, COUNT); /* fewer, who return sooner */
    end(&scene);
}

static void all_keys_are_deleted_one_by_one_and_nobody_ever_misses_an_instance(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_ANSWER);
    for (unsigned i = 1; i <= COUNT; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "/rpc/" SERVICE "/10.0.0.1:%u", i);
        yr_fake_etcd_delete(scene.fleet->etcd, key);
        run_and_see_nobody_missing(&scene, 20);
    }
    run_and_see_nobody_missing(&scene, RECOVERY_MS);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
    end(&scene);
}

static void all_die_and_are_gone_as_soon_as_their_hosts_refuse(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_REFUSE);
    kill_first(&scene, COUNT);
    run_for(&scene, 50);
    assert_int_equal(suspects(&scene), COUNT);
    assert_true(yr_view_becomes(scene.view, "", PROBED_MS));
    assert_int_equal(suspects(&scene), 0);
    end(&scene);
}

static void all_die_with_their_hosts_and_are_gone_after_one_more_ttl(void **state)
{
    (void)state;
    static const yr_ports_kind cases[] = {YR_PORTS_UNKNOWN, YR_PORTS_SILENT, YR_PORTS_ANSWER};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stage scene = set(COUNT, cases[i]);
        kill_first(&scene, COUNT);
        run_and_see_nobody_missing(&scene, TTL_MS - 50);
        assert_int_equal(suspects(&scene), COUNT);
        assert_true(yr_view_becomes(scene.view, "", 200));
        end(&scene);
    }
}

static void without_protection_whoever_vanishes_is_gone(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_ANSWER);
    scene.consumer->registry->core.is_unprotected = true;
    yr_fake_etcd_revoke_all(scene.fleet->etcd);
    assert_true(yr_view_becomes(scene.view, "", TOLD_MS));
    assert_int_equal(counters(&scene)->suspected, 0);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    assert_int_equal(scene.ports->accepted, 0);
    end(&scene);
}

static void a_half_that_vanishes_is_gone(void **state)
{
    (void)state;
    stage scene = set(4, YR_PORTS_ANSWER);
    kill_first(&scene, 2);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:3 10.0.0.1:4 ", YR_DOUBT_MS + 50));
    assert_int_equal(counters(&scene)->suspected, 0);
    end(&scene);
}

static void two_of_three_and_two_of_two_are_too_few_to_be_doubted_for_long(void **state)
{
    (void)state;
    stage scene = set(3, YR_PORTS_ANSWER);
    kill_first(&scene, 2);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:3 ", YR_DOUBT_MS + 50));
    end(&scene);
    scene = set(2, YR_PORTS_ANSWER);
    kill_first(&scene, 2);
    assert_true(yr_view_becomes(scene.view, "", TOLD_MS));
    assert_int_equal(counters(&scene)->suspected, 0);
    end(&scene);
}

static void three_of_five_stay_and_the_other_two_are_picked(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_SILENT);
    kill_first(&scene, 3);
    run_for(&scene, YR_DOUBT_MS + 50);
    assert_string_equal(yr_view_list(scene.view), all);
    assert_int_equal(suspects(&scene), 3);
    yurpc_picker *picker = NULL;
    assert_ok(yurpc_picker_new(YURPC_PICK_ROUND_ROBIN, &picker));
    for (int i = 0; i < 100; i++) {
        const yurpc_snapshot *now = yr_snapshot_cell_current(scene.view->entry->cell);
        assert_in_range(yurpc_instance_port(yurpc_snapshot_pick(now, picker)), 4, 5);
    }
    yurpc_picker_free(picker);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:4 10.0.0.1:5 ", TTL_MS + 50));
    end(&scene);
}

static void a_fleet_that_leaves_in_order_is_gone_at_once(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_ANSWER);
    for (size_t i = 0; i < COUNT; i++) {
        yr_process_close(scene.providers[i]);
    }
    assert_true(yr_view_becomes(scene.view, "", TOLD_MS));
    assert_int_equal(counters(&scene)->suspected, 0);
    end(&scene);
}

static void whoever_drained_does_not_count_as_vanished(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_ANSWER);
    yr_process_close(scene.providers[4]);
    yr_process_close(scene.providers[3]);
    kill_first(&scene, 1);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:2 10.0.0.1:3 ", SOON_MS));
    assert_int_equal(counters(&scene)->suspected, 0);
    end(&scene);
}

static void replacing_all_one_by_one_is_no_mass(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_REFUSE);
    for (size_t i = 0; i < COUNT; i++) {
        yr_process *next = yr_fleet_start(scene.fleet, "next");
        yr_process_register(next, SERVICE, (uint16_t)(i + 11));
        run_for(&scene, 100);
        int64_t lease = scene.providers[i]->registry->provider.session.id;
        yr_process_kill(scene.providers[i]);
        yr_fake_etcd_revoke(scene.fleet->etcd, lease);
        run_for(&scene, 300);
    }
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, SOON_MS));
    assert_int_equal(counters(&scene)->suspected, 0);
    end(&scene);
}

static void a_registry_wiped_while_nobody_looked_empties_no_list(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_ANSWER);
    yr_sim_cut_host(scene.consumer->host);
    run_for(&scene, 500);
    for (size_t i = 0; i < COUNT; i++) {
        yr_sim_freeze(scene.providers[i]->host); /* so that the consumer sees it empty */
    }
    assert_ok(yr_fake_etcd_restart(scene.fleet->etcd, true));
    yr_sim_heal_all(scene.fleet->sim);
    int64_t healed_ms = yr_sim_now_ms(scene.fleet->sim);
    while (suspects(&scene) < COUNT) {
        run_and_see_nobody_missing(&scene, 1);
        assert_true(yr_sim_now_ms(scene.fleet->sim) - healed_ms < RECOVERY_MS);
    }
    assert_string_equal(yr_fleet_registered(scene.fleet, SERVICE), "");
    for (size_t i = 0; i < COUNT; i++) {
        yr_sim_thaw(scene.providers[i]->host);
    }
    run_and_see_nobody_missing(&scene, RECOVERY_MS);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
    end(&scene);
}

static void suspects_stay_as_long_as_the_registry_cannot_be_heard(void **state)
{
    (void)state;
    stage scene = set(COUNT, YR_PORTS_ANSWER);
    kill_first(&scene, COUNT);
    run_for(&scene, 1000);
    yr_fake_etcd_stop(scene.fleet->etcd);
    run_and_see_nobody_missing(&scene, 5 * TTL_MS);
    assert_int_equal(suspects(&scene), COUNT);
    assert_ok(yr_fake_etcd_start(scene.fleet->etcd));
    assert_true(yr_view_becomes(scene.view, "", RECOVERY_MS + TTL_MS));
    end(&scene);
}

static void a_suspect_that_returns_with_another_value_is_an_ordinary_instance(void **state)
{
    (void)state;
    stage scene = set(3, YR_PORTS_ANSWER);
    kill_first(&scene, 3);
    run_for(&scene, 300);
    assert_int_equal(suspects(&scene), 3);
    yr_process *again = yr_fleet_start(scene.fleet, "again");
    yr_wanted *wanted = yr_process_try_register(again, SERVICE, 2, 7);
    assert_non_null(wanted);
    run_for(&scene, 300);
    assert_int_equal(suspects(&scene), 2);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:2 ", TTL_MS));
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_leases_are_revoked_and_nobody_ever_misses_an_instance),
        cmocka_unit_test(all_keys_are_deleted_one_by_one_and_nobody_ever_misses_an_instance),
        cmocka_unit_test(all_die_and_are_gone_as_soon_as_their_hosts_refuse),
        cmocka_unit_test(all_die_with_their_hosts_and_are_gone_after_one_more_ttl),
        cmocka_unit_test(without_protection_whoever_vanishes_is_gone),
        cmocka_unit_test(a_half_that_vanishes_is_gone),
        cmocka_unit_test(two_of_three_and_two_of_two_are_too_few_to_be_doubted_for_long),
        cmocka_unit_test(three_of_five_stay_and_the_other_two_are_picked),
        cmocka_unit_test(a_fleet_that_leaves_in_order_is_gone_at_once),
        cmocka_unit_test(whoever_drained_does_not_count_as_vanished),
        cmocka_unit_test(replacing_all_one_by_one_is_no_mass),
        cmocka_unit_test(a_registry_wiped_while_nobody_looked_empties_no_list),
        cmocka_unit_test(suspects_stay_as_long_as_the_registry_cannot_be_heard),
        cmocka_unit_test(a_suspect_that_returns_with_another_value_is_an_ordinary_instance),
    };
    return cmocka_run_group_tests_name("protection", tests, NULL, NULL);
}
