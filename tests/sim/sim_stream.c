/* Streams of the simulated world: segments that travel from one end to the other. */
#include "base/error.h"
#include "base/mem.h"
#include "sim/sim_world.h"

#include <stdio.h>
#include <string.h>

enum { PIECES_MAX = 8 }; /* into which what is sent at once is split */

static sim_stream *stream_of(yr_stream *stream)
{
    return (sim_stream *)(void *)stream;
}

static size_t pending(const yr_stream *base)
{
    const sim_stream *stream = (const sim_stream *)(const void *)base;
    return stream->out.len - stream->sent;
}

/* ---- Segments ---- */

static void plan_arrival(sim_stream *stream)
{
    if (yr_list_is_empty(&stream->inbox)) {
        sim_unschedule(stream->host->sim, &stream->arrival);
        return;
    }
    const segment *first = YR_CONTAINER_OF(stream->inbox.next, segment, link);
    sim_schedule(stream->host->sim, &stream->arrival, first->due_ms);
}

void sim_stream_release(sim_stream *stream, int64_t delay_ms)
{
    yr_sim *sim = stream->host->sim;
    if (!sim_is_cut(stream->peer_host, stream->host)) {
        sim_unschedule(sim, &stream->expiry);
    }
    if (!yr_list_is_empty(&stream->inbox)) {
        const segment *first = YR_CONTAINER_OF(stream->inbox.next, segment, link);
        int64_t soon_ms = sim->now_ms + delay_ms;
        sim_schedule(sim, &stream->arrival, first->due_ms > soon_ms ? first->due_ms : soon_ms);
    }
}

static segment *segment_new(segment_kind kind, yurpc_bytes bytes)
{
    segment *one = sim_alloc(sizeof *one + bytes.len);
    one->kind = kind;
    one->len = bytes.len;
    yr_list_init(&one->link);
    if (bytes.len > 0) {
        memcpy(one->data, bytes.data, bytes.len);
    }
    return one;
}

static void append_segment(sim_stream *to, segment *one, int64_t due_ms)
{
    if (!yr_list_is_empty(&to->inbox)) {
        const segment *last = YR_CONTAINER_OF(to->inbox.prev, segment, link);
        due_ms = due_ms > last->due_ms ? due_ms : last->due_ms;
    }
    one->due_ms = due_ms;
    to->inbox_len += one->len;
    yr_list_append(&to->inbox, &one->link);
    plan_arrival(to);
}

/* Over the network, from the other end of @p to. */
static void send_segment(sim_stream *to, segment *one)
{
    yr_sim *sim = to->host->sim;
    append_segment(to, one, sim->now_ms + sim_latency_ms(sim));
}

static void empty_inbox(sim_stream *stream)
{
    yr_list *link = yr_list_take_first(&stream->inbox);
    while (link != NULL) {
        sim_dealloc(YR_CONTAINER_OF(link, segment, link));
        link = yr_list_take_first(&stream->inbox);
    }
    stream->inbox_len = 0;
    plan_arrival(stream);
}

static const char refused[] = "connection refused";

/* What is under way to @p to is lost, and instead it learns @p why. */
static void send_failure(sim_stream *to, const char *why, bool is_local)
{
    empty_inbox(to);
    segment *one = segment_new(SEGMENT_FAIL, (yurpc_bytes){NULL, 0});
    one->why = why;
    one->is_local = is_local;
    if (is_local) {
        append_segment(to, one, to->host->sim->now_ms);
    } else {
        send_segment(to, one);
    }
}

static void unlink_peer(sim_stream *stream)
{
    if (stream->peer != NULL) {
        stream->peer->peer = NULL;
        stream->peer = NULL;
    }
}

/* ---- Sending ---- */

static void mark_unsent(sim_stream *stream)
{
    if (stream->state == STREAM_CONNECTING || stream->host->is_dead) {
        return;
    }
    yr_list_remove(&stream->unsent);
    yr_list_append(&stream->host->unsent, &stream->unsent);
    if (!stream->host->is_in_turn) {
        sim_wake_host(stream->host);
    }
}

static size_t piece_len(yr_sim *sim, size_t len, int *pieces)
{
    size_t max = len < YR_SIM_SEGMENT_MAX ? len : YR_SIM_SEGMENT_MAX;
    if (!sim->is_splitting || ++*pieces >= PIECES_MAX) {
        return max;
    }
    return 1 + (size_t)sim_network_below(sim, max);
}

