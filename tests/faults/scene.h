/*
 * The scene of a test: a cluster that all tests of the program share, whole and healed again
 * before each of them, and actors who leave when the test ends, however it ends.
 *
 * A program's arguments are the version of etcd, then "long" for the default TTL of 30 s and
 * long runs, then a pattern of the tests to run. Both may be missing.
 */
#ifndef FAULTS_SCENE_H
#define FAULTS_SCENE_H

#include "actors.h"
#include "cluster.h"

enum { SCENE_PROVIDERS_MAX = 32, SCENE_CONSUMERS_MAX = 16, OPERATOR_ROAD = 0, X_MS = 10000 };

typedef struct fault_scene {
    const char *version;
    bool is_long;
    yr_cluster *cluster;
    yurpc_etcd *etcd; /* the operator's */
    int test;
    char service[48]; /* the test's own */
    actor_provider providers[SCENE_PROVIDERS_MAX];
    int provider_count;
    actor_consumer consumers[SCENE_CONSUMERS_MAX];
    int consumer_count;
} fault_scene;

struct CMUnitTest;

typedef struct scene_options {
    const char *name;
    int members;                  /* 1 or 3 */
    bool is_isolated;             /* in a namespace, where networks can be broken */
    const char *const *arguments; /* of each member, or NULL */
    bool is_tls;                  /* the arguments and the environment name the files */
    const struct CMUnitTest *tests;
    size_t test_count;
} scene_options;

/* The whole main(). */
int scene_main(int argc, char **argv, const scene_options *options);

/* What follows the argument @p name; @p missing when it is not there. */
uint64_t scene_number(char **argv, const char *name, uint64_t missing);

/* Before and after each test; its state is the scene. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, scene_set_up, scene_tear_down)

/* A provider on a road, registered with @p count instances from @p port on. */
actor_provider *scene_provider(fault_scene *scene, int road, uint16_t port, int count,
                               int ttl_s);

/* A consumer on a road, which has its first list. */
actor_consumer *scene_consumer(fault_scene *scene, int road);

/* The member that a client is connected to. */
int scene_member_of(const fault_scene *scene, whereabouts *where);

/* Stop a member, or let it go on; returns when it stands still. */
void scene_freeze(const fault_scene *scene, int member);
void scene_thaw(const fault_scene *scene, int member);

#endif /* FAULTS_SCENE_H */
