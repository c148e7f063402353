/*
 * The inside of the client, shared by its parts: calls, keepalives, watches.
 *
 * Calls, the keeper of leases and the hub of watches each live on the link's channel. The link
 * tells the client, the client tells them: up, down, closed.
 */
#ifndef YR_ETCD_CLIENT_H
#define YR_ETCD_CLIENT_H

#include "etcd/auth.h"
#include "etcd/call.h"
#include "etcd/etcd.h"
#include "etcd/keeper.h"
#include "etcd/link.h"
#include "etcd/watch_hub.h"

struct yr_etcd {
    yr_io *io;
    yr_log log;
    yr_etcd_events events;
    void *context;
    int64_t timeout_ms;
    yr_link link;
    yr_auth auth;
    yr_history history;
    yr_call_list calls;
    yr_keeper keeper;
    yr_watch_hub hub;
    bool is_connected;   /* as reported */
    bool is_reported;    /* anything was */
    bool is_tls_refused; /* as reported */
    bool is_refused;     /* and that it is because the user is refused */
    yr_etcd_call *check;
    yr_task close_task;
    bool is_closing;
    void (*on_closed)(void *context);
    void *closed_context;
};

/*
 * Take note of where an answer comes from. False: from another cluster, to be thrown away. A
 * regression is reported to the owner, and ends watches, before this returns.
 */
bool yr_etcd_note(yr_etcd *client, const yr_header *header, const yr_history *sent,
                  bool is_linearizable);

/*
 * Find out, by a linearizable read, where the store is, if that is not being done already.
 * Then the hub is told.
 */
void yr_etcd_check(yr_etcd *client);

#endif /* YR_ETCD_CLIENT_H */
