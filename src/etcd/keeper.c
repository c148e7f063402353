#include "etcd/keeper.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "etcd/client.h"
#include "etcd/decode.h"
#include "etcd/encode.h"

#include <inttypes.h>
#include <stddef.h>

enum { MESSAGE_MAX = 64, TTL_S_MAX = INT32_MAX };

struct yr_etcd_keepalive {
    yr_list node;
    yr_map_node by_id;
    yr_keeper *keeper;
    int64_t id;
    int64_t granted_ttl_s;
    int64_t ttl_s;       /* as last answered, at most as granted */
    int64_t deadline_ms; /* absolute: until then the lease certainly lasts */
    int64_t sent_ms;     /* of the renewal that is not answered */
    bool is_asked;       /* there is such a renewal */
    bool is_due;         /* a renewal waits for the stream */
    bool is_ending;
    yr_timer beat_timer;
    yr_timer answer_timer;
    yr_timer expiry_timer;
    yr_etcd_keepalive_events events;
    void *context;
};

static int64_t now_ms(const yr_keeper *keeper)
{
    return yr_io_now_ms(keeper->client->io);
}

static int64_t third_ms(const yr_etcd_keepalive *keepalive)
{
    return keepalive->ttl_s * 1000 / 3;
}

/* ---- Ending ---- */

static void keepalive_unlink(yr_etcd_keepalive *keepalive)
{
    yr_keeper *keeper = keepalive->keeper;
    yr_timer_stop(keeper->client->io, &keepalive->beat_timer);
    yr_timer_stop(keeper->client->io, &keepalive->answer_timer);
    yr_timer_stop(keeper->client->io, &keepalive->expiry_timer);
    yr_map_remove(&keeper->by_id, &keepalive->by_id);
    yr_list_remove(&keepalive->node);
    if (yr_list_is_empty(&keeper->keepalives)) {
        yr_duplex_unwant(&keeper->stream);
    }
}

/* Takes @p error. */
static void keepalive_lose(yr_etcd_keepalive *keepalive, yurpc_error *error)
{
    keepalive->is_ending = true;
    keepalive_unlink(keepalive);
    keepalive->events.on_lost(keepalive->context, error);
    yurpc_error_free(error);
    yr_free(keepalive);
}

static void on_expiry(void *context)
{
    yr_etcd_keepalive *keepalive = context;
    const yurpc_error *why = keepalive->keeper->error;
    keepalive_lose(keepalive, yr_error_new(YURPC_TIMEOUT, -1,
                                           "lease %" PRIx64
                                           " could not be renewed within its %" PRId64 " s: %s",
                                           (uint64_t)keepalive->id, keepalive->ttl_s,
                                           why == NULL ? "no answer" : yurpc_error_text(why)));
}

/* ---- Renewing ---- */

static void keepalive_send(yr_etcd_keepalive *keepalive)
{
    yr_keeper *keeper = keepalive->keeper;
    yr_io *io = keeper->client->io;
    yr_buf message;
    yr_buf_init(&message, MESSAGE_MAX);
    int64_t answer_ms = third_ms(keepalive);
    if (answer_ms > YR_KEEPER_ANSWER_MAX_MS) {
        answer_ms = YR_KEEPER_ANSWER_MAX_MS;
    }
    keepalive->sent_ms = now_ms(keeper);
    keepalive->is_asked = true;
    keepalive->is_due = false;
    yr_timer_start(io, &keepalive->beat_timer, third_ms(keepalive));
    yr_timer_start(io, &keepalive->answer_timer, answer_ms);
    /* When it cannot be sent for lack of memory, the missing answer brings the next attempt. */
    if (yr_encode_lease_keepalive(keepalive->id, &message) == YURPC_OK) {
        yr_duplex_send(&keeper->stream, yr_bytes(message.data, message.len));
    }
    yr_buf_deinit(&message);
}

static void on_no_answer(void *context)
{
    yr_etcd_keepalive *keepalive = context;
    yr_keeper *keeper = keepalive->keeper;
    yr_link *link = &keeper->client->link;
    if (keeper->stream.channel == yr_link_channel(link)) {
        yr_link_suspect(link, true);
    }
    yurpc_error *error = yr_error_new(YURPC_TIMEOUT, -1, "a renewal was not answered");
    yr_duplex_restart(&keeper->stream, error);
    yurpc_error_free(error);
}

