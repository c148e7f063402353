/*
 * What an etcd says of itself: what it has received, and what that has cost it.
 */
#ifndef YR_ETCD_METRICS_H
#define YR_ETCD_METRICS_H

#include <stdbool.h>

typedef struct yr_etcd_metrics {
    double messages;    /* received, of all methods */
    double keepalives;  /* of these, keepalives */
    double revision;    /* of its store */
    double cpu_ms;      /* of its process since it began, in steps of 10 ms */
    double resident_mb; /* of its process */
    double db_mb;       /* of its file */
} yr_etcd_metrics;

/* Of the etcd at "http://127.0.0.1:PORT". False: it does not answer. */
bool yr_etcd_metrics_read(const char *address, yr_etcd_metrics *ret_metrics);

#endif /* YR_ETCD_METRICS_H */
