#include "cluster.h"

#include "netns.h"
#include "scratch.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { START_TRIES = 3, LEADER_TRIES = 200, LEADER_PAUSE_MS = 100 };

struct yr_cluster {
    int count;
    const char *scheme; /* of clients */
    bool is_isolated;
    uint16_t ports[YR_CLUSTER_MEMBERS];
    uint16_t peer_ports[YR_CLUSTER_MEMBERS];
    char peers[3 * YR_CLUSTER_TEXT_MAX]; /* --initial-cluster */
    yr_scratch scratch;                  /* of /etc/hosts of each */
    yr_engine *members[YR_CLUSTER_MEMBERS];
};

yr_engine *yr_cluster_member(const yr_cluster *cluster, int member)
{
    return cluster->members[member - 1];
}

int yr_cluster_count(const yr_cluster *cluster)
{
    return cluster->count;
}

/* ---- Addresses ---- */

void yr_cluster_endpoint(const yr_cluster *cluster, int road, int member,
                         char text[YR_CLUSTER_TEXT_MAX])
{
    (void)snprintf(text, YR_CLUSTER_TEXT_MAX, "%s://127.0.%d.%d:%u", cluster->scheme,
                   cluster->is_isolated ? road : 0, cluster->is_isolated ? member : 1,
                   (unsigned)cluster->ports[member - 1]);
}

void yr_cluster_endpoints(const yr_cluster *cluster, int road, char text[YR_CLUSTER_TEXT_MAX])
{
    size_t len = 0;
    for (int member = 1; member <= cluster->count; member++) {
        char one[YR_CLUSTER_TEXT_MAX];
        yr_cluster_endpoint(cluster, road, member, one);
        len += (size_t)snprintf(text + len, YR_CLUSTER_TEXT_MAX - len, "%s%s",
                                member == 1 ? "" : ",", one);
    }
}

static void peer_url(const yr_cluster *cluster, int member, char text[YR_CLUSTER_TEXT_MAX])
{
    if (cluster->is_isolated) {
        (void)snprintf(text, YR_CLUSTER_TEXT_MAX, "http://member%d:%u", member,
                       (unsigned)cluster->peer_ports[member - 1]);
    } else {
        (void)snprintf(text, YR_CLUSTER_TEXT_MAX, "http://127.0.0.1:%u",
                       (unsigned)cluster->peer_ports[member - 1]);
    }
}

/* How @p from sees the others. */
static yurpc_status write_hosts(const yr_cluster *cluster, int from, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/hosts%d", cluster->scratch.path, from);
    FILE *hosts = fopen(path, "we");
    if (hosts == NULL) {
        return YURPC_IO;
    }
    (void)fprintf(hosts, "127.0.0.1 localhost\n");
    for (int to = 1; to <= cluster->count; to++) {
        (void)fprintf(hosts, "127.1.%d.%d member%d\n", from, to, to);
    }
    return fclose(hosts) == 0 ? YURPC_OK : YURPC_IO;
}

/* ---- Life ---- */

static yurpc_status start_member(yr_cluster *cluster, const char *version, int member,
                                 const char *const *arguments)
{
    enum { OWN = 6, MORE_MAX = 16 };
    char url[YR_CLUSTER_TEXT_MAX];
    char hosts[128] = "";
    char text[OWN][3 * YR_CLUSTER_TEXT_MAX + 32];
    const char *all[OWN + MORE_MAX + 1] = {NULL};
    const char *host = cluster->is_isolated ? "0.0.0.0" : "127.0.0.1";
    size_t size = sizeof text[0];
    peer_url(cluster, member, url);
    (void)snprintf(text[0], size, "--name=member%d", member);
    (void)snprintf(text[1], size, "--listen-peer-urls=http://%s:%u", host,
                   (unsigned)cluster->peer_ports[member - 1]);
    (void)snprintf(text[2], size, "--initial-advertise-peer-urls=%s", url);
    (void)snprintf(text[3], size, "--listen-client-urls=%s://%s:%u", cluster->scheme, host,
                   (unsigned)cluster->ports[member - 1]);
    yr_cluster_endpoint(cluster, 0, member, url);
    (void)snprintf(text[4], size, "--advertise-client-urls=%s", url);
    (void)snprintf(text[5], size, "--initial-cluster=%s", cluster->peers);
    for (size_t i = 0; i < OWN; i++) {
        all[i] = text[i];
    }
    for (size_t i = 0; arguments != NULL && i < MORE_MAX && arguments[i] != NULL; i++) {
        all[OWN + i] = arguments[i];
    }
    if (cluster->is_isolated) {
        yurpc_status status = write_hosts(cluster, member, hosts, sizeof hosts);
        if (status != YURPC_OK) {
            return status;
        }
    }
    yr_engine_options options = {
        .arguments = all, .hosts = cluster->is_isolated ? hosts : NULL, .is_member = true};
    return yr_engine_start_etcd(version, &options, &cluster->members[member - 1]);
}

