#include "etcd/call.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "etcd/client.h"
#include "etcd/encode.h"
#include "etcd/methods.h"
#include "etcd/range_reader.h"

#include <stddef.h>

struct yr_etcd_call {
    yr_list node;
    yr_etcd *client;
    const yr_method *method;
    yr_buf message;
    int64_t deadline_ms; /* absolute */
    bool is_idempotent;
    int64_t
        granted_id; /* the lease that is being granted, while a repeated grant is possible */
    yurpc_etcd_reply_fn *fn; /* NULL: cancelled inside its last callback */
    void *context;

    yr_timer deadline_timer;
    yr_timer retry_timer;
    yr_backoff backoff;
    yurpc_error *error; /* of the last attempt */
    bool is_in_doubt;   /* an attempt may have been processed */
    bool was_refused;   /* on a connection that goes on */
    unsigned renewals;  /* times that the token was refused */
    bool is_ending;

    /* Of a range that is read as it comes; else NULL. */
    yr_range_reader *reader;
    yr_etcd_kvs_fn *on_kvs;
    bool is_handing_out; /* on_kvs runs: who frees the call leaves that to whoever called it */
    bool is_freed;       /* meanwhile */
    bool is_spent;       /* keys were given: that cannot be taken back */

    /* The attempt under way. */
    yr_grpc_call *grpc;
    const yr_grpc_channel *channel;
    int64_t sent_ms;
    uint64_t generation; /* of the token it was sent with */
    yr_history sent;
    yr_gather answer;
    yurpc_status answer_status;
};

void yr_call_list_init(yr_call_list *calls)
{
    yr_list_init(&calls->waiting);
    yr_list_init(&calls->others);
    calls->count = 0;
    calls->bytes = 0;
}

/* ---- Ending ---- */

static void call_forget(yr_etcd_call *call)
{
    if (call->reader != NULL) {
        yr_range_reader_deinit(call->reader);
        yr_free(call->reader);
    }
    yr_free(call);
}

static void call_free(yr_etcd_call *call)
{
    yr_etcd *client = call->client;
    yr_timer_stop(client->io, &call->deadline_timer);
    yr_timer_stop(client->io, &call->retry_timer);
    if (call->grpc != NULL) {
        yr_grpc_call_cancel(call->grpc);
    }
    yr_list_remove(&call->node);
    client->calls.count--;
    client->calls.bytes -= call->message.len;
    yr_buf_deinit(&call->message);
    yr_gather_deinit(&call->answer);
    yurpc_error_free(call->error);
    call->is_freed = true;
    if (!call->is_handing_out) {
        call_forget(call);
    }
}

/* Nothing more happens to the call by itself. */
static void call_settle(yr_etcd_call *call)
{
    call->is_ending = true;
    yr_timer_stop(call->client->io, &call->deadline_timer);
    yr_timer_stop(call->client->io, &call->retry_timer);
    yr_list_remove(&call->node);
}

static void call_finish(yr_etcd_call *call, const yurpc_etcd_reply *reply,
                        const yurpc_error *error)
{
    call_settle(call);
    if (call->fn != NULL) {
        call->fn(call->context, reply, error);
    }
    call_free(call);
}

/* Takes @p error. */
static void call_fail(yr_etcd_call *call, yurpc_error *error)
{
    call_finish(call, NULL, error);
    yurpc_error_free(error);
}

static void call_fail_status(yr_etcd_call *call, yurpc_status status)
{
    call_fail(call, yr_error_new(status, -1, "%s: %s", call->method->path,
                                 yurpc_status_text(status)));
}

void yr_etcd_call_cancel(yr_etcd_call *call)
{
    if (call->is_ending) {
        call->fn = NULL;
    } else {
        call_free(call);
    }
}

