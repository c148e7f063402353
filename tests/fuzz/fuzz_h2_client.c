/*
 * A server that speaks HTTP/2 well enough to get far, with any settings, and a program that
 * begins, sends on, finishes and cancels calls meanwhile, inside callbacks, too. Each call ends
 * exactly once or, if it was cancelled, not at all, and the connection counts them rightly.
 *
 * The input is operations, one behind the other; see run(). The raw bytes are fuzz_grpc_conn's.
 */
#include "base/mem.h"
#include "fuzz.h"
#include "grpc/conn.h"

#include <string.h>

enum { CALLS = 12, STEPS_MAX = 400, FRAME_MAX = 600, OUT_MAX = 64 * 1024 * 1024 };

/* HTTP/2's types of frames. */
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONT };

typedef struct client {
    struct world *world;
    yr_grpc_call *call; /* NULL: none, or it is over */
    uint8_t habit;      /* what it does inside its callbacks */
    bool is_cancelled;
    bool has_ended;
    size_t message_left;
} client;

typedef struct world {
    yr_grpc_conn *conn;
    yr_buf out;
    int64_t now_ms;
    client clients[CALLS];
    size_t live; /* calls that are neither over nor cancelled */
    bool is_in_callback;
    size_t piece;
} world;

/* ---- The program's side ---- */

static void begin(world *w, uint8_t which, uint8_t habit);

static void cancel(world *w, client *c)
{
    if (c->call != NULL) {
        c->is_cancelled = true;
        yr_grpc_call_cancel(c->call);
        c->call = NULL;
        w->live--;
    }
}

static void send_on(client *c, size_t len)
{
    static const uint8_t zeros[100000];
    if (c->call != NULL) {
        yurpc_status status = yr_grpc_call_send(c->call, yr_bytes(zeros, len));
        require(status == YURPC_OK || status == YURPC_CLOSED || status == YURPC_TOO_LARGE ||
                status == YURPC_NO_MEMORY);
    }
}

static void act(client *c)
{
    client *other = &c->world->clients[c->habit / 8U % CALLS];
    switch (c->habit % 8) {
    case 1:
        send_on(other, 10);
        break;
    case 2:
        if (other != c || !c->has_ended) {
            cancel(c->world, other);
        }
        break;
    case 3:
        begin(c->world, c->habit / 8U % CALLS, 0);
        break;
    case 4:
        if (other->call != NULL) {
            yr_grpc_call_finish(other->call);
        }
        break;
    default:
        break;
    }
}

static void on_part(void *context, const yr_grpc_part *part)
{
    client *c = context;
    require(!c->has_ended && !c->is_cancelled);
    require(part->message_len <= YR_GRPC_MESSAGE_MAX);
    require(part->is_first || c->message_left > 0 || part->is_last);
    c->message_left = part->is_first ? part->message_len : c->message_left;
    require(part->bytes.len <= c->message_left);
    c->message_left -= part->bytes.len;
    require(part->is_last == (c->message_left == 0));
    act(c);
}

static void on_end(void *context, const yr_grpc_end *end)
{
    client *c = context;
    require(!c->has_ended && !c->is_cancelled && c->call != NULL);
    require(end->message != NULL && end->code >= 0 && end->code <= YR_GRPC_UNAUTHENTICATED);
    c->has_ended = true;
    c->call = NULL;
    c->world->live--;
    act(c);
}

static void begin(world *w, uint8_t which, uint8_t habit)
{
    static const yr_grpc_events events = {on_part, on_end};
    static const uint8_t zeros[70000];
    client *c = &w->clients[which % CALLS];
    if (c->call != NULL || w->is_in_callback) {
        return; /* a slot is used again only outside: the callback may be that call's */
    }
    const yr_grpc_request request = {
        .path = "/etcdserverpb.Watch/Watch",
        .deadline_ms = habit >= 128 ? habit : 0,
        .message = yr_bytes(zeros, which >= 200 ? sizeof zeros : 5),
        .is_half_closed = which % 2 == 0,
    };
    *c = (client){.world = w, .habit = habit};
    yurpc_status status = yr_grpc_conn_call(w->conn, w->now_ms, &request, &events, c, &c->call);
    require((status == YURPC_OK) == (c->call != NULL));
    require(status == YURPC_OK || status == YURPC_UNAVAILABLE || status == YURPC_NO_MEMORY);
    w->live += status == YURPC_OK ? 1 : 0;
}

