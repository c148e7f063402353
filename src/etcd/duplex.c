#include "etcd/duplex.h"

#include "base/bytes.h"
#include "base/error.h"
#include "etcd/client.h"
#include "etcd/status_table.h"

#include <string.h>

static void on_timer(void *context);

void yr_duplex_init(yr_duplex *duplex, yr_etcd *client, const char *path,
                    const yr_duplex_events *events, void *context)
{
    memset(duplex, 0, sizeof *duplex);
    duplex->client = client;
    duplex->path = path;
    duplex->events = *events;
    duplex->context = context;
    duplex->needs_token = true;
    yr_gather_init(&duplex->answer);
    yr_timer_init(&duplex->timer, on_timer, duplex);
    yr_backoff_init(&duplex->backoff, YR_DUPLEX_BACKOFF_MS, YR_DUPLEX_BACKOFF_MAX_MS);
}

void yr_duplex_deinit(yr_duplex *duplex)
{
    yr_duplex_unwant(duplex);
    yr_gather_deinit(&duplex->answer);
}

bool yr_duplex_is_open(const yr_duplex *duplex)
{
    return duplex->grpc != NULL;
}

static void open_after(yr_duplex *duplex, int64_t delay_ms)
{
    yr_timer_start(duplex->client->io, &duplex->timer, delay_ms);
}

static int64_t pause_ms(yr_duplex *duplex)
{
    return yr_backoff_next_ms(&duplex->backoff, yr_io_random(duplex->client->io));
}

/* It is closed: report it, and see when to open it again. */
static void duplex_cut(yr_duplex *duplex, const yurpc_error *error)
{
    int64_t lived_ms = yr_io_now_ms(duplex->client->io) - duplex->opened_ms;
    if (lived_ms >= YR_DUPLEX_SETTLED_MS) {
        yr_backoff_reset(&duplex->backoff);
    }
    yurpc_status status = yurpc_error_status(error);
    bool is_too_much = (status == YURPC_EXHAUSTED || status == YURPC_TOO_LARGE) &&
                       yurpc_error_remote_code(error) == -1; /* for us, not for etcd */
    open_after(duplex, is_too_much ? YR_DUPLEX_EXHAUSTED_MS : pause_ms(duplex));
    duplex->events.on_cut(duplex->context, error);
}

void yr_duplex_restart(yr_duplex *duplex, const yurpc_error *error)
{
    if (duplex->grpc != NULL) {
        yr_grpc_call_cancel(duplex->grpc);
        duplex->grpc = NULL;
        duplex_cut(duplex, error);
    }
}

static void restart_status(yr_duplex *duplex, yurpc_status status)
{
    yurpc_error *error =
        yr_error_new(status, -1, "%s: %s", duplex->path, yurpc_status_text(status));
    yr_duplex_restart(duplex, error);
    yurpc_error_free(error);
}

/* ---- The stream ---- */

static void on_part(void *context, const yr_grpc_part *part)
{
    yr_duplex *duplex = context;
    if (part->is_first && part->is_last) { /* as most are: it need not be copied */
        duplex->renewals = 0;
        duplex->events.on_message(duplex->context, part->bytes);
        return;
    }
    yurpc_status status = yr_gather_add(&duplex->answer, part);
    if (status != YURPC_OK) {
        restart_status(duplex, status);
    } else if (duplex->answer.is_whole) {
        duplex->renewals = 0;
        duplex->events.on_message(duplex->context, yr_gather_message(&duplex->answer));
    }
}

static void on_end(void *context, const yr_grpc_end *end)
{
    yr_duplex *duplex = context;
    yr_link *link = &duplex->client->link;
    duplex->grpc = NULL;
    yurpc_status status = YURPC_UNAVAILABLE;
    if (end->code != YR_GRPC_OK) {
        status = yr_etcd_verdict_of_end(end->code, end->message).status;
    }
    yurpc_error *error =
        yr_error_new(status, end->is_remote ? end->code : -1, "%s",
                     end->code == YR_GRPC_OK ? "etcd ended the stream" : end->message);
    if (end->is_remote && end->code != YR_GRPC_OK &&
        yr_etcd_verdict_of_end(end->code, end->message).remedy == YR_REMEDY_LOG_IN) {
        duplex->needs_token = true;
        duplex->is_exchanged = duplex->renewals < YR_ETCD_RENEWALS_MAX &&
                               yr_auth_renew(&duplex->client->auth, duplex->generation, true);
        duplex->renewals++;
    }
    bool is_refusal = status == YURPC_UNAVAILABLE && end->is_remote && end->code != YR_GRPC_OK;
    if (is_refusal && duplex->channel == yr_link_channel(link)) {
        yr_link_suspect(link, false); /* for example "no leader": another member may have one */
    }
    duplex_cut(duplex, error);
    yurpc_error_free(error);
}

