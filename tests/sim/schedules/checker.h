/*
 * The checker: eight invariants that hold in every schedule, and the bounds that are promised.
 *
 * Some are looked at whenever something is told (it is the fleet's observer), some when all is
 * healed, some when all is closed. The first that is broken is the verdict.
 */
#ifndef YR_TESTS_SIM_SCHEDULES_CHECKER_H
#define YR_TESTS_SIM_SCHEDULES_CHECKER_H

#include "sim/fleet.h"
#include "sim/schedules/witness.h"

typedef enum yr_invariant {
    YR_HOLDS = 0,
    YR_CONVERGENCE = 1, /* the registry is as wanted, every consumer's list as the registry */
    YR_NO_GHOST = 2,    /* no key without a lease, no more leases than processes */
    YR_MONOTONE = 3,    /* what is seen of a key was written so, and never goes back */
    YR_NO_FALSE_REMOVAL = 4, /* what is removed had ended */
    YR_QUIET = 5,            /* when nothing happens, little is asked */
    YR_RESOURCES = 6,        /* streams, timers and memory come back to where they were */
    YR_CALLBACKS = 7,        /* in their order; nothing after the last */
    YR_DEADLINES = 8,        /* no blocking call takes longer than it may */
    YR_PROMISES = 9,         /* bounds of recovery and removal; short interruptions unnoticed */
    YR_INVARIANT_COUNT
} yr_invariant;

/* "I4 no false removal" */
const char *yr_invariant_name(yr_invariant invariant);

typedef struct yr_verdict {
    yr_invariant broken; /* YR_HOLDS: none is */
    int64_t at_ms;
    char text[1024];
} yr_verdict;

/* How a view knows a node. */
typedef struct yr_seen {
    const yr_view *view;
    char node[64];
    uint32_t epoch;
    int64_t revision;
    bool is_up;
} yr_seen;

typedef struct yr_checker {
    yr_fleet *fleet;
    const yr_witness *witness;
    yr_fleet_observer observer;
    yr_seen *seen;
    size_t seen_count;
    bool is_hushed; /* nothing that happens may be noticed */
    yr_verdict verdict;
} yr_checker;

/* Becomes the fleet's observer. */
void yr_checker_init(yr_checker *checker, yr_fleet *fleet, const yr_witness *witness);
void yr_checker_deinit(yr_checker *checker);

/* Break an invariant; only the first time counts. */
void yr_checker_fail(yr_checker *checker, yr_invariant invariant, const char *format, ...)
    YURPC_PRINTF(3, 4);

/* I2, when all has settled and what is dead has expired. */
void yr_checker_look_for_ghosts(yr_checker *checker);

enum { YR_CHECKER_TOKEN_MIN_MS = 5000 }; /* that a user's token lives */

/* What was asked for in a time without changes. */
typedef struct yr_traffic {
    int64_t ms;
    bool is_faulty; /* something was wrong all the time */
    size_t clients;
    size_t endpoints;
    size_t requests;      /* of all clients */
    size_t requests_most; /* of one connection: of one client, when none is replaced … */
    size_t logins_then;   /* … and the logins among them */
    size_t logins;        /* of all clients */
    uint64_t connects;    /* of one client, the most */
} yr_traffic;

/* I5. */
void yr_checker_judge_traffic(yr_checker *checker, const yr_traffic *traffic);

/* I6: what a process has open when it wants nothing. */
void yr_checker_judge_load(yr_checker *checker, const yr_process *process,
                           const yr_sim_load *base, const yr_sim_load *load);

/* I6: what is left when all is closed. */
void yr_checker_judge_blocks(yr_checker *checker, long blocks);

/* I7 and I8, when all is closed: every registration has ended once, every call has returned. */
void yr_checker_look_at_ends(yr_checker *checker);

#endif /* YR_TESTS_SIM_SCHEDULES_CHECKER_H */
