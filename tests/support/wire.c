#include "wire.h"

#include "base/bytes.h"
#include "base/list.h"
#include "fake/alloc.h"
#include "grpc/channel.h"

#include <stdio.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 10000,
    CALL_TIMEOUT_MS = 20000,
};

struct yr_wire {
    yr_wire_options options;
    yr_grpc_channel *channel;
    yr_list calls;
    yr_timer timer;    /* ends a wait */
    char *token;       /* NULL: none */
    char *other_token; /* put aside */
    bool is_due;
};

typedef struct received {
    yr_list link;
    yurpc_bytes bytes; /* owned */
    size_t len;
} received;

struct yr_wire_call {
    yr_list link;
    yr_wire *wire;
    yr_grpc_call *call; /* NULL: over */
    received *partial;
    yr_list messages; /* whole, not yet taken */
    received *taken;
    int code;
    char *text; /* NULL: not ended */
};

/* ---- The connection ---- */

static void on_timer(void *context)
{
    yr_wire *wire = context;
    wire->is_due = true;
}

static void on_ready(void *context)
{
    (void)context;
}

static void on_down(void *context, const yurpc_error *error)
{
    (void)context;
    (void)error; /* each call has its end */
}

yr_wire *yr_wire_new(const yr_wire_options *options)
{
    yr_wire *wire = yr_fake_alloc(sizeof(*wire));
    wire->options = *options;
    yr_list_init(&wire->calls);
    yr_timer_init(&wire->timer, on_timer, wire);
    return wire;
}

void yr_wire_disconnect(yr_wire *wire)
{
    for (yr_list *link = wire->calls.next; link != &wire->calls; link = link->next) {
        YR_CONTAINER_OF(link, yr_wire_call, link)->call = NULL;
    }
    yr_grpc_channel_close(wire->channel);
    wire->channel = NULL;
}

void yr_wire_free(yr_wire *wire)
{
    while (!yr_list_is_empty(&wire->calls)) {
        yr_wire_close(YR_CONTAINER_OF(wire->calls.next, yr_wire_call, link));
    }
    yr_wire_disconnect(wire);
    yr_timer_stop(wire->options.io, &wire->timer);
    yr_fake_release(wire->token);
    yr_fake_release(wire->other_token);
    yr_fake_release(wire);
}

void yr_wire_swap_token(yr_wire *wire)
{
    char *token = wire->token;
    wire->token = wire->other_token;
    wire->other_token = token;
}

void yr_wire_set_token(yr_wire *wire, const char *token)
{
    yr_fake_release(wire->token);
    wire->token = NULL;
    if (token != NULL) {
        wire->token = yr_fake_alloc(strlen(token) + 1);
        memcpy(wire->token, token, strlen(token));
    }
}

/* ---- Waiting ---- */

static void begin_wait(yr_wire *wire, int64_t ms)
{
    wire->is_due = false;
    yr_timer_start(wire->options.io, &wire->timer, ms);
}

void yr_wire_run(yr_wire *wire, int64_t ms)
{
    begin_wait(wire, ms);
    while (!wire->is_due) {
        wire->options.turn(wire->options.context);
    }
}

/* ---- Calls ---- */

static void free_message(received *done)
{
    if (done != NULL) {
        yr_fake_release(done->bytes.data);
        yr_fake_release(done);
    }
}

static void on_part(void *context, const yr_grpc_part *part)
{
    yr_wire_call *call = context;
    if (part->is_first) {
        call->partial = yr_fake_alloc(sizeof(*call->partial));
        call->partial->bytes =
            (yurpc_bytes){yr_fake_alloc(part->message_len + 1), part->message_len};
    }
    union {
        const void *borrowed;
        char *writable;
    } data = {.borrowed = call->partial->bytes.data};
    if (part->bytes.len > 0) {
        memcpy(data.writable + call->partial->len, part->bytes.data, part->bytes.len);
        call->partial->len += part->bytes.len;
    }
    if (part->is_last) {
        yr_list_append(&call->messages, &call->partial->link);
        call->partial = NULL;
    }
}

