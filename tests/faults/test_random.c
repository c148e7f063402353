/*
 * Faults at random, by a seed, on three real members: then everything is healed, and what is
 * wanted, registered and shown must be the same, and nothing may have been shown that did not
 * happen.
 *
 * test_faults_random VERSION [long] [--seed N] [--seconds S]
 */
#include "command.h"
#include "history.h"
#include "measure.h"
#include "netns.h"
#include "scratch.h"
#include "yr_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    COMMANDS = 3,  /* on roads 1 to 3 */
    CONSUMERS = 2, /* on roads 4 and 5 */
    HANDLE_ROAD = 6,
    ROAD_MAX = HANDLE_ROAD,
    TTL_MS = 5000,
    SHOWN_MAX = 8192,
    PORT = 8000,
    HANDLE_PORT = 8100,
    CALL_MS = 3000,
};

/* One event of a consumer. */
typedef struct shown {
    char address[32];
    int64_t revision;
    bool is_up;
} shown;

typedef struct viewer {
    yurpc_watch *watch;
    pthread_mutex_t mutex;
    size_t count;
    shown events[SHOWN_MAX];
} viewer;

typedef struct play {
    fault_scene *scene;
    uint64_t seed;
    uint64_t random;
    int64_t begin_ms;
    yr_scratch scratch;
    command commands[COMMANDS];
    bool is_stopped[COMMANDS];
    viewer viewers[CONSUMERS];
    history history;
    yurpc_etcd *etcd; /* an operator who does not wait long */
    bool is_down[YR_CLUSTER_MEMBERS + 1];
    bool is_frozen[YR_CLUSTER_MEMBERS + 1];
    int acts;
    bool is_right; /* in the end */
} play;

static uint64_t the_seed;
static int64_t the_seconds;
static play the_play;

/* ---- Chance ---- */

static uint64_t draw(play *self) /* splitmix64 */
{
    uint64_t z = self->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int below(play *self, int limit)
{
    return (int)(draw(self) % (uint64_t)limit);
}

static void say(play *self, const char *what, int which)
{
    print_message("%8.3f act %d: %s %d\n", (double)(measure_now_ms() - self->begin_ms) / 1000,
                  ++self->acts, what, which);
}

/* ---- What may happen ---- */

static yr_engine *member_of(play *self, int member)
{
    return yr_cluster_member(self->scene->cluster, member);
}

static void stop_member(play *self)
{
    int member = 1 + below(self, YR_CLUSTER_MEMBERS);
    bool is_kill = below(self, 3) > 0;
    if (!self->is_down[member] && !self->is_frozen[member]) {
        say(self, is_kill ? "kill member" : "stop member", member);
        yr_engine_stop(member_of(self, member), is_kill ? SIGKILL : SIGTERM);
        self->is_down[member] = true;
    }
}

static void start_member(play *self)
{
    for (int member = 1; member <= YR_CLUSTER_MEMBERS; member++) {
        if (self->is_down[member]) {
            say(self, "start member", member);
            assert_ok(yr_engine_spawn(member_of(self, member)));
            self->is_down[member] = false;
            return;
        }
    }
}

static void freeze_member(play *self)
{
    int member = 1 + below(self, YR_CLUSTER_MEMBERS);
    if (!self->is_down[member] && !self->is_frozen[member]) {
        say(self, "freeze member", member);
        scene_freeze(self->scene, member);
        self->is_frozen[member] = true;
    }
}

static void thaw_member(play *self)
{
    for (int member = 1; member <= YR_CLUSTER_MEMBERS; member++) {
        if (self->is_frozen[member]) {
            say(self, "thaw member", member);
            scene_thaw(self->scene, member);
            self->is_frozen[member] = false;
        }
    }
}

static void cut_road(play *self)
{
    static const yr_net_loss losses[] = {YR_NET_BOTH, YR_NET_BOTH, YR_NET_FROM_SERVER,
                                         YR_NET_TO_SERVER, YR_NET_NEW};
    int road = 1 + below(self, ROAD_MAX);
    yr_net_loss loss = losses[below(self, sizeof losses / sizeof losses[0])];
    say(self, "cut road", road);
    yr_net_cut(road, road, loss);
}

static void cut_member(play *self)
{
    int member = 1 + below(self, YR_CLUSTER_MEMBERS);
    if (below(self, 2) == 0) {
        say(self, "cut from its peers: member", member);
        yr_net_cut_member(member);
    } else {
        say(self, "black-hole endpoint", member);
        yr_net_cut_endpoint(member, YR_NET_BOTH);
    }
}

static void heal_network(play *self)
{
    say(self, "heal the network", 0);
    yr_net_heal();
}

static void reset_road(play *self)
{
    int road = 1 + below(self, ROAD_MAX);
    say(self, "reset road", road);
    yr_net_reset(road);
}

static void stop_process(play *self)
{
    int i = below(self, COMMANDS);
    if (command_is_running(&self->commands[i])) {
        self->is_stopped[i] = !self->is_stopped[i];
        say(self, self->is_stopped[i] ? "SIGSTOP process" : "SIGCONT process", i);
        command_signal(&self->commands[i], self->is_stopped[i] ? SIGSTOP : SIGCONT);
    }
}

static void end_process(play *self)
{
    int i = below(self, COMMANDS);
    if (command_is_running(&self->commands[i])) {
        bool is_kill = below(self, 2) == 0;
        say(self, is_kill ? "SIGKILL process" : "SIGTERM process", i);
        (void)command_end(&self->commands[i], is_kill ? SIGKILL : SIGTERM);
        self->is_stopped[i] = false;
    }
}

static void start_process(play *self)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (!command_is_running(&self->commands[i])) {
            say(self, "start process", i);
            command_start(&self->commands[i], self->scene, 1 + i, (uint16_t)(PORT + i));
            return;
        }
    }
}