static void send_data(sim_stream *stream)
{
    int pieces = 0;
    while (pending(&stream->stream) > 0 &&
           (stream->peer == NULL || stream->peer->inbox_len < YR_SIM_WINDOW)) {
        size_t len = piece_len(stream->host->sim, pending(&stream->stream), &pieces);
        if (stream->peer != NULL) {
            yurpc_bytes bytes = {stream->out.data + stream->sent, len};
            send_segment(stream->peer, segment_new(SEGMENT_DATA, bytes));
        }
        stream->sent += len;
    }
    if (stream->sent > stream->out.len / 2) {
        yr_buf_consume(&stream->out, stream->sent);
        stream->sent = 0;
    }
}

void sim_stream_send(sim_stream *stream)
{
    bool had_some = pending(&stream->stream) > 0;
    stream->host->writes += had_some;
    send_data(stream);
    if (pending(&stream->stream) > 0) {
        return; /* the window is full; the other end's reading goes on with it */
    }
    if (stream->is_finished && !stream->is_fin_sent) {
        stream->is_fin_sent = true;
        if (stream->peer != NULL) {
            send_segment(stream->peer, segment_new(SEGMENT_FIN, (yurpc_bytes){NULL, 0}));
        }
    }
    if (had_some && stream->state == STREAM_OPEN && stream->events.on_drain != NULL) {
        sim_trace(stream->host, "drained to %s", stream->peer_name);
        stream->events.on_drain(stream->context);
    }
}

static yurpc_status write_bytes(yr_stream *base, yurpc_bytes bytes)
{
    sim_stream *stream = stream_of(base);
    if (stream->state == STREAM_ENDED || stream->is_finished) {
        return YURPC_CLOSED;
    }
    if (bytes.len > YR_STREAM_PENDING_MAX - pending(base)) {
        return YURPC_TOO_LARGE;
    }
    yurpc_status status = yr_buf_append(&stream->out, bytes.data, bytes.len);
    if (status == YURPC_OK && bytes.len > 0) {
        mark_unsent(stream);
    }
    return status;
}

static void finish(yr_stream *base)
{
    sim_stream *stream = stream_of(base);
    if (stream->state != STREAM_ENDED && !stream->is_finished) {
        stream->is_finished = true;
        mark_unsent(stream);
    }
}

/* ---- Life ---- */

static void stream_free(sim_stream *stream)
{
    yr_sim *sim = stream->host->sim;
    stream->state = STREAM_CLOSED;
    empty_inbox(stream);
    sim_unschedule(sim, &stream->arrival);
    sim_unschedule(sim, &stream->expiry);
    yr_timer_stop(&stream->host->io, &stream->deadline);
    yr_list_remove(&stream->unsent);
    yr_list_remove(&stream->link);
    yr_buf_deinit(&stream->out);
    yr_free(stream->peer_name);
    sim_bury(sim, &stream->grave, stream);
}

void sim_stream_drop(sim_stream *stream)
{
    unlink_peer(stream);
    stream_free(stream);
}

static void close_stream(yr_stream *base)
{
    sim_stream *stream = stream_of(base);
    YR_ASSERT(stream->state != STREAM_CLOSED && stream->state != STREAM_ARRIVING);
    sim_trace(stream->host, "closes its connection with %s", stream->peer_name);
    if (stream->peer != NULL && !stream->is_fin_sent) {
        send_segment(stream->peer, segment_new(SEGMENT_FIN, (yurpc_bytes){NULL, 0}));
    }
    unlink_peer(stream);
    stream_free(stream);
}

void sim_stream_break(sim_stream *stream, bool is_noticed, bool is_in_order)
{
    if (stream->peer != NULL && is_in_order) {
        send_segment(stream->peer, segment_new(SEGMENT_FIN, (yurpc_bytes){NULL, 0}));
    } else if (stream->peer != NULL) {
        send_failure(stream->peer, "connection reset by peer", false);
    }
    unlink_peer(stream);
    if (is_noticed) {
        send_failure(stream, "connection reset by peer", true);
    } else {
        empty_inbox(stream);
    }
}

static void accept_stream(yr_stream *base, const yr_stream_events *events, void *context)
{
    sim_stream *stream = stream_of(base);
    YR_ASSERT(stream->state == STREAM_WAITING);
    stream->events = *events;
    stream->context = context;
    stream->state = STREAM_OPEN;
    plan_arrival(stream);
}

static const yr_stream_ops stream_ops = {
    .write = write_bytes,
    .pending = pending,
    .finish = finish,
    .close = close_stream,
    .accept = accept_stream,
};

/* ---- Arrival ---- */

static void end_stream(sim_stream *stream, yurpc_error *error)
{
    sim_trace(stream->host, "ends: %s",
              error != NULL ? yurpc_error_text(error) : "closed by the other end");
    yr_timer_stop(&stream->host->io, &stream->deadline);
    stream->state = STREAM_ENDED;
    stream->events.on_end(stream->context, error);
    yurpc_error_free(error);
}

