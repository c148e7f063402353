/*
 * The driver of the embedded registry, as its own parts see it. Loop-only.
 *
 * local.c opens and closes, and follows the state of the file; session.c keeps the session;
 * announce.c, delete.c and services.c are the other operations; follow.c tells the followers.
 */
#ifndef YR_LOCAL_LOCAL_H
#define YR_LOCAL_LOCAL_H

#include "base/backoff.h"
#include "drivers/local/notify.h"
#include "drivers/local/queue.h"
#include "registry/driver.h"

#include <sys/types.h>

enum {
    YR_LOCAL_REFUSALS = 16,
    YR_LOCAL_PAST_SESSIONS = 16,
    YR_LOCAL_TTL_MIN_MS = 1000,
};

/* The sessions that this driver had last: what they own is ours. */
typedef struct yr_local_ours {
    int64_t ids[YR_LOCAL_PAST_SESSIONS]; /* a ring */
    size_t count;                        /* ever */
} yr_local_ours;

bool yr_local_ours_have(const yr_local_ours *ours, int64_t owner);

/* The session, if there is one. */
typedef struct yr_local_session {
    int64_t id; /* 0: none */
    int64_t ttl_ms;
    int64_t renewed_ms; /* boot time: when the renewal that succeeded last was sent */
    int lock_fd;
    bool is_opening;
    yr_timer timer;
    yr_local_job renewal;
    int64_t renewing_ms; /* boot time: when the present renewal was sent */
    yr_local_ours ours;
} yr_local_session;

/* All follows of a driver, and the look at what changed that serves them all. */
typedef struct yr_local_follows {
    yr_list all;
    size_t count;      /* without those that ended */
    bool is_telling;   /* none may be freed */
    int64_t seen;      /* the revision up to which changes were told; -1: none */
    yr_local_job look; /* what changed since, and who died */
    bool is_look_wanted;
    int64_t look_since;
    yr_local_facts look_facts;
    int64_t look_revision;
    bool is_look_gap;
    yr_timer timer;
} yr_local_follows;

/* How an operation is answered when there was no memory to begin it. */
typedef struct yr_local_refusal {
    yr_task task;
    bool is_used;
    size_t count;
    yr_session_fn *session;
    yr_announced_fn *announced;
    yr_done_fn *done;
    void *context;
} yr_local_refusal;

struct yr_driver {
    yr_io *io;
    yr_log log;
    pid_t pid; /* in any other process the driver is inert */
    char *file;
    int64_t ttl_ms;
    yr_driver_events events;
    void *context;

    bool is_connected;
    bool is_closing;
    uint64_t generation; /* of the file that the followers were told of */
    uint64_t damaged;    /* rows that were logged */
    yurpc_error *error;  /* as reported last; NULL while connected */
    yr_backoff backoff;
    yr_timer reopen_timer;
    yr_local_job reopen; /* does nothing but be there: a visit opens the file */

    yr_local_queue queue;
    yr_local_notify notify;
    yr_local_session session;
    yr_local_follows follows;
    yr_list operations;
    yr_local_refusal refusals[YR_LOCAL_REFUSALS];

    yr_local_job ending; /* the last job */
    yr_timer close_timer;
    yr_task closed_task;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* ---- session.c ---- */

void yr_local_open_session(yr_driver *driver, int64_t deadline_ms, yr_session_fn *done,
                           void *context);
void yr_local_session_init(yr_driver *driver);
void yr_local_session_begin(yr_driver *driver, int64_t id, int lock_fd, int64_t opened_ms);
void yr_local_session_lose(yr_driver *driver, const yurpc_error *error);
void yr_local_session_renew(yr_driver *driver); /* now: it may be gone */
void yr_local_session_stop(yr_driver *driver); /* the driver closes; the id stays for the end */

/* ---- announce.c, delete.c, services.c ---- */

void yr_local_announce(yr_driver *driver, const yr_announce_request *request,
                       yr_announced_fn *done, void *context);
void yr_local_withdraw(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                       int64_t deadline_ms, yr_done_fn *done, void *context);
void yr_local_remove(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                     int64_t deadline_ms, yr_done_fn *done, void *context);
void yr_local_list_services(yr_driver *driver, int64_t deadline_ms, yr_service_fn *each,
                            yr_done_fn *done, void *context);

/* ---- follow.c ---- */

void yr_local_follows_init(yr_driver *driver);
yurpc_status yr_local_follow(yr_driver *driver, const yr_scope *scope,
                             const yr_follow_events *events, void *context,
                             yr_follow **ret_follow);
void yr_local_unfollow(yr_follow *follow);
void yr_local_relist(yr_follow *follow);
void yr_local_follows_look(yr_driver *driver);
void yr_local_follows_list_all(yr_driver *driver); /* another file, or the same one again */
void yr_local_follows_go_stale(yr_driver *driver, const yurpc_error *error);
void yr_local_follows_stop(yr_driver *driver); /* the driver closes: no more callbacks */
void yr_local_follows_free(yr_driver *driver);

/* ---- local.c ---- */

bool yr_local_is_forked(const yr_driver *driver);

#endif /* YR_LOCAL_LOCAL_H */