yurpc_status yr_cluster_wait_ready(const yr_cluster *cluster)
{
    yurpc_status status = YURPC_OK;
    for (int i = 0; i < cluster->count && status == YURPC_OK; i++) {
        if (yr_engine_pid(cluster->members[i]) != 0) {
            status = yr_engine_wait_ready(cluster->members[i]);
        }
    }
    return status;
}

static yurpc_status start_all(yr_cluster *cluster, const char *version,
                              const char *const *arguments)
{
    size_t len = 0;
    for (int i = 0; i < cluster->count; i++) {
        char url[YR_CLUSTER_TEXT_MAX];
        cluster->ports[i] = yr_engine_choose_port();
        cluster->peer_ports[i] = yr_engine_choose_port();
        peer_url(cluster, i + 1, url);
        len += (size_t)snprintf(cluster->peers + len, sizeof cluster->peers - len,
                                "%smember%d=%s", i == 0 ? "" : ",", i + 1, url);
    }
    yurpc_status status = YURPC_OK;
    for (int i = 1; i <= cluster->count && status == YURPC_OK; i++) {
        status = start_member(cluster, version, i, arguments);
    }
    return status == YURPC_OK ? yr_cluster_wait_ready(cluster) : status;
}

static void stop_all(yr_cluster *cluster)
{
    for (int i = 0; i < cluster->count; i++) {
        yr_engine_free(cluster->members[i]);
        cluster->members[i] = NULL;
    }
}

yurpc_status yr_cluster_start(const char *version, const yr_cluster_options *options,
                              yr_cluster **ret_cluster)
{
    yr_cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster == NULL) {
        return YURPC_NO_MEMORY;
    }
    cluster->count = options->count;
    cluster->scheme = options->is_tls ? "https" : "http";
    cluster->is_isolated = yr_net_is_inside();
    yurpc_status status = yr_scratch_init(&cluster->scratch, "yurpc-cluster.");
    if (status == YURPC_OK) {
        status = start_all(cluster, version, options->arguments);
    }
    /* Somebody else may take a port that was just free. */
    for (int i = 1; i < START_TRIES && status == YURPC_UNAVAILABLE; i++) {
        stop_all(cluster);
        status = start_all(cluster, version, options->arguments);
    }
    if (status != YURPC_OK) {
        (void)fprintf(stderr, "no cluster: %s\n", yurpc_status_text(status));
        for (int i = 0; i < cluster->count && cluster->members[i] != NULL; i++) {
            yr_engine_print_log(cluster->members[i]);
        }
        yr_cluster_free(cluster);
        return status;
    }
    *ret_cluster = cluster;
    return YURPC_OK;
}

void yr_cluster_free(yr_cluster *cluster)
{
    if (cluster == NULL) {
        return;
    }
    stop_all(cluster);
    yr_scratch_deinit(&cluster->scratch);
    free(cluster);
}

/* ---- Who leads ---- */

int yr_cluster_leader(const yr_cluster *cluster, int except)
{
    for (int i = 0; i < LEADER_TRIES; i++) {
        for (int member = 1; member <= cluster->count; member++) {
            const yr_engine *engine = yr_cluster_member(cluster, member);
            if (member != except && yr_engine_pid(engine) != 0 &&
                yr_engine_metric(engine, "etcd_server_is_leader ") > 0) {
                return member;
            }
        }
        (void)poll(NULL, 0, LEADER_PAUSE_MS);
    }
    return 0;
}
