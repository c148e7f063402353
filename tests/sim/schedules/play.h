/*
 * A play: a schedule in the simulated world. Three providers, two consumers and the witness
 * around a fake etcd of one to three members.
 *
 * The actions run one after the other. Then all is healed, and it must settle, be quiet, notice
 * a death and a farewell in time, and leave nothing behind.
 */
#ifndef YR_TESTS_SIM_SCHEDULES_PLAY_H
#define YR_TESTS_SIM_SCHEDULES_PLAY_H

#include "fake/auth.h"
#include "fake/conditions.h"
#include "sim/ports.h"
#include "sim/schedules/checker.h"
#include "sim/schedules/schedule.h"
#include "support/scratch.h"

enum {
    YR_PLAY_PROVIDERS = 3,
    YR_PLAY_CONSUMERS = 2,
    YR_PLAY_PROCESSES = YR_PLAY_PROVIDERS + YR_PLAY_CONSUMERS,
    YR_PLAY_SERVICES = 2,
    YR_PLAY_PORTS = 6,
    YR_PLAY_RECOVERY_MS = 10000, /* X */
    /* The longest wait between two rounds through the endpoints. Of leases that live 3 s
     * instead of 30, it has to be a tenth, too, or a short interruption costs the lease. */
    YR_PLAY_BACKOFF_MS = 500,
};

extern const char *const yr_play_services[YR_PLAY_SERVICES];

typedef struct yr_play {
    const yr_schedule *schedule;
    bool is_loud;
    yr_fleet *fleet;
    yr_ports ports; /* what suspects' hosts do: a quarter of the seeds each */
    yr_process *processes[YR_PLAY_PROCESSES]; /* providers, then consumers */
    yr_sim_load bases[YR_PLAY_PROCESSES];     /* what each had open before it wanted anything */
    yr_witness witness;
    yr_checker checker;
    uint64_t chance; /* of the action that runs */
    size_t rules_added;
    bool has_users;    /* the registry wants a user, and a token … */
    bool is_forbidden; /* … and permits nothing */
    yr_scratch cache;  /* where lists are kept on disk; empty: nowhere */
    char cache_dir[160];
    bool is_stopped;  /* the registry */
    bool was_lied_to; /* the periodic list has to put it right */
} yr_play;

typedef struct yr_play_options {
    bool is_loud;     /* print all that happens */
    bool is_counting; /* blocks of memory that are left: takes 10 ms */
    /* When all is healed and settled: a test may break something. NULL: nothing. */
    void (*on_settled)(void *context, yr_play *play);
    void *context;
} yr_play_options;

/* @p options: NULL for none. */
yr_verdict yr_play_run(const yr_schedule *schedule, const yr_play_options *options);

/* ---- For the actions ---- */

/* A new process in place of an old one, or the first. */
void yr_play_start(yr_play *play, size_t which);

/* 0 … @p bound - 1, from the chance of the action that runs. */
uint64_t yr_play_draw(yr_play *play, uint64_t bound);

/* Print what an action has chosen, when somebody listens. */
void yr_play_remark(const yr_play *play, const char *text);

/* Where the registry has users: all processes are one of them, who may do all, or nothing. */
void yr_play_set_users(yr_play *play, bool is_forbidden);

/* Everything is well again: the registry, the network, the processes. */
void yr_play_heal(yr_play *play);

/* Heal, and wait until all is as it is wanted, and nothing of the past is to come. False: it is
 * not. */
bool yr_play_calm_down(yr_play *play);

/* Run until all is as it is wanted; what is not, after @p limit_ms, breaks @p invariant. */
bool yr_play_settle(yr_play *play, int64_t limit_ms, yr_invariant invariant);

#endif /* YR_TESTS_SIM_SCHEDULES_PLAY_H */
