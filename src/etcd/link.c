#include "etcd/link.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "etcd/decode.h"
#include "etcd/gather.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { VERSION_LEN_MAX = 31 };

struct yr_link_slot {
    yr_list node; /* in draining, or alone */
    yr_link *link;
    const yr_endpoint *endpoint;
    yr_grpc_channel *channel;
    yr_history sent; /* when the probe was sent */
    yr_gather answer;
    int64_t begun_ms;
    int64_t up_ms;
    bool is_answered;                  /* it is etcd, and soon to be the current one */
    char version[VERSION_LEN_MAX + 1]; /* of the server; empty: unknown */
};

static void slot_close(yr_link_slot *slot)
{
    if (slot != NULL) {
        yr_list_remove(&slot->node);
        yr_grpc_channel_close(slot->channel);
        yr_gather_deinit(&slot->answer);
        yr_free(slot);
    }
}

static int64_t now_ms(const yr_link *link)
{
    return yr_io_now_ms(link->options.io);
}

/* ---- Failing ---- */

static void connect_after(yr_link *link, int64_t delay_ms)
{
    yr_timer_start(link->options.io, &link->connect_timer, delay_ms);
}

/* @p most_ms, unless a lease needs us sooner. */
static int64_t longest_ms(const yr_link *link, int64_t most_ms)
{
    int64_t patience_ms = link->events.patience_ms(link->context);
    return patience_ms < most_ms ? patience_ms : most_ms;
}

static int64_t pause_ms(yr_link *link)
{
    int64_t most_ms = longest_ms(link, YR_LINK_BACKOFF_MAX_MS);
    link->backoff.cap_ms = most_ms > YR_LINK_BACKOFF_MS ? most_ms : YR_LINK_BACKOFF_MS;
    return yr_backoff_next_ms(&link->backoff, yr_io_random(link->options.io));
}

/* Takes @p error. */
static void set_error(yr_link *link, yurpc_error *error)
{
    /* A certificate that went wrong during an outage must not pass for the outage. */
    bool is_refusal = yurpc_error_status(error) == YURPC_TLS;
    bool is_news = !link->is_failing || (is_refusal && !link->is_refused);
    yurpc_error_free(link->error);
    link->error = error;
    link->is_failing = true;
    link->is_refused = link->is_refused || is_refusal;
    link->refusals = is_refusal ? link->refusals + 1 : 0;
    yr_log_write(&link->options.log, is_news ? YURPC_LOG_WARN : YURPC_LOG_DEBUG, "etcd", "%s",
                 yurpc_error_text(error));
}

/* The attempt came to nothing: on to the next endpoint. Takes @p error. */
static void attempt_failed(yr_link *link, yurpc_error *error)
{
    slot_close(link->opening);
    link->opening = NULL;
    set_error(link, error);
    yr_endpoints_rotate(&link->endpoints);
    link->failures++;
    if (link->failures < link->endpoints.count) {
        /* The first round is quick, later ones shall not hammer a cluster that is down. */
        bool is_first_round = link->backoff.failures == 0;
        uint64_t most_ms = (uint64_t)longest_ms(link, YR_LINK_SPACING_MS);
        uint64_t random = yr_io_random(link->options.io);
        connect_after(link, is_first_round ? 0 : (int64_t)(random % (most_ms + 1)));
    } else {
        link->failures = 0;
        connect_after(link, pause_ms(link));
    }
    link->events.on_down(link->context, link->error);
}

/* Yu-RPC's own default is the peer port, so many will try it. */
static const char *port_hint(const yr_endpoint *endpoint)
{
    return endpoint->port == YR_ENDPOINT_PEER_PORT
               ? "; 2380 is etcd's port for its peers, clients use 2379"
               : "";
}

