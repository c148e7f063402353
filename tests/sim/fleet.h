/*
 * A fleet in the simulated world: a fake etcd, and processes that register and follow, each
 * the real registry core and etcd client on a host of its own.
 */
#ifndef YR_TESTS_SIM_FLEET_H
#define YR_TESTS_SIM_FLEET_H

#include "fake/etcd.h"
#include "registry/consumer/subscription.h"
#include "registry/handle/registry.h"
#include "registry/provider/enrolment.h"
#include "sim/sim_io.h"

enum {
    YR_FLEET_PROCESSES_MAX = 240, /* over the life of a fleet, dead ones included */
    YR_FLEET_WANTED_MAX = 8,      /* registrations of a process */
    YR_FLEET_FOLLOWED_MAX = 4,    /* services followed by a process */
    YR_FLEET_TTL_MS = 3000,
    YR_FLEET_RECONCILE_MS = 15000,
    YR_FLEET_TOLD_MAX = 1024,
    YR_FLEET_TIMEOUT_MS = 10000, /* of blocking calls */
    YR_FLEET_LATE_MS = 500,      /* a blocking call may take so much longer */
};

typedef struct yr_fleet yr_fleet;
typedef struct yr_process yr_process;

/* A blocking call: what a thread would wait for. */
typedef struct yr_fleet_call {
    const char *what; /* NULL: none is under way */
    int64_t begun_ms; /* in the time that its process was awake */
    int64_t limit_ms;
} yr_fleet_call;

/* What a consumer was told of a service. Lives as long as the fleet. */
typedef struct yr_view {
    yr_process *process;
    const char *service;
    yr_entry *entry;    /* NULL: it was closed */
    yurpc_watch *watch; /* NULL: closed, or discover() has not returned yet */
    size_t ups;
    size_t downs;
    size_t changes;
    size_t stales;
    char told[YR_FLEET_TOLD_MAX]; /* the addresses that events have left as being up: "a:1 b:2 "
                                   */
    bool is_told_stale;
    yr_fleet_call call; /* discover() */
    yr_entry_waiter waiter;
    struct yr_view *next; /* of the fleet's */
} yr_view;

/* One registration that a process wants. */
typedef struct yr_wanted {
    yurpc_registration *registration; /* NULL: a free slot */
    struct yr_life *life;
    char service[64];
    uint16_t port;
    uint32_t weight;
    yurpc_registration_state state; /* told last */
    size_t losses;                  /* times it was LOST */
    size_t conflicts;
} yr_wanted;

/* One registration from its first callback to its last. Lives as long as the fleet. */
typedef struct yr_life {
    yr_process *process;
    yr_wanted *wanted; /* its slot; NULL: nobody wants it any more */
    uint16_t port;
    yurpc_registration_state state; /* told last */
    size_t endings;                 /* times it was GONE */
    yr_fleet_call call;             /* register() or unregister() */
    yr_enrolment enrolment;
    yurpc_registration *enrolled;
    struct yr_life *next; /* of the fleet's */
} yr_life;

struct yr_process {
    yr_fleet *fleet;
    const char *name;
    yr_sim_host *host;
    yr_registry *registry; /* NULL: closed */
    yr_executor *executor;
    yr_wanted wanted[YR_FLEET_WANTED_MAX];
    yr_view *views[YR_FLEET_FOLLOWED_MAX]; /* NULL: a free slot */
    size_t warnings;                       /* lines of its log, errors too */
    int64_t frozen_ms;                     /* how long it was, until frozen_at_ms */
    int64_t frozen_at_ms;                  /* since then it is; 0: it is not */
    bool is_dead;                          /* killed: nothing of it counts any more */
};

/* Who looks on. */
typedef struct yr_fleet_observer {
    /* Before the view changes; @p instance is NULL when the list became stale or fresh. */
    void (*on_event)(void *context, const yr_view *view, yurpc_event_kind kind,
                     const yurpc_instance *instance);
    /* Before the life changes. */
    void (*on_state)(void *context, const yr_life *life, yurpc_registration_state state);
    void (*on_call_end)(void *context, const yr_process *process, const yr_fleet_call *call);
    void *context;
} yr_fleet_observer;

