/* A service that changes faster than etcd tells its watchers, on the virtual clock. */
#include "sim/pair.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum {
    MANY = 20000,      /* revisions: four seconds of catching up */
    OUTAGE_MS = 12000, /* until everybody has noticed */
    SOON_MS = 1000,
    RECOVERY_MS = 10000,
    PORT = 2,
};

#define OTHER "com.acme.OrderService:1.0"

/* Write an instance of @p service, @p count times; it ends up with the weight @p count. */
static void write_on(const yr_pair *scene, const char *service, int count)
{
    for (int i = 1; i <= count; i++) {
        char key[96];
        char value[256];
        (void)snprintf(key, sizeof key, "/rpc/%s/10.0.0.9:%d", service, PORT);
        (void)snprintf(value, sizeof value,
                       "{\"serviceName\":\"%.*s\",\"serviceVersion\":\"1.0\","
                       "\"serviceHost\":\"10.0.0.9\",\"servicePort\":%d,"
                       "\"serviceGroup\":\"default\",\"weight\":%d}",
                       (int)(strlen(service) - 4), service, PORT, 1 + i % 1000);
        yr_fake_etcd_put(scene->fleet->etcd, key, value, 0);
    }
}

static uint64_t lists_of(const yr_pair *scene)
{
    return scene->consumer->registry->core.counters.lists;
}

static bool is_true(void *context)
{
    const yr_pair *scene = context;
    const yurpc_snapshot *now = yr_snapshot_cell_current(scene->view->entry->cell);
    bool is_there = false;
    for (size_t i = 0; i < yurpc_snapshot_count(now); i++) {
        const yurpc_instance *one = yurpc_snapshot_at(now, i);
        is_there = is_there || (yurpc_instance_port(one) == PORT &&
                                yurpc_instance_weight(one) == 1 + MANY % 1000);
    }
    return is_there;
}

static void a_watch_that_lags_is_replaced_by_a_list(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    uint64_t lists = lists_of(&scene);
    yr_sim_cut_host(scene.consumer->host);
    yr_pair_run_for(&scene, OUTAGE_MS);
    write_on(&scene, SERVICE, MANY);
    yr_sim_heal_all(scene.fleet->sim);
    assert_true(yr_sim_run_until(scene.fleet->sim, is_true, &scene, RECOVERY_MS));
    assert_int_equal(lists_of(&scene), lists + 1);
    assert_true(scene.consumer->registry->core.counters.changes < 5000);
    yr_pair_run_for(&scene, SOON_MS);
    assert_int_equal(scene.view->downs, 0);
    assert_int_equal(lists_of(&scene), lists + 1);
    yr_process_unregister(scene.provider, scene.wanted);
    yr_pair_run_for(&scene, SOON_MS);
    assert_int_equal(scene.view->downs, 1);
    yr_pair_free(&scene);
}

static void a_burst_elsewhere_costs_no_list(void **state)
{
    (void)state;
    yr_pair scene = yr_pair_new(1, 1);
    uint64_t lists = lists_of(&scene);
    yr_sim_cut_host(scene.consumer->host);
    yr_pair_run_for(&scene, OUTAGE_MS);
    write_on(&scene, SERVICE, 10);
    write_on(&scene, OTHER, MANY);
    yr_sim_heal_all(scene.fleet->sim);
    yr_pair_run_for(&scene, SOON_MS);
    write_on(&scene, OTHER, MANY);
    write_on(&scene, SERVICE, 1);
    yr_pair_run_for(&scene, SOON_MS);
    assert_int_equal(lists_of(&scene), lists);
    yr_pair_free(&scene);
}

/* Nothing can be done against it but to list now and then. */
static void a_burst_without_end_costs_few_lists(void **state)
{
    (void)state;
    enum { ROUNDS = 120, ROUND_MS = 100, LISTS_MAX = 4 }; /* 20,000 a second, 12 s */
    yr_pair scene = yr_pair_new(1, 1);
    yr_sim_cut_host(scene.consumer->host);
    yr_pair_run_for(&scene, OUTAGE_MS);
    write_on(&scene, SERVICE, MANY);
    yr_sim_heal_all(scene.fleet->sim);
    uint64_t lists = lists_of(&scene);
    for (int i = 0; i < ROUNDS; i++) {
        write_on(&scene, SERVICE, ROUND_MS * MANY / 1000);
        yr_pair_run_for(&scene, ROUND_MS);
    }
    assert_in_range(lists_of(&scene) - lists, 2, LISTS_MAX + 1); /* one is periodic */
    yr_pair_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_that_lags_is_replaced_by_a_list),
        cmocka_unit_test(a_burst_elsewhere_costs_no_list),
        cmocka_unit_test(a_burst_without_end_costs_few_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