static void on_beat(void *context)
{
    yr_etcd_keepalive *keepalive = context;
    yr_keeper *keeper = keepalive->keeper;
    if (keepalive->is_asked) { /* short leases: a beat is as long as an answer may take */
        on_no_answer(keepalive);
    } else if (yr_duplex_is_open(&keeper->stream)) {
        keepalive_send(keepalive);
    } else {
        keepalive->is_due = true;
        yr_duplex_want(&keeper->stream);
    }
}

/* ---- The stream ---- */

static void on_open(void *context)
{
    yr_keeper *keeper = context;
    for (yr_list *node = keeper->keepalives.next; node != &keeper->keepalives;
         node = node->next) {
        yr_etcd_keepalive *keepalive = YR_CONTAINER_OF(node, yr_etcd_keepalive, node);
        if (keepalive->is_due) {
            keepalive_send(keepalive);
        }
    }
}

static void on_cut(void *context, const yurpc_error *error)
{
    yr_keeper *keeper = context;
    yurpc_error_free(keeper->error);
    keeper->error = yr_error_copy(error);
    for (yr_list *node = keeper->keepalives.next; node != &keeper->keepalives;
         node = node->next) {
        yr_etcd_keepalive *keepalive = YR_CONTAINER_OF(node, yr_etcd_keepalive, node);
        yr_timer_stop(keeper->client->io, &keepalive->answer_timer);
        keepalive->is_due = keepalive->is_due || keepalive->is_asked;
        keepalive->is_asked = false;
    }
}

static void keepalive_answered(yr_etcd_keepalive *keepalive, int64_t ttl_s)
{
    yr_keeper *keeper = keepalive->keeper;
    yr_io *io = keeper->client->io;
    if (!keepalive->is_asked) {
        return; /* twice, or out of the blue: it proves nothing */
    }
    keepalive->is_asked = false;
    yr_timer_stop(io, &keepalive->answer_timer);
    if (ttl_s <= 0) {
        keepalive_lose(keepalive, yr_error_new(YURPC_LEASE_LOST, -1,
                                               "etcd does not know lease %" PRIx64 " any more",
                                               (uint64_t)keepalive->id));
        return;
    }
    yurpc_error_free(keeper->error); /* former trouble is over */
    keeper->error = NULL;
    keepalive->ttl_s = ttl_s < keepalive->granted_ttl_s ? ttl_s : keepalive->granted_ttl_s;
    keepalive->deadline_ms = keepalive->sent_ms + keepalive->ttl_s * 1000;
    yr_timer_start(io, &keepalive->expiry_timer, keepalive->deadline_ms - now_ms(keeper));
    yr_timer_start(io, &keepalive->beat_timer,
                   keepalive->sent_ms + third_ms(keepalive) - now_ms(keeper));
    if (keepalive->events.on_renewed != NULL) {
        keepalive->events.on_renewed(keepalive->context, keepalive->ttl_s);
    }
}

static void on_message(void *context, yurpc_bytes message)
{
    yr_keeper *keeper = context;
    yr_keepalive_answer answer;
    yurpc_status status = yr_decode_keepalive(message, &answer);
    if (status != YURPC_OK) {
        yurpc_error *error = yr_error_new(status, -1, "cannot read the answer to a renewal: %s",
                                          yurpc_status_text(status));
        yr_duplex_restart(&keeper->stream, error);
        yurpc_error_free(error);
        return;
    }
    yr_map_node *node = yr_map_find(&keeper->by_id, yr_bytes(&answer.id, sizeof answer.id));
    bool is_ours =
        yr_etcd_note(keeper->client, &answer.header, &keeper->client->history, false);
    if (is_ours && node != NULL) {
        keepalive_answered(YR_CONTAINER_OF(node, yr_etcd_keepalive, by_id), answer.ttl_s);
    }
}

/* ---- From outside ---- */

