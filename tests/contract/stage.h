/*
 * Where the contract of registry/driver.h is played: a real loop, driven by the test itself,
 * with as many drivers on it as a test wants.
 *
 * Each call of a subject begins the operation and runs the loop until its callback came. It
 * fails the test when the callback came inside the call, twice, or too late.
 */
#ifndef YR_STAGE_H
#define YR_STAGE_H

#include "net/uv/uv_io.h"
#include "registry/driver.h"

#include <stdbool.h>

/* What the suite has to know of a back end. One registry serves one test. */
typedef struct yr_backend {
    const char *name;
    const yr_driver_ops *ops;
    const char *const *bad_addresses; /* each YURPC_INVALID when opened; NULL ends */
    int64_t ttl_ms;                   /* a short one for tests */

    /* An empty registry for one test, perhaps a server on @p io; its address. Stopped when all
     * drivers are closed. */
    const char *(*start)(yr_io *io);
    void (*stop)(void);
} yr_backend;

extern const yr_backend *yr_backend_now;

typedef struct yr_stage {
    yr_io *io;
    const char *address;
    int open_count; /* drivers */
} yr_stage;

/* Fixtures: *state is a yr_stage. */
int yr_stage_setup(void **state);
int yr_stage_teardown(void **state);

typedef bool yr_predicate_fn(const void *context);

/* Run the loop until @p is_so, or fail the test after @p limit_ms. */
void yr_stage_await(yr_stage *stage, yr_predicate_fn *is_so, const void *context,
                    int64_t limit_ms, const char *what);

/* What a callback has to say: a test cannot be left from inside one. The next await fails. */
void yr_stage_expect(bool is_so, const char *what);

/* Run the loop for a while, to see that something does not happen. */
void yr_stage_linger(yr_stage *stage, int64_t duration_ms);

int64_t yr_stage_now_ms(const yr_stage *stage);

/* ---- A driver ---- */

typedef struct yr_subject {
    yr_stage *stage;
    yr_driver *driver;
    bool is_connected;
    int connections;    /* how often it came */
    int sessions_lost;  /* how often it was reported */
    yurpc_status error; /* of the last report */
    char text[512];
    bool is_closed;
    yr_session session; /* the last that was opened */
} yr_subject;

enum { YR_STAGE_LIMIT_MS = 10000 }; /* a sanitizer on a busy machine needs half of it */

/* Open, and wait for the connection. */
void yr_subject_open(yr_subject *subject, yr_stage *stage);

/* Open without waiting. */
yurpc_status yr_subject_begin(yr_subject *subject, yr_stage *stage,
                              const yr_driver_config *config);

/* Close, and wait for it. Does nothing when it is closed. */
void yr_subject_close(yr_subject *subject);

yurpc_status yr_subject_open_session(yr_subject *subject);

/* Announce one record, or many ("NODE_PREFIX" 0, 1, …; statuses in @p ret_statuses). */
yurpc_status yr_subject_announce(yr_subject *subject, yr_announce_mode mode,
                                 const char *service, const char *node, const char *value);
void yr_subject_announce_all(yr_subject *subject, yr_announce_mode mode,
                             const yr_announcement *items, size_t count,
                             yurpc_status *ret_statuses);

yurpc_status yr_subject_withdraw(yr_subject *subject, const char *service, const char *node);
yurpc_status yr_subject_remove(yr_subject *subject, const char *service, const char *node);

/* "name=count,name=count", in the order reported. */
yurpc_status yr_subject_services(yr_subject *subject, char *out, size_t size);

/* ---- A follower ---- */

enum { YR_WATCHED_MAX = 2048, YR_WATCHED_TEXT = 64 };

typedef struct yr_watched {
    char node[YR_WATCHED_TEXT];
    char value[YR_WATCHED_TEXT]; /* cut */
    int64_t revision;
    int64_t owner;
    bool is_named; /* by the present list */
} yr_watched;

/* Believes what it is told: the nodes that exist, and a log of the changes in order. */
typedef struct yr_watcher {
    yr_subject *subject;
    yr_follow *follow;
    yr_watched nodes[YR_WATCHED_MAX];
    size_t count;
    int lists;
    int puts; /* as changes */
    int deletes;
    bool is_stale;
    int stale_reports;
    bool is_listing;
    int unfollow_at; /* end the follow inside the callback that reports so many changes */
    char log[512];   /* "+node=value -node …", of changes only */
    char service[YR_WATCHED_TEXT];
} yr_watcher;

/* Follow, and wait for the first list. */
void yr_watcher_begin(yr_watcher *watcher, yr_subject *subject, const char *service);
void yr_watcher_begin_span(yr_watcher *watcher, yr_subject *subject, const char *service,
                           const char *first, const char *last);
void yr_watcher_end(yr_watcher *watcher);

const yr_watched *yr_watcher_find(const yr_watcher *watcher, const char *node);

void yr_watcher_await_count(yr_watcher *watcher, size_t count, int64_t limit_ms);
void yr_watcher_await_value(yr_watcher *watcher, const char *node, const char *value);

#endif /* YR_STAGE_H */
