/* What consumers know while etcd is away, from lists on a real disk: on the virtual clock. */
#include "base/mem.h"
#include "scratch.h"
#include "sim/fleet.h"
#include "yr_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE "com.acme.UserService:1.0"

enum {
    SOON_MS = 1000,
    AT_ONCE_MS = 100, /* connection refused, and 50 ms for another member */
    GRACE_MS = 1000,
    SAVED_MS = 5000, /* surely by then */
    RECOVERY_MS = 20000,
    HOUR_MS = 3600 * 1000,
    PATH_SIZE = 512,
};

static const char both[] = "10.0.0.1:1 10.0.0.1:2 ";

static yr_scratch scratch;
static char dir[160];

static int set_up(void **state)
{
    (void)state;
    if (yr_scratch_init(&scratch, "yurpc-cache-sim.") != YURPC_OK) {
        return -1;
    }
    (void)snprintf(dir, sizeof dir, "%s/lists", scratch.path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    yr_scratch_deinit(&scratch);
    return 0;
}

typedef struct stage {
    yr_fleet *fleet;
    yr_process *provider;
    yr_process *consumer;
    yr_view *view;
} stage;

/* The provider of ports 1 and 2, and a consumer whose list of them is saved. */
static stage set(uint64_t seed)
{
    stage scene = {.fleet = yr_fleet_new(seed, false)};
    scene.provider = yr_fleet_start(scene.fleet, "provider");
    yr_process_register(scene.provider, SERVICE, 1);
    yr_process_register(scene.provider, SERVICE, 2);
    scene.fleet->cache_dir = dir;
    scene.consumer = yr_fleet_start(scene.fleet, "consumer");
    scene.view = yr_process_follow(scene.consumer, SERVICE);
    assert_true(yr_view_becomes(scene.view, both, SOON_MS));
    yr_sim_run_for(scene.fleet->sim, SAVED_MS);
    return scene;
}

/* Start another consumer, which follows the service. */
static void restart(stage *scene, const char *name)
{
    scene->consumer = yr_fleet_start(scene->fleet, name);
    scene->view = yr_process_follow(scene->consumer, SERVICE);
}

/* etcd refuses connections, and those there were break. */
static void stop_etcd(const stage *scene)
{
    yr_sim_set_refusing(scene->fleet->etcd_host, true);
    yr_sim_reset_connections(scene->fleet->etcd_host);
}

static void start_etcd(const stage *scene)
{
    yr_sim_set_refusing(scene->fleet->etcd_host, false);
}

static const yurpc_snapshot *snapshot(const stage *scene)
{
    return yr_snapshot_cell_current(scene->view->entry->cell);
}

static void run_for(const stage *scene, int64_t ms)
{
    yr_sim_run_for(scene->fleet->sim, ms);
}

static void end(stage *scene)
{
    start_etcd(scene);
    yr_fleet_heal(scene->fleet);
    yr_fleet_free(scene->fleet);
}

/* Etcd stops, and another consumer is started. */
static void restart_without_etcd(stage *scene)
{
    stop_etcd(scene);
    restart(scene, "second");
}

/* kill -9: what the objects write as the test's process closes them does not count. */
static void crash(const stage *scene)
{
    char kept[200];
    (void)snprintf(kept, sizeof kept, "%s/kept", scratch.path);
    assert_int_equal(rename(dir, kept), 0);
    yr_process_kill(scene->consumer);
    run_for(scene, SAVED_MS);
    yr_scratch_remove(dir);
    assert_int_equal(rename(kept, dir), 0);
}

/* The only list on the disk. */
static void path_of_list(char path[PATH_SIZE])
{
    DIR *found = opendir(dir);
    assert_non_null(found);
    size_t count = 0;
    const struct dirent *entry = NULL;
    while ((entry = readdir(found)) != NULL) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (suffix != NULL && strcmp(suffix, ".list") == 0) {
            (void)snprintf(path, PATH_SIZE, "%s/%s", dir, entry->d_name);
            count++;
        }
    }
    (void)closedir(found);
    assert_int_equal(count, 1);
}

/* ---- Starting while etcd is away ---- */