static yurpc_etcd_op_options hasty(void)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = CALL_MS;
    options.is_idempotent = true;
    return options;
}

/* What the operator cannot do now, for there is no quorum, is not done. */
static void meddle(play *self)
{
    char key[96];
    int i = below(self, COMMANDS + 1);
    int port = i == COMMANDS ? HANDLE_PORT : PORT + i;
    yurpc_etcd_reply *reply = NULL;
    yurpc_etcd_op_options options = hasty();
    (void)snprintf(key, sizeof key, "/rpc/%s/%s:%d", self->scene->service, ACTORS_HOST, port);
    yurpc_bytes name = {key, strlen(key)};
    bool is_revoking = below(self, 2) == 0;
    say(self, is_revoking ? "revoke the lease of" : "delete the key of", port);
    if (!is_revoking) {
        if (yurpc_etcd_delete(self->etcd, name, &options, NULL, NULL) != YURPC_OK) {
            say(self, "could not be done", port);
        }
    } else if (yurpc_etcd_range(self->etcd, name, &options, &reply, NULL) == YURPC_OK) {
        if (reply->kv_count == 1 && reply->kvs[0].lease != 0 &&
            yurpc_etcd_lease_revoke(self->etcd, reply->kvs[0].lease, NULL) != YURPC_OK) {
            say(self, "could not be done", port);
        }
        yurpc_etcd_reply_free(reply);
    }
}

static void compact(play *self)
{
    say(self, "compact", 0);
    if (!history_read(&self->history, self->etcd, true)) {
        say(self, "could not be done", 0);
    }
}

typedef struct act {
    void (*happen)(play *self);
    int weight;
} act;

static void happen(play *self)
{
    static const act acts[] = {
        {stop_member, 4},  {start_member, 8}, {freeze_member, 4}, {thaw_member, 8},
        {cut_road, 10},    {cut_member, 3},   {heal_network, 8},  {reset_road, 6},
        {stop_process, 6}, {end_process, 5},  {start_process, 8}, {meddle, 8},
        {compact, 4},
    };
    enum { COUNT = sizeof acts / sizeof acts[0] };
    int total = 0;
    for (size_t i = 0; i < COUNT; i++) {
        total += acts[i].weight;
    }
    int chosen = below(self, total);
    size_t i = 0;
    while (chosen >= acts[i].weight) {
        chosen -= acts[i++].weight;
    }
    acts[i].happen(self);
}

