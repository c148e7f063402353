#include "etcd/watch_hub.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "etcd/client.h"
#include "etcd/decode.h"
#include "etcd/encode.h"
#include "etcd/watch.h"

#include <stddef.h>

enum {
    SYNCED_PROGRESS_3_4 = 30425, /* from these versions on, the answer to a progress request */
    SYNCED_PROGRESS_3_5 = 30508, /* says that all before it was delivered (etcd#15220) */
};

static yr_etcd_watch *watch_at(yr_list *node)
{
    return YR_CONTAINER_OF(node, yr_etcd_watch, node);
}

static yr_watch_creation *creation_at(yr_list *node)
{
    return YR_CONTAINER_OF(node, yr_watch_creation, node);
}

/* What comes under its number is not for it any more. */
static void watch_leave_stream(yr_etcd_watch *watch)
{
    if (watch->is_on_stream) {
        watch->is_on_stream = false;
        yr_map_remove(&watch->hub->by_id, &watch->by_id);
    }
}

/* ---- Sending ---- */

static void send_request(yr_watch_hub *hub, yurpc_status status, yr_buf *message)
{
    if (status == YURPC_OK) {
        yr_duplex_send(&hub->stream, yr_bytes(message->data, message->len));
    } else {
        yr_duplex_fail(&hub->stream); /* out of memory: again after a pause */
    }
    yr_buf_deinit(message);
}

/* Until the oldest open request counts as one that is not answered. */
static void start_creation_timer(yr_watch_hub *hub)
{
    yr_timer_stop(hub->client->io, &hub->creation_timer);
    if (!yr_list_is_empty(&hub->creating)) {
        int64_t waited =
            yr_io_now_ms(hub->client->io) - creation_at(hub->creating.next)->asked_at;
        int64_t left = YR_WATCH_CREATE_MS - waited;
        yr_timer_start(hub->client->io, &hub->creation_timer, left > 0 ? left : 0);
    }
}

/*
 * Watches are numbered anew on each stream, from 0 on and as they are asked for: so does etcd's
 * grpc-proxy, whatever it was asked for. (0 lets etcd choose; its first choice is 0.)
 */
static void watch_send_create(yr_etcd_watch *watch)
{
    yr_watch_hub *hub = watch->hub;
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    watch->id = hub->next_id++;
    watch->is_on_stream = true;
    yr_map_insert(&hub->by_id, &watch->by_id, yr_bytes(&watch->id, sizeof watch->id));
    watch->creation->id = watch->id;
    watch->creation->asked_at = yr_io_now_ms(hub->client->io);
    yr_list_append(&hub->creating, &watch->creation->node);
    if (!yr_timer_is_running(&hub->creation_timer)) {
        start_creation_timer(hub);
    }
    /*
     * One revision early, and what comes too early is dropped: servers accept a watch from just
     * the revision that was compacted, but have lost the deletions of that revision (fixed in
     * etcd 3.4.36 and 3.5.18). This way they say that it was compacted.
     */
    int64_t from = watch->next_revision > 1 ? watch->next_revision - 1 : watch->next_revision;
    yurpc_status status = yr_encode_watch_create(watch->id, from, &watch->options, &message);
    send_request(hub, status, &message);
}

static void watch_send_cancel(const yr_etcd_watch *watch)
{
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yurpc_status status = yr_encode_watch_cancel(watch->id, &message);
    send_request(watch->hub, status, &message);
}

bool yr_watch_hub_progress_is_synced(const yr_watch_hub *hub)
{
    uint32_t version = hub->client->link.server_version;
    if (hub->has_no_progress) {
        return false;
    }
    return version >= SYNCED_PROGRESS_3_5 ||
           (version >= SYNCED_PROGRESS_3_4 && version < 30500);
}

static void send_progress_request(yr_watch_hub *hub)
{
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yurpc_status status = yr_encode_watch_progress(&message);
    send_request(hub, status, &message);
}

/* Call @p visit for each watch there is now. A visit may stop any watch, and start new ones. */
static void for_each_watch(yr_watch_hub *hub, void (*visit)(yr_etcd_watch *, const void *),
                           const void *context)
{
    uint64_t last_serial = hub->last_serial;
    hub->cursor = hub->watches.next;
    while (hub->cursor != &hub->watches) {
        yr_etcd_watch *watch = watch_at(hub->cursor);
        hub->cursor = hub->cursor->next;
        if (watch->serial <= last_serial) {
            visit(watch, context);
        }
    }
    hub->cursor = NULL;
}

