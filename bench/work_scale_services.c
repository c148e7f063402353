/*
 * As a consumer follows more services, of 10 instances each: until all lists are there, and
 * until all are true again after its connection was cut.
 */
#include "bare.h"
#include "measure.h"
#include "run.h"
#include "scale.h"
#include "work.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EACH = 10,
    WAIT_MAX_MS = 60000,
    PAUSE_MS = 10,
    SETTLE_MS = 500,
    BLOCK_SIZE = 256 * 1024
};

#define FILLER "services"
#define RELAY  "relay"

static bool run_filler(yr_sample *self)
{
    static yr_load load;
    bool is_fine = yr_load_open(&load, self, 8);
    if (is_fine) {
        yr_load_fill(&load, yr_scale_size(self), EACH);
        is_fine = yr_load_settle(&load);
    }
    yr_load_close(&load);
    return is_fine;
}

/* ---- The relay: a connection that can be cut ---- */

static int listen_somewhere(void)
{
    struct sockaddr_in self = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(self);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&self, len) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&self, &len) != 0) {
        return -1;
    }
    yr_report("port", ntohs(self.sin_port));
    return fd;
}

/* False: one side has ended. */
static bool pass_on(int from, int to)
{
    static char block[BLOCK_SIZE];
    ssize_t got = recv(from, block, sizeof(block), 0);
    for (ssize_t sent = 0; sent < got;) {
        ssize_t now = send(to, block + sent, (size_t)(got - sent), MSG_NOSIGNAL);
        if (now <= 0) {
            return false;
        }
        sent += now;
    }
    return got > 0;
}

/* One connection, until a side ends it or a byte of input says so. False: the input ended. */
static bool relay(int client, int server)
{
    struct pollfd fds[3] = {
        {STDIN_FILENO, POLLIN, 0}, {client, POLLIN, 0}, {server, POLLIN, 0}};
    char order = 0;
    while (poll(fds, 3, -1) > 0) {
        if (fds[0].revents != 0) {
            return read(STDIN_FILENO, &order, 1) == 1;
        }
        if ((fds[1].revents != 0 && !pass_on(client, server)) ||
            (fds[2].revents != 0 && !pass_on(server, client))) {
            return true;
        }
    }
    return false;
}

static bool run_relay(yr_sample *self)
{
    int listener = listen_somewhere();
    bool is_wanted = listener >= 0;
    while (is_wanted) {
        struct pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {listener, POLLIN, 0}};
        (void)poll(fds, 2, -1);
        is_wanted = fds[0].revents == 0;
        if (is_wanted && fds[1].revents != 0) {
            int client = accept(listener, NULL, NULL);
            int server = yr_bare_dial(self->address);
            is_wanted = client >= 0 && server >= 0 && relay(client, server);
            close(client);
            close(server);
        }
    }
    close(listener);
    return listener >= 0;
}

/* ---- The consumer ---- */

/* Until all lists are there and true, over this many connections. */
static bool await_fresh(const yurpc_registry *registry, uint64_t lists, uint64_t connections)
{
    yurpc_registry_stats stats = {.size = sizeof(stats)};
    for (int i = 0; i < WAIT_MAX_MS / PAUSE_MS; i++) {
        if (yurpc_registry_get_stats(registry, &stats) != YURPC_OK) {
            return false;
        }
        if (stats.lists >= lists && stats.connections >= connections && stats.is_connected &&
            stats.staleness_ms == 0) {
            return true;
        }
        yr_pause_ms(PAUSE_MS);
    }
    return false;
}

static bool follow_all(yurpc_registry *registry, yurpc_service **services, size_t count)
{
    yurpc_discover_options options = YURPC_DISCOVER_OPTIONS_INIT;
    yurpc_status status = YURPC_OK;
    options.is_background = true;
    for (size_t i = 0; status == YURPC_OK && i < count; i++) {
        char name[YR_SCALE_SERVICE_SIZE];
        yr_scale_service(i, name);
        status = yurpc_registry_discover(registry, name, &options, &services[i], NULL);
    }
    return status == YURPC_OK && await_fresh(registry, count, 1);
}

static bool are_complete(yurpc_service **services, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const yurpc_snapshot *now = yurpc_service_acquire(services[i]);
        wrong += yurpc_snapshot_count(now) != EACH || yurpc_snapshot_is_stale(now) ? 1 : 0;
        yurpc_service_release(services[i], now);
    }
    return wrong == 0;
}

/* Report how long something took, and what it cost here and there. */
static bool report_part(const yr_sample *self, const char *part, yr_span span, double etcd_ms)
{
    char name[64];
    yr_etcd_metrics after;
    bool is_fine = yr_etcd_metrics_read(self->address, &after);
    (void)snprintf(name, sizeof(name), "%s_wall_ms", part);
    yr_report(name, (double)span.wall_ns / 1e6);
    (void)snprintf(name, sizeof(name), "%s_cpu_ms", part);
    yr_report(name, (double)span.cpu_ns / 1e6);
    (void)snprintf(name, sizeof(name), "%s_etcd_ms", part);
    yr_report(name, after.cpu_ms - etcd_ms);
    return is_fine;
}

