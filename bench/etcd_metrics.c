#include "etcd_metrics.h"

#include "bare.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { METRICS_SIZE = 1024 * 1024 };

static void fetch(const char *address, char *text, size_t size)
{
    static const char question[] = "GET /metrics HTTP/1.0\r\n\r\n";
    size_t len = 0;
    ssize_t got = 0;
    int fd = yr_bare_dial(address);
    if (fd >= 0 && write(fd, question, sizeof(question) - 1) == sizeof(question) - 1) {
        while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0) {
            len += (size_t)got;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    text[len] = '\0';
}

static bool begins_with(const char *line, const char *name)
{
    return strncmp(line, name, strlen(name)) == 0;
}

static void add_line(yr_etcd_metrics *metrics, const char *line, double value)
{
    if (begins_with(line, "grpc_server_msg_received_total{")) {
        metrics->messages += value;
        metrics->keepalives += strstr(line, "\"LeaseKeepAlive\"") != NULL ? value : 0;
    } else if (begins_with(line, "etcd_debugging_mvcc_current_revision ")) {
        metrics->revision = value;
    } else if (begins_with(line, "process_cpu_seconds_total ")) {
        metrics->cpu_ms = value * 1e3;
    } else if (begins_with(line, "process_resident_memory_bytes ")) {
        metrics->resident_mb = value / 1e6;
    } else if (begins_with(line, "etcd_mvcc_db_total_size_in_bytes ")) {
        metrics->db_mb = value / 1e6;
    }
}

bool yr_etcd_metrics_read(const char *address, yr_etcd_metrics *ret_metrics)
{
    static char text[METRICS_SIZE];
    yr_etcd_metrics metrics = {.revision = -1};
    char *rest = NULL;
    fetch(address, text, sizeof(text));
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *space = strrchr(line, ' ');
        add_line(&metrics, line, space != NULL ? strtod(space, NULL) : 0);
    }
    *ret_metrics = metrics;
    return metrics.revision >= 0;
}