static void a_consumer_that_starts_while_etcd_is_down_serves_at_once_and_joins(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    stop_etcd(&scene);
    run_for(&scene, HOUR_MS);
    restart(&scene, "second");
    assert_true(yr_view_becomes(scene.view, both, AT_ONCE_MS));
    assert_true(yurpc_snapshot_is_stale(snapshot(&scene)));
    assert_true(yurpc_snapshot_is_cached(snapshot(&scene)));
    assert_in_range(yurpc_snapshot_age_ms(snapshot(&scene)), HOUR_MS, HOUR_MS + SAVED_MS);
    assert_true(scene.view->is_told_stale);
    assert_int_equal(scene.consumer->registry->core.counters.cached_lists, 1);
    run_for(&scene, HOUR_MS);
    assert_in_range(yurpc_snapshot_age_ms(snapshot(&scene)), 2 * HOUR_MS,
                    2 * HOUR_MS + SAVED_MS);
    start_etcd(&scene);
    run_for(&scene, RECOVERY_MS);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    assert_false(yurpc_snapshot_is_cached(snapshot(&scene)));
    assert_int_equal(yurpc_snapshot_age_ms(snapshot(&scene)), 0);
    end(&scene);
}

/* What changed while nobody looked is told when the list comes, as a difference. */
static void the_registrys_list_replaces_the_one_from_disk(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    yr_process_unregister(scene.provider, &scene.provider->wanted[0]);
    yr_process_register(scene.provider, SERVICE, 3);
    run_for(&scene, SOON_MS);
    restart_without_etcd(&scene);
    assert_true(yr_view_becomes(scene.view, both, AT_ONCE_MS));
    start_etcd(&scene);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:2 10.0.0.1:3 ", 1));
    assert_int_equal(scene.view->ups, 3);
    assert_int_equal(scene.view->downs, 1);
    assert_int_equal(scene.view->changes, 0);
    end(&scene);
}

/* discover() waits for the first list: here it is. */
static void discover_returns_at_once_while_etcd_is_down(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    stop_etcd(&scene);
    scene.consumer = yr_fleet_start(scene.fleet, "second");
    scene.view = yr_process_discover(scene.consumer, SERVICE);
    run_for(&scene, AT_ONCE_MS);
    assert_null(scene.view->call.what);
    assert_true(yr_view_becomes(scene.view, both, 1));
    /* Who comes later has it, too. */
    yr_process_unfollow(scene.view);
    scene.view = yr_process_follow(scene.consumer, SERVICE);
    run_for(&scene, AT_ONCE_MS);
    yr_view *later = yr_process_discover(scene.consumer, SERVICE);
    run_for(&scene, 1);
    assert_null(later->call.what);
    end(&scene);
}

static void a_black_hole_is_waited_for_a_second_and_no_longer(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    scene.consumer = yr_fleet_start(scene.fleet, "second");
    yr_sim_cut_host(scene.consumer->host);
    scene.view = yr_process_follow(scene.consumer, SERVICE);
    run_for(&scene, GRACE_MS - 1);
    assert_int_equal(yurpc_snapshot_count(snapshot(&scene)), 0);
    assert_true(yr_view_becomes(scene.view, both, 2));
    end(&scene);
}

/* It accepts connections and says nothing: whoever waits gets the list at the deadline at the
 * latest. */
static void a_frozen_etcd_does_not_make_discover_fail(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    yr_fake_etcd_set_silent(scene.fleet->etcd, true);
    scene.consumer = yr_fleet_start(scene.fleet, "second");
    scene.view = yr_process_discover(scene.consumer, SERVICE);
    run_for(&scene, YR_FLEET_TIMEOUT_MS + 1);
    assert_null(scene.view->call.what);
    assert_true(yr_view_becomes(scene.view, both, 1));
    end(&scene);
}

/* A list that is slow to come over a connection that stands is better than an old one. */
static void a_slow_list_is_waited_for(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    yr_fake_rule slow = {.method = "Range", .action = YR_FAKE_DELAY_ANSWER, .number = 1500};
    yr_fake_etcd_add_rule(scene.fleet->etcd, &slow);
    restart(&scene, "second");
    run_for(&scene, 1400);
    assert_int_equal(yurpc_snapshot_count(snapshot(&scene)), 0);
    assert_true(yr_view_becomes(scene.view, both, RECOVERY_MS));
    assert_int_equal(scene.consumer->registry->core.counters.cached_lists, 0);
    yr_fake_etcd_clear_rules(scene.fleet->etcd);
    end(&scene);
}

