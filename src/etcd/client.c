#include "etcd/client.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "etcd/encode.h"

#include <inttypes.h>
#include <stddef.h>

enum { CHECK_TIMEOUT_MS = 10000 };

/* ---- History ---- */

/* What we knew of the store is not true any more. */
static void begin_anew(yr_etcd *client, int64_t revision_was, int64_t revision_is)
{
    if (client->events.on_regressed != NULL) {
        client->events.on_regressed(client->context, revision_was, revision_is);
    }
    yr_watch_hub_on_regressed(&client->hub, revision_is);
}

static void log_regression(const yr_etcd *client, int64_t revision_was, int64_t revision_is)
{
    if (revision_is < revision_was) {
        yr_log_write(&client->log, YURPC_LOG_WARN, "etcd",
                     "the registry's data went back from revision %" PRId64 " to %" PRId64
                     ": it was wiped or restored",
                     revision_was, revision_is);
    } else {
        yr_log_write(&client->log, YURPC_LOG_WARN, "etcd",
                     "the registry's raft term went back at revision %" PRId64
                     ": its data was wiped or restored",
                     revision_is);
    }
}

bool yr_etcd_note(yr_etcd *client, const yr_header *header, const yr_history *sent,
                  bool is_linearizable)
{
    int64_t revision_was = client->history.seen.revision;
    switch (yr_history_judge(&client->history, header, sent, is_linearizable)) {
    case YR_HISTORY_GOOD:
        return true;
    case YR_HISTORY_FOREIGN:
        yr_log_write(&client->log, YURPC_LOG_ERROR, "etcd",
                     "an answer of cluster %" PRIx64 " came instead of %" PRIx64,
                     header->cluster_id, client->history.seen.cluster_id);
        return false;
    case YR_HISTORY_REGRESSED:
        break;
    }
    log_regression(client, revision_was, header->revision);
    begin_anew(client, revision_was, header->revision);
    return true;
}

static void on_checked(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    yr_etcd *client = context;
    client->check = NULL;
    yurpc_status status = yurpc_error_status(error);
    if (status == YURPC_CANCELED) {
        return;
    }
    if (status == YURPC_UNAVAILABLE || status == YURPC_TIMEOUT) {
        if (yr_link_channel(&client->link) != NULL) {
            yr_etcd_check(client);
        } /* else again when there is a connection */
        return;
    }
    if (reply != NULL) {
        yr_watch_hub_on_checked(&client->hub, reply->revision);
    }
    /* Who may not read learns nothing: then the core's reconciliation has to do. */
    yr_duplex_release(&client->hub.stream);
}

void yr_etcd_check(yr_etcd *client)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.is_count_only = true;
    options.timeout_ms = CHECK_TIMEOUT_MS;
    /* Who may watch a key may read it; of others etcd would not say how far it is. */
    yurpc_bytes watched = yr_watch_hub_some_key(&client->hub);
    yurpc_bytes key = watched.len > 0 ? watched : yr_bytes("\0", 1);
    yurpc_etcd_op op = {YURPC_ETCD_RANGE, key, {NULL, 0}, &options};
    if (client->check != NULL) {
        return;
    }
    if (yr_etcd_do(client, &op, on_checked, client, &client->check) != YURPC_OK) {
        client->check = NULL;
        yr_duplex_release(&client->hub.stream);
    }
}

/* ---- The link ---- */

static void report_connection(yr_etcd *client, bool is_connected, const yurpc_error *error)
{
    bool is_refusal = yurpc_error_status(error) == YURPC_TLS;
    if (client->is_reported && client->is_connected == is_connected &&
        (!is_refusal || client->is_tls_refused)) {
        return;
    }
    client->is_reported = true;
    client->is_tls_refused = is_refusal;
    client->is_refused = false;
    client->is_connected = is_connected;
    if (client->events.on_connection != NULL && !client->is_closing) {
        client->events.on_connection(client->context, is_connected, error);
    }
}

static void on_replaced(void *context, const yr_header *header)
{
    yr_etcd *client = context;
    yr_header was = client->history.seen;
    yr_log_write(&client->log, YURPC_LOG_WARN, "etcd",
                 "cluster %" PRIx64 " was replaced by cluster %" PRIx64, was.cluster_id,
                 header->cluster_id);
    client->history.seen = *header;
    client->history.breaks++;
    begin_anew(client, was.revision, header->revision);
}

/* There is a channel, and who we are is settled: calls and streams may go out. */
static void begin_service(yr_etcd *client)
{
    if (client->hub.stream.is_held) {
        yr_etcd_check(client);
    }
    report_connection(client, true, NULL);
    yr_calls_on_up(client);
    yr_duplex_on_up(&client->keeper.stream);
    yr_duplex_on_up(&client->hub.stream);
}

static void on_up(void *context)
{
    yr_etcd *client = context;
    yr_duplex_hold(&client->hub.stream);
    if (yr_auth_on_up(&client->auth)) {
        begin_service(client);
    } else {
        yr_duplex_on_up(&client->keeper.stream);
    }
}

