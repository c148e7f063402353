/* What a process goes through: stopped, forked, short of descriptors, showered with signals. */
#include "command.h"
#include "measure.h"
#include "netns.h"
#include "scratch.h"
#include "yr_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROAD = 1, CONSUMER_ROAD = 2, TTL_S = 5, DESCRIPTORS_MAX = 256 };

/* ---- Stopped ---- */

static void a_process_stopped_for_longer_than_its_ttl_is_back_when_it_goes_on(void **state)
{
    fault_scene *scene = *state; /* 125 */
    yr_scratch scratch;
    command provider = {0};
    assert_ok(yr_scratch_init(&scratch, "yurpc-faults."));
    (void)snprintf(provider.path, sizeof provider.path, "%s/said", scratch.path);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    command_start(&provider, scene, ROAD, 8080);
    assert_true(consumer_await(consumer, 1, PATIENCE_MS) >= 0);
    int64_t lease = operator_look(scene->etcd, scene->service, 8080).lease;

    command_signal(&provider, SIGSTOP);
    measure_note("promise 3: a provider that fell silent: gone",
                 consumer_await(consumer, 0, PATIENCE_MS), TTL_S * 1000 + 1000);
    measure_pause_ms(TTL_S * 1000);
    assert_false(command_has_said(&provider, "LOST"));
    command_signal(&provider, SIGCONT);
    measure_note("promise 1: a process stopped longer than its TTL: back",
                 consumer_await(consumer, 1, PATIENCE_MS), X_MS);
    measure_pause_ms(500);
    assert_true(command_has_said(&provider, "LOST"));
    assert_true(command_has_said(&provider, "REGISTERED again"));
    operator_key key = operator_look(scene->etcd, scene->service, 8080);
    assert_int_not_equal(key.lease, lease);
    assert_int_equal(key.version, 1);

    int status = command_end(&provider, SIGTERM);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    yr_scratch_deinit(&scratch);
}

/* ---- Forked ---- */

static int child_of_a_fork(yurpc_registry *registry)
{
    yurpc_registration *registration = NULL;
    yurpc_service *service = NULL;
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = "com.acme.Child";
    spec.host = ACTORS_HOST;
    spec.port = 1;
    bool is_refused =
        yurpc_registry_register(registry, &spec, NULL, &registration, NULL) == YURPC_FORKED &&
        yurpc_registry_discover(registry, "com.acme.Child", NULL, &service, NULL) ==
            YURPC_FORKED;
    yurpc_registry_close(registry);
    return is_refused ? 0 : 1;
}

static void a_forked_child_does_not_harm_its_parents_lease(void **state) /* 126 */
{
    fault_scene *scene = *state;
    actor_provider *provider = scene_provider(scene, ROAD, 8080, 1, TTL_S);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    int64_t lease = provider_lease(provider);
    consumer_begin(consumer);
    for (int i = 0; i < 5; i++) {
        int status = 0;
        int64_t begin_ms = measure_now_ms();
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(child_of_a_fork(provider->registry));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        measure_note("promise 15: a forked child that uses the handle: done",
                     measure_now_ms() - begin_ms, 2000);
    }
    measure_pause_ms(2 * TTL_S * 1000);
    assert_int_equal(provider->lost, 0);
    assert_int_equal(provider_lease(provider), lease);
    assert_int_equal(consumer_ask(consumer).events, 0);
}

/* ---- Without descriptors ---- */

/* Take all the descriptors that are left, and for some time whatever is given back. */
static void eat_descriptors(int eaten[DESCRIPTORS_MAX], int *count, int64_t ms)
{
    for (int64_t end_ms = measure_now_ms() + ms; measure_now_ms() < end_ms;) {
        int fd = dup(STDIN_FILENO);
        if (fd >= 0) {
            assert_true(*count < DESCRIPTORS_MAX);
            eaten[(*count)++] = fd;
        } else {
            assert_int_equal(errno, EMFILE);
            measure_pause_ms(1);
        }
    }
}