static void one_dead_member_is_no_reason_for_an_old_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) { /* which of the two is tried first differs */
        yr_fleet *fleet = yr_fleet_new(seed, false);
        yr_fleet_add_member(fleet);
        fleet->cache_dir = dir;
        yr_process_register(yr_fleet_start(fleet, "provider"), SERVICE, 1);
        yr_view *view = yr_process_follow(yr_fleet_start(fleet, "consumer"), SERVICE);
        assert_true(yr_view_becomes(view, "10.0.0.1:1 ", SOON_MS));
        yr_process_close(view->process);
        yr_sim_set_refusing(fleet->etcd_host, true);
        yr_sim_set_latency(fleet->sim, 30, 40); /* the other is far away */
        yr_process *second = yr_fleet_start(fleet, "second");
        view = yr_process_follow(second, SERVICE);
        assert_true(yr_view_becomes(view, "10.0.0.1:1 ", SOON_MS));
        assert_int_equal(second->registry->core.counters.cached_lists, 0);
        yr_sim_set_refusing(fleet->etcd_host, false);
        yr_fleet_free(fleet);
    }
}

static void a_service_never_seen_has_no_list(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    stop_etcd(&scene);
    scene.consumer = yr_fleet_start(scene.fleet, "second");
    scene.view = yr_process_follow(scene.consumer, "another:1.0");
    run_for(&scene, RECOVERY_MS);
    assert_false(yurpc_snapshot_is_cached(snapshot(&scene)));
    assert_int_equal(yurpc_snapshot_age_ms(snapshot(&scene)), -1);
    assert_int_equal(scene.consumer->registry->core.counters.cached_lists, 0);
    end(&scene);
}

/* ---- What is saved ---- */

static void a_killed_consumer_has_left_what_it_knew(void **state)
{
    (void)state;
    stage scene = set(1);
    crash(&scene);
    restart_without_etcd(&scene);
    assert_true(yr_view_becomes(scene.view, both, AT_ONCE_MS));
    end(&scene);
}

static void the_last_change_is_saved_at_closing(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_register(scene.provider, SERVICE, 3);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 ", SOON_MS));
    yr_process_close(scene.consumer);
    restart_without_etcd(&scene);
    assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 ", AT_ONCE_MS));
    end(&scene);
}

static ino_t inode_of_list(void)
{
    char path[PATH_SIZE];
    struct stat info;
    path_of_list(path);
    assert_int_equal(stat(path, &info), 0);
    return info.st_ino;
}

static void many_changes_are_saved_together(void **state)
{
    (void)state;
    enum { CHANGES = 40 };
    stage scene = set(1);
    size_t saves = 0;
    ino_t seen = inode_of_list();
    int64_t begun_ms = yr_sim_now_ms(scene.fleet->sim);
    for (int i = 0; i < CHANGES; i++) {
        yr_wanted *wanted = yr_process_register(scene.provider, SERVICE, 9);
        run_for(&scene, 100);
        yr_process_unregister(scene.provider, wanted);
        run_for(&scene, 100);
        ino_t now = inode_of_list();
        saves += now != seen;
        seen = now;
    }
    int64_t took_ms = yr_sim_now_ms(scene.fleet->sim) - begun_ms;
    assert_in_range(saves, 1, took_ms / 1000);
    end(&scene);
}

/* An unchanged list costs no writing, but its age begins anew with each periodic list. */
static void a_list_that_does_not_change_is_confirmed(void **state)
{
    (void)state;
    stage scene = set(1);
    ino_t before = inode_of_list();
    run_for(&scene, HOUR_MS);
    assert_int_equal(inode_of_list(), before);
    crash(&scene);
    restart_without_etcd(&scene);
    assert_true(yr_view_becomes(scene.view, both, AT_ONCE_MS));
    assert_in_range(yurpc_snapshot_age_ms(snapshot(&scene)), 0, 2 * YR_FLEET_RECONCILE_MS);
    end(&scene);
}