static void visit_cut(yr_etcd_watch *watch, const void *context)
{
    if (!watch->is_open) {
        yr_watch_report_stale(watch, true, context);
    }
}

/* Nobody will say so, but had there been something to tell, it would have come by now. */
static void visit_silence(yr_etcd_watch *watch, const void *context)
{
    (void)context;
    if (watch->is_open) {
        yr_watch_report_stale(watch, false, NULL);
    }
}

static void on_progress_due(void *context)
{
    yr_watch_hub *hub = context;
    bool is_wanted = false;
    for (yr_list *node = hub->watches.next; node != &hub->watches; node = node->next) {
        is_wanted = is_wanted || (watch_at(node)->is_open && watch_at(node)->is_stale);
    }
    if (is_wanted && yr_duplex_is_open(&hub->stream)) {
        if (hub->has_no_progress || hub->unheard >= YR_WATCH_UNHEARD_MAX) {
            for_each_watch(hub, visit_silence, NULL);
            return;
        }
        hub->unheard++;
        send_progress_request(hub);
        yr_timer_start(hub->client->io, &hub->progress_timer, YR_WATCH_PROGRESS_MS);
    }
}

void yr_etcd_watch_request_progress(yr_etcd *client)
{
    if (yr_duplex_is_open(&client->hub.stream) && !client->hub.has_no_progress) {
        client->hub.unheard++;
        send_progress_request(&client->hub);
    }
}

/* ---- Ending ---- */

/* The stream is gone, and the answers with it. */
static void forget_creations(yr_watch_hub *hub)
{
    for (yr_list *node = yr_list_take_first(&hub->creating); node != NULL;
         node = yr_list_take_first(&hub->creating)) {
        yr_watch_creation *creation = creation_at(node);
        if (creation->watch == NULL) {
            yr_free(creation);
        }
    }
}

void yr_watch_hub_forget(yr_etcd_watch *watch)
{
    yr_watch_hub *hub = watch->hub;
    watch_leave_stream(watch);
    hub->watch_count--;
    if (hub->cursor == &watch->node) {
        hub->cursor = watch->node.next;
    }
    yr_list_remove(&watch->node);
    if (!yr_list_is_empty(&watch->creation->node)) {
        watch->creation->watch = NULL; /* its answer will come; then it goes */
        watch->creation = NULL;
    }
    if (hub->delivering == watch) {
        hub->delivering = NULL;
    }
    if (hub->watch_count == 0) {
        yr_duplex_unwant(&hub->stream);
        yr_timer_stop(hub->client->io, &hub->progress_timer);
        yr_timer_stop(hub->client->io, &hub->creation_timer);
        forget_creations(hub);
    }
}

void yr_etcd_watch_stop(yr_etcd_watch *watch)
{
    if (watch == NULL || watch->is_ending) {
        return;
    }
    if (watch->is_open || !yr_list_is_empty(&watch->creation->node)) {
        watch_send_cancel(watch);
    }
    yr_watch_hub_forget(watch);
    yr_watch_free(watch);
}

/* The connection lives, but a watch on this stream would be deaf for ever. */
static void on_creation_due(void *context)
{
    yr_watch_hub *hub = context;
    yurpc_error *error = yr_error_new(
        YURPC_UNAVAILABLE, -1, "etcd did not take up a watch within %d ms", YR_WATCH_CREATE_MS);
    if (!yr_duplex_is_open(&hub->stream)) {
        for_each_watch(hub, visit_cut, error);
    } else if (!yr_list_is_empty(&hub->creating)) {
        yr_duplex_restart(&hub->stream, error);
    }
    yurpc_error_free(error);
}

/* The request that @p message answers: a refusal names none, and answers the oldest. */
static yr_watch_creation *find_creation(const yr_watch_hub *hub,
                                        const yr_watch_message *message)
{
    yr_list *first = hub->creating.next;
    if (message->is_canceled) {
        return first == &hub->creating ? NULL : creation_at(first);
    }
    for (yr_list *node = first; node != &hub->creating; node = node->next) {
        if (creation_at(node)->id == message->watch_id) {
            return creation_at(node);
        }
    }
    return NULL;
}

