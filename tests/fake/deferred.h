/* What the fake etcd does later because a rule says so. For the files of the fake only. */
#ifndef YR_FAKE_DEFERRED_H
#define YR_FAKE_DEFERRED_H

#include "fake/service.h"

typedef struct yr_fake_deferred yr_fake_deferred;

typedef void yr_fake_deferred_fn(yr_fake_deferred *deferred);

struct yr_fake_deferred {
    yr_list link;
    yr_timer timer;
    yr_fake_etcd *fake;
    const yr_fake_member *member;
    yr_fake_call *call; /* NULL: it is over meanwhile */
    yr_fake_conn *conn; /* NULL: it is lost meanwhile */
    const void *method; /* for the owner */
    yr_fake_deferred_fn *fn;
    int code;            /* an answer, or … */
    yurpc_bytes message; /* … a request; owned */
    const char *text;    /* owned */

    /* Of a request that waits for a leader, see raft.h. */
    yr_fake_deferred_fn *redo; /* does it after all */
    int need;
    bool is_doomed;
    bool is_lucky; /* it takes effect although it will be refused */
};

/* Call @p fn in @p delay_ms; then it is freed. @p like: what to copy; message and text, too. */
void yr_fake_defer(yr_fake_etcd *fake, int64_t delay_ms, yr_fake_deferred_fn *fn,
                   const yr_fake_deferred *like);

/* A call or a connection is gone. */
void yr_fake_deferred_forget_call(yr_fake_etcd *fake, const yr_fake_call *call);
void yr_fake_deferred_forget_conn(yr_fake_etcd *fake, const yr_fake_conn *conn);

/* It does not happen. */
void yr_fake_deferred_drop(yr_fake_deferred *deferred);

/* Nothing of it happens any more. */
void yr_fake_deferred_clear(yr_fake_etcd *fake);

#endif /* YR_FAKE_DEFERRED_H */