/* The registry is right, also when it has lost everything. */
static void a_wiped_registry_overwrites_the_list(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_kill(scene.provider);
    assert_ok(yr_fake_etcd_restart(scene.fleet->etcd, true));
    assert_true(yr_view_becomes(scene.view, "", RECOVERY_MS));
    run_for(&scene, SAVED_MS);
    yr_process_close(scene.consumer);
    restart_without_etcd(&scene);
    run_for(&scene, AT_ONCE_MS);
    assert_int_equal(yurpc_snapshot_count(snapshot(&scene)), 0);
    assert_true(yurpc_snapshot_is_cached(snapshot(&scene)));
    end(&scene);
}

static void what_came_from_disk_is_not_saved_as_if_it_were_right(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    stop_etcd(&scene);
    run_for(&scene, HOUR_MS);
    restart(&scene, "second");
    run_for(&scene, HOUR_MS);
    yr_process_close(scene.consumer);
    restart(&scene, "third");
    assert_true(yr_view_becomes(scene.view, both, AT_ONCE_MS));
    assert_true(yurpc_snapshot_age_ms(snapshot(&scene)) >= 2 * HOUR_MS);
    end(&scene);
}

static void a_damaged_list_is_set_aside_and_made_anew(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    stage scene = set(1);
    yr_process_close(scene.consumer);
    path_of_list(path);
    assert_int_equal(truncate(path, 50), 0);
    restart_without_etcd(&scene);
    run_for(&scene, RECOVERY_MS);
    assert_int_equal(yurpc_snapshot_count(snapshot(&scene)), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    start_etcd(&scene);
    assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
    run_for(&scene, SAVED_MS);
    assert_int_equal(access(path, F_OK), 0);
    end(&scene);
}

static void a_folder_that_cannot_be_used_is_named_once_and_costs_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    stage scene = set(1);
    size_t warnings = scene.consumer->warnings;
    assert_int_equal(warnings, 1);
    yr_process_follow(scene.consumer, "another:1.0");
    run_for(&scene, HOUR_MS);
    assert_int_equal(scene.consumer->warnings, warnings);
    end(&scene);
}

/* ---- Ages ---- */

static void a_clock_that_was_set_back_makes_the_age_unknown(void **state)
{
    (void)state;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    stop_etcd(&scene);
    yr_sim_jump_wall(scene.fleet->sim, -HOUR_MS);
    restart(&scene, "second");
    assert_true(yr_view_becomes(scene.view, both, AT_ONCE_MS));
    assert_int_equal(yurpc_snapshot_age_ms(snapshot(&scene)), -1);
    yr_process_close(scene.consumer);
    yr_sim_jump_wall(scene.fleet->sim, INT64_C(1000) * 24 * HOUR_MS);
    restart(&scene, "third");
    assert_true(yr_view_becomes(scene.view, both, AT_ONCE_MS));
    assert_int_equal(yurpc_snapshot_age_ms(snapshot(&scene)), -1);
    end(&scene);
}

static void within_a_process_no_clock_that_is_set_matters(void **state)
{
    (void)state;
    stage scene = set(1);
    assert_int_equal(yurpc_snapshot_age_ms(snapshot(&scene)), 0);
    stop_etcd(&scene);
    run_for(&scene, HOUR_MS);
    yr_sim_jump_wall(scene.fleet->sim, -HOUR_MS);
    assert_in_range(yurpc_snapshot_age_ms(snapshot(&scene)), HOUR_MS - 10, HOUR_MS);
    yr_sim_jump_wall(scene.fleet->sim, INT64_C(1000) * HOUR_MS);
    yr_sim_suspend(scene.fleet->sim, HOUR_MS);
    assert_in_range(yurpc_snapshot_age_ms(snapshot(&scene)), 2 * HOUR_MS - 10, 2 * HOUR_MS);
    end(&scene);
}

static int64_t stale_for(const stage *scene)
{
    int64_t since = scene->consumer->registry->core.counters.stale_since_ms;
    return since == INT64_MAX ? 0
                              : yr_io_boot_ms(yr_sim_host_io(scene->consumer->host)) - since;
}