static void on_deadline(void *context)
{
    yr_etcd_call *call = context;
    yr_etcd *client = call->client;
    bool is_sent = call->grpc != NULL;
    bool is_doubtful = (is_sent || call->is_in_doubt) && !call->method->is_read;
    bool is_suspect = is_sent &&
                      yr_io_now_ms(client->io) - call->sent_ms >= client->timeout_ms &&
                      call->channel == yr_link_channel(&client->link);
    const yurpc_error *why = call->error != NULL          ? call->error
                             : client->link.error != NULL ? client->link.error
                                                          : client->auth.trouble;
    if (is_sent || is_doubtful || why == NULL) {
        call_fail(call,
                  yr_error_new(YURPC_TIMEOUT, -1, "etcd at %s gave no answer in time%s%s",
                               yr_link_endpoint_name(&client->link), why == NULL ? "" : ": ",
                               why == NULL ? "" : yurpc_error_text(why)));
    } else {
        call_fail(call, yr_error_copy(why));
    }
    if (is_suspect) { /* last, for the owner is called, who may cancel any call */
        yr_link_suspect(&client->link, true);
    }
}

/* ---- Grants ---- */

/*
 * A repeated grant finds that the lease exists: the first attempt worked. Its TTL is in the
 * answer that was lost, so it is asked for.
 */
static yurpc_status call_become_ttl(yr_etcd_call *call)
{
    yr_buf message;
    yr_buf_init(&message, YR_ETCD_REQUEST_MAX);
    yurpc_status status = yr_encode_lease_ttl(call->granted_id, false, &message);
    if (status == YURPC_OK) {
        call->client->calls.bytes += message.len - call->message.len;
        yr_buf_deinit(&call->message);
        call->message = message;
        call->method = &yr_method_lease_ttl;
    } else {
        yr_buf_deinit(&message);
    }
    return status;
}

/* The answer to that, as if it were one to the grant. */
static yurpc_status reply_become_grant(yurpc_etcd_reply *reply)
{
    if (reply->ttl_s <= 0 || reply->granted_ttl_s <= 0) {
        return YURPC_LEASE_LOST;
    }
    reply->ttl_s = reply->granted_ttl_s;
    reply->granted_ttl_s = 0;
    return YURPC_OK;
}

/* ---- Attempts ---- */

static void call_send_or_fail(yr_etcd_call *call);

/* Its user is refused, or the client as a whole. */
static void call_refuse(yr_etcd_call *call, const yurpc_error *refusal)
{
    bool is_doubtful = call->is_in_doubt && !call->method->is_read;
    call_fail(call, is_doubtful ? yr_error_new(YURPC_UNKNOWN_OUTCOME, -1, "%s",
                                               yurpc_error_text(refusal))
                                : yr_error_copy(refusal));
}

static void on_retry(void *context)
{
    yr_etcd_call *call = context;
    const yurpc_error *refusal = yr_link_refusal(&call->client->link);
    if (refusal == NULL) {
        refusal = yr_auth_admit(&call->client->auth);
    }
    if (refusal != NULL) {
        call_refuse(call, refusal);
    } else {
        call_send_or_fail(call);
    }
}

static void call_retry(yr_etcd_call *call, bool is_at_once)
{
    yr_etcd *client = call->client;
    int64_t delay_ms =
        is_at_once ? 0 : yr_backoff_next_ms(&call->backoff, yr_io_random(client->io));
    yr_timer_start(client->io, &call->retry_timer, delay_ms);
}

static yurpc_status call_decode(const yr_etcd_call *call, yr_reply **ret_reply)
{
    if (call->reader != NULL) {
        return yr_range_reader_finish(call->reader, ret_reply);
    }
    return call->answer.is_whole
               ? call->method->decode(yr_gather_message(&call->answer), ret_reply)
               : YURPC_PROTOCOL;
}

