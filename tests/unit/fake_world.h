/*
 * A fake etcd and a client of it in the simulated world, and the calls that its tests make.
 */
#ifndef YR_FAKE_WORLD_H
#define YR_FAKE_WORLD_H

#include "fake/etcd.h"
#include "sim/sim_io.h"
#include "wire.h"

enum {
    YR_FAKE_PORT = 2379,
    YR_SOON_MS = 100, /* more than a request and its answer take */
    YR_NONE = -1,     /* the call has not ended; no answer */
};

typedef struct yr_fake_world {
    yr_sim *sim;
    yr_sim_host *server;
    yr_sim_host *client;
    yr_fake_etcd *fake; /* "etcd" */
    yr_wire *wire;      /* from the client to it */
    size_t commits;     /* that the witness saw */
    size_t writes;
    size_t wipes;
} yr_fake_world;

/* cmocka's: *@p state is the world. */
int yr_fake_world_set_up(void **state);
int yr_fake_world_tear_down(void **state);

/* Another connection of the client. */
yr_wire *yr_fake_world_connect(yr_fake_world *world, const char *host);

/* A unary put, begun; how a call ended within a time, YR_NONE: not yet; and both. */
yr_wire_call *yr_fake_world_begin_put(yr_fake_world *world, const char *key, int64_t lease);
int yr_fake_code_of(yr_wire_call *call, int64_t ms);
int yr_fake_world_put(yr_fake_world *world, const char *key);

/* Whether the key is there. */
bool yr_fake_world_has(yr_fake_world *world, const char *key);

/* A watch of all keys from "a" to "z". */
yr_wire_call *yr_fake_open_watch(yr_wire *wire, bool may_fragment);

/* What a watch says, in few words. */
typedef struct yr_fake_notice {
    bool has_come;
    bool is_created;
    bool is_canceled;
    bool has_more; /* a fragment */
    int64_t compact_revision;
    size_t events;
    char reason[64];
} yr_fake_notice;

yr_fake_notice yr_fake_next_notice(yr_wire_call *call, int64_t ms);

yr_wire_call *yr_fake_open_keepalive(yr_wire *wire);

/* The TTL that a keepalive is answered with; YR_NONE: no answer. */
int64_t yr_fake_keep_alive(yr_wire_call *call, int64_t lease);

#endif /* YR_FAKE_WORLD_H */
