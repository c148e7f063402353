#include "grpc_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIG_LEN = 8 * 1024 * 1024 };

static void on_part(void *context, const yr_grpc_part *part)
{
    heard *call = context;
    size_t room = call->len < HEARD_MAX ? HEARD_MAX - call->len : 0;
    size_t len = part->bytes.len < room ? part->bytes.len : room;
    if (len > 0) {
        memcpy(call->bytes + call->len, part->bytes.data, len);
    }
    call->len += part->bytes.len;
    call->parts++;
    call->messages += part->is_last ? 1 : 0;
    if (call->cancel != NULL) {
        yr_grpc_call *other = call->cancel;
        call->cancel = NULL;
        yr_grpc_call_cancel(other);
    }
}

static void on_end(void *context, const yr_grpc_end *end)
{
    heard *call = context;
    call->ends++;
    call->end = *end;
    (void)snprintf(call->text, sizeof call->text, "%s", end->message);
    call->end.message = call->text;
}

const yr_grpc_events heard_events = {on_part, on_end};

yr_grpc_request unary(const char *path, const char *message)
{
    return (yr_grpc_request){
        .path = path, .message = {message, strlen(message)}, .is_half_closed = true};
}

yr_grpc_request stream(const char *path)
{
    return (yr_grpc_request){.path = path};
}

static void on_call(void *context, yr_fake_call *call)
{
    echo *state = context;
    state->last = call;
    const char *path = yr_fake_call_path(call);
    if (strncmp(path, "/code/", 6) == 0) {
        yr_fake_call_end(call, (int)strtol(path + 6, NULL, 10), "as you asked");
    } else if (strcmp(path, "/big") == 0) {
        void *big = calloc(1, BIG_LEN);
        yr_fake_call_send(call, (yurpc_bytes){big, BIG_LEN});
        free(big);
    } else if (strcmp(path, "/echo") != 0 && strcmp(path, "/silent") != 0) {
        yr_fake_call_end(call, YR_GRPC_UNIMPLEMENTED, "unknown method");
    }
}

static void on_message(void *context, yr_fake_call *call, yurpc_bytes message)
{
    (void)context;
    if (strcmp(yr_fake_call_path(call), "/echo") == 0) {
        yr_fake_call_send(call, message);
    }
}

static void on_half_close(void *context, yr_fake_call *call)
{
    echo *state = context;
    state->half_closed++;
    if (strcmp(yr_fake_call_path(call), "/echo") == 0) {
        yr_fake_call_end(call, YR_GRPC_OK, NULL);
    }
}

static void on_close(void *context, yr_fake_call *call)
{
    echo *state = context;
    state->closed++;
    state->last = state->last == call ? NULL : state->last;
}

const yr_fake_handlers echo_handlers = {
    .on_call = on_call,
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_close = on_close,
};