struct yr_fleet {
    yr_sim *sim;
    yr_sim_host *etcd_host;
    yr_sim_host *other_hosts[YR_FAKE_MEMBERS_MAX]; /* of more members */
    size_t other_count;
    yr_fake_etcd *etcd;
    char address[256];
    char *username; /* of processes started from now on; NULL: none */
    char *password;
    char *cache_dir; /* of processes started from now on; NULL: none. The test's */
    int64_t ttl_ms;  /* of processes started from now on; YR_FLEET_TTL_MS at first */
    yr_process *processes[YR_FLEET_PROCESSES_MAX];
    size_t process_count;
    yr_view *views; /* all there ever were */
    yr_life *lives;
    const yr_fleet_observer *observer; /* NULL: what is wrong ends the program */
    bool is_loud;                      /* print every event and log line */
};

yr_fleet *yr_fleet_new(uint64_t seed, bool is_loud);

/* The same with what the fake etcd is to be. */
yr_fleet *yr_fleet_new_with(uint64_t seed, bool is_loud, const yr_fake_etcd_options *options);

/* One more member of the cluster, on a host of its own: before any process is started. */
void yr_fleet_add_member(yr_fleet *fleet);

/* Closes whoever still lives. */
void yr_fleet_free(yr_fleet *fleet);

/* ---- Processes ---- */

/* A new process, named @p name; each has its own host. */
yr_process *yr_fleet_start(yr_fleet *fleet, const char *name);

/* kill -9: its connections break, and nothing more is heard of it. */
void yr_process_kill(yr_process *process);

/* A clean end. */
void yr_process_close(yr_process *process);

/* SIGSTOP and SIGCONT. */
void yr_process_freeze(yr_process *process);
void yr_process_thaw(yr_process *process);

/* Register 10.0.0.1:@p port in the background. */
yr_wanted *yr_process_register(yr_process *process, const char *service, uint16_t port);

/* The same with a weight (0: the default); NULL when there is no memory. */
yr_wanted *yr_process_try_register(yr_process *process, const char *service, uint16_t port,
                                   uint32_t weight);
void yr_process_unregister(yr_process *process, yr_wanted *wanted);

/* As yurpc_registry_register() and _discover(): they wait, and what fails was never wanted. */
yr_wanted *yr_process_enrol(yr_process *process, const char *service, uint16_t port);
yr_view *yr_process_discover(yr_process *process, const char *service);

yr_view *yr_process_follow(yr_process *process, const char *service);

/* Not while its discover() waits. */
void yr_process_unfollow(yr_view *view);

/* The same; NULL when there is no memory. */
yr_view *yr_process_try_follow(yr_process *process, const char *service);

/* ---- Questions ---- */

/* How long it has been under way, in the time that its process was awake. */
int64_t yr_fleet_call_age_ms(const yr_fleet_call *call, const yr_process *process);

/* "10.0.0.1:1 10.0.0.1:2 ": what the snapshot holds; what the registry holds; what living
 * processes want. Each in the order of addresses; valid until the next such question. */
const char *yr_view_list(const yr_view *view);
const char *yr_fleet_registered(const yr_fleet *fleet, const char *service);
const char *yr_fleet_wanted(const yr_fleet *fleet, const char *service);

/* Run until @p view shows exactly @p list, and was told so by events; false: not within @p
 * limit_ms. */
bool yr_view_becomes(yr_view *view, const char *list, int64_t limit_ms);

/* Run until registry, wants, every view and every telling agree; NULL, or what does not (valid
 * until the next call). */
const char *yr_fleet_settle(yr_fleet *fleet, const char *service, int64_t limit_ms);

/* Print what every living provider wants and believes. */
void yr_fleet_describe(const yr_fleet *fleet);

/* The machines of all processes sleep; time passes. */
void yr_fleet_suspend(yr_fleet *fleet, int64_t ms);

/* Undo all network faults, except those of the dead. */
void yr_fleet_heal(yr_fleet *fleet);

#endif /* YR_TESTS_SIM_FLEET_H */