/* ---- Who sees what ---- */

static void on_event(void *context, const yurpc_event *event)
{
    viewer *self = context;
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; i < event->count && self->count < SHOWN_MAX; i++) {
        shown *one = &self->events[self->count++];
        (void)snprintf(one->address, sizeof one->address, "%s",
                       yurpc_instance_address(event->instances[i]));
        one->revision = yurpc_instance_revision(event->instances[i]);
        one->is_up = event->kind != YURPC_EVENT_DOWN;
    }
    pthread_mutex_unlock(&self->mutex);
}

/* Whether all that was shown did happen, in this order: I3 and I4. */
static void check_shown(const play *self, const viewer *seer)
{
    assert_true(seer->count < SHOWN_MAX);
    for (size_t i = 0; i < seer->count; i++) {
        const shown *one = &seer->events[i];
        int64_t before = 0;
        for (size_t k = 0; k < i; k++) {
            bool is_same = strcmp(seer->events[k].address, one->address) == 0;
            before = is_same && seer->events[k].revision > before ? seer->events[k].revision
                                                                  : before;
        }
        if (one->is_up && !history_has_put(&self->history, one->address, one->revision)) {
            fail_msg("%s was shown at revision %lld, at which it was not written", one->address,
                     (long long)one->revision);
        }
        if (one->is_up && one->revision <= before) {
            fail_msg("%s was shown at revision %lld after %lld", one->address,
                     (long long)one->revision, (long long)before);
        }
        if (!one->is_up && !history_has_delete_after(&self->history, one->address, before)) {
            fail_msg("%s was taken off the list, but never removed after revision %lld",
                     one->address, (long long)before);
        }
    }
}

/* ---- The play ---- */

static void begin(play *self, fault_scene *scene)
{
    char endpoints[YR_CLUSTER_TEXT_MAX];
    memset(self, 0, sizeof *self);
    self->scene = scene;
    self->seed = the_seed;
    self->random = the_seed;
    assert_ok(yr_scratch_init(&self->scratch, "yurpc-faults."));
    yr_cluster_endpoints(scene->cluster, OPERATOR_ROAD, endpoints);
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = endpoints;
    assert_ok(yurpc_etcd_open(&config, &self->etcd, NULL));
    assert_true(history_begin(&self->history, self->etcd));
    for (int i = 0; i < COMMANDS; i++) {
        (void)snprintf(self->commands[i].path, sizeof self->commands[i].path, "%s/provider%d",
                       self->scratch.path, i);
        start_process(self);
    }
    scene_provider(scene, HANDLE_ROAD, HANDLE_PORT, 1, TTL_MS / 1000);
    for (int i = 0; i < CONSUMERS; i++) {
        actor_consumer *consumer = scene_consumer(scene, COMMANDS + 1 + i);
        pthread_mutex_init(&self->viewers[i].mutex, NULL);
        assert_ok(yurpc_service_watch(consumer->service, on_event, &self->viewers[i],
                                      &self->viewers[i].watch));
    }
    self->begin_ms = measure_now_ms();
}

static void heal(play *self)
{
    say(self, "heal everything", 0);
    heal_network(self);
    thaw_member(self);
    for (int member = 1; member <= YR_CLUSTER_MEMBERS; member++) {
        start_member(self);
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (command_is_running(&self->commands[i])) {
            command_signal(&self->commands[i], SIGCONT);
        }
    }
    assert_ok(yr_cluster_wait_ready(self->scene->cluster));
}

static int wanted_count(play *self)
{
    int count = 1;
    for (int i = 0; i < COMMANDS; i++) {
        count += command_is_running(&self->commands[i]);
    }
    return count;
}

