#include "canned_http2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

enum {
    FRAME_HEAD_LEN = 9,
    FRAME_LEN_MAX = 16384,
    GRPC_HEAD_LEN = 5,
    PREFACE_LEN = 24,
    STREAMS_MAX = 256,  /* at a time, and a power of 2 */
    REQUEST_SIZE = 512, /* what is kept of a request; only the first fields matter */
    HEAD_SIZE = 512,
    IN_SIZE = 128 * 1024,
    OUT_SIZE = 256 * 1024,
    ANSWER_ROOM = 1024, /* that headers, trailers and acknowledgements take */
    GRANT_MAX = 256 * 1024,
    WINDOW_FIRST = 65535,

    DATA = 0,
    HEADERS = 1,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    WINDOW_UPDATE = 8,

    FLAG_ACK = 1,
    FLAG_END_STREAM = 1,
    FLAG_END_HEADERS = 4,
    FLAG_PADDED = 8,
    FLAG_PRIORITY = 32,
    SETTING_INITIAL_WINDOW = 4,
};

typedef enum method {
    METHOD_NONE = 0,
    METHOD_RANGE,
    METHOD_PUT,
    METHOD_TXN,
    METHOD_GRANT,
    METHOD_REVOKE,
    METHOD_STATUS,
    METHOD_KEEPALIVE,
    METHOD_WATCH,
} method;

static const struct {
    const char *path;
    method method;
} methods[] = {
    {"/etcdserverpb.KV/Range", METHOD_RANGE},
    {"/etcdserverpb.KV/Put", METHOD_PUT},
    {"/etcdserverpb.KV/Txn", METHOD_TXN},
    {"/etcdserverpb.Lease/LeaseGrant", METHOD_GRANT},
    {"/etcdserverpb.Lease/LeaseRevoke", METHOD_REVOKE},
    {"/etcdserverpb.Maintenance/Status", METHOD_STATUS},
    {"/etcdserverpb.Lease/LeaseKeepAlive", METHOD_KEEPALIVE},
    {"/etcdserverpb.Watch/Watch", METHOD_WATCH},
};

typedef struct stream {
    uint32_t id; /* 0: free */
    method method;
    int64_t window;
    size_t request_len;
    uint8_t request[REQUEST_SIZE];
    /* What is being answered: the head, the bulk, the tail. */
    bool is_last; /* trailers follow */
    size_t sent;
    size_t head_len;
    size_t tail_len;
    yurpc_bytes bulk;
    uint8_t head[HEAD_SIZE];
    uint8_t tail[YR_CANNED_HEAD_SIZE];
} stream;

struct yr_canned_conn {
    yr_canned *canned;
    int fd;
    nghttp2_hd_inflater *inflater;
    bool has_preface;
    bool is_blocked;
    int64_t window;
    int64_t window_first; /* of a stream */
    stream *streams;
    /* The frames of a storm: up to granted they have their place in the windows. */
    uint8_t *storm;
    size_t storm_len;
    size_t storm_at;
    size_t storm_granted;
    uint32_t storm_stream;
    size_t in_len;
    size_t out_begin;
    size_t out_end;
    uint8_t in[IN_SIZE];
    uint8_t out[OUT_SIZE];
};

/* ---- Streams ---- */

static stream *find_stream(const yr_canned_conn *conn, uint32_t id)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        stream *one = &conn->streams[(id / 2 + i) % STREAMS_MAX];
        if (one->id == id) {
            return one;
        }
    }
    return NULL;
}

static stream *new_stream(const yr_canned_conn *conn, uint32_t id)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        stream *one = &conn->streams[(id / 2 + i) % STREAMS_MAX];
        if (one->id == 0) {
            one->id = id;
            one->method = METHOD_NONE;
            one->window = conn->window_first;
            one->request_len = 0;
            one->is_last = false;
            one->sent = one->head_len = one->tail_len = 0;
            one->bulk = (yurpc_bytes){NULL, 0};
            return one;
        }
    }
    return NULL;
}

