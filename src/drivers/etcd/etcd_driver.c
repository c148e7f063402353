#include "drivers/etcd/etcd_driver.h"

#include "base/error.h"
#include "base/mem.h"
#include "etcd/endpoints.h"

#include <stdlib.h>
#include <string.h>

enum {
    TTL_MIN_MS = 2000,           /* etcd grants no less */
    REVOKE_UNCONNECTED_MS = 200, /* for a connection that may be just coming */
};

/* ---- The session ---- */

bool yr_etcd_driver_owns(const yr_driver *driver, int64_t lease)
{
    if (lease == 0) {
        return false;
    }
    if (lease == driver->session.id) {
        return true;
    }
    for (size_t i = 0; i < YR_ETCD_PAST_LEASES; i++) {
        if (driver->past_leases[i] == lease) {
            return true;
        }
    }
    return false;
}

void yr_etcd_driver_lose_session(yr_driver *driver, int64_t id, const yurpc_error *error)
{
    if (driver->session.id != id || id == 0) {
        return; /* known already */
    }
    yr_etcd_keepalive_stop(driver->keepalive);
    driver->keepalive = NULL;
    for (size_t i = YR_ETCD_PAST_LEASES - 1; i > 0; i--) {
        driver->past_leases[i] = driver->past_leases[i - 1];
    }
    driver->past_leases[0] = id;
    driver->session = (yr_session){.id = 0};
    if (!driver->is_closing) {
        driver->events.on_session_lost(driver->context, error);
    }
}

static void on_lease_lost(void *context, const yurpc_error *error)
{
    yr_driver *driver = context;
    driver->keepalive = NULL; /* that was its last callback */
    yr_etcd_driver_lose_session(driver, driver->session.id, error);
}

static void session_opened(yr_driver *driver, const yr_session *session,
                           const yurpc_error *error)
{
    yr_session_fn *fn = driver->session_fn;
    driver->session_fn = NULL;
    fn(driver->session_context, session, error);
}

static void on_granted(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    static const yr_etcd_keepalive_events events = {.on_lost = on_lease_lost};
    yr_driver *driver = context;
    if (error != NULL) {
        yurpc_status status = yurpc_error_status(error);
        if (status != YURPC_TIMEOUT && status != YURPC_UNKNOWN_OUTCOME) {
            driver->granting_id = 0; /* else the next attempt asks for the same lease */
        }
        session_opened(driver, NULL, error);
        return;
    }
    yr_etcd_lease lease = {.id = driver->granting_id,
                           .ttl_s = reply->ttl_s,
                           .granted_ms = driver->granting_since_ms};
    yurpc_status status =
        yr_etcd_keepalive_start(driver->client, &lease, &events, driver, &driver->keepalive);
    if (status != YURPC_OK) {
        yurpc_error *failure = yr_error_new(status, -1, "%s", yurpc_status_text(status));
        session_opened(driver, NULL, failure);
        yurpc_error_free(failure);
        return;
    }
    driver->granting_id = 0;
    driver->session = (yr_session){.id = lease.id, .ttl_ms = lease.ttl_s * 1000};
    session_opened(driver, &driver->session, NULL);
}

static int64_t random_lease_id(yr_io *io)
{
    int64_t id = 0;
    while (id == 0) {
        id = (int64_t)(yr_io_random(io) & (uint64_t)INT64_MAX) /* positive */;
    }
    return id;
}

/* A session that cannot be opened, to be said on a later turn. */
typedef struct refusal {
    yr_task task;
    yurpc_status status;
    yr_session_fn *fn;
    void *context;
} refusal;

static void refuse_now(yurpc_status status, yr_session_fn *fn, void *context)
{
    yurpc_error *error = yr_error_new(status, -1, "%s", yurpc_status_text(status));
    fn(context, NULL, error);
    yurpc_error_free(error);
}

static void on_refuse(void *context)
{
    refusal *said = context;
    refuse_now(said->status, said->fn, said->context);
    yr_free(said);
}

static void refuse(yr_driver *driver, yurpc_status status, yr_session_fn *fn, void *context)
{
    refusal *said = yr_calloc(1, sizeof *said);
    if (said == NULL) {
        refuse_now(YURPC_NO_MEMORY, fn, context);
        return;
    }
    *said = (refusal){.status = status, .fn = fn, .context = context};
    yr_task_init(&said->task, on_refuse, said);
    if (!yr_io_post(driver->io, &said->task)) {
        YR_ASSERT(false); /* a fresh task is not posted */
    }
}

static void open_session(yr_driver *driver, int64_t deadline_ms, yr_session_fn *done,
                         void *context)
{
    if (driver->session.id != 0 || driver->session_fn != NULL) {
        refuse(driver, YURPC_EXISTS, done, context);
        return;
    }
    if (driver->granting_id == 0) {
        driver->granting_id = random_lease_id(driver->io);
    }
    driver->granting_since_ms = yr_io_now_ms(driver->io);
    driver->session_fn = done;
    driver->session_context = context;
    yr_etcd_grant grant = {.id = driver->granting_id,
                           .ttl_s = driver->ttl_s,
                           .timeout_ms = deadline_ms,
                           .is_idempotent = true};
    yr_etcd_call *call = NULL;
    yurpc_status status =
        yr_etcd_lease_grant(driver->client, &grant, on_granted, driver, &call);
    if (status != YURPC_OK) {
        driver->session_fn = NULL;
        refuse(driver, status, done, context);
    }
}

/* ---- Connection ---- */