static void on_deadline(void *context)
{
    sim_stream *stream = context;
    if (stream->peer != NULL) { /* the other end may know of us, when only its answer is late */
        send_failure(stream->peer, "connection reset by peer", false);
        unlink_peer(stream);
    }
    empty_inbox(stream);
    end_stream(stream, yr_error_new(YURPC_UNAVAILABLE, -1,
                                    "cannot connect to %s: no answer within %lld ms",
                                    stream->peer_name, (long long)stream->timeout_ms));
}

/* The kernel's part of accepting: also while the process is frozen. */
static void on_syn(sim_stream *stream)
{
    const yr_sim_host *host = stream->host;
    if (stream->peer == NULL) {
        sim_stream_drop(stream); /* closed already */
        return;
    }
    if (host->is_refusing || host->is_dead || sim_find_listener(host, stream->port) == NULL) {
        send_failure(stream->peer, refused, false);
        sim_stream_drop(stream);
        return;
    }
    stream->state = STREAM_BACKLOG;
    send_segment(stream->peer, segment_new(SEGMENT_SYNACK, (yurpc_bytes){NULL, 0}));
    segment *accept = segment_new(SEGMENT_ACCEPT, (yurpc_bytes){NULL, 0});
    accept->is_local = true;
    accept->due_ms = host->sim->now_ms;
    accept->link.next = stream->inbox.next; /* before all that came meanwhile */
    accept->link.prev = &stream->inbox;
    stream->inbox.next->prev = &accept->link;
    stream->inbox.next = &accept->link;
}

static void on_accept(sim_stream *stream)
{
    sim_listener *listener = sim_find_listener(stream->host, stream->port);
    if (listener == NULL) { /* closed meanwhile */
        sim_stream_break(stream, false, false);
        sim_stream_drop(stream);
        return;
    }
    sim_trace(stream->host, "accepts %s", stream->peer_name);
    stream->state = STREAM_WAITING;
    listener->fn(listener->context, &stream->stream);
}

static void on_data_segment(sim_stream *stream, segment *one)
{
    sim_stream *peer = stream->peer;
    if (peer != NULL && pending(&peer->stream) > 0) {
        mark_unsent(peer); /* there is room in the window now */
    }
    sim_trace(stream->host, "gets %zu bytes from %s", one->len, stream->peer_name);
    stream->events.on_data(stream->context, (yurpc_bytes){one->data, one->len});
}

static void on_segment(sim_stream *stream, segment *one)
{
    bool was_connecting = stream->state == STREAM_CONNECTING;
    switch (one->kind) {
    case SEGMENT_SYN:
        return; /* never gets here */
    case SEGMENT_ACCEPT:
        on_accept(stream);
        return;
    case SEGMENT_SYNACK:
        sim_trace(stream->host, "is connected to %s", stream->peer_name);
        yr_timer_stop(&stream->host->io, &stream->deadline);
        stream->state = STREAM_OPEN;
        mark_unsent(stream);
        stream->events.on_open(stream->context);
        return;
    case SEGMENT_DATA:
        on_data_segment(stream, one);
        return;
    case SEGMENT_FIN:
        end_stream(stream, NULL);
        return;
    case SEGMENT_FAIL:
        if (stream->state == STREAM_BACKLOG || stream->state == STREAM_ARRIVING) {
            sim_stream_drop(stream); /* nobody ever heard of it */
            return;
        }
        unlink_peer(stream);
        end_stream(stream,
                   yr_error_new(YURPC_UNAVAILABLE, one->why == refused ? YR_ERROR_REFUSED : -1,
                                was_connecting ? "cannot connect to %s: %s"
                                               : "the connection with %s was lost: %s",
                                stream->peer_name, one->why));
        return;
    }
}

/* The kernel of the other end has sent it again for long enough. */
static void on_expiry(void *context)
{
    sim_stream *stream = context;
    sim_trace(stream->host, "will not get what %s gave up", stream->peer_name);
    if (stream->peer != NULL) {
        send_failure(stream->peer, "connection timed out", true);
        unlink_peer(stream);
    }
    send_failure(stream, "connection reset by peer", false);
}

static void plan_expiry(sim_stream *stream, const segment *one)
{
    yr_sim *sim = stream->host->sim;
    bool is_confirmed = one->kind == SEGMENT_SYN || one->kind == SEGMENT_FAIL;
    if (!stream->is_dialled && !is_confirmed && !stream->expiry.node.is_in) {
        sim_schedule(sim, &stream->expiry, sim->now_ms + YR_SIM_UNACKED_MAX_MS);
    }
}

/* Whether the segment cannot get through now; what changes that also reschedules. */
static bool is_held(sim_stream *stream, const segment *one)
{
    if (!one->is_local && sim_is_cut(stream->peer_host, stream->host)) {
        plan_expiry(stream, one);
        return true;
    }
    if (one->kind == SEGMENT_SYN) {
        return false;
    }
    return stream->host->is_frozen || stream->host->is_dead || stream->state == STREAM_WAITING;
}

