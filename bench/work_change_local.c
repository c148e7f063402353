/*
 * How soon a change in a file is seen by another process: from the moment its writer begins to
 * write it until the list has it, which is looked at all the time. (Whoever watches is told of
 * what comes and goes ten times a second at most.) One at a time, in a service of 100.
 */
#include "echo.h"
#include "measure.h"
#include "names.h"
#include "work.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHANGES_MAX = 1000,
    LOCAL_CHANGES = 200,
    WARM_UP = 20,
    LOOK_EVERY_US = 20,
    PATIENCE_NS = 2000000000,
};

/* ---- What is measured ---- */

/* What was measured of each change. */
typedef struct latencies {
    int64_t seen_ns[CHANGES_MAX];
    int64_t acked_ns[CHANGES_MAX];
    size_t count;
} latencies;

/* From @p begin on; the first changes do not count. */
static void add(latencies *samples, int round, int64_t begin, int64_t seen, int64_t acked)
{
    if (round >= WARM_UP && samples->count < CHANGES_MAX) {
        samples->seen_ns[samples->count] = seen - begin;
        samples->acked_ns[samples->count] = acked - begin;
        samples->count++;
    }
}

static void report(latencies *samples)
{
    yr_report_percentiles("seen_", samples->seen_ns, samples->count);
    yr_report_percentiles("acked_", samples->acked_ns, samples->count);
}

/* ---- The writer: a provider in another process ---- */

typedef struct moments {
    int64_t begin_ns;
    int64_t acked_ns;
} moments;

/* For each byte that comes, register one more instance, and say when. */
static bool serve_writes(const yr_sample *self, int orders, int answers)
{
    char order = 0;
    char host[YR_HOST_SIZE];
    bool is_fine = true;
    yurpc_registry *registry = yr_sample_open(self, 0);
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = YR_SERVICE;
    spec.host = host;
    spec.port = YR_PORT;
    for (size_t i = self->work->count;
         registry != NULL && is_fine && read(orders, &order, 1) == 1; i++) {
        yurpc_registration *registration = NULL;
        yr_name_host(i, host);
        moments written = {.begin_ns = yr_now_ns()};
        is_fine =
            yurpc_registry_register(registry, &spec, NULL, &registration, NULL) == YURPC_OK;
        written.acked_ns = yr_now_ns();
        is_fine = is_fine && write(answers, &written, sizeof(written)) == sizeof(written);
    }
    yurpc_registry_close(registry);
    return is_fine && registry != NULL;
}

typedef struct provider {
    pid_t pid;
    int orders;
    int answers;
} provider;

/* Forks: before this process has threads. */
static bool start_writer(const yr_sample *self, provider *ret_writer)
{
    int orders[2];
    int answers[2];
    if (pipe(orders) != 0 || pipe(answers) != 0) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(orders[1]);
        close(answers[0]);
        _exit(serve_writes(self, orders[0], answers[1]) ? 0 : 1);
    }
    close(orders[0]);
    close(answers[1]);
    *ret_writer = (provider){.pid = pid, .orders = orders[1], .answers = answers[0]};
    return pid > 0;
}

/* When the list has @p count instances; 0: it never does. */
static int64_t await_count(const yurpc_service *service, size_t count)
{
    for (int64_t begin = yr_now_ns();;) {
        const yurpc_snapshot *now = yurpc_service_acquire(service);
        bool is_there = yurpc_snapshot_count(now) >= count;
        yurpc_service_release(service, now);
        int64_t seen = yr_now_ns();
        if (is_there || seen - begin > PATIENCE_NS) {
            return is_there ? seen : 0;
        }
        yr_pause_us(LOOK_EVERY_US);
    }
}

static bool order_changes(const provider *writer, const yurpc_service *service, size_t count,
                          latencies *samples)
{
    for (int i = 0; i < LOCAL_CHANGES + WARM_UP; i++) {
        moments written = {0};
        if (write(writer->orders, "", 1) != 1) {
            return false;
        }
        int64_t seen = await_count(service, ++count);
        if (seen == 0 || read(writer->answers, &written, sizeof(written)) != sizeof(written)) {
            return false;
        }
        add(samples, i, written.begin_ns, seen, written.acked_ns);
    }
    return true;
}

static bool run_yurpc(yr_sample *self)
{
    static latencies samples;
    provider writer;
    if (!start_writer(self, &writer)) {
        return yr_fail(self, "no process to write", NULL);
    }
    yurpc_registry *registry = yr_sample_open(self, 0);
    yurpc_service *service =
        registry != NULL ? yr_sample_discover(self, registry, self->work->count) : NULL;
    bool is_fine =
        service != NULL && order_changes(&writer, service, self->work->count, &samples);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    close(writer.orders);
    (void)waitpid(writer.pid, NULL, 0); /* takes its instances with it */
    if (is_fine) {
        report(&samples);
    }
    return is_fine || yr_fail(self, "the changes could not be seen", NULL);
}

static bool run_echo(yr_sample *self)
{
    (void)self;
    return yr_echo_measure();
}

/* ---- The works ---- */

#define ECHO "64 bytes over the loopback and back"

static const yr_row rows[] = {
    {"register until seen, p50", "µs", "yurpc.seen_p50_us", "echo.p50_us", NULL, ECHO,
     "<= 2000"},
    {"register until seen, p99", "µs", "yurpc.seen_p99_us", "echo.p99_us", NULL, ECHO,
     "<= 50000"},
    {"register until it returns, p50", "µs", "yurpc.acked_p50_us", "echo.p50_us", NULL, ECHO,
     NULL},
};

static const yr_work works[] = {
    {
        .name = "change.local",
        .backend = YR_BACKEND_LOCAL,
        .count = 100,
        .is_filled = true,
        .runs = 5,
        .programs = {{"yurpc", run_yurpc, false}, {"echo", run_echo, false}},
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    },
};

const yr_works yr_works_change_local = {works, sizeof(works) / sizeof(works[0])};
