#include "actor.h"

#include "base/bytes.h"
#include "yr_test.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WRITER_NODES = 20 };

static const char service[] = "svc:1.0";

/* ---- Directing ---- */

void yr_actor_start(yr_actor *actor, const char *address, const char *role,
                    const char *argument)
{
    int ends[2];
    char ttl[32];
    *actor = (yr_actor){0};
    snprintf(ttl, sizeof ttl, "%lld", (long long)yr_backend_now->ttl_ms);
    assert_int_equal(pipe(ends), 0);
    actor->pid = fork();
    assert_true(actor->pid >= 0);
    if (actor->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "actor", "--actor", address, ttl, role, argument, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    actor->output = ends[0];
}

static bool take_line(yr_actor *actor, char *line, size_t size)
{
    char *end = memchr(actor->pending, '\n', actor->pending_len);
    if (end == NULL) {
        return false;
    }
    size_t len = (size_t)(end - actor->pending);
    snprintf(line, size, "%.*s", (int)len, actor->pending);
    actor->pending_len -= len + 1;
    memmove(actor->pending, end + 1, actor->pending_len);
    return true;
}

void yr_actor_read(yr_actor *actor, char *line, size_t size)
{
    while (!take_line(actor, line, size)) {
        struct pollfd ready = {.fd = actor->output, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 10000), 1);
        ssize_t len = read(actor->output, actor->pending + actor->pending_len,
                           sizeof actor->pending - actor->pending_len);
        assert_true(len > 0);
        actor->pending_len += (size_t)len;
    }
}

void yr_actor_expect(yr_actor *actor, const char *line)
{
    char got[256];
    yr_actor_read(actor, got, sizeof got);
    assert_string_equal(got, line);
}

void yr_actor_signal(const yr_actor *actor, int signal)
{
    assert_int_equal(kill(actor->pid, signal), 0);
}

void yr_actor_kill(yr_actor *actor)
{
    if (actor->pid > 0) {
        int status = 0;
        kill(actor->pid, SIGKILL);
        waitpid(actor->pid, &status, 0);
        close(actor->output);
        actor->pid = 0;
    }
}

/* ---- Acting ---- */

static void say(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

static void run_for_ever(yr_subject *subject)
{
    while (true) {
        bool was_lost = subject->sessions_lost > 0;
        yr_uv_io_run(subject->stage->io, true);
        if (!was_lost && subject->sessions_lost > 0) {
            say("lost");
        }
    }
}

static void provide(yr_subject *subject, const char *node, bool is_forking)
{
    assert_ok(yr_subject_open_session(subject));
    assert_ok(yr_subject_announce(subject, YR_ANNOUNCE_TAKE, service, node, "{}"));
    if (is_forking) {
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, 0);
            poll(NULL, 0, 20000);
            _exit(0);
        }
        printf("child %d\n", (int)child);
    }
    say("ready");
    run_for_ever(subject);
}

static void tick(yr_subject *subject, int count)
{
    assert_ok(yr_subject_open_session(subject));
    say("ready");
    for (int i = 0; i < count; i++) {
        char value[32];
        struct timespec now;
        yr_stage_linger(subject->stage, 5);
        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(value, sizeof value, "%" PRId64,
                 (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
        assert_ok(yr_subject_announce(subject, YR_ANNOUNCE_TAKE, service, "t:1", value));
    }
    assert_ok(yr_subject_announce(subject, YR_ANNOUNCE_TAKE, service, "end:1", "{}"));
    run_for_ever(subject);
}

static void write_for_ever(yr_subject *subject, unsigned seed)
{
    assert_ok(yr_subject_open_session(subject));
    say("ready");
    for (unsigned i = seed;; i = i * 1103515245U + 12345U) {
        char node[32];
        snprintf(node, sizeof node, "w%u:%u", seed, (i >> 16) % WRITER_NODES);
        if ((i >> 8) % 3 == 0) {
            assert_ok(yr_subject_withdraw(subject, service, node));
        } else {
            assert_ok(yr_subject_announce(subject, YR_ANNOUNCE_TAKE, service, node, "{}"));
        }
    }
}

static void list(yr_subject *subject)
{
    char services[256];
    assert_ok(yr_subject_services(subject, services, sizeof services));
    printf("services %s\n", services);
    yr_io *io = subject->stage->io;
    yr_subject_close(subject);
    yr_uv_io_free(io);
}

int yr_actor_main(int argc, char **argv)
{
    if (argc != 6 || strcmp(argv[1], "--actor") != 0) {
        return -1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static yr_backend backend;
    backend = *yr_backend_now;
    backend.ttl_ms = strtoll(argv[3], NULL, 10);
    yr_backend_now = &backend;
    yr_stage stage = {.address = argv[2]};
    yr_subject subject;
    assert_ok(yr_uv_io_new(&stage.io, NULL));
    yr_subject_open(&subject, &stage);
    if (strcmp(argv[4], "ticker") == 0) {
        tick(&subject, (int)strtol(argv[5], NULL, 10));
    } else if (strcmp(argv[4], "writer") == 0) {
        write_for_ever(&subject, (unsigned)strtoul(argv[5], NULL, 10));
    } else if (strcmp(argv[4], "services") == 0) {
        list(&subject);
    } else {
        provide(&subject, argv[5], strcmp(argv[4], "forker") == 0);
    }
    return 0;
}