/* ---- Frames to be sent ---- */

static uint32_t read_be32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static void write_be32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

/* There is room: reading stops when there is little left. */
static uint8_t *put_frame(yr_canned_conn *conn, size_t len, int type, int flags, uint32_t id)
{
    uint8_t *at = conn->out + conn->out_end;
    write_be32(at, (uint32_t)len << 8 | (uint32_t)type);
    at[4] = (uint8_t)flags;
    write_be32(at + 5, id);
    conn->out_end += FRAME_HEAD_LEN + len;
    return at + FRAME_HEAD_LEN;
}

static void put_headers(yr_canned_conn *conn, uint32_t id)
{
    /* ":status: 200" is number 8 of HPACK's table; "content-type" is 31, its value plain. */
    static const char block[] = "\x88\x0f\x10\x10"
                                "application/grpc";
    memcpy(put_frame(conn, sizeof(block) - 1, HEADERS, FLAG_END_HEADERS, id), block,
           sizeof(block) - 1);
}

static void put_trailers(yr_canned_conn *conn, uint32_t id)
{
    static const char block[] = "\0\x0bgrpc-status\x01"
                                "0";
    memcpy(put_frame(conn, sizeof(block) - 1, HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, id),
           block, sizeof(block) - 1);
}

static size_t answer_len(const stream *one)
{
    return one->head_len + one->bulk.len + one->tail_len;
}

/* The next @p len bytes of the answer. */
static void copy_answer(stream *one, uint8_t *out, size_t len)
{
    const yurpc_bytes parts[] = {
        {one->head, one->head_len}, one->bulk, {one->tail, one->tail_len}};
    size_t begin = 0;
    for (size_t i = 0; i < 3 && len > 0; i++) {
        size_t end = begin + parts[i].len;
        if (one->sent < end) {
            size_t part = end - one->sent < len ? end - one->sent : len;
            memcpy(out, (const uint8_t *)parts[i].data + (one->sent - begin), part);
            one->sent += part;
            out += part;
            len -= part;
        }
        begin = end;
    }
}

/* As much of an answer as windows and room allow. */
static void put_answer(yr_canned_conn *conn, stream *one)
{
    size_t left = answer_len(one) - one->sent;
    while (left > 0 && OUT_SIZE - conn->out_end >= FRAME_LEN_MAX + ANSWER_ROOM) {
        int64_t window = conn->window < one->window ? conn->window : one->window;
        size_t len = left < FRAME_LEN_MAX ? left : FRAME_LEN_MAX;
        if (window <= 0) {
            return;
        }
        len = (int64_t)len < window ? len : (size_t)window;
        copy_answer(one, put_frame(conn, len, DATA, 0, one->id), len);
        conn->window -= (int64_t)len;
        one->window -= (int64_t)len;
        left -= len;
    }
    if (left > 0) {
        return;
    }
    one->sent = one->head_len = one->tail_len = 0;
    one->bulk.len = 0;
    if (one->is_last) {
        put_trailers(conn, one->id);
        one->id = 0;
    }
}

/* ---- Answering ---- */

static void answer(yr_canned_conn *conn, stream *one, const yr_canned_message *message)
{
    if (message->head_len <= HEAD_SIZE - one->head_len) {
        memcpy(one->head + one->head_len, message->head, message->head_len);
        one->head_len += message->head_len;
    }
    memcpy(one->tail, message->tail, message->tail_len);
    one->tail_len = message->tail_len;
    one->bulk = message->bulk;
    put_answer(conn, one);
}