static void slot_failed(yr_link_slot *slot, const yurpc_error *cause)
{
    yurpc_status was = cause == NULL ? YURPC_UNAVAILABLE : yurpc_error_status(cause);
    const char *text = cause == NULL ? "it hung up" : yurpc_error_text(cause);
    const yr_endpoint *endpoint = slot->endpoint;
    const char *hint = was == YURPC_PROTOCOL ? port_hint(endpoint) : "";
    yurpc_status status = was == YURPC_TLS ? YURPC_TLS : YURPC_UNAVAILABLE;
    /* The layers below may have named the endpoint already. */
    bool is_named = strstr(text, endpoint->name) != NULL;
    attempt_failed(slot->link, is_named ? yr_error_new(status, -1, "%s%s", text, hint)
                                        : yr_error_new(status, -1, "cannot connect to %s: %s%s",
                                                       endpoint->name, text, hint));
}

/* Another member is tried at once. Where there is but one, all its clients have lost it, and
 * would all come back at the same moment. */
static int64_t spread_ms(const yr_link *link)
{
    uint64_t most_ms = (uint64_t)longest_ms(link, YR_LINK_SPREAD_MS);
    uint64_t random = yr_io_random(link->options.io);
    return link->endpoints.count > 1 ? 0 : (int64_t)(random % (most_ms + 1));
}

/* The current channel is no longer for new calls. How soon to look for another? */
static void reconnect(yr_link *link, int64_t up_ms)
{
    link->failures = 0;
    if (now_ms(link) - up_ms >= YR_LINK_SETTLED_MS) {
        yr_backoff_reset(&link->backoff);
        connect_after(link, spread_ms(link));
    } else {
        connect_after(link, pause_ms(link));
    }
}

static void drain(yr_link *link, yr_link_slot *slot)
{
    if (link->draining_count == YR_LINK_DRAINING_MAX) {
        yr_link_slot *oldest = YR_CONTAINER_OF(link->draining.next, yr_link_slot, node);
        yr_grpc_channel *channel = oldest->channel;
        slot_close(oldest);
        link->draining_count--;
        link->events.on_closed(link->context, channel);
    }
    yr_list_append(&link->draining, &slot->node);
    link->draining_count++;
    if (!yr_timer_is_running(&link->sweep_timer)) {
        yr_timer_start(link->options.io, &link->sweep_timer, YR_LINK_SWEEP_MS);
    }
}

static void sweep(void *context)
{
    yr_link *link = context;
    for (yr_list *node = link->draining.next; node != &link->draining;) {
        yr_link_slot *slot = YR_CONTAINER_OF(node, yr_link_slot, node);
        node = node->next;
        if (yr_grpc_channel_call_count(slot->channel) == 0) {
            slot_close(slot);
            link->draining_count--;
        }
    }
    if (!yr_list_is_empty(&link->draining)) {
        yr_timer_start(link->options.io, &link->sweep_timer, YR_LINK_SWEEP_MS);
    }
}

void yr_link_suspect(yr_link *link, bool is_silent)
{
    yr_link_slot *slot = link->current;
    if (slot == NULL || (!is_silent && link->endpoints.count == 1)) {
        return;
    }
    link->current = NULL;
    yr_endpoints_rotate(&link->endpoints);
    set_error(link, yr_error_new(YURPC_UNAVAILABLE, -1, "etcd at %s %s", slot->endpoint->name,
                                 is_silent ? "does not answer" : "cannot serve now"));
    reconnect(link, slot->up_ms);
    drain(link, slot);
    link->events.on_down(link->context, link->error);
}

/* ---- Coming up ---- */

/* 3.4.23 is 30423; what cannot be read is 0. */
static uint32_t parse_version(const char *text)
{
    uint32_t version = 0;
    for (int i = 0; i < 3; i++) {
        uint32_t number = 0;
        size_t digits = text == NULL ? 0 : strspn(text, "0123456789");
        if (digits < 1 || digits > 2) {
            return 0;
        }
        for (size_t k = 0; k < digits; k++) {
            number = number * 10 + (uint32_t)(text[k] - '0');
        }
        version = version * 100 + number;
        text += digits;
        text += *text == '.' ? 1 : 0;
    }
    return version;
}

