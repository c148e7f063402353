#include "scene.h"

#include "measure.h"
#include "netns.h"
#include "yr_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static fault_scene the_scene;

/* ---- Each test ---- */

int scene_set_up(void **state)
{
    fault_scene *self = &the_scene;
    (void)snprintf(self->service, sizeof self->service, "com.acme.Fault%d:1.0", ++self->test);
    *state = self;
    return yr_cluster_wait_ready(self->cluster) == YURPC_OK ? 0 : -1;
}

static int mend(const fault_scene *self)
{
    int result = 0;
    if (yr_net_is_inside()) {
        yr_net_heal();
    }
    for (int member = 1; member <= yr_cluster_count(self->cluster); member++) {
        yr_engine *engine = yr_cluster_member(self->cluster, member);
        yr_engine_signal(engine, SIGCONT);
        if (yr_engine_pid(engine) == 0 && yr_engine_spawn(engine) != YURPC_OK) {
            result = -1;
        }
    }
    return result;
}

int scene_tear_down(void **state)
{
    fault_scene *self = *state;
    int result = mend(self);
    for (int i = 0; i < self->consumer_count; i++) {
        if (self->consumers[i].registry != NULL) {
            consumer_close(&self->consumers[i]);
        }
    }
    for (int i = 0; i < self->provider_count; i++) {
        if (self->providers[i].registry != NULL) {
            provider_close(&self->providers[i]);
        }
    }
    self->consumer_count = 0;
    self->provider_count = 0;
    return result;
}

/* ---- Actors ---- */

actor_provider *scene_provider(fault_scene *self, int road, uint16_t port, int count, int ttl_s)
{
    char endpoints[YR_CLUSTER_TEXT_MAX];
    assert_true(self->provider_count < SCENE_PROVIDERS_MAX);
    actor_provider *fresh = &self->providers[self->provider_count];
    yr_cluster_endpoints(self->cluster, road, endpoints);
    provider_options options = {.endpoints = endpoints,
                                .service = self->service,
                                .port = port,
                                .count = count,
                                .ttl_s = (uint32_t)ttl_s};
    provider_start(fresh, &options);
    self->provider_count++;
    return fresh;
}

actor_consumer *scene_consumer(fault_scene *self, int road)
{
    char endpoints[YR_CLUSTER_TEXT_MAX];
    assert_true(self->consumer_count < SCENE_CONSUMERS_MAX);
    actor_consumer *fresh = &self->consumers[self->consumer_count];
    yr_cluster_endpoints(self->cluster, road, endpoints);
    consumer_start(fresh, endpoints, self->service);
    self->consumer_count++;
    return fresh;
}

int scene_member_of(const fault_scene *self, whereabouts *where)
{
    char endpoint[ENDPOINT_MAX];
    whereabouts_get(where, endpoint);
    const char *colon = strrchr(endpoint, ':');
    for (int member = 1; member <= yr_cluster_count(self->cluster); member++) {
        char one[YR_CLUSTER_TEXT_MAX];
        yr_cluster_endpoint(self->cluster, OPERATOR_ROAD, member, one);
        if (colon != NULL && strcmp(strrchr(one, ':'), colon) == 0) {
            return member;
        }
    }
    return 0;
}

void scene_freeze(const fault_scene *self, int member)
{
    int status = 0;
    yr_engine *engine = yr_cluster_member(self->cluster, member);
    yr_engine_signal(engine, SIGSTOP);
    assert_int_equal(waitpid(yr_engine_pid(engine), &status, WUNTRACED), yr_engine_pid(engine));
    assert_true(WIFSTOPPED(status));
}

void scene_thaw(const fault_scene *self, int member)
{
    yr_engine_signal(yr_cluster_member(self->cluster, member), SIGCONT);
}

/* ---- All of them ---- */

uint64_t scene_number(char **argv, const char *name, uint64_t missing)
{
    for (int i = 1; argv[i] != NULL; i++) {
        if (strcmp(argv[i], name) == 0 && argv[i + 1] != NULL) {
            return strtoull(argv[i + 1], NULL, 10);
        }
    }
    return missing;
}

int scene_main(int argc, char **argv, const scene_options *options)
{
    fault_scene *self = &the_scene;
    self->version = argc > 1 ? argv[1] : "3.4";
    self->is_long = argc > 2 && strcmp(argv[2], "long") == 0;
    int pattern = self->is_long ? 3 : 2;
    if (yr_engine_find_etcd(self->version) == NULL) {
        return yr_engine_skip(self->version);
    }
    int refusal = options->is_isolated ? yr_net_enter(argv) : 0;
    if (refusal != 0) {
        return refusal;
    }
    char endpoints[YR_CLUSTER_TEXT_MAX];
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    yr_cluster_options how = {
        .count = options->members, .arguments = options->arguments, .is_tls = options->is_tls};
    if (yr_cluster_start(self->version, &how, &self->cluster) != YURPC_OK) {
        return 1;
    }
    yr_cluster_endpoints(self->cluster, OPERATOR_ROAD, endpoints);
    self->etcd = operator_open(endpoints);
    if (argc > pattern && argv[pattern][0] != '-') {
        cmocka_set_test_filter(argv[pattern]);
    }
    int failures =
        _cmocka_run_group_tests(options->name, options->tests, options->test_count, NULL, NULL);
    measure_report();
    yurpc_etcd_close(self->etcd);
    if (failures == 0) {
        yr_cluster_free(self->cluster); /* else the clean-up at exit shows its logs */
    }
    return failures == 0 ? 0 : 1;
}