/* I1: registry, lists and wishes agree; until then nobody may be asked anything else. */
static bool is_settled(void *context)
{
    play *self = context;
    fault_scene *scene = self->scene;
    int count = wanted_count(self);
    if (operator_count(scene->etcd, scene->service) != count) {
        return false;
    }
    for (int i = 0; i < COMMANDS; i++) {
        bool is_there =
            operator_look(scene->etcd, scene->service, (uint16_t)(PORT + i)).lease != 0;
        if (is_there != (self->commands[i].pid != 0)) {
            return false;
        }
    }
    for (int i = 0; i < CONSUMERS; i++) {
        actor_consumer *consumer = &scene->consumers[i];
        if (consumer_count(consumer) != count || consumer_ask(consumer).count != count ||
            consumer_is_stale(consumer)) {
            return false;
        }
    }
    return provider_is_registered(&scene->providers[0]);
}

static double requests(play *self)
{
    double sum = 0;
    for (int member = 1; member <= YR_CLUSTER_MEMBERS; member++) {
        sum += yr_engine_metric(member_of(self, member), "grpc_server_started_total{");
    }
    return sum;
}

/* I5: nobody asks for anything without a reason. */
static void check_quiet(play *self)
{
    enum { QUIET_MS = 4000, CLIENTS = COMMANDS + CONSUMERS + 1 };
    double before = requests(self);
    measure_pause_ms(QUIET_MS);
    double rate = (requests(self) - before) * 1000 / QUIET_MS / CLIENTS;
    print_message("MEASURED requests when all is well: %.2f a second and client (bound 2)\n",
                  rate);
    assert_true(rate < 2);
}

static void check(play *self)
{
    fault_scene *scene = self->scene;
    const actor_provider *handle = &scene->providers[0];
    assert_true(history_read(&self->history, self->etcd, false));
    assert_true(self->history.count < HISTORY_MAX);
    for (int i = 0; i < CONSUMERS; i++) {
        yurpc_watch_stop(self->viewers[i].watch);
        check_shown(self, &self->viewers[i]);
        assert_int_equal(consumer_ask(&scene->consumers[i]).backward, 0);
    }
    /* I7: told that it is lost or taken, then that it is there again, in turn. */
    assert_int_equal(handle->registered, 1 + handle->lost + handle->conflicts);
    assert_int_equal(operator_look(scene->etcd, scene->service, HANDLE_PORT).lease,
                     provider_lease(handle));
}

static void faults_at_random_leave_no_trace(void **state)
{
    fault_scene *scene = *state;
    play *self = &the_play;
    print_message("seed %llu, %lld s; again with: --seed %llu --seconds %lld\n",
                  (unsigned long long)the_seed, (long long)the_seconds,
                  (unsigned long long)the_seed, (long long)the_seconds);
    begin(self, scene);
    int64_t end_ms = self->begin_ms + the_seconds * 1000;
    while (measure_now_ms() < end_ms) {
        happen(self);
        measure_pause_ms(50 + below(self, below(self, 4) == 0 ? 3000 : 500));
    }
    heal(self);
    measure_note("promise 1: faults at random, healed: all is right",
                 await(is_settled, self, 2 * (X_MS + TTL_MS + 1000)), X_MS + TTL_MS + 1000);
    check_quiet(self);
    check(self);
    self->is_right = true;
    print_message(
        "MEASURED random: seed %llu: %d acts, %zu changes in etcd, %zu and %zu events "
        "shown: none invented, none out of order\n",
        (unsigned long long)the_seed, self->acts, self->history.count, self->viewers[0].count,
        self->viewers[1].count);
}

static int leave(void **state)
{
    play *self = &the_play;
    for (int i = 0; i < COMMANDS; i++) {
        if (command_is_running(&self->commands[i])) {
            (void)command_end(&self->commands[i], SIGKILL);
        }
        if (!self->is_right) {
            command_print(&self->commands[i]);
        }
    }
    yurpc_etcd_close(self->etcd);
    yr_scratch_deinit(&self->scratch);
    return scene_tear_down(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(faults_at_random_leave_no_trace, scene_set_up, leave),
    };
    scene_options options = {.name = "random",
                             .members = 3,
                             .is_isolated = true,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    bool is_long = argc > 2 && strcmp(argv[2], "long") == 0;
    the_seed = scene_number(argv, "--seed", is_long ? (uint64_t)measure_now_ms() : 2);
    the_seconds = (int64_t)scene_number(argv, "--seconds", is_long ? 90 : 30);
    return scene_main(argc, argv, &options);
}
