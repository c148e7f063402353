#include "bare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

enum {
    GRPC_HEAD_LEN = 5,
    RECEIVE_SIZE = 256 * 1024,
    SEND_SIZE = 64 * 1024,
    WINDOW = 0x7fffffff,
};

/* A message on its way out. */
struct yr_bare_message {
    yr_bare_message *next; /* of those that stay open */
    size_t len;
    size_t sent;
    bool is_open;
    uint8_t data[];
};

/* ---- The socket ---- */

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

static bool send_all(int fd, const uint8_t *at, size_t len)
{
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

/* All that nghttp2 wants to send, in as few system calls as it takes. */
static bool flush(yr_bare *bare)
{
    uint8_t *buffer = bare->buffer + RECEIVE_SIZE;
    const uint8_t *part = NULL;
    size_t len = 0;
    bool is_fine = true;
    ssize_t got = 0;
    while (is_fine && (got = nghttp2_session_mem_send(bare->session, &part)) > 0) {
        bool is_full = (size_t)got > SEND_SIZE - len;
        is_fine = !is_full || send_all(bare->fd, buffer, len);
        len = is_full ? 0 : len;
        memcpy(buffer + len, part, (size_t)got);
        len += (size_t)got;
    }
    return is_fine && got == 0 && send_all(bare->fd, buffer, len);
}

/* ---- What nghttp2 asks and tells ---- */

static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *context)
{
    (void)session;
    (void)stream;
    (void)context;
    yr_bare_message *message = source->ptr;
    size_t left = message->len - message->sent;
    size_t len = left < size ? left : size;
    if (left == 0) {
        return NGHTTP2_ERR_DEFERRED; /* a stream that stays open */
    }
    memcpy(out, message->data + message->sent, len);
    message->sent += len;
    if (len == left && !message->is_open) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)len;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *context)
{
    (void)session;
    (void)flags;
    yr_bare *bare = context;
    bare->called_len += stream == bare->called ? (int64_t)len : 0;
    if (bare->on_data != NULL) {
        bare->on_data(bare->context, stream, (yurpc_bytes){data, len}, false);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    yr_bare *bare = context;
    yr_bare_message *message = nghttp2_session_get_stream_user_data(session, stream);
    if (message != NULL && !message->is_open) {
        free(message);
    }
    bare->has_failed = bare->has_failed || code != NGHTTP2_NO_ERROR;
    if (stream == bare->called) {
        bare->called = 0;
    }
    if (bare->on_data != NULL) {
        bare->on_data(bare->context, stream, (yurpc_bytes){NULL, 0}, true);
    }
    return 0;
}

/* ---- A connection ---- */

static bool start_session(yr_bare *bare)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
    };
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return false;
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int status = nghttp2_session_client_new(&bare->session, callbacks, bare);
    nghttp2_session_callbacks_del(callbacks);
    return status == 0 &&
           nghttp2_submit_settings(bare->session, NGHTTP2_FLAG_NONE, settings, 2) == 0 &&
           nghttp2_session_set_local_window_size(bare->session, NGHTTP2_FLAG_NONE, 0, WINDOW) ==
               0;
}

bool yr_bare_open(yr_bare *bare, const char *address, yr_bare_data_fn *fn, void *context)
{
    *bare = (yr_bare){.fd = yr_bare_dial(address), .on_data = fn, .context = context};
    bare->buffer = malloc(RECEIVE_SIZE + SEND_SIZE);
    return bare->fd >= 0 && bare->buffer != NULL && start_session(bare);
}

void yr_bare_close(yr_bare *bare)
{
    bare->on_data = NULL;
    if (bare->fd >= 0) {
        close(bare->fd);
    }
    bare->fd = -1;
    nghttp2_session_del(bare->session);
    bare->session = NULL;
    free(bare->buffer);
    bare->buffer = NULL;
    while (bare->open != NULL) {
        yr_bare_message *next = bare->open->next;
        free(bare->open);
        bare->open = next;
    }
}

static yr_bare_message *frame_message(yurpc_bytes message, bool is_open)
{
    size_t len = GRPC_HEAD_LEN + message.len;
    yr_bare_message *framed = malloc(sizeof(*framed) + len);
    if (framed == NULL) {
        return NULL;
    }
    *framed = (yr_bare_message){.len = len, .is_open = is_open};
    uint8_t head[GRPC_HEAD_LEN] = {0, (uint8_t)(message.len >> 24),
                                   (uint8_t)(message.len >> 16), (uint8_t)(message.len >> 8),
                                   (uint8_t)message.len};
    memcpy(framed->data, head, sizeof(head));
    memcpy(framed->data + GRPC_HEAD_LEN, message.data, message.len);
    return framed;
}

static nghttp2_nv header(const char *name, const char *value)
{
    /* nghttp2 copies both; its type only lacks the const. */
    union {
        const char *in;
        uint8_t *out;
    } n = {.in = name}, v = {.in = value};
    return (nghttp2_nv){n.out, v.out, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

int32_t yr_bare_request(yr_bare *bare, const char *path, yurpc_bytes message, bool is_open)
{
    const nghttp2_nv headers[] = {
        header(":method", "POST"), header(":scheme", "http"),
        header(":path", path),     header(":authority", "127.0.0.1"),
        header("te", "trailers"),  header("content-type", "application/grpc"),
    };
    yr_bare_message *framed = frame_message(message, is_open);
    if (framed == NULL) {
        return 0;
    }
    nghttp2_data_provider body = {.source.ptr = framed, .read_callback = read_message};
    int32_t stream = nghttp2_submit_request(
        bare->session, NULL, headers, sizeof(headers) / sizeof(headers[0]), &body, framed);
    if (stream < 0) {
        free(framed);
        return 0;
    }
    if (is_open) {
        framed->next = bare->open;
        bare->open = framed;
    }
    return stream;
}

bool yr_bare_turn(yr_bare *bare)
{
    ssize_t got = 0;
    if (!flush(bare)) {
        return false;
    }
    do {
        got = recv(bare->fd, bare->buffer, RECEIVE_SIZE, 0);
    } while (got < 0 && errno == EINTR);
    return got > 0 &&
           nghttp2_session_mem_recv(bare->session, bare->buffer, (size_t)got) == got &&
           !bare->has_failed;
}

int64_t yr_bare_call(yr_bare *bare, const char *path, yurpc_bytes message)
{
    bare->called_len = 0;
    bare->called = yr_bare_request(bare, path, message, false);
    if (bare->called == 0) {
        return -1;
    }
    while (bare->called != 0) {
        if (!yr_bare_turn(bare)) {
            return -1;
        }
    }
    return bare->called_len > 0 ? bare->called_len : -1; /* no message: an error */
}
