/*
 * The peer: etcd's own client in Go, which plays the same parts (peers/go). It is there where
 * it could be built.
 */
#ifndef YR_PEER_H
#define YR_PEER_H

/* The program of a work that the peer plays. */
#define YR_PEER "go"

/* What it is, "clientv3 v3.5.16, go1.26"; NULL: there is none beside this executable. */
const char *yr_peer_find(void);

/* Where it would be. */
const char *yr_peer_path(void);

#endif /* YR_PEER_H */