static void call_succeeded(yr_etcd_call *call)
{
    yr_etcd *client = call->client;
    yr_reply *reply = NULL;
    bool is_detached = false;
    yurpc_status status = call->answer_status;
    if (status == YURPC_OK) {
        status = call_decode(call, &reply);
    }
    if (status != YURPC_OK) {
        call_fail_status(call, status);
        return;
    }
    yr_auth_accepted(&client->auth, call->generation);
    call_settle(call); /* the note may call the owner, who may cancel this call */
    yr_header header = yr_reply_header(&reply->reply);
    bool is_linearizable = call->method->is_linearizable;
    /* etcd says who it is, and when; nothing at all would pass for an empty list. */
    bool is_anonymous = header.cluster_id == 0 || (is_linearizable && header.revision <= 0);
    if (is_anonymous || !yr_etcd_note(client, &header, &call->sent, is_linearizable)) {
        status = YURPC_PROTOCOL;
    } else if (call->method == &yr_method_lease_ttl && call->granted_id != 0) {
        status = reply_become_grant(&reply->reply);
    }
    if (status != YURPC_OK) {
        call_fail_status(call, status);
    } else {
        reply->ret_detached = &is_detached;
        call_finish(call, &reply->reply, NULL);
    }
    if (!is_detached) {
        yr_reply_free(reply);
    }
}

/* Its token was refused: wait for another one, or say why that is no use. */
static void call_log_in_or_fail(yr_etcd_call *call, const yr_grpc_end *end,
                                yr_etcd_verdict verdict)
{
    yr_auth *auth = &call->client->auth;
    if (call->renewals < YR_ETCD_RENEWALS_MAX && yr_auth_renew(auth, call->generation, true)) {
        call->renewals++;
        call_retry(call, true);
    } else if (auth->refusal != NULL) {
        call_refuse(call, auth->refusal);
    } else {
        call_fail(call, yr_error_new(verdict.status, end->code, "%s", end->message));
    }
}

/* Repeat the call if that is right, else end it. */
static void call_retry_or_fail(yr_etcd_call *call, const yr_grpc_end *end,
                               yr_etcd_verdict verdict)
{
    int code = end->is_remote ? end->code : -1;
    bool is_untouched = end->is_unprocessed || verdict.is_rejected;
    bool is_passing = verdict.remedy == YR_REMEDY_RETRY;
    if (call->is_spent) {
        call_fail(call, yr_error_new(verdict.status, code, "%s", end->message));
        return;
    }
    if (verdict.remedy == YR_REMEDY_LOG_IN && end->is_remote) {
        call_log_in_or_fail(call, end, verdict);
        return;
    }
    if (verdict.status == YURPC_EXISTS && call->is_in_doubt && call->granted_id != 0 &&
        call->method != &yr_method_lease_ttl && call_become_ttl(call) == YURPC_OK) {
        call_retry(call, true);
        return;
    }
    call->is_in_doubt = call->is_in_doubt || !is_untouched;
    if (end->is_unprocessed || (is_passing && (is_untouched || call->is_idempotent))) {
        yurpc_error_free(call->error);
        call->error = yr_error_new(verdict.status, code, "%s", end->message);
        /* One refusal is chance; a server that goes on refusing must not be asked without
         * pause. */
        bool is_refused = end->is_unprocessed && !end->is_transport;
        call_retry(call, end->is_transport || (is_refused && !call->was_refused));
        call->was_refused = call->was_refused || is_refused;
        return;
    }
    /* Not the server ended it: a reset, or an answer that cannot be read. */
    bool is_broken = !end->is_remote && !is_untouched && verdict.status != YURPC_TIMEOUT;
    bool is_unknown =
        (verdict.status == YURPC_UNAVAILABLE || is_broken) && !call->method->is_read;
    call_fail(call, yr_error_new(is_unknown ? YURPC_UNKNOWN_OUTCOME : verdict.status, code,
                                 "%s", end->message));
}