static void on_down(void *context, const yurpc_error *error)
{
    yr_etcd *client = context;
    /* To begin with there is nothing to lose: the other endpoints are tried first. */
    if (client->is_reported || client->link.failures == 0) {
        report_connection(client, false, error);
    }
    if (yr_link_refusal(&client->link) != NULL) {
        yr_calls_on_refused(client);
    }
    yr_duplex_on_down(&client->keeper.stream, error);
    yr_duplex_on_down(&client->hub.stream, error);
}

static void on_channel_closed(void *context, const yr_grpc_channel *channel)
{
    yr_etcd *client = context;
    yr_auth_on_closed(&client->auth, channel);
    yr_calls_on_closed(client, channel);
    yr_duplex_on_closed(&client->keeper.stream, channel);
    yr_duplex_on_closed(&client->hub.stream, channel);
}

static int64_t patience_ms(void *context)
{
    const yr_etcd *client = context;
    return yr_keeper_patience_ms(&client->keeper);
}

/* ---- The user ---- */

static void on_ready(void *context)
{
    yr_etcd *client = context;
    if (yr_link_channel(&client->link) != NULL && !client->is_closing) {
        begin_service(client);
    }
}

static void on_refused(void *context, const yurpc_error *error)
{
    yr_etcd *client = context;
    yr_calls_on_refused(client);
    yr_watch_hub_on_refused(&client->hub, error);
    if (!client->is_refused) {
        client->is_reported = false; /* why there is no connection is news */
        report_connection(client, false, error);
        client->is_refused = true;
    }
}

/* Whoever answers would get the password. */
static yurpc_status check_tls(const yr_etcd_options *options, yurpc_error **ret_error)
{
    bool is_given_away = options->tls.is_insecure && options->username != NULL;
    return is_given_away
               ? yr_error_set(ret_error, YURPC_INVALID, -1,
                              "a user cannot log in where certificates are not verified: give "
                              "the CA file instead")
               : YURPC_OK;
}

/* Once for each client: whoever can listen on the way learns the password. */
static void warn_of_plain_text(const yr_etcd *client)
{
    const yr_endpoints *endpoints = &client->link.endpoints;
    for (size_t i = 0; i < endpoints->count; i++) {
        if (!yr_endpoint_is_private(&endpoints->items[i])) {
            yr_log_write(&client->log, YURPC_LOG_WARN, "tls",
                         "the password of user %s goes over the network in plain text: %s is "
                         "not https",
                         client->auth.username, endpoints->items[i].name);
            return;
        }
    }
}

/* ---- Opening and closing ---- */

static void client_free(yr_etcd *client)
{
    yr_watch_hub_deinit(&client->hub);
    yr_keeper_deinit(&client->keeper);
    yr_auth_deinit(&client->auth); /* before the channel that it calls on */
    yr_link_deinit(&client->link);
    yr_free(client);
}

static void on_close(void *context)
{
    yr_etcd *client = context;
    void (*on_closed)(void *) = client->on_closed;
    void *closed_context = client->closed_context;
    yr_calls_cancel_all(client);
    client_free(client);
    if (on_closed != NULL) {
        on_closed(closed_context);
    }
}

yurpc_status yr_etcd_new(yr_io *io, const yr_etcd_options *options,
                         const yr_etcd_events *events, void *context, yr_etcd **ret_client,
                         yurpc_error **ret_error)
{
    static const yr_link_events link_events = {on_replaced, on_up, on_down, on_channel_closed,
                                               patience_ms};
    static const yr_auth_events auth_events = {on_ready, on_refused};
    yr_etcd *client = yr_calloc(1, sizeof *client);
    if (client == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    client->io = io;
    client->log = options->log;
    client->events = *events;
    client->context = context;
    client->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : YR_ETCD_TIMEOUT_MS;
    yr_call_list_init(&client->calls);
    yr_keeper_init(&client->keeper, client);
    yr_watch_hub_init(&client->hub, client);
    yr_task_init(&client->close_task, on_close, client);
    yr_link_options link_options = {.io = io,
                                    .endpoints = options->endpoints,
                                    .tls = options->tls,
                                    .connect_timeout_ms = options->connect_timeout_ms > 0
                                                              ? options->connect_timeout_ms
                                                              : YR_ETCD_CONNECT_TIMEOUT_MS,
                                    .has_secret = options->username != NULL,
                                    .log = options->log,
                                    .history = &client->history};
    yurpc_status status = check_tls(options, ret_error);
    if (status == YURPC_OK) {
        status = yr_auth_init(&client->auth, client, options, &auth_events, ret_error);
    }
    if (status == YURPC_OK) {
        status = yr_link_init(&client->link, &link_options, &link_events, client, ret_error);
    }
    if (status != YURPC_OK) {
        client_free(client);
        return status;
    }
    if (options->username != NULL) {
        warn_of_plain_text(client);
    }
    yr_link_start(&client->link);
    *ret_client = client;
    return YURPC_OK;
}

void yr_etcd_close(yr_etcd *client, void (*on_closed)(void *context), void *context)
{
    YR_ASSERT(!client->is_closing);
    client->is_closing = true;
    client->on_closed = on_closed;
    client->closed_context = context;
    yr_watch_hub_deinit(&client->hub);
    yr_keeper_deinit(&client->keeper);
    yr_io_post(client->io, &client->close_task);
}

const char *yr_etcd_endpoint(const yr_etcd *client)
{
    return yr_link_endpoint_name(&client->link);
}
