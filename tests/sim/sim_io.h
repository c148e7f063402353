/*
 * The second world: net/io.h on a virtual clock, with streams in memory, driven by one seed.
 *
 * A sim holds hosts; each host is one process on one machine, and has a yr_io. All share one
 * clock, which moves only in yr_sim_run_…(), from event to event. Everything that happens,
 * happens again in the same way when the same seed is used by the same program.
 *
 * Bytes take a random time to arrive, in order. A host is connected to by its name; it
 * listens with any address text. "localhost" is the host itself.
 *
 * One thread. What the code under test allocates through calls of net/io.h can be made to fail
 * by yr_mem_fail_after(); the world's own memory cannot.
 */
#ifndef YR_TESTS_SIM_IO_H
#define YR_TESTS_SIM_IO_H

#include "net/io.h"

enum {
    YR_SIM_HOSTS_MAX = 256,          /* of one sim, dead ones included */
    YR_SIM_EVENTS_MAX = 1000 * 1000, /* at one instant: more is a busy loop, and asserts */
    YR_SIM_WINDOW = 256 * 1024,      /* bytes under way in one direction of a stream */
    YR_SIM_SEGMENT_MAX = 64 * 1024,  /* bytes of one on_data */
    YR_SIM_UNACKED_MAX_MS = 3000,    /* as net/uv has it: TCP_USER_TIMEOUT */
};

typedef struct yr_sim yr_sim;
typedef struct yr_sim_host yr_sim_host;

/* ---- Life ---- */

yr_sim *yr_sim_new(uint64_t seed);

/* All streams, listeners and timers on it must be closed, on dead hosts too. NULL is allowed.
 */
void yr_sim_free(yr_sim *sim);

/* @p name is copied. It may be that of a host that was killed: a restart. */
yr_sim_host *yr_sim_host_new(yr_sim *sim, const char *name);

yr_io *yr_sim_host_io(yr_sim_host *host);
const char *yr_sim_host_name(const yr_sim_host *host);

/* ---- Running ---- */

int64_t yr_sim_now_ms(const yr_sim *sim);

/* Let @p ms pass: all events due until then, in the order of time. */
void yr_sim_run_for(yr_sim *sim, int64_t ms);

typedef bool yr_sim_predicate(void *context);

/* Run until @p predicate holds; false when it did not within @p limit_ms. */
bool yr_sim_run_until(yr_sim *sim, yr_sim_predicate *predicate, void *context,
                      int64_t limit_ms);

/* All machines sleep: time passes, and nothing happens until they wake up. */
void yr_sim_suspend(yr_sim *sim, int64_t ms);

/* Somebody sets the machines' clocks, by so much: no other clock moves. */
void yr_sim_jump_wall(yr_sim *sim, int64_t ms);

/* ---- Chance, for the tests' own schedules: other numbers than those the network uses ---- */

uint64_t yr_sim_random(yr_sim *sim);
uint64_t yr_sim_random_below(yr_sim *sim, uint64_t bound); /* 0 … bound - 1; bound > 0 */

/* ---- The network ---- */

/* Each piece takes a uniformly random time of this range; by default 1 … 5 ms. */
void yr_sim_set_latency(yr_sim *sim, int64_t min_ms, int64_t max_ms);

/* Split and join bytes at random places. Off by default. */
void yr_sim_set_splitting(yr_sim *sim, bool is_on);

/*
 * Silence: nothing from @p from arrives at @p to, and at first nothing fails. What is sent is
 * kept back and arrives after the link was healed, as TCP would send it again. But who
 * connected has his kernel give up after YR_SIM_UNACKED_MAX_MS: what was under way is lost,
 * also when the connection was closed meanwhile; a living one ends with an error. The server
 * has no such limit; it learns of that end by a reset when the link is healed.
 */
void yr_sim_cut_one_way(yr_sim_host *from, yr_sim_host *to);
void yr_sim_cut(yr_sim_host *a, yr_sim_host *b); /* both ways */
void yr_sim_cut_host(yr_sim_host *host);         /* from all others, later ones too */

/* Undo all cuts between two hosts; of one host; of all. */
void yr_sim_heal(yr_sim_host *a, yr_sim_host *b);
void yr_sim_heal_host(yr_sim_host *host);
void yr_sim_heal_all(yr_sim *sim);

/* Each connection of the host breaks: both ends get on_end with an error. */
void yr_sim_reset_connections(yr_sim_host *host);

/* Refuse new connections even where a listener is. */
void yr_sim_set_refusing(yr_sim_host *host, bool is_refusing);

/* SIGSTOP and SIGCONT: no callback runs, but time passes, and the kernel goes on accepting. */
void yr_sim_freeze(yr_sim_host *host);
void yr_sim_thaw(yr_sim_host *host);

/*
 * SIGKILL: its connections are closed or reset (as the seed has it) and its ports refuse. No
 * callback runs on it any more. The objects that lived there can be freed as usual: nothing
 * they do reaches the network.
 */
void yr_sim_kill(yr_sim_host *host);

bool yr_sim_is_dead(const yr_sim_host *host);

/* What the host has open, and what it has done. */
typedef struct yr_sim_load {
    uint64_t connects; /* attempts since the start */
    uint64_t writes;   /* turns that sent something on a stream, since the start */
    size_t streams;
    size_t timers;
} yr_sim_load;

yr_sim_load yr_sim_host_load(const yr_sim_host *host);

/* ---- Watching ---- */

/* Called with one line per event: time, host, what. Borrowed. */
typedef void yr_sim_trace_fn(void *context, const char *line);

void yr_sim_set_trace(yr_sim *sim, yr_sim_trace_fn *fn, void *context);

#endif /* YR_TESTS_SIM_IO_H */