static int64_t cpu_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void a_lack_of_descriptors_is_waited_out(void **state) /* 127 */
{
    enum { ATTEMPT_MS = 5000, LACK_MS = 4000 };
    fault_scene *scene = *state;
    int eaten[DESCRIPTORS_MAX];
    int count = 0;
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    actor_provider *provider = scene_provider(scene, ROAD, 8080, 1, TTL_S);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    yr_net_cut(ROAD, CONSUMER_ROAD, YR_NET_BOTH);
    assert_true(await(consumer_is_stale, consumer, PATIENCE_MS) >= 0);
    struct rlimit scarce = {DESCRIPTORS_MAX, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &scarce), 0);
    eat_descriptors(eaten, &count, ATTEMPT_MS); /* until no attempt has one any more */
    yr_net_heal();
    int64_t begin_cpu_ms = cpu_ms();
    measure_pause_ms(LACK_MS);
    int64_t used_ms = cpu_ms() - begin_cpu_ms;
    bool was_stale = consumer_is_stale(consumer);
    int listed = consumer_count(consumer);
    while (count > 0) {
        close(eaten[--count]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_true(was_stale);
    assert_int_equal(listed, 1);
    measure_note("promise 5: descriptors are there again: fresh",
                 await(consumer_is_fresh, consumer, PATIENCE_MS), X_MS);
    measure_note("promise 1: descriptors are there again: registered",
                 await(provider_is_registered, provider, PATIENCE_MS), X_MS);
    print_message("MEASURED CPU without descriptors: %.2f %% (bound 5 %%)\n",
                  (double)used_ms * 100 / LACK_MS);
    assert_true(used_ms * 100 < LACK_MS * 5);
}

/* ---- Signals ---- */

static volatile sig_atomic_t alarms;
static volatile sig_atomic_t strays;
static pid_t main_thread;

static void on_alarm(int number)
{
    (void)number;
    alarms = alarms + 1;
    strays = strays + (gettid() != main_thread);
}

typedef struct disposition {
    void (*handler)(int);
    int flags;
} disposition;

static void read_dispositions(disposition all[NSIG])
{
    memset(all, 0, sizeof all[0] * NSIG);
    for (int i = 1; i < NSIG; i++) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) == 0) {
            all[i].handler = action.sa_handler;
            all[i].flags = action.sa_flags;
        }
    }
}