static void answer_unary(yr_canned_conn *conn, stream *one)
{
    yurpc_bytes request = {one->request + GRPC_HEAD_LEN, one->request_len > GRPC_HEAD_LEN
                                                             ? one->request_len - GRPC_HEAD_LEN
                                                             : 0};
    yr_canned_message message = {.head_len = 0};
    switch (one->method) {
    case METHOD_RANGE:
        message = yr_canned_range(&conn->canned->list, request);
        break;
    case METHOD_STATUS:
        message = yr_canned_status();
        break;
    case METHOD_TXN:
        message = yr_canned_txn();
        break;
    case METHOD_GRANT:
        message = yr_canned_lease(request);
        break;
    case METHOD_PUT:
        conn->canned->has_begun = true;
        message = yr_canned_header();
        break;
    case METHOD_REVOKE:
        message = yr_canned_header();
        break;
    case METHOD_KEEPALIVE:
    case METHOD_WATCH:
    case METHOD_NONE:
        break;
    }
    one->is_last = true;
    answer(conn, one, &message);
}

static void prepare_storm(yr_canned_conn *conn, const stream *one, int64_t watch_id)
{
    free(conn->storm);
    conn->storm = yr_canned_storm(&conn->canned->list, conn->canned->changes, one->id, watch_id,
                                  &conn->storm_len);
    conn->storm_at = 0;
    conn->storm_granted = 0;
    conn->storm_stream = one->id;
}

/* One message of a stream that stays open. */
static void answer_part(yr_canned_conn *conn, stream *one, yurpc_bytes request)
{
    yr_canned_message message;
    int64_t watch_id = 0;
    if (one->method == METHOD_KEEPALIVE) {
        message = yr_canned_lease(request);
    } else if (yr_canned_is_watch_create(request, &watch_id)) {
        if (conn->canned->changes > 0) {
            prepare_storm(conn, one, watch_id);
        }
        message = yr_canned_watch_created(watch_id);
    } else {
        message = yr_canned_watch_progress(YR_CANNED_REVISION);
    }
    answer(conn, one, &message);
}

static void answer_parts(yr_canned_conn *conn, stream *one)
{
    for (;;) {
        size_t len =
            one->request_len >= GRPC_HEAD_LEN ? read_be32(one->request + 1) : REQUEST_SIZE;
        if (one->request_len < GRPC_HEAD_LEN || one->request_len - GRPC_HEAD_LEN < len) {
            return;
        }
        answer_part(conn, one, (yurpc_bytes){one->request + GRPC_HEAD_LEN, len});
        one->request_len -= GRPC_HEAD_LEN + len;
        memmove(one->request, one->request + GRPC_HEAD_LEN + len, one->request_len);
    }
}

/* ---- Frames that come ---- */

static void take_path(stream *one, const nghttp2_nv *header)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strlen(methods[i].path) == header->valuelen &&
            memcmp(methods[i].path, header->value, header->valuelen) == 0) {
            one->method = methods[i].method;
        }
    }
}

static bool take_headers(yr_canned_conn *conn, uint32_t id, int flags, yurpc_bytes block)
{
    const uint8_t *at = block.data;
    const uint8_t *end = at + block.len;
    stream *one = new_stream(conn, id);
    size_t extra = (flags & FLAG_PRIORITY) != 0 ? 5 : 0;
    int state = 0;
    if (one == NULL || (flags & FLAG_END_HEADERS) == 0 || (flags & FLAG_PADDED) != 0 ||
        extra > block.len) {
        return false;
    }
    at += extra;
    do {
        nghttp2_nv header;
        ssize_t used =
            nghttp2_hd_inflate_hd2(conn->inflater, &header, &state, at, (size_t)(end - at), 1);
        if (used < 0) {
            return false;
        }
        at += used;
        if ((state & NGHTTP2_HD_INFLATE_EMIT) != 0 && header.namelen == 5 &&
            memcmp(header.name, ":path", 5) == 0) {
            take_path(one, &header);
        }
    } while ((state & NGHTTP2_HD_INFLATE_FINAL) == 0);
    put_headers(conn, id);
    conn->canned->number++;
    return nghttp2_hd_inflate_end_headers(conn->inflater) == 0;
}