static bool cut(const yr_sample *self, yurpc_registry *registry, const yr_running *relay_there)
{
    yurpc_registry_stats stats = {.size = sizeof(stats)};
    yr_etcd_metrics before;
    if (!yr_etcd_metrics_read(self->address, &before) ||
        yurpc_registry_get_stats(registry, &stats) != YURPC_OK) {
        return false;
    }
    uint64_t lists = stats.lists;
    yr_span span = yr_span_begin();
    if (write(relay_there->input, "\n", 1) != 1 ||
        !await_fresh(registry, 0, stats.connections + 1) ||
        yurpc_registry_get_stats(registry, &stats) != YURPC_OK) {
        return false;
    }
    span = yr_span_end(span);
    yr_report("again_lists", (double)(stats.lists - lists));
    return report_part(self, "again", span, before.cpu_ms);
}

static bool measure(yr_sample *self, yurpc_registry *registry, yurpc_service **services,
                    const yr_running *relay_there)
{
    size_t count = yr_scale_size(self);
    yr_etcd_metrics before;
    bool is_fine = await_fresh(registry, 0, 1) && yr_etcd_metrics_read(self->address, &before);
    int64_t empty = yr_memory_private_dirty();
    yr_span span = yr_span_begin();
    is_fine = is_fine && follow_all(registry, services, count);
    span = yr_span_end(span);
    yurpc_registry_stats stats = {.size = sizeof(stats)};
    is_fine = is_fine && yurpc_registry_get_stats(registry, &stats) == YURPC_OK;
    yr_report("follow_lists", (double)stats.lists);
    is_fine = is_fine && are_complete(services, count) &&
              report_part(self, "follow", span, before.cpu_ms);
    yr_pause_ms(SETTLE_MS);
    yr_report("kept_mb", (double)(yr_memory_private_dirty() - empty) / 1e6);
    return is_fine && cut(self, registry, relay_there) && are_complete(services, count);
}

static bool run_yurpc(yr_sample *self)
{
    char address[64];
    double port = 0;
    yr_running filler = {0};
    yr_running relay_there = {0};
    const char *real = self->address;
    size_t count = yr_scale_size(self);
    yurpc_service **services = calloc(count, sizeof(yurpc_service *));
    bool is_fine = services != NULL && yr_run_start(self->work, FILLER, real, &filler) &&
                   yr_run_finish(&filler) &&
                   yr_run_start(self->work, RELAY, real, &relay_there) &&
                   yr_run_await_line(&relay_there, &port);
    (void)snprintf(address, sizeof(address), "http://127.0.0.1:%.0f", port);
    self->address = address;
    yurpc_registry *registry = is_fine ? yr_sample_open(self, 0) : NULL;
    self->address = real;
    is_fine = registry != NULL && measure(self, registry, services, &relay_there);
    for (size_t i = 0; services != NULL && i < count; i++) {
        yurpc_service_close(services[i]);
    }
    yurpc_registry_close(registry);
    free(services);
    bool is_relayed = yr_run_finish(&relay_there);
    return (is_fine && is_relayed) || yr_fail(self, "not all lists became fresh", NULL);
}

static const yr_row rows[] = {
    {"until all are fresh", "ms", "yurpc.follow_wall_ms", NULL, NULL, NULL, NULL},
    {"CPU", "ms", "yurpc.follow_cpu_ms", NULL, NULL, NULL, NULL},
    {"CPU of etcd", "ms", "yurpc.follow_etcd_ms", NULL, NULL, NULL, NULL},
    {"lists read", "", "yurpc.follow_lists", NULL, NULL, NULL, NULL},
    {"memory", "MB", "yurpc.kept_mb", NULL, NULL, NULL, NULL},
    {"fresh again after a cut", "ms", "yurpc.again_wall_ms", NULL, NULL, NULL, NULL},
    {"CPU of that", "ms", "yurpc.again_cpu_ms", NULL, NULL, NULL, NULL},
    {"CPU of etcd for that", "ms", "yurpc.again_etcd_ms", NULL, NULL, NULL, NULL},
    {"lists read again", "", "yurpc.again_lists", NULL, NULL, NULL, NULL},
};

#define SERVICES(number)                                                                 \
    {                                                                                    \
        .name = "scale.services." #number, .backend = YR_BACKEND_ETCD, .is_apart = true, \
        .runs = 3,                                                                       \
        .programs = {{"yurpc", run_yurpc, false},                                        \
                     {FILLER, run_filler, true},                                         \
                     {RELAY, run_relay, true}},                                          \
        .rows = rows, .row_count = sizeof(rows) / sizeof(rows[0]),                       \
    }

static const yr_work works[] = {
    SERVICES(1), SERVICES(10), SERVICES(100), SERVICES(1000), SERVICES(3000), SERVICES(10000),
};

const yr_works yr_works_scale_services = {works, sizeof(works) / sizeof(works[0])};
