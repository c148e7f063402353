#include "bare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FRAME_HEAD_LEN = 9,
    FRAME_LEN_MAX = 16384, /* we allow no more, and send no more */
    GRPC_HEAD_LEN = 5,
    REQUEST_HEAD_SIZE = 256,

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
};

/* ---- Sending ---- */

static bool send_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return false;
        }
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

static void write_be32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

static uint32_t read_be32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static void write_head(uint8_t out[FRAME_HEAD_LEN], size_t len, int type, int flags,
                       uint32_t stream)
{
    write_be32(out, (uint32_t)len << 8 | (uint32_t)type);
    out[4] = (uint8_t)flags;
    write_be32(out + 5, stream);
}

int yr_bare_dial(const char *address)
{
    const char *colon = strrchr(address, ':');
    int on = 1;
    struct sockaddr_in peer = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(colon != NULL ? colon + 1 : "0", NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
                    connect(fd, (const struct sockaddr *)&peer, sizeof(peer)) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool yr_bare_open(yr_bare *bare, const char *address)
{
    /* Preface; SETTINGS: no push, windows as large as they get; the connection's window too. */
    static const uint8_t hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                   "\0\0\x0c\x04\0\0\0\0\0"
                                   "\0\x02\0\0\0\0"
                                   "\0\x04\x7f\xff\xff\xff"
                                   "\0\0\x04\x08\0\0\0\0\0"
                                   "\x7f\xff\0\0";
    bare->fd = yr_bare_dial(address);
    bare->next_stream = 1;
    bare->send_window = 65535;
    bare->begin = 0;
    bare->end = 0;
    return bare->fd >= 0 && send_all(bare->fd, hello, sizeof(hello) - 1);
}

void yr_bare_close(yr_bare *bare)
{
    if (bare->fd >= 0) {
        close(bare->fd);
    }
    bare->fd = -1;
}

bool yr_bare_may_send(const yr_bare *bare, size_t len)
{
    return bare->send_window >= (int64_t)(len + GRPC_HEAD_LEN);
}

/* A header of HPACK's kind "literal, never to be remembered"; 127 bytes at most each. */
static size_t put_header(uint8_t *out, const char *name, const char *value)
{
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);
    out[0] = 0;
    out[1] = (uint8_t)name_len;
    memcpy(out + 2, name, name_len);
    out[2 + name_len] = (uint8_t)value_len;
    memcpy(out + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

static bool send_headers(yr_bare *bare, uint32_t stream, const char *path)
{
    uint8_t head[FRAME_HEAD_LEN + REQUEST_HEAD_SIZE];
    uint8_t *block = head + FRAME_HEAD_LEN;
    size_t len = 0;
    len += put_header(block + len, ":method", "POST");
    len += put_header(block + len, ":scheme", "http");
    len += put_header(block + len, ":path", path);
    len += put_header(block + len, ":authority", "127.0.0.1");
    len += put_header(block + len, "content-type", "application/grpc");
    len += put_header(block + len, "te", "trailers");
    write_head(head, len, HEADERS, FLAG_END_HEADERS, stream);
    return send_all(bare->fd, head, FRAME_HEAD_LEN + len);
}

/* One gRPC message, cut into DATA frames. */
static bool send_message(yr_bare *bare, uint32_t stream, yurpc_bytes message, bool is_open)
{
    const uint8_t *at = message.data;
    size_t left = message.len;
    uint8_t head[FRAME_HEAD_LEN + GRPC_HEAD_LEN];
    size_t head_len = sizeof(head);
    head[FRAME_HEAD_LEN] = 0;
    write_be32(head + FRAME_HEAD_LEN + 1, (uint32_t)message.len);
    do {
        size_t prefix = head_len - FRAME_HEAD_LEN;
        size_t part = left < FRAME_LEN_MAX - prefix ? left : FRAME_LEN_MAX - prefix;
        int flags = part == left && !is_open ? FLAG_END_STREAM : 0;
        write_head(head, prefix + part, DATA, flags, stream);
        if (!send_all(bare->fd, head, head_len) || !send_all(bare->fd, at, part)) {
            return false;
        }
        bare->send_window -= (int64_t)(prefix + part);
        at += part;
        left -= part;
        head_len = FRAME_HEAD_LEN;
    } while (left > 0);
    return true;
}

uint32_t yr_bare_request(yr_bare *bare, const char *path, yurpc_bytes message, bool is_open)
{
    uint32_t stream = bare->next_stream;
    int cork = 1;
    bool is_sent = yr_bare_may_send(bare, message.len) && strlen(path) < 100 &&
                   setsockopt(bare->fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof(cork)) == 0 &&
                   send_headers(bare, stream, path) &&
                   send_message(bare, stream, message, is_open);
    cork = 0;
    if (!is_sent || setsockopt(bare->fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof(cork)) != 0) {
        return 0;
    }
    bare->next_stream += 2;
    return stream;
}

/* ---- Receiving ---- */

/* Have @p len bytes in the buffer. */
static bool fill(yr_bare *bare, size_t len)
{
    if (bare->end - bare->begin >= len) {
        return true;
    }
    if (bare->begin == bare->end ||
        sizeof(bare->buffer) - bare->begin < FRAME_HEAD_LEN + FRAME_LEN_MAX) {
        memmove(bare->buffer, bare->buffer + bare->begin, bare->end - bare->begin);
        bare->end -= bare->begin;
        bare->begin = 0;
    }
    while (bare->end - bare->begin < len) {
        ssize_t got =
            recv(bare->fd, bare->buffer + bare->end, sizeof(bare->buffer) - bare->end, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        bare->end += (size_t)got;
    }
    return true;
}

/* SETTINGS and PING want to be answered; windows grow; the rest does not matter. */
static bool handle_control(yr_bare *bare, const uint8_t *frame, size_t len)
{
    uint8_t answer[FRAME_HEAD_LEN + 8];
    int type = frame[3];
    bool is_ack = (frame[4] & FLAG_ACK) != 0;
    if (type == SETTINGS && !is_ack) {
        write_head(answer, 0, SETTINGS, FLAG_ACK, 0);
        return send_all(bare->fd, answer, FRAME_HEAD_LEN);
    }
    if (type == PING && !is_ack && len == 8) {
        write_head(answer, 8, PING, FLAG_ACK, 0);
        memcpy(answer + FRAME_HEAD_LEN, frame + FRAME_HEAD_LEN, 8);
        return send_all(bare->fd, answer, sizeof(answer));
    }
    if (type == WINDOW_UPDATE && len == 4 && read_be32(frame + 5) == 0) {
        bare->send_window += read_be32(frame + FRAME_HEAD_LEN);
    }
    return type != RST_STREAM && type != GOAWAY;
}

bool yr_bare_take(yr_bare *bare, yr_bare_event *ret_event)
{
    for (;;) {
        if (!fill(bare, FRAME_HEAD_LEN)) {
            return false;
        }
        size_t len = read_be32(bare->buffer + bare->begin) >> 8;
        if (len > FRAME_LEN_MAX || !fill(bare, FRAME_HEAD_LEN + len)) {
            return false;
        }
        const uint8_t *frame = bare->buffer + bare->begin;
        bare->begin += FRAME_HEAD_LEN + len;
        int type = frame[3];
        int flags = frame[4];
        bool is_end = (flags & FLAG_END_STREAM) != 0;
        if ((type == DATA && (flags & FLAG_PADDED) == 0) || (type == HEADERS && is_end)) {
            *ret_event = (yr_bare_event){
                .stream = read_be32(frame + 5),
                .data = {frame + FRAME_HEAD_LEN, type == DATA ? len : 0},
                .is_end = is_end,
            };
            return true;
        }
        if (type == DATA || (type != HEADERS && !handle_control(bare, frame, len))) {
            return false;
        }
    }
}

int64_t yr_bare_call(yr_bare *bare, const char *path, yurpc_bytes message)
{
    uint32_t stream = yr_bare_request(bare, path, message, false);
    yr_bare_event event = {0};
    int64_t len = 0;
    while (stream != 0 && yr_bare_take(bare, &event)) {
        if (event.stream == stream) {
            len += (int64_t)event.data.len;
        }
        if (event.stream == stream && event.is_end) {
            return len > 0 ? len : -1; /* an answer without a message is an error */
        }
    }
    return -1;
}