/* The counter behind yurpc_registry_stats.staleness_ms. */
static void the_oldest_list_is_counted(void **state)
{
    (void)state;
    stage scene = set(1);
    assert_int_equal(stale_for(&scene), 0);
    stop_etcd(&scene);
    run_for(&scene, HOUR_MS);
    assert_in_range(stale_for(&scene), HOUR_MS - 10, HOUR_MS);
    yr_view *later = yr_process_follow(scene.consumer, "another:1.0");
    run_for(&scene, SOON_MS);
    assert_in_range(stale_for(&scene), HOUR_MS + SOON_MS - 10, HOUR_MS + SOON_MS);
    yr_process_unfollow(scene.view);
    assert_int_equal(stale_for(&scene), SOON_MS);
    start_etcd(&scene);
    run_for(&scene, RECOVERY_MS);
    assert_int_equal(stale_for(&scene), 0);
    yr_process_unfollow(later);
    end(&scene);
}

/* ---- Memory ---- */

/* Whatever could not be allocated as it started: soon it has the list, and then the registry's.
 */
static void a_start_without_memory_is_made_up_for(void **state)
{
    (void)state;
    bool is_through = false;
    stage scene = set(1);
    yr_process_close(scene.consumer);
    for (long n = 0; !is_through; n++) {
        stop_etcd(&scene);
        scene.consumer = yr_fleet_start(scene.fleet, "next");
        yr_mem_fail_after(n);
        scene.view = yr_process_try_follow(scene.consumer, SERVICE);
        run_for(&scene, 200);
        is_through = yr_mem_attempts() < n;
        yr_mem_fail_after(-1);
        if (scene.view == NULL) {
            scene.view = yr_process_follow(scene.consumer, SERVICE);
        }
        if (!yr_view_becomes(scene.view, both, RECOVERY_MS)) {
            fail_msg("allocation %ld fails: no list", n);
        }
        start_etcd(&scene);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
        yr_process_close(scene.consumer);
        if (n % 16 == 15) { /* a fleet has so many processes only */
            end(&scene);
            scene = set(1);
            yr_process_close(scene.consumer);
        }
    }
    end(&scene);
}

static void a_change_without_memory_is_saved_later(void **state)
{
    (void)state;
    bool is_through = false;
    for (long n = 0; !is_through; n++) {
        stage scene = set((uint64_t)n + 1);
        yr_process_register(scene.provider, SERVICE, 3);
        assert_true(yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 ", SOON_MS));
        yr_mem_fail_after(n);
        run_for(&scene, SAVED_MS);
        is_through = yr_mem_attempts() < n;
        yr_mem_fail_after(-1);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, RECOVERY_MS));
        run_for(&scene, 2 * 60 * 1000);
        crash(&scene);
        stop_etcd(&scene);
        restart(&scene, "second");
        if (!yr_view_becomes(scene.view, "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 ", RECOVERY_MS)) {
            fail_msg("allocation %ld fails: the change was not saved", n);
        }
        end(&scene);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_consumer_that_starts_while_etcd_is_down_serves_at_once_and_joins),
        TEST(the_registrys_list_replaces_the_one_from_disk),
        TEST(discover_returns_at_once_while_etcd_is_down),
        TEST(a_black_hole_is_waited_for_a_second_and_no_longer),
        TEST(a_frozen_etcd_does_not_make_discover_fail),
        TEST(a_slow_list_is_waited_for),
        TEST(one_dead_member_is_no_reason_for_an_old_list),
        TEST(a_service_never_seen_has_no_list),
        TEST(a_killed_consumer_has_left_what_it_knew),
        TEST(the_last_change_is_saved_at_closing),
        TEST(many_changes_are_saved_together),
        TEST(a_list_that_does_not_change_is_confirmed),
        TEST(a_wiped_registry_overwrites_the_list),
        TEST(what_came_from_disk_is_not_saved_as_if_it_were_right),
        TEST(a_damaged_list_is_set_aside_and_made_anew),
        TEST(a_folder_that_cannot_be_used_is_named_once_and_costs_nothing_else),
        TEST(a_clock_that_was_set_back_makes_the_age_unknown),
        TEST(within_a_process_no_clock_that_is_set_matters),
        TEST(the_oldest_list_is_counted),
        TEST(a_start_without_memory_is_made_up_for),
        TEST(a_change_without_memory_is_saved_later),
    };
    return cmocka_run_group_tests_name("disk_cache", tests, NULL, NULL);
}
