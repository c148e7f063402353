/* A provider that hardly gets a processor: 5 % of one (B137). */
#include "command.h"
#include "measure.h"
#include "netns.h"
#include "scratch.h"
#include "yr_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROAD = 1, CONSUMER_ROAD = 2, TTL_S = 10, ON_MS = 5, OFF_MS = 95 };

typedef struct starved {
    yr_scratch scratch;
    command provider;
    actor_consumer *consumer;
    int64_t lease;
} starved;

static void begin(starved *it, fault_scene *scene)
{
    memset(it, 0, sizeof *it);
    it->provider.ttl_s = TTL_S;
    assert_ok(yr_scratch_init(&it->scratch, "yurpc-faults."));
    (void)snprintf(it->provider.path, sizeof it->provider.path, "%s/said", it->scratch.path);
    it->consumer = scene_consumer(scene, CONSUMER_ROAD);
    command_start(&it->provider, scene, ROAD, 8080);
    assert_true(consumer_await(it->consumer, 1, PATIENCE_MS) >= 0);
    it->lease = operator_look(scene->etcd, scene->service, 8080).lease;
    assert_int_not_equal(it->lease, 0);
    consumer_begin(it->consumer);
}

/* While it starves, for some TTLs: nobody notices. */
static void expect_nothing_is_lost(starved *it, const fault_scene *scene, const char *how)
{
    int64_t ms = (scene->is_long ? 12 : 4) * TTL_S * 1000;
    measure_pause_ms(ms);
    assert_true(command_is_running(&it->provider));
    assert_false(command_has_said(&it->provider, "LOST"));
    operator_key key = operator_look(scene->etcd, scene->service, 8080);
    assert_int_equal(key.lease, it->lease);
    assert_int_equal(key.version, 1);
    assert_int_equal(consumer_ask(it->consumer).downs, 0);
    print_message("MEASURED promise 2: 5 %% of a processor (%s) for %d s: same lease\n", how,
                  (int)(ms / 1000));
}

/* It leaves, too, if it is given the time. */
static void finish(starved *it)
{
    int status = command_end(&it->provider, SIGTERM);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    yr_scratch_deinit(&it->scratch);
}

/* ---- By turns ---- */

static void turn(pid_t pid, int signal, int64_t ms)
{
    const struct timespec time = {.tv_nsec = ms * 1000000};
    if (kill(pid, signal) != 0) {
        _exit(0); /* it has ended */
    }
    (void)nanosleep(&time, NULL);
}

/* A process that lets @p pid run for ON_MS, then stand still for OFF_MS, and so on. */
static pid_t start_turns(pid_t pid)
{
    (void)fflush(NULL);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
            _exit(1);
        }
        for (;;) {
            turn(pid, SIGCONT, ON_MS);
            turn(pid, SIGSTOP, OFF_MS);
        }
    }
    return child;
}

static void a_provider_that_runs_by_short_turns_keeps_its_lease(void **state)
{
    fault_scene *scene = *state;
    starved it;
    begin(&it, scene);
    assert_int_equal(setpriority(PRIO_PROCESS, (id_t)it.provider.pid, 19), 0);
    pid_t turns = start_turns(it.provider.pid);
    assert_true(turns > 0);
    expect_nothing_is_lost(&it, scene, "5 of 100 ms, nice 19");
    assert_int_equal(kill(turns, SIGKILL), 0);
    assert_int_equal(waitpid(turns, NULL, 0), turns);
    finish(&it);
}

/* ---- By decree ---- */

/* How a hierarchy of control groups limits the processor: the second, or the first. */
static const struct {
    const char *root;
    const char *limit;
    const char *five_percent;
} hierarchies[] = {{"/sys/fs/cgroup", "cpu.max", "5000 100000"},
                   {"/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "5000"}};

static bool write_to(const char *group, const char *name, const char *text)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
    if (file >= 0) {
        (void)close(file);
    }
    return is_written;
}

/* A control group with 5 % of a processor, and in it @p pid; false: we may not. */
static bool confine(pid_t pid, char group[96])
{
    char text[32];
    (void)snprintf(text, sizeof text, "%d", (int)pid);
    for (size_t i = 0; i < sizeof hierarchies / sizeof hierarchies[0]; i++) {
        (void)snprintf(group, 96, "%s/yurpc-test-%d", hierarchies[i].root, (int)getpid());
        if (mkdir(group, 0700) != 0) {
            continue;
        }
        if (write_to(group, hierarchies[i].limit, hierarchies[i].five_percent) &&
            write_to(group, "cgroup.procs", text)) {
            return true;
        }
        (void)rmdir(group);
    }
    return false;
}

static void a_provider_confined_to_a_twentieth_of_a_processor_keeps_its_lease(void **state)
{
    fault_scene *scene = *state;
    starved it;
    char group[96];
    begin(&it, scene);
    bool is_confined = confine(it.provider.pid, group);
    if (is_confined) {
        expect_nothing_is_lost(&it, scene, "control group");
    } else {
        print_message(
            "\n*** SKIPPED: no control group can be made that limits a provider to 5 %% "
            "of a processor ***\n\n");
    }
    finish(&it);
    if (is_confined) {
        assert_int_equal(rmdir(group), 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_provider_that_runs_by_short_turns_keeps_its_lease),
        SCENE_TEST(a_provider_confined_to_a_twentieth_of_a_processor_keeps_its_lease),
    };
    scene_options options = {.name = "starved",
                             .members = 1,
                             .tests = tests,
                             .test_count = sizeof tests / sizeof tests[0]};
    return scene_main(argc, argv, &options);
}
