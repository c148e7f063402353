/*
 * The etcd driver's own object, shared by its files.
 *
 * Keys are /rpc/{service}/{node}; a session is a lease with a random id of ours.
 */
#ifndef YR_DRIVERS_ETCD_ETCD_DRIVER_H
#define YR_DRIVERS_ETCD_ETCD_DRIVER_H

#include "base/list.h"
#include "etcd/etcd.h"
#include "registry/driver.h"

enum {
    YR_ETCD_PAST_LEASES = 8,
    YR_ETCD_PAGE_LEN = 50000, /* etcd counts the whole range for every page: few large ones */
};

struct yr_driver {
    yr_io *io;
    yr_log log;
    yr_etcd *client;
    yr_driver_events events;
    void *context;
    bool is_connected;
    int64_t ttl_s;
    int64_t page_len; /* keys of one page of a list: tests shorten it */

    yr_session session; /* id 0: none */
    yr_etcd_keepalive *keepalive;
    int64_t past_leases[YR_ETCD_PAST_LEASES]; /* of ours, most recent first */
    int64_t granting_id; /* being granted, or granted with unknown outcome; 0: none */
    int64_t granting_since_ms;
    yr_session_fn *session_fn; /* who waits for the grant; NULL: nobody */
    void *session_context;

    yr_list follows; /* all there are */

    bool is_closing;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* Whether a key under @p lease is ours, or was put by us before our lease was lost. */
bool yr_etcd_driver_owns(const yr_driver *driver, int64_t lease);

/* etcd says that our lease @p id does not exist: forget it and tell the core. */
void yr_etcd_driver_lose_session(yr_driver *driver, int64_t id, const yurpc_error *error);

/* The operations, each in its file. */
void yr_etcd_driver_announce(yr_driver *driver, const yr_announce_request *request,
                             yr_announced_fn *done, void *context);
void yr_etcd_driver_withdraw(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                             int64_t deadline_ms, yr_done_fn *done, void *context);
void yr_etcd_driver_remove(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                           int64_t deadline_ms, yr_done_fn *done, void *context);
void yr_etcd_driver_list_services(yr_driver *driver, int64_t deadline_ms, yr_service_fn *each,
                                  yr_done_fn *done, void *context);
yurpc_status yr_etcd_driver_follow(yr_driver *driver, const yr_scope *scope,
                                   const yr_follow_events *events, void *context,
                                   yr_follow **ret_follow);
void yr_etcd_driver_unfollow(yr_follow *follow);
void yr_etcd_driver_relist(yr_follow *follow);

/* The driver is being closed: end every follow, silently. */
void yr_etcd_driver_unfollow_all(yr_driver *driver);

#endif /* YR_DRIVERS_ETCD_ETCD_DRIVER_H */