yurpc_status yr_etcd_keepalive_start(yr_etcd *client, const yr_etcd_lease *lease,
                                     const yr_etcd_keepalive_events *events, void *context,
                                     yr_etcd_keepalive **ret_keepalive)
{
    yr_keeper *keeper = &client->keeper;
    if (client->is_closing) {
        return YURPC_CLOSED;
    }
    if (lease->id == 0 || lease->ttl_s <= 0) {
        return YURPC_INVALID;
    }
    if (yr_map_find(&keeper->by_id, yr_bytes(&lease->id, sizeof lease->id)) != NULL) {
        return YURPC_EXISTS;
    }
    if (keeper->by_id.count >= YR_KEEPER_LEASES_MAX) {
        return YURPC_TOO_LARGE;
    }
    yr_etcd_keepalive *keepalive = yr_calloc(1, sizeof *keepalive);
    if (keepalive == NULL) {
        return YURPC_NO_MEMORY;
    }
    keepalive->keeper = keeper;
    keepalive->id = lease->id;
    keepalive->granted_ttl_s = lease->ttl_s > TTL_S_MAX ? TTL_S_MAX : lease->ttl_s;
    keepalive->ttl_s = keepalive->granted_ttl_s;
    keepalive->deadline_ms = lease->granted_ms + keepalive->ttl_s * 1000;
    keepalive->events = *events;
    keepalive->context = context;
    yr_timer_init(&keepalive->beat_timer, on_beat, keepalive);
    yr_timer_init(&keepalive->answer_timer, on_no_answer, keepalive);
    yr_timer_init(&keepalive->expiry_timer, on_expiry, keepalive);
    yr_list_append(&keeper->keepalives, &keepalive->node);
    yr_map_insert(&keeper->by_id, &keepalive->by_id,
                  yr_bytes(&keepalive->id, sizeof keepalive->id));
    yr_timer_start(client->io, &keepalive->expiry_timer,
                   keepalive->deadline_ms - now_ms(keeper));
    yr_timer_start(client->io, &keepalive->beat_timer,
                   lease->granted_ms + third_ms(keepalive) - now_ms(keeper));
    *ret_keepalive = keepalive;
    return YURPC_OK;
}

void yr_etcd_keepalive_stop(yr_etcd_keepalive *keepalive)
{
    if (keepalive != NULL && !keepalive->is_ending) {
        keepalive_unlink(keepalive);
        yr_free(keepalive);
    }
}

int64_t yr_etcd_keepalive_deadline_ms(const yr_etcd_keepalive *keepalive)
{
    return keepalive->deadline_ms;
}

void yr_keeper_init(yr_keeper *keeper, yr_etcd *client)
{
    static const yr_duplex_events events = {on_open, on_message, on_cut};
    uint64_t seed[2] = {yr_io_random(client->io), yr_io_random(client->io)};
    keeper->client = client;
    keeper->error = NULL;
    yr_list_init(&keeper->keepalives);
    yr_map_init(&keeper->by_id, seed);
    yr_duplex_init(&keeper->stream, client, "/etcdserverpb.Lease/LeaseKeepAlive", &events,
                   keeper);
    keeper->stream.needs_token = false; /* so a lease outlives a user who is refused */
}

int64_t yr_keeper_patience_ms(const yr_keeper *keeper)
{
    int64_t least_ms = INT64_MAX;
    for (yr_list *node = keeper->keepalives.next; node != &keeper->keepalives;
         node = node->next) {
        const yr_etcd_keepalive *keepalive = YR_CONTAINER_OF(node, yr_etcd_keepalive, node);
        int64_t sixth_ms = keepalive->ttl_s * 1000 / 6;
        int64_t ms = keepalive->deadline_ms - now_ms(keeper) - sixth_ms;
        ms = ms > sixth_ms ? ms : sixth_ms;
        least_ms = ms < least_ms ? ms : least_ms;
    }
    return least_ms;
}

void yr_keeper_deinit(yr_keeper *keeper)
{
    while (!yr_list_is_empty(&keeper->keepalives)) {
        yr_list *first = keeper->keepalives.next;
        yr_etcd_keepalive_stop(YR_CONTAINER_OF(first, yr_etcd_keepalive, node));
    }
    yr_duplex_deinit(&keeper->stream);
    yr_map_deinit(&keeper->by_id);
    yurpc_error_free(keeper->error);
    keeper->error = NULL;
}
