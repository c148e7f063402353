/*
 * Three real etcds that are one cluster, or one that is alone.
 *
 * Inside a namespace (netns.h) every client has a road of its own to the members, and members
 * reach each other by addresses of their own, so that each can be cut. Elsewhere all roads are
 * one.
 */
#ifndef YR_TESTS_CLUSTER_H
#define YR_TESTS_CLUSTER_H

#include "engine.h"

enum { YR_CLUSTER_MEMBERS = 3, YR_CLUSTER_TEXT_MAX = 160 };

typedef struct yr_cluster yr_cluster;

typedef struct yr_cluster_options {
    int count;                    /* of members: 1 or 3 */
    const char *const *arguments; /* for the command line of each, or NULL */
    bool is_tls;                  /* for clients; the arguments name the files */
} yr_cluster_options;

/* Start all members and wait until they serve. */
YURPC_NODISCARD yurpc_status yr_cluster_start(const char *version,
                                              const yr_cluster_options *options,
                                              yr_cluster **ret_cluster);
void yr_cluster_free(yr_cluster *cluster);

/* Member 1, 2 or 3. */
yr_engine *yr_cluster_member(const yr_cluster *cluster, int member);
int yr_cluster_count(const yr_cluster *cluster);

/* Where clients on this road reach all members, or one: "http://…,http://…". */
void yr_cluster_endpoints(const yr_cluster *cluster, int road, char text[YR_CLUSTER_TEXT_MAX]);
void yr_cluster_endpoint(const yr_cluster *cluster, int road, int member,
                         char text[YR_CLUSTER_TEXT_MAX]);

/* The member that says it leads, awaited for at most 20 s; 0: none. @p except is not asked (it
 * may be frozen); 0: all are. */
int yr_cluster_leader(const yr_cluster *cluster, int except);

/* Wait until all members that run serve. */
YURPC_NODISCARD yurpc_status yr_cluster_wait_ready(const yr_cluster *cluster);

#endif /* YR_TESTS_CLUSTER_H */