static void on_connection(void *context, bool is_connected, const yurpc_error *error)
{
    yr_driver *driver = context;
    driver->is_connected = is_connected;
    if (!driver->is_closing) {
        driver->events.on_connection(driver->context, is_connected, error);
    }
}

static void on_regressed(void *context, int64_t revision_was, int64_t revision_is)
{
    yr_driver *driver = context;
    (void)revision_was; /* the client has said it */
    (void)revision_is;
    yurpc_error *error = yr_error_new(YURPC_LEASE_LOST, -1,
                                      "the registry's data was wiped, restored or replaced");
    yr_etcd_driver_lose_session(driver, driver->session.id, error);
    yurpc_error_free(error);
}

static yurpc_status open_driver(yr_io *io, const yr_driver_config *config,
                                const yr_driver_events *events, void *context,
                                yr_driver **ret_driver, yurpc_error **ret_error)
{
    static const yr_etcd_events client_events = {.on_connection = on_connection,
                                                 .on_regressed = on_regressed};
    yr_driver *driver = yr_calloc(1, sizeof *driver);
    if (driver == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    driver->io = io;
    yr_list_init(&driver->follows);
    driver->log = config->log;
    driver->events = *events;
    driver->context = context;
    driver->page_len = YR_ETCD_PAGE_LEN;
    driver->ttl_s = (config->ttl_ms + 999) / 1000;
    yr_etcd_options options = {
        .endpoints = config->address,
        .tls = config->tls,
        .connect_timeout_ms =
            config->timeout_ms < 2000 ? config->timeout_ms : YR_ETCD_CONNECT_TIMEOUT_MS,
        .timeout_ms =
            config->timeout_ms < YR_ETCD_TIMEOUT_MS ? config->timeout_ms : YR_ETCD_TIMEOUT_MS,
        .log = config->log,
        .username = config->username,
        .password = config->password,
        .password_file = config->password_file};
    yurpc_status status =
        yr_etcd_new(io, &options, &client_events, driver, &driver->client, ret_error);
    if (status != YURPC_OK) {
        yr_free(driver);
        return status;
    }
    *ret_driver = driver;
    return YURPC_OK;
}

static int by_name(const void *a, const void *b)
{
    const yr_endpoint *left = a;
    const yr_endpoint *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : (int)left->is_tls - (int)right->is_tls;
}

/* The members in the order of their names, however they were written, and the user. */
static yurpc_status identify(const yr_driver_config *config, yr_buf *out)
{
    yr_endpoints endpoints;
    yurpc_status status =
        yr_endpoints_init(&endpoints, config->address, yr_tls_is_meant(&config->tls), 0, NULL);
    if (status != YURPC_OK) {
        return status;
    }
    qsort(endpoints.items, endpoints.count, sizeof *endpoints.items, by_name);
    const char *before = config->tls.is_insecure ? "unverified " : "";
    for (size_t i = 0; i < endpoints.count && status == YURPC_OK; i++) {
        const char *scheme = endpoints.items[i].is_tls ? "https" : "http";
        status =
            yr_buf_append_format(out, "%s%s://%s", before, scheme, endpoints.items[i].name);
        before = ",";
    }
    if (status == YURPC_OK && config->username != NULL) {
        status = yr_buf_append_format(out, " as %s", config->username);
    }
    yr_endpoints_deinit(&endpoints);
    return status;
}

/* ---- Closing ---- */

static void on_client_closed(void *context)
{
    yr_driver *driver = context;
    void (*on_closed)(void *) = driver->on_closed;
    void *closed_context = driver->closed_context;
    yr_free(driver);
    on_closed(closed_context);
}

static void on_revoked(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    yr_driver *driver = context;
    (void)reply;
    if (error != NULL) {
        yr_log_write(&driver->log, YURPC_LOG_WARN, "etcd",
                     "the lease could not be revoked and will expire: %s",
                     yurpc_error_text(error));
    }
    yr_etcd_close(driver->client, on_client_closed, driver);
}

static void close_driver(yr_driver *driver, int64_t deadline_ms, void (*on_closed)(void *),
                         void *context)
{
    driver->is_closing = true;
    yr_etcd_driver_unfollow_all(driver);
    driver->on_closed = on_closed;
    driver->closed_context = context;
    yr_etcd_keepalive_stop(driver->keepalive);
    driver->keepalive = NULL;
    int64_t id = driver->session.id != 0 ? driver->session.id : driver->granting_id;
    if (!driver->is_connected && deadline_ms > REVOKE_UNCONNECTED_MS) {
        deadline_ms = REVOKE_UNCONNECTED_MS;
    }
    yr_etcd_call_options options = {.timeout_ms = deadline_ms, .is_idempotent = true};
    yr_etcd_call *call = NULL;
    if (id == 0 || deadline_ms <= 0 ||
        yr_etcd_lease_revoke(driver->client, id, &options, on_revoked, driver, &call) !=
            YURPC_OK) {
        yr_etcd_close(driver->client, on_client_closed, driver);
    }
}

const yr_driver_ops yr_driver_etcd = {
    .version = YR_DRIVER_VERSION,
    .name = "etcd",
    .ttl_min_ms = TTL_MIN_MS,
    .identify = identify,
    .open = open_driver,
    .close = close_driver,
    .open_session = open_session,
    .announce = yr_etcd_driver_announce,
    .withdraw = yr_etcd_driver_withdraw,
    .remove = yr_etcd_driver_remove,
    .list_services = yr_etcd_driver_list_services,
    .follow = yr_etcd_driver_follow,
    .unfollow = yr_etcd_driver_unfollow,
    .relist = yr_etcd_driver_relist,
};
