/*
 * The thread-safe client of <yurpc/etcd.h>: a yr_etcd on a loop of its own.
 *
 * Requests are made on the caller's thread (methods.h) and posted to the loop as they are.
 */
#ifndef YR_ETCD_API_H
#define YR_ETCD_API_H

#include "base/list.h"
#include "etcd/methods.h"
#include "net/loop.h"

#include <yurpc/etcd.h>

#include <stdatomic.h>

enum { YR_API_POSTED_MAX = 100000 }; /* requests on their way to the loop */

struct yurpc_etcd {
    yr_loop *loop;
    yr_etcd *etcd;
    bool is_host_driven;
    yurpc_etcd_connection_fn *on_connection;
    void *context;
    atomic_int posted;
    atomic_bool is_closing;
    yr_list handles; /* of keepalives and watches; loop only */
    yr_wait *closed; /* who waits for the end; NULL: nobody */
};

/* Something of the user's that lives on the loop. The first field of a handle. */
typedef struct yr_api_handle {
    yr_list node;
    yurpc_etcd *client;
    void (*stop)(struct yr_api_handle *handle); /* stop and free it */
} yr_api_handle;

/*
 * Run @p fn on the loop and wait until it returned; on the loop, simply run it. YURPC_FORKED,
 * YURPC_CLOSED: it was not run.
 */
YURPC_NODISCARD yurpc_status yr_api_run(yurpc_etcd *client, void (*fn)(void *context),
                                        void *context);

/* Stop and free @p handle, which may be NULL, from any thread. */
void yr_api_handle_stop(yr_api_handle *handle);

/*
 * Send @p request, which was made with @p status, and wait for the reply. Takes the request.
 * @p ret_reply may be NULL.
 */
YURPC_NODISCARD yurpc_status yr_api_call(yurpc_etcd *client, yurpc_status status,
                                         yr_call_request *request, yurpc_etcd_reply **ret_reply,
                                         yurpc_error **ret_error);

/* The same without waiting. */
YURPC_NODISCARD yurpc_status yr_api_call_async(yurpc_etcd *client, yurpc_status status,
                                               yr_call_request *request,
                                               yurpc_etcd_reply_fn *callback, void *context);

#endif /* YR_ETCD_API_H */