static void on_end(void *context, const yr_grpc_end *end)
{
    yr_wire_call *call = context;
    call->call = NULL;
    call->code = end->code;
    call->text = yr_fake_alloc(strlen(end->message) + 1);
    memcpy(call->text, end->message, strlen(end->message));
}

static bool connect_wire(yr_wire *wire)
{
    if (wire->channel != NULL) {
        return true;
    }
    const yr_grpc_channel_options options = {
        .host = wire->options.host,
        .port = wire->options.port,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };
    const yr_grpc_channel_events events = {.on_ready = on_ready, .on_down = on_down};
    yurpc_status status =
        yr_grpc_channel_new(wire->options.io, &options, &events, wire, &wire->channel);
    if (status != YURPC_OK) {
        (void)printf("cannot connect: %s\n", yurpc_status_text(status));
    }
    return status == YURPC_OK;
}

yr_wire_call *yr_wire_open(yr_wire *wire, const char *path, const yurpc_bytes *message)
{
    if (!connect_wire(wire)) {
        return NULL;
    }
    yr_wire_call *call = yr_fake_alloc(sizeof(*call));
    call->wire = wire;
    yr_list_init(&call->messages);
    yr_list_append(&wire->calls, &call->link);
    yr_grpc_header headers[2] = {{.name = "hasleader", .value = "true"}};
    size_t header_count = message != NULL ? 0 : 1;
    if (wire->token != NULL) {
        headers[header_count++] = (yr_grpc_header){.name = "token", .value = wire->token};
    }
    const yr_grpc_request request = {
        .path = path,
        .headers = headers,
        .header_count = header_count,
        .deadline_ms = message != NULL ? CALL_TIMEOUT_MS : 0,
        .message = message != NULL ? *message : (yurpc_bytes){0},
        .is_half_closed = message != NULL,
    };
    const yr_grpc_events events = {.on_part = on_part, .on_end = on_end};
    yurpc_status status =
        yr_grpc_channel_call(wire->channel, &request, &events, call, &call->call);
    if (status != YURPC_OK) {
        (void)printf("cannot call: %s\n", yurpc_status_text(status));
        yr_wire_close(call);
        return NULL;
    }
    return call;
}

void yr_wire_close(yr_wire_call *call)
{
    if (call == NULL) {
        return;
    }
    if (call->call != NULL) {
        yr_grpc_call_cancel(call->call);
    }
    while (!yr_list_is_empty(&call->messages)) {
        free_message(YR_CONTAINER_OF(yr_list_take_first(&call->messages), received, link));
    }
    free_message(call->partial);
    free_message(call->taken);
    yr_fake_release(call->text);
    yr_list_remove(&call->link);
    yr_fake_release(call);
}

bool yr_wire_send(yr_wire_call *call, yurpc_bytes bytes)
{
    return call->call != NULL && yr_grpc_call_send(call->call, bytes) == YURPC_OK;
}

void yr_wire_finish(yr_wire_call *call)
{
    if (call->call != NULL) {
        yr_grpc_call_finish(call->call);
    }
}

bool yr_wire_take(yr_wire_call *call, int64_t ms, yurpc_bytes *ret_message)
{
    begin_wait(call->wire, ms);
    while (yr_list_is_empty(&call->messages) && call->call != NULL && !call->wire->is_due) {
        call->wire->options.turn(call->wire->options.context);
    }
    yr_list *link = yr_list_take_first(&call->messages);
    if (link == NULL) {
        return false;
    }
    free_message(call->taken);
    call->taken = YR_CONTAINER_OF(link, received, link);
    *ret_message = call->taken->bytes;
    return true;
}

bool yr_wire_await_end(yr_wire_call *call, int64_t ms, int *ret_code, const char **ret_text)
{
    begin_wait(call->wire, ms);
    while (call->call != NULL && !call->wire->is_due) {
        call->wire->options.turn(call->wire->options.context);
    }
    if (call->text == NULL) {
        return false;
    }
    *ret_code = call->code;
    *ret_text = call->text;
    return true;
}
