/*
 * Programs beside this executable that play parts, too: the peer, which is etcd's own client in
 * Go (peers/go) and is there where it could be built, and what shows the inside of the library.
 */
#ifndef YR_PEER_H
#define YR_PEER_H

/* The program of a work that the peer plays. */
#define YR_PEER "go"

/* What the peer is, "clientv3 v3.5.16, go1.26"; NULL: absent. */
const char *yr_peer_find(void);

/* Where program @p name is, or would be: "yurpc_bench_NAME". Valid until the next call. */
const char *yr_peer_path(const char *name);

#endif /* YR_PEER_H */