static void creation_answered(yr_watch_hub *hub, const yr_watch_message *message)
{
    yr_watch_creation *answered = find_creation(hub, message);
    if (answered == NULL) {
        return; /* nothing like that was asked for: what was shows as not answered */
    }
    yr_etcd_watch *watch = answered->watch;
    yr_list_remove(&answered->node);
    start_creation_timer(hub);
    if (watch == NULL) {
        yr_free(answered);
    } else if (message->is_canceled) {
        yr_watch_refused(watch, message);
    } else {
        yr_watch_created(watch, message);
    }
}

static void visit_progress(yr_etcd_watch *watch, const void *context)
{
    yr_watch_take_progress(watch, context);
}

static void take_progress(yr_watch_hub *hub, yr_etcd_watch *watch, int64_t revision)
{
    /* One for this watch comes behind its events; one for all may overtake them. */
    yr_progress_mark mark = {revision, watch != NULL || yr_watch_hub_progress_is_synced(hub)};
    if (watch == NULL) {
        for_each_watch(hub, visit_progress, &mark);
    } else {
        yr_watch_take_progress(watch, &mark);
    }
}

static yr_etcd_watch *find_watch(const yr_watch_hub *hub, int64_t id)
{
    yr_map_node *node = yr_map_find(&hub->by_id, yr_bytes(&id, sizeof id));
    return node == NULL ? NULL : YR_CONTAINER_OF(node, yr_etcd_watch, by_id);
}

/* Takes @p message. */
static void hub_dispatch(yr_watch_hub *hub, yr_watch_message *message)
{
    yr_etcd_watch *watch = find_watch(hub, message->watch_id);
    bool is_for_all = message->watch_id == -1;
    if (message->is_created) {
        creation_answered(hub, message);
    } else if (message->is_canceled) {
        if (watch != NULL) {
            yr_watch_refused(watch, message);
        }
    } else if (message->event_count > 0 || message->is_fragment) {
        if (watch != NULL && watch->is_open) {
            yr_watch_take_events(watch, message);
            return;
        }
    } else if (is_for_all || (watch != NULL && yr_watch_parts_is_empty(&watch->parts))) {
        take_progress(hub, watch, message->header.revision);
    }
    yr_watch_message_free(message);
}

/* ---- The stream ---- */

static void on_open(void *context)
{
    yr_watch_hub *hub = context;
    hub->next_id = 0;
    for (yr_list *node = hub->watches.next; node != &hub->watches; node = node->next) {
        watch_send_create(watch_at(node));
    }
}

static yurpc_status take_message(yr_watch_hub *hub, yurpc_bytes bytes)
{
    yr_watch_message *message = NULL;
    yurpc_status status = yr_decode_watch(bytes, &message);
    if (status != YURPC_OK) {
        return status;
    }
    if (!yr_etcd_note(hub->client, &message->header, &hub->client->history, false)) {
        yr_watch_message_free(message);
        return YURPC_PROTOCOL;
    }
    hub->unheard = 0;
    hub_dispatch(hub, message);
    return YURPC_OK;
}

/* A message that holds nothing but whole events, as nearly all do. */
static yurpc_status take_scanned(yr_watch_hub *hub, yurpc_bytes bytes,
                                 yr_watch_scanned *scanned)
{
    if (!yr_etcd_note(hub->client, &scanned->header, &hub->client->history, false)) {
        return YURPC_PROTOCOL;
    }
    yr_etcd_watch *watch = find_watch(hub, scanned->watch_id);
    if (watch != NULL && !yr_watch_parts_is_empty(&watch->parts)) {
        return take_message(hub, bytes); /* the last of several */
    }
    hub->unheard = 0;
    if (watch != NULL && watch->is_open) {
        yr_watch_take_scanned(watch, scanned);
    }
    return YURPC_OK;
}

static void on_message(void *context, yurpc_bytes bytes)
{
    yr_watch_hub *hub = context;
    yr_watch_scanned scanned;
    yurpc_status status = yr_watch_scan(bytes, &scanned) ? take_scanned(hub, bytes, &scanned)
                                                         : take_message(hub, bytes);
    if (status != YURPC_OK) {
        yurpc_error *error = yr_error_new(status, -1, "cannot read what etcd reports: %s",
                                          yurpc_status_text(status));
        yr_duplex_restart(&hub->stream, error);
        yurpc_error_free(error);
    }
}

