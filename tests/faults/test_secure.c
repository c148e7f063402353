/* Three members that speak TLS and know their users, and stop, freeze and forget all the same.
 */
#include "certs.h"
#include "measure.h"
#include "netns.h"
#include "scene.h"
#include "scratch.h"
#include "yr_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define USER     "root"
#define PASSWORD "S3cr3t-canary"

enum { ROAD = 1, PROVIDERS = 4, PATH_SIZE = 160, TTL_S = 15 /* why: see test_cluster.c */ };

static char ca_path[PATH_SIZE];
static char cert_path[PATH_SIZE];
static char key_path[PATH_SIZE];

static void make_certs(const yr_scratch *scratch)
{
    yr_cert ca;
    yr_cert server;
    (void)snprintf(ca_path, sizeof ca_path, "%s/ca.pem", scratch->path);
    (void)snprintf(cert_path, sizeof cert_path, "%s/cert.pem", scratch->path);
    (void)snprintf(key_path, sizeof key_path, "%s/key.pem", scratch->path);
    yr_cert_init(&ca, &(yr_cert_options){.name = "ca", .is_ca = true});
    yr_cert_init(&server,
                 &(yr_cert_options){.name = "etcd", .names = "IP:127.0.0.1", .issuer = &ca});
    yr_cert_write(&ca, ca_path, NULL);
    yr_cert_write(&server, cert_path, key_path);
    yr_cert_deinit(&server);
    yr_cert_deinit(&ca);
}

static bool etcdctl(const fault_scene *scene, const char *const *command)
{
    char endpoints[YR_CLUSTER_TEXT_MAX];
    const char *arguments[16] = {"etcdctl", "--cacert", ca_path, "--endpoints", endpoints};
    yr_cluster_endpoint(scene->cluster, ROAD, 1, endpoints);
    for (size_t i = 0; command[i] != NULL && i < 8; i++) {
        arguments[5 + i] = command[i];
    }
    return yr_net_run(arguments);
}

/* From here on nobody does anything without being known. */
static void switch_users_on(const fault_scene *scene)
{
    static const char *const add[] = {"user", "add", USER ":" PASSWORD, NULL};
    static const char *const role[] = {"role", "add", USER, NULL};
    static const char *const grant[] = {"user", "grant-role", USER, USER, NULL};
    static const char *const on[] = {"auth", "enable", NULL};
    static bool is_on;
    if (!is_on) {
        assert_true(etcdctl(scene, add) && etcdctl(scene, role) && etcdctl(scene, grant));
        assert_true(etcdctl(scene, on));
        is_on = true;
    }
}

static void begin(fault_scene *scene, int64_t leases[PROVIDERS])
{
    switch_users_on(scene);
    for (int i = 0; i < PROVIDERS; i++) {
        leases[i] = provider_lease(scene_provider(scene, ROAD, (uint16_t)(8000 + i), 1, TTL_S));
    }
    for (int i = 0; i < 2; i++) {
        consumer_begin(scene_consumer(scene, ROAD));
    }
}

static void expect_nothing_was_seen(fault_scene *scene, const int64_t leases[PROVIDERS])
{
    for (int i = 0; i < scene->consumer_count; i++) {
        actor_consumer *consumer = &scene->consumers[i];
        assert_true(await(consumer_is_fresh, consumer, PATIENCE_MS) >= 0);
        assert_int_equal(consumer_ask(consumer).downs + consumer_ask(consumer).ups, 0);
    }
    for (int i = 0; i < PROVIDERS; i++) {
        assert_int_equal(scene->providers[i].lost, 0);
        assert_int_equal(provider_lease(&scene->providers[i]), leases[i]);
        operator_key key = operator_look(scene->etcd, scene->service, (uint16_t)(8000 + i));
        assert_int_equal(key.lease, leases[i]);
        assert_int_equal(key.version, 1);
    }
}

static void a_rolling_restart_with_tls_and_users_is_seen_by_nobody(void **state)
{
    fault_scene *scene = *state;
    int64_t leases[PROVIDERS];
    begin(scene, leases);
    for (int member = 1; member <= YR_CLUSTER_MEMBERS; member++) {
        yr_engine *engine = yr_cluster_member(scene->cluster, member);
        yr_engine_stop(engine, member == 2 ? SIGKILL : SIGTERM);
        assert_ok(yr_engine_restart(engine, false));
        measure_pause_ms(3000);
    }
    expect_nothing_was_seen(scene, leases);
}

static void a_frozen_leader_with_tls_and_users_costs_no_lease(void **state)
{
    fault_scene *scene = *state;
    int64_t leases[PROVIDERS];
    begin(scene, leases);
    int leader = yr_cluster_leader(scene->cluster, 0);
    assert_int_not_equal(leader, 0);
    scene_freeze(scene, leader);
    measure_pause_ms(8000);
    scene_thaw(scene, leader);
    measure_pause_ms(3000);
    expect_nothing_was_seen(scene, leases);
}

/* Tokens last 5 s here, so that some have ended when they are needed. */
static void a_revoked_lease_with_users_is_replaced(void **state)
{
    fault_scene *scene = *state;
    int64_t leases[PROVIDERS];
    begin(scene, leases);
    for (int i = 0; i < PROVIDERS; i++) {
        operator_revoke(scene->etcd, leases[i]);
        measure_note("promise 1: a revoked lease, TLS and users: back",
                     operator_await(scene->etcd, scene->service, PROVIDERS, PATIENCE_MS), X_MS);
    }
    for (int i = 0; i < scene->consumer_count; i++) {
        assert_true(consumer_await(&scene->consumers[i], PROVIDERS, PATIENCE_MS) >= 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_rolling_restart_with_tls_and_users_is_seen_by_nobody),
        SCENE_TEST(a_frozen_leader_with_tls_and_users_costs_no_lease),
        SCENE_TEST(a_revoked_lease_with_users_is_replaced),
    };
    yr_scratch scratch;
    if (yr_scratch_init(&scratch, "yurpc-secure.") != YURPC_OK) {
        return 1;
    }
    make_certs(&scratch);
    const char *const arguments[] = {"--cert-file",      cert_path, "--key-file", key_path,
                                     "--auth-token-ttl", "5",       NULL};
    scene_options options = {.name = "secure",
                             .members = YR_CLUSTER_MEMBERS,
                             .arguments = arguments,
                             .is_tls = true,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    if (setenv("YURPC_TLS_CA_FILE", ca_path, 1) != 0 || /* NOLINT(concurrency-mt-unsafe) */
        setenv("YURPC_USERNAME", USER, 1) != 0 ||       /* NOLINT(concurrency-mt-unsafe) */
        setenv("YURPC_PASSWORD", PASSWORD, 1) != 0) {   /* NOLINT(concurrency-mt-unsafe) */
        return 1;
    }
    int status = scene_main(argc, argv, &options);
    yr_scratch_deinit(&scratch);
    return status;
}
