/* One etcd that dies, comes back, is filled up, and an operator who meddles with it. */
#include "measure.h"
#include "netns.h"
#include "scene.h"
#include "yr_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { ROAD = 1, TTL_S = 5, BEAT_MS = TTL_S * 1000 / 3 };

static yr_engine *etcd_of(const fault_scene *scene)
{
    return yr_cluster_member(scene->cluster, 1);
}

static int64_t cpu_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void a_registry_that_comes_later_is_waited_for_in_peace(void **state) /* 1 */
{
    enum { AWAY_MS = 6000 };
    fault_scene *scene = *state;
    char endpoints[YR_CLUSTER_TEXT_MAX];
    yr_cluster_endpoints(scene->cluster, ROAD, endpoints);
    provider_options options = {.endpoints = endpoints,
                                .service = scene->service,
                                .port = 8080,
                                .count = 1,
                                .ttl_s = TTL_S,
                                .is_background = true};
    actor_provider *provider = &scene->providers[scene->provider_count++];
    yr_engine_stop(etcd_of(scene), SIGTERM);
    int64_t begin_ms = measure_now_ms();
    int64_t begin_cpu_ms = cpu_ms();
    provider_start(provider, &options);
    measure_note("promise 12: opening without a registry: returns", measure_now_ms() - begin_ms,
                 100);
    measure_pause_ms(AWAY_MS);
    int64_t used_ms = cpu_ms() - begin_cpu_ms; /* the operator's client waits, too */
    print_message("MEASURED promise 12: CPU of two clients without a registry: %.2f %%\n",
                  (double)used_ms * 100 / AWAY_MS);
    assert_true(used_ms * 100 < AWAY_MS * 2);
    assert_ok(yr_engine_restart(etcd_of(scene), false));
    measure_note("promise 1: a registry that comes later: registered",
                 operator_await(scene->etcd, scene->service, 1, PATIENCE_MS), X_MS);
}

/* Away for so long; what comes back must be what was there, by one way or the other. */
static void an_etcd_that_was_killed(fault_scene *scene, int64_t away_ms, bool is_lease_kept)
{
    actor_provider *provider = scene_provider(scene, ROAD, 8080, 3, TTL_S);
    actor_consumer *consumer = scene_consumer(scene, ROAD);
    int64_t lease = provider_lease(provider);
    operator_key before = operator_look(scene->etcd, scene->service, 8080);
    consumer_begin(consumer);
    yr_engine_stop(etcd_of(scene), SIGKILL);
    measure_pause_ms(away_ms);
    assert_int_equal(consumer_count(consumer), 3);
    assert_ok(yr_engine_restart(etcd_of(scene), false));
    int64_t begin_ms = measure_now_ms();
    assert_true(await(provider_is_registered, provider, PATIENCE_MS) >= 0);
    assert_true(operator_await(scene->etcd, scene->service, 3, PATIENCE_MS) >= 0);
    assert_true(await(consumer_is_fresh, consumer, PATIENCE_MS) >= 0);
    assert_true(consumer_await(consumer, 3, PATIENCE_MS) >= 0);
    measure_note("promise 1: etcd killed and restarted: all is right",
                 measure_now_ms() - begin_ms, X_MS);
    measure_pause_ms(TTL_S * 1000 + 1500); /* what is left of an old lease ends */
    assert_int_equal(operator_count(scene->etcd, scene->service), 3);
    assert_int_equal(consumer_count(consumer), 3);
    operator_key after = operator_look(scene->etcd, scene->service, 8080);
    assert_int_equal(after.lease, provider_lease(provider));
    if (is_lease_kept) {
        assert_int_equal(after.lease, lease);
        assert_int_equal(after.mod_revision, before.mod_revision);
        assert_int_equal(provider->lost, 0);
        assert_int_equal(consumer_ask(consumer).downs + consumer_ask(consumer).ups, 0);
    }
}

static void an_etcd_killed_for_a_moment_changes_nothing(void **state) /* 6 */
{
    an_etcd_that_was_killed(*state, 500, true);
}

static void an_etcd_away_for_longer_than_the_ttl_gets_everything_back(void **state) /* 7 */
{
    an_etcd_that_was_killed(*state, TTL_S * 1000 + 2000, false);
}

static void a_revoked_lease_is_replaced_at_once(void **state) /* 30 */
{
    fault_scene *scene = *state;
    actor_provider *provider = scene_provider(scene, ROAD, 8080, 3, TTL_S);
    for (int i = 0; i < 5; i++) {
        int64_t lease = provider_lease(provider);
        operator_revoke(scene->etcd, lease);
        measure_note("promise 1: a revoked lease: back",
                     operator_await(scene->etcd, scene->service, 3, PATIENCE_MS),
                     BEAT_MS + 1000);
        assert_true(await(provider_is_registered, provider, PATIENCE_MS) >= 0);
        assert_int_not_equal(provider_lease(provider), lease);
        provider_expect_losses(provider, 3 * (i + 1));
    }
}

static void a_deleted_key_is_put_back(void **state) /* 32 */
{
    fault_scene *scene = *state;
    actor_provider *provider = scene_provider(scene, ROAD, 8080, 1, TTL_S);
    int64_t lease = provider_lease(provider);
    for (int i = 0; i < 5; i++) {
        operator_delete(scene->etcd, scene->service, 8080);
        measure_note("promise 1: a deleted key: back",
                     operator_await(scene->etcd, scene->service, 1, PATIENCE_MS), TTL_S * 1000);
        assert_int_equal(operator_look(scene->etcd, scene->service, 8080).lease, lease);
        assert_true(await(provider_is_registered, provider, PATIENCE_MS) >= 0);
    }
}

static bool has_conflict(void *context)
{
    return ((actor_provider *)context)->conflicts > 0;
}