static void slot_up(yr_link_slot *slot)
{
    yr_link *link = slot->link;
    const char *version = slot->version[0] != '\0' ? slot->version : NULL;
    link->opening = NULL;
    link->current = slot;
    slot->up_ms = now_ms(link);
    link->server_version = parse_version(version);
    link->failures = 0;
    link->is_failing = false;
    link->is_refused = false;
    link->refusals = 0;
    link->foreign_id = 0;
    yurpc_error_free(link->error);
    link->error = NULL;
    yr_log_write(&link->options.log, YURPC_LOG_INFO, "etcd", "connected to %s, etcd %s",
                 slot->endpoint->name, version == NULL ? "of unknown version" : version);
    link->events.on_up(link->context);
}

/*
 * A server that starts again lets its clients wait, who came one after the other, and answers
 * all of them at the same moment. Who waits once more as long as it has, after an outage, keeps
 * its place among them.
 */
static void slot_answered(yr_link_slot *slot, const char *version)
{
    yr_link *link = slot->link;
    int64_t waited_ms = now_ms(link) - slot->begun_ms;
    (void)snprintf(slot->version, sizeof slot->version, "%s", version != NULL ? version : "");
    if (link->backoff.failures == 0 || waited_ms <= YR_LINK_PROMPT_MS) {
        slot_up(slot);
        return;
    }
    slot->is_answered = true;
    connect_after(link, waited_ms % (longest_ms(link, YR_LINK_ECHO_MAX_MS) + 1));
}

/* Whether all endpoints have for a while belonged to the cluster of @p header. */
static bool is_replaced(yr_link_slot *slot, const yr_header *header)
{
    yr_link *link = slot->link;
    const yr_endpoints *endpoints = &link->endpoints;
    if (link->foreign_id != header->cluster_id) {
        link->foreign_id = header->cluster_id;
        link->foreign_members = 0;
        link->foreign_since_ms = now_ms(link);
    }
    link->foreign_members |= UINT64_C(1) << (slot->endpoint - endpoints->items);
    uint64_t all = UINT64_MAX >> (YR_ENDPOINTS_MAX - endpoints->count);
    return link->foreign_members == all &&
           now_ms(link) - link->foreign_since_ms >= YR_LINK_REPLACED_MS;
}

static void slot_is_foreign(yr_link_slot *slot, const yr_header *header)
{
    yr_link *link = slot->link;
    yurpc_error *error = yr_error_new(
        YURPC_UNAVAILABLE, -1, "etcd at %s belongs to cluster %" PRIx64 ", not to %" PRIx64,
        slot->endpoint->name, header->cluster_id, link->options.history->seen.cluster_id);
    if (link->foreign_logged_ms == 0 ||
        now_ms(link) - link->foreign_logged_ms >= YR_LINK_FOREIGN_LOG_MS) {
        link->foreign_logged_ms = now_ms(link);
        yr_log_write(&link->options.log, YURPC_LOG_ERROR, "etcd", "%s",
                     yurpc_error_text(error));
    }
    attempt_failed(link, error);
}

static void probe_succeeded(yr_link_slot *slot)
{
    yr_link *link = slot->link;
    yr_reply *reply = NULL;
    yurpc_status status = slot->answer.is_whole
                              ? yr_decode_status(yr_gather_message(&slot->answer), &reply)
                              : YURPC_PROTOCOL;
    if (status != YURPC_OK) {
        attempt_failed(link, yr_error_new(YURPC_UNAVAILABLE, -1,
                                          "%s answers, but not as etcd does: %s",
                                          slot->endpoint->name, yurpc_status_text(status)));
        return;
    }
    yr_header header = yr_reply_header(&reply->reply);
    /* What one member knows is not linearizable, so only the cluster can be wrong. */
    bool is_foreign = yr_history_judge(link->options.history, &header, &slot->sent, false) ==
                      YR_HISTORY_FOREIGN;
    if (is_foreign && !is_replaced(slot, &header)) {
        slot_is_foreign(slot, &header);
    } else {
        if (is_foreign) {
            link->events.on_replaced(link->context, &header);
        }
        slot_answered(slot, reply->reply.version);
    }
    yr_reply_free(reply);
}

static void probe_on_part(void *context, const yr_grpc_part *part)
{
    yr_link_slot *slot = context;
    if (yr_gather_add(&slot->answer, part) != YURPC_OK) {
        return; /* then the answer never becomes whole */
    }
}