/* Every millisecond one; only a thread that does not block it can get it. */
static void start_storm(bool is_on)
{
    struct sigaction action = {.sa_handler = is_on ? on_alarm : SIG_IGN};
    struct itimerval every = {.it_interval = {0, is_on ? 1000 : 0},
                              .it_value = {0, is_on ? 1000 : 0}};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static void a_storm_of_signals_disturbs_nothing(void **state) /* 130 */
{
    static disposition before[NSIG];
    static disposition after[NSIG];
    fault_scene *scene = *state;
    int64_t storm_ms = scene->is_long ? 60000 : 6000;
    main_thread = gettid();
    read_dispositions(before);
    actor_provider *provider = scene_provider(scene, ROAD, 8080, 1, TTL_S);
    actor_consumer *consumer = scene_consumer(scene, CONSUMER_ROAD);
    read_dispositions(after);
    assert_memory_equal(before, after, sizeof before);

    start_storm(true);
    int rounds = 0;
    for (int64_t end_ms = measure_now_ms() + storm_ms; measure_now_ms() < end_ms; rounds++) {
        yurpc_registration *registration = NULL;
        yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
        spec.service = scene->service;
        spec.host = ACTORS_HOST;
        spec.port = 9000;
        assert_ok(
            yurpc_registry_register(provider->registry, &spec, NULL, &registration, NULL));
        assert_true(consumer_await(consumer, 2, PATIENCE_MS) >= 0);
        assert_ok(yurpc_registration_unregister(registration, NULL));
        assert_true(consumer_await(consumer, 1, PATIENCE_MS) >= 0);
    }
    start_storm(false);
    print_message("%d signals, %d rounds\n", (int)alarms, rounds);
    assert_true(alarms > storm_ms / 20);
    assert_int_equal(strays, 0);
    assert_int_equal(provider->lost, 0);
}

/* ---- Closed ---- */

static void close_and_note(actor_provider *provider, const char *when)
{
    char promise[64];
    (void)snprintf(promise, sizeof promise, "promise 4: closing while %s: returns", when);
    int64_t begin_ms = measure_now_ms();
    provider_close(provider);
    measure_note(promise, measure_now_ms() - begin_ms, 3000);
}

/* Open a handle that wants something, and close it @p pause_ms later. */
static void close_soon(const char *when, const char *endpoints, int64_t pause_ms)
{
    actor_provider provider;
    provider_options options = {.endpoints = endpoints,
                                .service = "com.acme.Closed:1.0",
                                .port = 8080,
                                .count = 1,
                                .ttl_s = TTL_S,
                                .is_background = true};
    provider_start(&provider, &options);
    measure_pause_ms(pause_ms);
    close_and_note(&provider, when);
}

/* What unregistering has waited for in vain, closing does not wait for again. */
static void unregister_and_close(fault_scene *scene, uint16_t port)
{
    enum { TTL_LONG_S = 30 }; /* no beat notices meanwhile that nobody answers */
    actor_provider *provider = scene_provider(scene, ROAD, port, 1, TTL_LONG_S);
    scene_freeze(scene, 1);
    int64_t begin_ms = measure_now_ms();
    yurpc_status status = yurpc_registration_unregister(provider->registrations[0], NULL);
    provider_close(provider);
    int64_t ms = measure_now_ms() - begin_ms;
    scene_thaw(scene, 1);
    scene->provider_count--;
    assert_int_equal(status, YURPC_TIMEOUT);
    measure_note("promise 4: unregistering, then closing while frozen: return", ms, 3000);
}

static void closing_is_bounded_in_every_state(void **state) /* 131 */
{
    fault_scene *scene = *state;
    int rounds = scene->is_long ? 20 : 2;
    char endpoints[YR_CLUSTER_TEXT_MAX];
    yr_cluster_endpoints(scene->cluster, ROAD, endpoints);
    yr_net_pretend("/etc/resolv.conf", "nameserver 127.0.0.53\n");
    for (int i = 0; i < rounds; i++) {
        int64_t pause_ms = 50 * i;
        close_soon("refused", "http://127.0.0.1:1", pause_ms + 500);
        close_soon("beginning", endpoints, i);
        scene_freeze(scene, 1);
        close_soon("the server is frozen", endpoints, pause_ms);
        scene_thaw(scene, 1);
        unregister_and_close(scene, (uint16_t)(8100 + i));
        yr_net_cut(ROAD, ROAD, YR_NET_NEW);
        close_soon("connecting", endpoints, pause_ms);
        yr_net_drop("udp dport 53");
        close_soon("resolving", "http://nowhere.test:2379", pause_ms);
        yr_net_heal();
        actor_provider *provider = scene_provider(scene, ROAD, (uint16_t)(8000 + i), 1, TTL_S);
        yr_net_cut(ROAD, ROAD, YR_NET_FROM_SERVER);
        close_and_note(provider, "nothing is answered");
        yr_net_heal();
        scene->provider_count--;
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_process_stopped_for_longer_than_its_ttl_is_back_when_it_goes_on),
        SCENE_TEST(a_forked_child_does_not_harm_its_parents_lease),
        SCENE_TEST(a_lack_of_descriptors_is_waited_out),
        SCENE_TEST(a_storm_of_signals_disturbs_nothing),
        SCENE_TEST(closing_is_bounded_in_every_state),
    };
    scene_options options = {.name = "process",
                             .members = 1,
                             .is_isolated = true,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