static void take_data(yr_canned_conn *conn, uint32_t id, bool is_end, yurpc_bytes data)
{
    stream *one = find_stream(conn, id);
    if (one == NULL) {
        return;
    }
    size_t room = REQUEST_SIZE - one->request_len;
    size_t len = data.len < room ? data.len : room;
    memcpy(one->request + one->request_len, data.data, len);
    one->request_len += len;
    if (one->method == METHOD_WATCH || one->method == METHOD_KEEPALIVE) {
        answer_parts(conn, one);
        one->is_last = is_end;
        if (is_end) {
            put_answer(conn, one);
        }
    } else if (is_end) {
        answer_unary(conn, one);
    }
}

static void set_window_first(yr_canned_conn *conn, int64_t window)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        conn->streams[i].window += window - conn->window_first;
    }
    conn->window_first = window;
}

static void take_settings(yr_canned_conn *conn, yurpc_bytes settings)
{
    const uint8_t *at = settings.data;
    for (size_t i = 0; i + 6 <= settings.len; i += 6) {
        if (at[i] == 0 && at[i + 1] == SETTING_INITIAL_WINDOW) {
            set_window_first(conn, read_be32(at + i + 2));
        }
    }
    (void)put_frame(conn, 0, SETTINGS, FLAG_ACK, 0);
}

static bool take_frame(yr_canned_conn *conn, const uint8_t *frame, size_t len)
{
    uint32_t id = read_be32(frame + 5) & 0x7fffffffU;
    int flags = frame[4];
    yurpc_bytes payload = {frame + FRAME_HEAD_LEN, len};
    stream *one = NULL;
    switch (frame[3]) {
    case HEADERS:
        return take_headers(conn, id, flags, payload);
    case DATA:
        take_data(conn, id, (flags & FLAG_END_STREAM) != 0, payload);
        return (flags & FLAG_PADDED) == 0;
    case SETTINGS:
        if ((flags & FLAG_ACK) == 0) {
            take_settings(conn, payload);
        }
        return true;
    case PING:
        if ((flags & FLAG_ACK) == 0 && len == 8) {
            memcpy(put_frame(conn, 8, PING, FLAG_ACK, 0), payload.data, 8);
        }
        return true;
    case WINDOW_UPDATE:
        one = id > 0 ? find_stream(conn, id) : NULL;
        conn->window += id == 0 ? read_be32(payload.data) : 0;
        if (one != NULL) {
            one->window += read_be32(payload.data);
        }
        return true;
    case RST_STREAM:
        one = find_stream(conn, id);
        if (one != NULL) {
            one->id = 0;
        }
        return true;
    default:
        return frame[3] != GOAWAY;
    }
}

static bool take_frames(yr_canned_conn *conn)
{
    size_t at = conn->has_preface || conn->in_len < PREFACE_LEN ? 0 : PREFACE_LEN;
    conn->has_preface = conn->has_preface || at > 0;
    while (conn->has_preface && conn->in_len - at >= FRAME_HEAD_LEN &&
           OUT_SIZE - conn->out_end >= ANSWER_ROOM) {
        const uint8_t *frame = conn->in + at;
        size_t len = read_be32(frame) >> 8;
        if (conn->in_len - at < FRAME_HEAD_LEN + len) {
            break;
        }
        if (len > FRAME_LEN_MAX || !take_frame(conn, frame, len)) {
            return false;
        }
        at += FRAME_HEAD_LEN + len;
    }
    conn->in_len -= at;
    memmove(conn->in, conn->in + at, conn->in_len);
    return true;
}

/* ---- The socket ---- */

/* False: nothing more goes now, or ever. */
static bool send_some(yr_canned_conn *conn, const uint8_t *data, size_t len, size_t *at)
{
    ssize_t sent = send(conn->fd, data, len, MSG_NOSIGNAL);
    if (sent > 0) {
        *at += (size_t)sent;
        return true;
    }
    conn->is_blocked = errno == EAGAIN;
    return errno == EINTR;
}