static void duplex_open(yr_duplex *duplex)
{
    static const yr_grpc_events events = {on_part, on_end};
    const yr_auth *auth = &duplex->client->auth;
    yr_grpc_header headers[2] = {{"hasleader", "true", false}};
    yr_grpc_channel *channel = yr_link_channel(&duplex->client->link);
    if (!duplex->is_wanted || duplex->is_held || duplex->grpc != NULL || channel == NULL ||
        (duplex->needs_token && !yr_auth_is_ready(auth))) {
        return;
    }
    yr_grpc_request request = {.path = duplex->path,
                               .headers = headers,
                               .header_count = yr_auth_add_header(auth, headers, 1)};
    yr_gather_deinit(&duplex->answer);
    yurpc_status status =
        yr_grpc_channel_call(channel, &request, &events, duplex, &duplex->grpc);
    if (status != YURPC_OK) {
        duplex->grpc = NULL;
        open_after(duplex, pause_ms(duplex));
        return;
    }
    duplex->is_broken = false;
    duplex->is_exchanged = false;
    duplex->generation = auth->generation;
    duplex->channel = channel;
    duplex->opened_ms = yr_io_now_ms(duplex->client->io);
    duplex->events.on_open(duplex->context);
}

static void on_timer(void *context)
{
    yr_duplex *duplex = context;
    if (duplex->grpc != NULL && duplex->is_broken) {
        restart_status(duplex, YURPC_UNAVAILABLE);
    } else {
        duplex_open(duplex);
    }
}

void yr_duplex_fail(yr_duplex *duplex)
{
    duplex->is_broken = true; /* closed later, for callers are in the middle of something */
    open_after(duplex, 0);
}

void yr_duplex_send(yr_duplex *duplex, yurpc_bytes message)
{
    if (duplex->grpc != NULL && yr_grpc_call_send(duplex->grpc, message) != YURPC_OK) {
        yr_duplex_fail(duplex);
    }
}

/* ---- Wanting ---- */

void yr_duplex_want(yr_duplex *duplex)
{
    duplex->is_wanted = true;
    if (!yr_timer_is_running(&duplex->timer)) {
        duplex_open(duplex);
    }
}

void yr_duplex_unwant(yr_duplex *duplex)
{
    duplex->is_wanted = false;
    yr_timer_stop(duplex->client->io, &duplex->timer);
    if (duplex->grpc != NULL) {
        yr_grpc_call_cancel(duplex->grpc);
        duplex->grpc = NULL;
    }
}

void yr_duplex_hold(yr_duplex *duplex)
{
    duplex->is_held = true;
}

void yr_duplex_release(yr_duplex *duplex)
{
    duplex->is_held = false;
    if (!yr_timer_is_running(&duplex->timer)) {
        duplex_open(duplex);
    }
}

bool yr_duplex_exchange(yr_duplex *duplex, bool is_certain, const yurpc_error *error)
{
    yr_auth *auth = &duplex->client->auth;
    if (duplex->grpc == NULL || !yr_auth_renew(auth, duplex->generation, is_certain)) {
        return false;
    }
    duplex->is_exchanged = true;
    yr_duplex_restart(duplex, error);
    return true;
}

void yr_duplex_on_up(yr_duplex *duplex)
{
    bool is_left = duplex->channel != yr_link_channel(&duplex->client->link);
    if (duplex->grpc != NULL && is_left) {
        restart_status(duplex, YURPC_UNAVAILABLE);
        open_after(duplex, 0);
    } else if (duplex->grpc == NULL && !yr_timer_is_running(&duplex->timer)) {
        duplex_open(duplex);
    }
}

void yr_duplex_on_down(yr_duplex *duplex, const yurpc_error *error)
{
    yr_duplex_restart(duplex, error);
    /* The next attempt is that of the connection, which has a pause of its own. */
    yr_timer_stop(duplex->client->io, &duplex->timer);
}

void yr_duplex_on_closed(yr_duplex *duplex, const yr_grpc_channel *channel)
{
    if (duplex->grpc != NULL && duplex->channel == channel) {
        yurpc_error *error = yr_error_new(YURPC_UNAVAILABLE, -1, "the connection was given up");
        duplex->grpc = NULL;
        duplex_cut(duplex, error);
        yurpc_error_free(error);
    }
}
