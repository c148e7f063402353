/* Following: lists, changes, scopes. */
#include "base/bytes.h"
#include "base/mem.h"
#include "contract.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

/* A provider with a session, and another driver that watches. */
typedef struct yr_scene {
    yr_subject provider;
    yr_subject consumer;
    yr_watcher watcher;
} yr_scene;

static void open_scene(yr_scene *scene, yr_stage *stage)
{
    yr_subject_open(&scene->provider, stage);
    yr_subject_open(&scene->consumer, stage);
    assert_ok(yr_subject_open_session(&scene->provider));
}

static void close_scene(yr_scene *scene)
{
    yr_watcher_end(&scene->watcher);
    yr_subject_close(&scene->provider);
    yr_subject_close(&scene->consumer);
}

static void put(yr_scene *scene, const char *node, const char *value)
{
    assert_ok(yr_subject_announce(&scene->provider, YR_ANNOUNCE_TAKE, "svc:1.0", node, value));
}

static void a_follow_begins_with_the_list_of_what_is_there(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    put(&scene, "a:1", "1");
    put(&scene, "b:1", "2");
    yr_watcher_begin(&scene.watcher, &scene.consumer, "svc:1.0");
    assert_int_equal(scene.watcher.lists, 1);
    assert_int_equal(scene.watcher.count, 2);
    assert_string_equal(yr_watcher_find(&scene.watcher, "b:1")->value, "2");
    assert_int_equal(yr_watcher_find(&scene.watcher, "b:1")->owner, scene.provider.session.id);
    assert_int_equal(scene.watcher.stale_reports, 1);
    close_scene(&scene);
}

static void an_empty_service_is_listed_and_its_first_node_seen(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    yr_watcher_begin(&scene.watcher, &scene.consumer, "svc:1.0");
    assert_int_equal(scene.watcher.count, 0);
    put(&scene, "a:1", "1");
    yr_watcher_await_value(&scene.watcher, "a:1", "1");
    assert_int_equal(scene.watcher.lists, 1);
    close_scene(&scene);
}

static void changes_come_in_their_order(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    yr_watcher_begin(&scene.watcher, &scene.consumer, "svc:1.0");
    put(&scene, "a:1", "1");
    yr_watcher_await_count(&scene.watcher, 1, YR_STAGE_LIMIT_MS);
    put(&scene, "b:1", "2");
    yr_watcher_await_count(&scene.watcher, 2, YR_STAGE_LIMIT_MS);
    put(&scene, "a:1", "3");
    yr_watcher_await_value(&scene.watcher, "a:1", "3");
    assert_ok(yr_subject_withdraw(&scene.provider, "svc:1.0", "b:1"));
    yr_watcher_await_count(&scene.watcher, 1, YR_STAGE_LIMIT_MS);
    put(&scene, "b:1", "4");
    yr_watcher_await_count(&scene.watcher, 2, YR_STAGE_LIMIT_MS);
    assert_string_equal(scene.watcher.log, "+a:1=1 +b:1=2 +a:1=3 -b:1 +b:1=4");
    close_scene(&scene);
}

static void our_own_changes_are_reported_too(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    yr_watcher_begin(&scene.watcher, &scene.provider, "svc:1.0");
    put(&scene, "a:1", "1");
    yr_watcher_await_value(&scene.watcher, "a:1", "1");
    assert_ok(yr_subject_remove(&scene.consumer, "svc:1.0", "a:1"));
    yr_watcher_await_count(&scene.watcher, 0, YR_STAGE_LIMIT_MS);
    close_scene(&scene);
}

static void a_span_leaves_other_nodes_out(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    put(&scene, "a:1", "1");
    put(&scene, "b:1", "1");
    put(&scene, "b:11", "1");
    put(&scene, "c:1", "1");
    yr_watcher_begin_span(&scene.watcher, &scene.consumer, "svc:1.0", "b:1", "b:2");
    assert_int_equal(scene.watcher.count, 2);
    put(&scene, "b:2", "2");
    put(&scene, "b:21", "out");
    put(&scene, "b:", "out");
    put(&scene, "c:1", "out");
    put(&scene, "b:1", "in");
    yr_watcher_await_value(&scene.watcher, "b:1", "in");
    assert_string_equal(scene.watcher.log, "+b:2=2 +b:1=in");
    close_scene(&scene);
}

static void one_node_can_be_followed_alone(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    yr_watcher_begin_span(&scene.watcher, &scene.consumer, "svc:1.0", "b:1", "b:1");
    put(&scene, "a:1", "1");
    put(&scene, "b:1", "1");
    yr_watcher_await_value(&scene.watcher, "b:1", "1");
    assert_string_equal(scene.watcher.log, "+b:1=1");
    close_scene(&scene);
}