static void probe_on_end(void *context, const yr_grpc_end *end)
{
    yr_link_slot *slot = context;
    yr_link *link = slot->link;
    if (slot != link->opening) {
        return;
    }
    if (end->code == YR_GRPC_OK) {
        probe_succeeded(slot);
    } else if (end->code == YR_GRPC_UNIMPLEMENTED) {
        attempt_failed(link, yr_error_new(YURPC_UNAVAILABLE, end->code,
                                          "%s does not serve etcd's client API (%s)%s",
                                          slot->endpoint->name, end->message,
                                          port_hint(slot->endpoint)));
    } else if (end->is_remote && end->code != YR_GRPC_UNAVAILABLE) {
        slot_answered(slot,
                      NULL); /* it refuses, for example without credentials, as etcd does */
    } else {
        attempt_failed(link, yr_error_new(YURPC_UNAVAILABLE, end->is_remote ? end->code : -1,
                                          "cannot connect to %s: %s", slot->endpoint->name,
                                          end->message));
    }
}

static void slot_on_ready(void *context)
{
    static const yr_grpc_events events = {probe_on_part, probe_on_end};
    yr_link_slot *slot = context;
    yr_link *link = slot->link;
    int64_t left_ms = slot->begun_ms + link->options.connect_timeout_ms - now_ms(link);
    yr_grpc_request request = {.path = "/etcdserverpb.Maintenance/Status",
                               .deadline_ms = left_ms > 0 ? left_ms : 1,
                               .message = yr_bytes("", 0),
                               .is_half_closed = true};
    slot->sent = *link->options.history;
    yr_grpc_call *probe = NULL;
    yurpc_status status = yr_grpc_channel_call(slot->channel, &request, &events, slot, &probe);
    if (status != YURPC_OK) {
        attempt_failed(link, yr_error_new(YURPC_UNAVAILABLE, -1, "cannot connect to %s: %s",
                                          slot->endpoint->name, yurpc_status_text(status)));
    }
}

static void slot_on_draining(void *context)
{
    yr_link_slot *slot = context;
    yr_link *link = slot->link;
    if (slot == link->opening) {
        slot_failed(slot, NULL);
        return;
    }
    if (slot != link->current) {
        return;
    }
    yr_log_write(&link->options.log, YURPC_LOG_INFO, "etcd", "%s asks to go elsewhere",
                 slot->endpoint->name);
    link->current = NULL;
    yr_endpoints_rotate(&link->endpoints);
    reconnect(link, slot->up_ms);
    drain(link, slot);
}

static void slot_on_down(void *context, const yurpc_error *error)
{
    yr_link_slot *slot = context;
    yr_link *link = slot->link;
    if (slot == link->opening) {
        slot_failed(slot, error);
        return;
    }
    if (slot != link->current) {
        slot_close(slot);
        link->draining_count--;
        return;
    }
    link->current = NULL;
    yr_endpoints_rotate(&link->endpoints);
    const char *text = error == NULL ? "it hung up" : yurpc_error_text(error);
    set_error(link, strstr(text, slot->endpoint->name) != NULL
                        ? yr_error_new(YURPC_UNAVAILABLE, -1, "%s", text)
                        : yr_error_new(YURPC_UNAVAILABLE, -1, "lost the connection to %s: %s",
                                       slot->endpoint->name, text));
    reconnect(link, slot->up_ms);
    slot_close(slot);
    link->events.on_down(link->context, link->error);
}

static yr_link_slot *slot_new(yr_link *link)
{
    static const yr_grpc_channel_events events = {slot_on_ready, slot_on_draining,
                                                  slot_on_down};
    yr_link_slot *slot = yr_calloc(1, sizeof *slot);
    if (slot == NULL) {
        return NULL;
    }
    yr_list_init(&slot->node);
    yr_gather_init(&slot->answer);
    slot->link = link;
    slot->begun_ms = now_ms(link);
    slot->endpoint = yr_endpoints_first(&link->endpoints);
    yr_grpc_channel_options options = {.host = slot->endpoint->host,
                                       .port = slot->endpoint->port,
                                       .connect_timeout_ms = link->options.connect_timeout_ms,
                                       .tls = slot->endpoint->is_tls ? link->tls : NULL};
    if (yr_grpc_channel_new(link->options.io, &options, &events, slot, &slot->channel) !=
        YURPC_OK) {
        slot_close(slot);
        return NULL;
    }
    return slot;
}