static void on_cut(void *context, const yurpc_error *error)
{
    yr_watch_hub *hub = context;
    yr_timer_stop(hub->client->io, &hub->progress_timer);
    yr_timer_stop(hub->client->io, &hub->creation_timer);
    if (hub->unheard > 0 && yurpc_error_remote_code(error) == YR_GRPC_UNIMPLEMENTED) {
        hub->has_no_progress = true;
    }
    hub->unheard = 0;
    forget_creations(hub);
    for (yr_list *node = hub->watches.next; node != &hub->watches; node = node->next) {
        watch_leave_stream(watch_at(node));
        watch_at(node)->is_open = false;
        yr_watch_parts_deinit(&watch_at(node)->parts);
    }
    if (hub->stream.is_exchanged) {
        yr_timer_start(hub->client->io, &hub->creation_timer, YR_WATCH_CREATE_MS);
    } else {
        for_each_watch(hub, visit_cut, error);
    }
}

void yr_watch_hub_on_refused(yr_watch_hub *hub, const yurpc_error *error)
{
    if (!yr_duplex_is_open(&hub->stream)) {
        for_each_watch(hub, visit_cut, error);
    }
}

yurpc_bytes yr_watch_hub_some_key(const yr_watch_hub *hub)
{
    return yr_list_is_empty(&hub->watches) ? yr_bytes(NULL, 0)
                                           : watch_at(hub->watches.next)->options.key;
}

/* ---- From outside ---- */

yurpc_status yr_etcd_watch_start(yr_etcd *client, const yr_etcd_watch_options *options,
                                 const yr_etcd_watch_events *events, void *context,
                                 yr_etcd_watch **ret_watch)
{
    yr_watch_hub *hub = &client->hub;
    if (client->is_closing) {
        return YURPC_CLOSED;
    }
    if (options->start_revision < 0 ||
        (options->is_prefix ? options->range_end.len > 0 : options->key.len == 0)) {
        return YURPC_INVALID;
    }
    if (hub->watch_count >= YR_WATCHES_MAX ||
        options->key.len + options->range_end.len > YR_ETCD_REQUEST_MAX / 2) {
        return YURPC_TOO_LARGE;
    }
    yr_etcd_watch *watch = yr_watch_new(hub, options);
    if (watch == NULL) {
        return YURPC_NO_MEMORY;
    }
    watch->events = *events;
    watch->context = context;
    watch->serial = ++hub->last_serial;
    hub->watch_count++;
    yr_list_append(&hub->watches, &watch->node);
    if (yr_duplex_is_open(&hub->stream)) {
        watch_send_create(watch);
    } else {
        yr_duplex_want(&hub->stream); /* creates all when it opens */
    }
    *ret_watch = watch;
    return YURPC_OK;
}

static void visit_regressed(yr_etcd_watch *watch, const void *context)
{
    const int64_t *revision = context;
    if (watch->next_revision > 0) {
        yr_watch_regressed(watch, *revision);
    }
}

void yr_watch_hub_on_regressed(yr_watch_hub *hub, int64_t revision)
{
    for_each_watch(hub, visit_regressed, &revision);
}

static void visit_checked(yr_etcd_watch *watch, const void *context)
{
    const int64_t *revision = context;
    if (watch->next_revision > *revision + 1) {
        yr_watch_regressed(watch, *revision);
    }
}

void yr_watch_hub_on_checked(yr_watch_hub *hub, int64_t revision)
{
    for_each_watch(hub, visit_checked, &revision);
}

void yr_watch_hub_init(yr_watch_hub *hub, yr_etcd *client)
{
    static const yr_duplex_events events = {on_open, on_message, on_cut};
    uint64_t seed[2] = {yr_io_random(client->io), yr_io_random(client->io)};
    hub->client = client;
    hub->watch_count = 0;
    hub->last_serial = 0;
    hub->next_id = 0;
    hub->unheard = 0;
    hub->has_no_progress = false;
    hub->cursor = NULL;
    hub->delivering = NULL;
    yr_list_init(&hub->watches);
    yr_list_init(&hub->creating);
    yr_map_init(&hub->by_id, seed);
    yr_timer_init(&hub->progress_timer, on_progress_due, hub);
    yr_timer_init(&hub->creation_timer, on_creation_due, hub);
    yr_duplex_init(&hub->stream, client, "/etcdserverpb.Watch/Watch", &events, hub);
}

void yr_watch_hub_deinit(yr_watch_hub *hub)
{
    while (!yr_list_is_empty(&hub->watches)) {
        yr_etcd_watch_stop(watch_at(hub->watches.next));
    }
    yr_duplex_deinit(&hub->stream);
    yr_map_deinit(&hub->by_id);
}