static void versions_that_begin_alike_do_not_mix(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    put(&scene, "a:1", "1.0");
    assert_ok(
        yr_subject_announce(&scene.provider, YR_ANNOUNCE_TAKE, "svc:1.0.1", "a:1", "1.0.1"));
    yr_watcher_begin(&scene.watcher, &scene.consumer, "svc:1.0");
    assert_int_equal(scene.watcher.count, 1);
    assert_string_equal(yr_watcher_find(&scene.watcher, "a:1")->value, "1.0");
    assert_ok(
        yr_subject_announce(&scene.provider, YR_ANNOUNCE_TAKE, "svc:1.0.1", "b:1", "1.0.1"));
    put(&scene, "c:1", "1.0");
    yr_watcher_await_value(&scene.watcher, "c:1", "1.0");
    assert_string_equal(scene.watcher.log, "+c:1=1.0");
    close_scene(&scene);
}

static void relisting_lists_again(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    put(&scene, "a:1", "1");
    yr_watcher_begin(&scene.watcher, &scene.consumer, "svc:1.0");
    yr_backend_now->ops->relist(scene.watcher.follow);
    assert_int_equal(scene.watcher.lists, 1); /* not inside the call */
    scene.watcher.lists = 0;
    yr_watcher_await_count(&scene.watcher, 1, YR_STAGE_LIMIT_MS);
    for (int i = 0; i < 100 && scene.watcher.lists == 0; i++) {
        yr_stage_linger(*state, 20);
    }
    assert_int_equal(scene.watcher.lists, 1);
    assert_int_equal(scene.watcher.stale_reports, 1);
    put(&scene, "a:1", "2");
    yr_watcher_await_value(&scene.watcher, "a:1", "2");
    close_scene(&scene);
}

static void a_follow_may_end_inside_its_callback(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    static yr_watcher second;
    yr_watcher_begin(&scene.watcher, &scene.consumer, "svc:1.0");
    yr_watcher_begin(&second, &scene.consumer, "svc:1.0");
    scene.watcher.unfollow_at = 1;
    put(&scene, "a:1", "1");
    yr_watcher_await_count(&second, 1, YR_STAGE_LIMIT_MS);
    put(&scene, "b:1", "1");
    yr_watcher_await_count(&second, 2, YR_STAGE_LIMIT_MS);
    assert_null(scene.watcher.follow);
    assert_string_equal(scene.watcher.log, "+a:1=1");
    yr_watcher_end(&second);
    close_scene(&scene);
}

static void a_follow_may_end_before_its_list(void **state)
{
    static yr_scene scene;
    static const yr_follow_events events = {0}; /* would crash if it were told */
    open_scene(&scene, *state);
    const yr_scope scope = {.service = yr_bytes_of_text("svc:1.0")};
    for (int i = 0; i < 10; i++) {
        yr_follow *follow = NULL;
        assert_ok(
            yr_backend_now->ops->follow(scene.consumer.driver, &scope, &events, NULL, &follow));
        yr_backend_now->ops->unfollow(follow);
    }
    yr_stage_linger(*state, 100);
    scene.watcher.follow = NULL;
    close_scene(&scene);
}

static void a_closed_provider_is_gone_within_a_second(void **state)
{
    static yr_scene scene;
    open_scene(&scene, *state);
    put(&scene, "a:1", "1");
    put(&scene, "b:1", "1");
    yr_watcher_begin(&scene.watcher, &scene.consumer, "svc:1.0");
    assert_int_equal(scene.watcher.count, 2);
    yr_subject_close(&scene.provider);
    yr_watcher_await_count(&scene.watcher, 0, 1000);
    assert_int_equal(scene.watcher.deletes, 2);
    close_scene(&scene);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, yr_stage_setup, yr_stage_teardown)

int yr_contract_run_follows(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_follow_begins_with_the_list_of_what_is_there),
        ON_STAGE(an_empty_service_is_listed_and_its_first_node_seen),
        ON_STAGE(changes_come_in_their_order),
        ON_STAGE(our_own_changes_are_reported_too),
        ON_STAGE(a_span_leaves_other_nodes_out),
        ON_STAGE(one_node_can_be_followed_alone),
        ON_STAGE(versions_that_begin_alike_do_not_mix),
        ON_STAGE(relisting_lists_again),
        ON_STAGE(a_follow_may_end_inside_its_callback),
        ON_STAGE(a_follow_may_end_before_its_list),
        ON_STAGE(a_closed_provider_is_gone_within_a_second),
    };
    return cmocka_run_group_tests_name("follows", tests, NULL, NULL);
}