static void connect_due(void *context)
{
    yr_link *link = context;
    if (link->opening != NULL && link->opening->is_answered) {
        slot_up(link->opening);
        return;
    }
    if (link->opening != NULL || link->current != NULL) {
        return;
    }
    link->opening = slot_new(link);
    if (link->opening == NULL) {
        attempt_failed(link, yr_error_new(YURPC_NO_MEMORY, -1, "cannot connect to %s: %s",
                                          yr_endpoints_first(&link->endpoints)->name,
                                          yurpc_status_text(YURPC_NO_MEMORY)));
    }
}

/* ---- The whole ---- */

static bool wants_tls(const yr_endpoints *endpoints)
{
    bool is_wanted = false;
    for (size_t i = 0; i < endpoints->count; i++) {
        is_wanted = is_wanted || endpoints->items[i].is_tls;
    }
    return is_wanted;
}

/* Whoever cuts off those of https would be told the password by way of the others. */
static yurpc_status check_mixture(const yr_endpoints *endpoints, yurpc_error **ret_error)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        if (!yr_endpoint_is_private(&endpoints->items[i])) {
            return yr_error_set(ret_error, YURPC_INVALID, -1,
                                "a password is not sent to https and in plain text alike: %s "
                                "is not https; write https:// before each endpoint",
                                endpoints->items[i].name);
        }
    }
    return YURPC_OK;
}

yurpc_status yr_link_init(yr_link *link, const yr_link_options *options,
                          const yr_link_events *events, void *context, yurpc_error **ret_error)
{
    memset(link, 0, sizeof *link);
    link->options = *options;
    link->options.endpoints = NULL;
    link->options.tls = (yr_tls_options){.ca_file = NULL};
    link->events = *events;
    link->context = context;
    yr_list_init(&link->draining);
    yr_timer_init(&link->connect_timer, connect_due, link);
    yr_timer_init(&link->sweep_timer, sweep, link);
    yr_backoff_init(&link->backoff, YR_LINK_BACKOFF_MS, YR_LINK_BACKOFF_MAX_MS);
    const yr_tls_options *tls = &options->tls;
    yurpc_status status =
        yr_endpoints_init(&link->endpoints, options->endpoints, yr_tls_is_meant(tls),
                          yr_io_random(options->io), ret_error);
    if (status != YURPC_OK || !wants_tls(&link->endpoints)) {
        return status;
    }
    status = options->has_secret ? check_mixture(&link->endpoints, ret_error) : YURPC_OK;
    return status == YURPC_OK
               ? yr_tls_new(options->io, tls, &options->log, &link->tls, ret_error)
               : status;
}

void yr_link_deinit(yr_link *link)
{
    if (link->options.io == NULL) {
        return;
    }
    yr_timer_stop(link->options.io, &link->connect_timer);
    yr_timer_stop(link->options.io, &link->sweep_timer);
    slot_close(link->opening);
    slot_close(link->current);
    while (!yr_list_is_empty(&link->draining)) {
        slot_close(YR_CONTAINER_OF(link->draining.next, yr_link_slot, node));
    }
    yr_tls_free(link->tls);
    yr_endpoints_deinit(&link->endpoints);
    yurpc_error_free(link->error);
    memset(link, 0, sizeof *link);
}

void yr_link_start(yr_link *link)
{
    connect_after(link, 0);
}

yr_grpc_channel *yr_link_channel(const yr_link *link)
{
    return link->current == NULL ? NULL : link->current->channel;
}

const char *yr_link_endpoint_name(const yr_link *link)
{
    return link->current != NULL ? link->current->endpoint->name
                                 : yr_endpoints_first(&link->endpoints)->name;
}

const yurpc_error *yr_link_refusal(const yr_link *link)
{
    return link->refusals >= link->endpoints.count ? link->error : NULL;
}