static void two_processes_do_not_fight_for_an_address(void **state) /* 48, 49 */
{
    fault_scene *scene = *state;
    actor_provider *older = scene_provider(scene, ROAD, 8080, 1, TTL_S);
    actor_provider *newer = scene_provider(scene, ROAD, 8080, 1, TTL_S);
    assert_true(await(has_conflict, older, PATIENCE_MS) >= 0);
    operator_key taken = operator_look(scene->etcd, scene->service, 8080);
    measure_pause_ms(10000);
    operator_key later = operator_look(scene->etcd, scene->service, 8080);
    assert_int_equal(taken.lease, provider_lease(newer));
    assert_int_equal(later.mod_revision, taken.mod_revision); /* nobody wrote */
    assert_int_equal(later.version, 2);
    provider_close(older);
    later = operator_look(scene->etcd, scene->service, 8080);
    assert_int_equal(later.mod_revision, taken.mod_revision);
    assert_int_equal(newer->lost + newer->conflicts, 0);
}

static void closing_removes_within_a_second(void **state) /* 51 */
{
    fault_scene *scene = *state;
    actor_consumer *consumer = scene_consumer(scene, ROAD);
    for (int i = 0; i < 10; i++) {
        actor_provider *provider = scene_provider(scene, ROAD, 8080, 5, TTL_S);
        assert_true(consumer_await(consumer, 5, PATIENCE_MS) >= 0);
        int64_t begin_ms = measure_now_ms();
        provider_close(provider);
        measure_note("promise 4: closing: returns", measure_now_ms() - begin_ms, 3000);
        assert_true(consumer_await(consumer, 0, PATIENCE_MS) >= 0);
        measure_note("promise 4: closing: gone at a consumer", measure_now_ms() - begin_ms,
                     1000);
    }
}

#define FILL "/tests/fill"

/* Write until nothing more goes in. */
static void fill(yurpc_etcd *etcd)
{
    enum { CHUNK = 1 << 20, CHUNKS_MAX = 64 };
    static char chunk[CHUNK];
    memset(chunk, 'x', sizeof chunk);
    yurpc_status status = YURPC_OK;
    for (int i = 0; i < CHUNKS_MAX && status == YURPC_OK; i++) {
        status = yurpc_etcd_put(etcd, (yurpc_bytes){FILL, strlen(FILL)},
                                (yurpc_bytes){chunk, sizeof chunk}, NULL, NULL, NULL);
    }
    assert_int_equal(status, YURPC_EXHAUSTED);
}

static void make_room(const yr_engine *engine, yurpc_etcd *etcd)
{
    char endpoint[64];
    yurpc_etcd_reply *reply = NULL;
    (void)snprintf(endpoint, sizeof endpoint, "--endpoints=%s", yr_engine_address(engine));
    const char *const defrag[] = {"etcdctl", endpoint, "defrag", NULL};
    const char *const disarm[] = {"etcdctl", endpoint, "alarm", "disarm", NULL};
    assert_ok(yurpc_etcd_delete(etcd, (yurpc_bytes){FILL, strlen(FILL)}, NULL, &reply, NULL));
    assert_ok(yurpc_etcd_compact(etcd, reply->revision, NULL));
    yurpc_etcd_reply_free(reply);
    assert_true(yr_net_run(defrag));
    assert_true(yr_net_run(disarm));
}

/* Its own etcd, which is small. */
static void a_full_etcd_keeps_who_is_there_and_takes_the_rest_back_later(void **state) /* 45 */
{
    static const char *const small[] = {"--quota-backend-bytes", "16777216", NULL};
    fault_scene *scene = *state;
    yr_engine *engine = NULL;
    yr_engine_options engine_options = {.arguments = small};
    assert_ok(yr_engine_start_etcd(scene->version, &engine_options, &engine));
    yurpc_etcd *etcd = operator_open(yr_engine_address(engine));
    provider_options options = {.endpoints = yr_engine_address(engine),
                                .service = scene->service,
                                .port = 8000,
                                .count = 2,
                                .ttl_s = TTL_S};
    actor_provider *living = &scene->providers[scene->provider_count++];
    actor_provider *revoked = &scene->providers[scene->provider_count++];
    provider_start(living, &options);
    options.port = 9000;
    provider_start(revoked, &options);
    int64_t lease = provider_lease(living);

    fill(etcd);
    operator_revoke(etcd, provider_lease(revoked));
    measure_pause_ms(scene->is_long ? 60000 : 2 * TTL_S * 1000);
    assert_int_equal(operator_count(etcd, scene->service), 2);
    assert_int_equal(operator_look(etcd, scene->service, 8000).lease, lease);
    assert_int_equal(living->lost, 0);
    assert_false(provider_is_registered(revoked));

    make_room(engine, etcd);
    measure_note("promise 1: a full etcd that has room again: back",
                 operator_await(etcd, scene->service, 4, PATIENCE_MS), X_MS);
    yurpc_etcd_close(etcd);
    provider_close(living);
    provider_close(revoked);
    yr_engine_free(engine);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_registry_that_comes_later_is_waited_for_in_peace),
        SCENE_TEST(an_etcd_killed_for_a_moment_changes_nothing),
        SCENE_TEST(an_etcd_away_for_longer_than_the_ttl_gets_everything_back),
        SCENE_TEST(a_revoked_lease_is_replaced_at_once),
        SCENE_TEST(a_deleted_key_is_put_back),
        SCENE_TEST(two_processes_do_not_fight_for_an_address),
        SCENE_TEST(closing_removes_within_a_second),
        SCENE_TEST(a_full_etcd_keeps_who_is_there_and_takes_the_rest_back_later),
    };
    scene_options options = {.name = "single",
                             .members = 1,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