static void call_failed(yr_etcd_call *call, const yr_grpc_end *end)
{
    yr_link *link = &call->client->link;
    yr_etcd_verdict verdict = yr_etcd_verdict_of_end(end->code, end->message);
    bool is_suspect = verdict.remedy == YR_REMEDY_RETRY && !end->is_transport &&
                      !end->is_unprocessed && call->channel == yr_link_channel(link);
    call_retry_or_fail(call, end, verdict);
    if (is_suspect) { /* last, for the owner is called, who may cancel any call */
        yr_link_suspect(link, !end->is_remote);
    }
}

static void on_part(void *context, const yr_grpc_part *part)
{
    yr_etcd_call *call = context;
    if (call->answer_status != YURPC_OK) {
        return;
    }
    if (call->reader == NULL) {
        call->answer_status = yr_gather_add(&call->answer, part);
        return;
    }
    call->is_handing_out = true;
    call->answer_status = yr_range_reader_add(call->reader, part);
    call->is_handing_out = false;
    if (call->is_freed) {
        call_forget(call);
    }
}

static void on_kvs(void *context, const yurpc_etcd_kv *kvs, size_t count)
{
    yr_etcd_call *call = context;
    if (!call->is_freed) {
        call->is_spent = true;
        call->on_kvs(call->context, kvs, count);
    }
}

static void on_end(void *context, const yr_grpc_end *end)
{
    yr_etcd_call *call = context;
    call->grpc = NULL;
    if (end->code == YR_GRPC_OK) {
        call_succeeded(call);
    } else {
        call_failed(call, end);
    }
}

static yurpc_status call_send(yr_etcd_call *call)
{
    static const yr_grpc_events events = {on_part, on_end};
    yr_etcd *client = call->client;
    yr_grpc_channel *channel = yr_link_channel(&client->link);
    yr_list_remove(&call->node);
    if (channel == NULL || !yr_auth_is_ready(&client->auth)) {
        yr_list_append(&client->calls.waiting, &call->node);
        return YURPC_OK;
    }
    yr_grpc_header token[1];
    int64_t left_ms = call->deadline_ms - yr_io_now_ms(client->io);
    left_ms = left_ms < 1 ? 1 : left_ms;
    bool is_repeatable = call->is_idempotent && left_ms > client->timeout_ms;
    yr_grpc_request request = {.path = call->method->path,
                               .headers = token,
                               .header_count = yr_auth_add_header(&client->auth, token, 0),
                               .deadline_ms = is_repeatable ? client->timeout_ms : left_ms,
                               .message = call->message.data == NULL
                                              ? yr_bytes("", 0)
                                              : yr_bytes(call->message.data, call->message.len),
                               .is_half_closed = true};
    yr_gather_deinit(&call->answer);
    if (call->reader != NULL) {
        yr_range_reader_deinit(call->reader);
        yr_range_reader_init(call->reader, on_kvs, call);
    }
    call->answer_status = YURPC_OK;
    call->generation = client->auth.generation;
    call->sent = client->history;
    call->sent_ms = yr_io_now_ms(client->io);
    call->channel = channel;
    yurpc_status status = yr_grpc_channel_call(channel, &request, &events, call, &call->grpc);
    bool is_refused = status == YURPC_UNAVAILABLE; /* the next channel will do */
    yr_list_append(is_refused ? &client->calls.waiting : &client->calls.others, &call->node);
    return is_refused ? YURPC_OK : status;
}

static void call_send_or_fail(yr_etcd_call *call)
{
    yurpc_status status = call_send(call);
    if (status != YURPC_OK) {
        call_fail_status(call, status);
    }
}

/* ---- All of them ---- */