/* Into @p one, which is replaced, what can be delivered together with it. */
static segment *join(sim_stream *stream, segment *one)
{
    while (!yr_list_is_empty(&stream->inbox)) {
        segment *next = YR_CONTAINER_OF(stream->inbox.next, segment, link);
        if (next->kind != SEGMENT_DATA || next->due_ms > stream->host->sim->now_ms ||
            one->len + next->len > YR_SIM_SEGMENT_MAX ||
            sim_network_below(stream->host->sim, 2) == 0) {
            break;
        }
        segment *both = sim_alloc(sizeof *both + one->len + next->len);
        both->kind = SEGMENT_DATA;
        both->len = one->len + next->len;
        memcpy(both->data, one->data, one->len);
        memcpy(both->data + one->len, next->data, next->len);
        yr_list_remove(&next->link);
        sim_dealloc(next);
        sim_dealloc(one);
        one = both;
    }
    return one;
}

static void deliver(sim_stream *stream, segment *one)
{
    if (one->kind == SEGMENT_SYN) {
        on_syn(stream); /* the kernel's: no turn of the process */
        return;
    }
    yr_sim_host *host = stream->host;
    sim_begin_turn(host);
    if (stream->state != STREAM_ENDED) {
        on_segment(stream, one);
    }
    sim_end_turn(host);
}

static void on_arrival(void *context)
{
    sim_stream *stream = context;
    segment *one = YR_CONTAINER_OF(stream->inbox.next, segment, link);
    if (is_held(stream, one)) {
        return;
    }
    yr_list_remove(&one->link);
    if (one->kind == SEGMENT_DATA && stream->host->sim->is_splitting) {
        one = join(stream, one);
    }
    stream->inbox_len -= one->len;
    deliver(stream, one);
    sim_dealloc(one);
    if (stream->state != STREAM_CLOSED) {
        plan_arrival(stream);
    }
}

/* ---- Connecting ---- */

static sim_stream *stream_new(yr_sim_host *host, const char *peer_name, uint16_t peer_port)
{
    sim_stream *stream = yr_calloc(1, sizeof *stream);
    size_t size = strlen(peer_name) + 8;
    char *name = yr_calloc(1, size);
    if (stream == NULL || name == NULL) {
        yr_free(stream);
        yr_free(name);
        return NULL;
    }
    (void)snprintf(name, size, "%s:%u", peer_name, (unsigned)peer_port);
    stream->stream.ops = &stream_ops;
    stream->host = host;
    stream->peer_name = name;
    stream->port = peer_port;
    stream->arrival = (sim_event){.fn = on_arrival, .context = stream};
    stream->expiry = (sim_event){.fn = on_expiry, .context = stream};
    yr_list_init(&stream->inbox);
    yr_list_init(&stream->unsent);
    yr_timer_init(&stream->deadline, on_deadline, stream);
    yr_buf_init(&stream->out, (size_t)2 * YR_STREAM_PENDING_MAX);
    yr_list_append(&host->streams, &stream->link);
    return stream;
}

static void meet(sim_stream *client, sim_stream *server)
{
    client->peer = server;
    server->peer = client;
    client->peer_host = server->host;
    server->peer_host = client->host;
    server->state = STREAM_ARRIVING;
    send_segment(server, segment_new(SEGMENT_SYN, (yurpc_bytes){NULL, 0}));
}

yurpc_status sim_connect(yr_io *io, const yr_connect_options *options,
                         const yr_stream_events *events, void *context, yr_stream **ret_stream)
{
    yr_sim_host *host = YR_CONTAINER_OF(io, yr_sim_host, io);
    if (options->host[0] == '\0' || options->port == 0) {
        return YURPC_INVALID;
    }
    sim_stream *client = stream_new(host, options->host, options->port);
    if (client == NULL) {
        return YURPC_NO_MEMORY;
    }
    client->state = STREAM_CONNECTING;
    client->is_dialled = true;
    client->events = *events;
    client->context = context;
    client->timeout_ms = options->timeout_ms;
    *ret_stream = &client->stream;
    sim_trace(host, "connects to %s", client->peer_name);
    host->connects++;
    if (host->is_dead) {
        return YURPC_OK; /* nothing comes of it */
    }
    yr_sim_host *target = sim_find_host(host, options->host);
    sim_stream *server = target != NULL ? stream_new(target, host->name, options->port) : NULL;
    if (server != NULL) {
        meet(client, server);
    } else {
        send_failure(client, target == NULL ? "no such host" : "out of memory", true);
    }
    yr_timer_start(io, &client->deadline, options->timeout_ms);
    return YURPC_OK;
}