/* ---- The server's side ---- */

static void drain(world *w)
{
    yurpc_status status = YURPC_OK;
    do {
        yr_buf_clear(&w->out);
        status = yr_grpc_conn_output(w->conn, &w->out);
    } while (status == YURPC_OK && w->out.len > 0);
}

static void feed(world *w, yurpc_bytes bytes)
{
    while (bytes.len > 0) {
        size_t len = bytes.len < w->piece ? bytes.len : w->piece;
        w->is_in_callback = true;
        yr_grpc_conn_feed(w->conn, yr_bytes(bytes.data, len), w->now_ms);
        w->is_in_callback = false;
        bytes = yr_bytes_after(bytes, len);
    }
    drain(w);
}

static void feed_frame(world *w, uint8_t type, uint8_t flags, uint32_t stream,
                       yurpc_bytes payload)
{
    uint8_t frame[9 + FRAME_MAX] = {0,
                                    (uint8_t)(payload.len >> 8),
                                    (uint8_t)payload.len,
                                    type,
                                    flags,
                                    (uint8_t)(stream >> 24),
                                    (uint8_t)(stream >> 16),
                                    (uint8_t)(stream >> 8),
                                    (uint8_t)stream};
    require(payload.len <= FRAME_MAX);
    if (payload.len > 0) {
        memcpy(frame + 9, payload.data, payload.len);
    }
    feed(w, yr_bytes(frame, 9 + payload.len));
}

static uint32_t stream_id(fuzz_input *in)
{
    uint8_t number = fuzz_byte(in);
    return number == 255 ? 0x7fffffff : 1U + 2U * (number % 16U);
}

static uint32_t special(fuzz_input *in)
{
    static const uint32_t numbers[] = {
        0, 1, 2, 100, 16384, 65535, 65536, 1U << 24, 0x7fffffff, 0x80000000, UINT32_MAX};
    return numbers[fuzz_byte(in) % (sizeof numbers / sizeof numbers[0])];
}

static size_t put_number(uint8_t *out, uint32_t number)
{
    for (size_t i = 0; i < 4; i++) {
        out[i] = (uint8_t)(number >> (24 - 8 * i));
    }
    return 4;
}

static void settings(world *w, fuzz_input *in)
{
    uint8_t payload[6 * 8];
    size_t len = 0;
    for (unsigned left = fuzz_byte(in) % 8; left > 0; left--) {
        payload[len++] = 0;
        payload[len++] = fuzz_byte(in) % 10;
        len += put_number(payload + len, special(in));
    }
    feed_frame(w, SETTINGS, len == 0 ? fuzz_byte(in) & 1U : 0, 0, yr_bytes(payload, len));
}

static size_t put_text(uint8_t *out, const void *text, size_t len)
{
    out[0] = (uint8_t)len;
    memcpy(out + 1, text, len);
    return 1 + len;
}

/* Headers as literals: the names that matter, with any value. */
static void headers(world *w, fuzz_input *in)
{
    static const char *const names[] = {":status",      "content-type",  "grpc-status",
                                        "grpc-message", "grpc-encoding", "x-any"};
    static const char *const common[] = {"200", "application/grpc", "0", "14", "503", "100"};
    uint8_t payload[FRAME_MAX];
    size_t len = 0;
    uint32_t stream = stream_id(in);
    uint8_t flags = fuzz_byte(in);
    if ((flags & 2U) != 0) { /* how an answer begins */
        static const uint8_t start[] = "\x88\x0f\x10\x10"
                                       "application/grpc";
        memcpy(payload, start, sizeof start - 1);
        len = sizeof start - 1;
    }
    for (unsigned left = flags / 16U % 8U; left > 0; left--) {
        const char *name = names[fuzz_byte(in) % 6];
        uint8_t what = fuzz_byte(in);
        yurpc_bytes value =
            what < 128 ? yr_bytes_of_text(common[what % 6]) : fuzz_piece(in, what % 48);
        payload[len++] = 0;
        len += put_text(payload + len, name, strlen(name));
        len += put_text(payload + len, value.len > 0 ? value.data : "", value.len);
    }
    feed_frame(w, HEADERS, 4U | (flags & 1U), stream, yr_bytes(payload, len));
}