yurpc_status yr_call_begin(yr_etcd *client, yr_call_request *request, yurpc_etcd_reply_fn *fn,
                           void *context, yr_etcd_call **ret_call)
{
    yr_call_list *calls = &client->calls;
    if (client->is_closing) {
        return YURPC_CLOSED;
    }
    if (calls->count >= YR_ETCD_CALLS_MAX ||
        request->message.len > YR_ETCD_CALL_BYTES_MAX - calls->bytes) {
        return YURPC_TOO_LARGE;
    }
    yr_etcd_call *call = yr_calloc(1, sizeof *call);
    yr_range_reader *reader = request->on_kvs != NULL ? yr_calloc(1, sizeof *reader) : NULL;
    if (call == NULL || (request->on_kvs != NULL && reader == NULL)) {
        yr_free(call);
        yr_free(reader);
        return YURPC_NO_MEMORY;
    }
    call->reader = reader;
    call->on_kvs = request->on_kvs;
    yr_list_init(&call->node);
    yr_timer_init(&call->deadline_timer, on_deadline, call);
    yr_timer_init(&call->retry_timer, on_retry, call);
    yr_backoff_init(&call->backoff, YR_ETCD_RETRY_MS, YR_ETCD_RETRY_MAX_MS);
    yr_gather_init(&call->answer);
    call->client = client;
    call->method = request->method;
    call->is_idempotent = request->is_idempotent || request->method->is_read;
    call->granted_id = request->granted_id;
    call->fn = fn;
    call->context = context;
    call->message = request->message;
    yr_buf_init(&request->message, YR_ETCD_REQUEST_MAX);
    calls->count++;
    calls->bytes += call->message.len;
    int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : client->timeout_ms;
    call->deadline_ms = yr_io_now_ms(client->io) + timeout_ms;
    yr_timer_start(client->io, &call->deadline_timer, timeout_ms);
    yurpc_status status = YURPC_OK;
    if (yr_auth_admit(&client->auth) != NULL) {
        yr_list_append(&calls->others, &call->node);
        yr_timer_start(client->io, &call->retry_timer, 0); /* it is told on a later turn */
    } else {
        status = call_send(call);
    }
    if (status != YURPC_OK) {
        call_free(call);
        return status;
    }
    if (ret_call != NULL) {
        *ret_call = call;
    }
    return YURPC_OK;
}

void yr_calls_on_up(yr_etcd *client)
{
    yr_list waiting;
    yr_list_init(&waiting);
    yr_list_move_all(&waiting, &client->calls.waiting);
    while (!yr_list_is_empty(&waiting)) {
        call_send_or_fail(YR_CONTAINER_OF(waiting.next, yr_etcd_call, node));
    }
}

void yr_calls_on_refused(yr_etcd *client)
{
    yr_list *node = NULL;
    while ((node = yr_list_take_first(&client->calls.waiting)) != NULL) {
        yr_etcd_call *call = YR_CONTAINER_OF(node, yr_etcd_call, node);
        yr_list_append(&client->calls.others, node);
        yr_timer_start(client->io, &call->retry_timer, 0);
    }
}

void yr_calls_on_closed(yr_etcd *client, const yr_grpc_channel *channel)
{
    static const yr_grpc_end end = {.code = YR_GRPC_UNAVAILABLE,
                                    .message = "the connection was given up",
                                    .is_transport = true};
    yr_list calls;
    yr_list_init(&calls);
    yr_list_move_all(&calls, &client->calls.others);
    while (!yr_list_is_empty(&calls)) {
        yr_etcd_call *call = YR_CONTAINER_OF(calls.next, yr_etcd_call, node);
        yr_list_remove(&call->node);
        yr_list_append(&client->calls.others, &call->node);
        if (call->grpc != NULL && call->channel == channel) {
            call->grpc = NULL;
            call_failed(call, &end);
        }
    }
}

void yr_calls_cancel_all(yr_etcd *client)
{
    yr_list_move_all(&client->calls.others, &client->calls.waiting);
    while (!yr_list_is_empty(&client->calls.others)) {
        yr_etcd_call *call = YR_CONTAINER_OF(client->calls.others.next, yr_etcd_call, node);
        call_fail_status(call, YURPC_CANCELED);
    }
}