/* Let whole frames of the storm into the windows. False: none. */
static bool grant_storm(yr_canned_conn *conn)
{
    stream *one = conn->canned->has_begun && conn->storm != NULL
                      ? find_stream(conn, conn->storm_stream)
                      : NULL;
    size_t end = conn->storm_granted;
    if (one == NULL || answer_len(one) > 0) {
        return false;
    }
    while (end < conn->storm_len && end - conn->storm_at < GRANT_MAX) {
        int64_t len = read_be32(conn->storm + end) >> 8;
        if (len > conn->window || len > one->window) {
            break;
        }
        conn->window -= len;
        one->window -= len;
        end += FRAME_HEAD_LEN + (size_t)len;
    }
    bool has_more = end > conn->storm_granted;
    conn->storm_granted = end;
    return has_more;
}

static void put_answers(yr_canned_conn *conn)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        stream *one = &conn->streams[i];
        if (one->id != 0 && answer_len(one) > 0) {
            put_answer(conn, one);
        }
    }
}

/* Send what is ready. A frame that is on its way is finished before another begins. */
static bool send_ready(yr_canned_conn *conn)
{
    if (conn->storm_at < conn->storm_granted) {
        return send_some(conn, conn->storm + conn->storm_at,
                         conn->storm_granted - conn->storm_at, &conn->storm_at);
    }
    return send_some(conn, conn->out + conn->out_begin, conn->out_end - conn->out_begin,
                     &conn->out_begin);
}

static bool send_all_ready(yr_canned_conn *conn)
{
    bool is_sent = true;
    while (is_sent &&
           (conn->storm_at < conn->storm_granted || conn->out_begin < conn->out_end)) {
        is_sent = send_ready(conn);
    }
    return is_sent;
}

bool yr_canned_conn_flush(yr_canned_conn *conn)
{
    conn->is_blocked = false;
    for (;;) {
        if (!send_all_ready(conn)) {
            return conn->is_blocked;
        }
        conn->out_begin = 0;
        conn->out_end = 0;
        if (!take_frames(conn)) {
            return false;
        }
        put_answers(conn);
        if (conn->out_end == 0 && !grant_storm(conn)) {
            return true;
        }
    }
}

bool yr_canned_conn_read(yr_canned_conn *conn)
{
    ssize_t got = recv(conn->fd, conn->in + conn->in_len, IN_SIZE - conn->in_len, 0);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    conn->in_len += (size_t)got;
    return take_frames(conn) && yr_canned_conn_flush(conn);
}

int yr_canned_conn_fd(const yr_canned_conn *conn)
{
    return conn->fd;
}

bool yr_canned_conn_is_blocked(const yr_canned_conn *conn)
{
    return conn->is_blocked;
}

yr_canned_conn *yr_canned_conn_new(yr_canned *canned, int fd)
{
    /* SETTINGS: many streams; and as much as can be for the requests of all of them. */
    static const char hello[] = "\0\0\x06\x04\0\0\0\0\0"
                                "\0\x03\0\x01\0\0"
                                "\0\0\x04\x08\0\0\0\0\0"
                                "\x7f\xff\0\0";
    yr_canned_conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    conn->fd = fd;
    conn->canned = canned;
    conn->window = WINDOW_FIRST;
    conn->window_first = WINDOW_FIRST;
    conn->streams = calloc(STREAMS_MAX, sizeof(*conn->streams));
    if (conn->streams == NULL || nghttp2_hd_inflate_new(&conn->inflater) != 0) {
        yr_canned_conn_free(conn);
        return NULL;
    }
    memcpy(conn->out, hello, sizeof(hello) - 1);
    conn->out_end = sizeof(hello) - 1;
    return conn;
}

void yr_canned_conn_free(yr_canned_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    close(conn->fd);
    nghttp2_hd_inflate_del(conn->inflater);
    free(conn->streams);
    free(conn->storm);
    free(conn);
}