static void data_frame(world *w, fuzz_input *in)
{
    uint8_t payload[5 + 256];
    size_t len = 0;
    uint32_t stream = stream_id(in);
    uint8_t flags = fuzz_byte(in);
    uint8_t size = fuzz_byte(in);
    if ((flags & 2U) != 0) { /* where a message begins, which may be longer than this frame */
        payload[len++] = (flags & 4U) != 0 ? fuzz_byte(in) : 0;
        len += put_number(payload + len, (flags & 8U) != 0 ? special(in) : size);
    }
    yurpc_bytes piece = fuzz_piece(in, size);
    if (piece.len > 0) {
        memcpy(payload + len, piece.data, piece.len);
    }
    feed_frame(w, DATA, flags & 1U, stream, yr_bytes(payload, len + piece.len));
}

static void control(world *w, fuzz_input *in)
{
    uint8_t payload[64];
    uint8_t type = fuzz_byte(in);
    size_t len = 0;
    uint32_t stream = 0;
    switch (type % 5) {
    case 0:
        stream = stream_id(in);
        len = put_number(payload, fuzz_byte(in) % 16);
        feed_frame(w, RST_STREAM, 0, stream, yr_bytes(payload, len));
        return;
    case 1:
        len = put_number(payload, stream_id(in));
        len += put_number(payload + len, fuzz_byte(in) % 16);
        memcpy(payload + len, "too_many_pings", 14);
        feed_frame(w, GOAWAY, 0, 0, yr_bytes(payload, len + 14));
        return;
    case 2:
        stream = type >= 128 ? stream_id(in) : 0;
        len = put_number(payload, special(in));
        feed_frame(w, WINDOW_UPDATE, 0, stream, yr_bytes(payload, len));
        return;
    case 3:
        len = put_number(payload, special(in));
        len += put_number(payload + len, 0);
        feed_frame(w, PING, type >= 128, 0, yr_bytes(payload, len));
        return;
    default:
        stream = fuzz_number(in, 4);
        uint8_t flags = fuzz_byte(in);
        feed_frame(w, type / 5U % 12U, flags, stream, fuzz_piece(in, fuzz_byte(in)));
        return;
    }
}

/* ---- The input ---- */

static void program_acts(world *w, fuzz_input *in)
{
    uint8_t what = fuzz_byte(in);
    client *c = &w->clients[what / 4U % CALLS];
    switch (what % 4) {
    case 0:
        send_on(c, special(in) % 100000);
        break;
    case 1:
        cancel(w, c);
        break;
    case 2:
        if (c->call != NULL) {
            yr_grpc_call_finish(c->call);
        }
        break;
    default:
        w->now_ms += fuzz_number(in, 2) % 9000;
        w->is_in_callback = true;
        yr_grpc_conn_tick(w->conn, w->now_ms);
        w->is_in_callback = false;
        break;
    }
    drain(w);
}

static void run(world *w, fuzz_input *in)
{
    for (int i = 0; i < STEPS_MAX && in->left > 0; i++) {
        uint8_t what = fuzz_byte(in);
        switch (what % 8) {
        case 0:
            settings(w, in);
            break;
        case 1:
        case 2:
            headers(w, in);
            break;
        case 3:
        case 4:
            data_frame(w, in);
            break;
        case 5:
            control(w, in);
            break;
        case 6:
            begin(w, what, fuzz_byte(in));
            drain(w);
            break;
        default:
            program_acts(w, in);
            break;
        }
        require(yr_grpc_conn_call_count(w->conn) == w->live);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 7, 100};
    static world w;
    fuzz_input in = {data, size};
    uint8_t first = fuzz_byte(&in);
    memset(&w, 0, sizeof w);
    yr_buf_init(&w.out, OUT_MAX);
    require(yr_grpc_conn_new("fuzz:2379", 0, &w.conn) == YURPC_OK);
    w.piece = pieces[first % 4];
    drain(&w);
    if (first >= 128) {
        feed_frame(&w, SETTINGS, 0, 0, yr_bytes(NULL, 0));
    }
    if ((first & 64U) != 0) {
        yr_mem_fail_after(first & 63U);
    }
    run(&w, &in);
    yr_mem_fail_after(-1);
    w.is_in_callback = true;
    yr_grpc_conn_fail(w.conn, NULL);
    require(w.live == 0 && yr_grpc_conn_call_count(w.conn) == 0);
    for (size_t i = 0; i < CALLS; i++) {
        require(w.clients[i].call == NULL);
    }
    yr_grpc_conn_free(w.conn);
    yr_buf_deinit(&w.out);
    return 0;
}
