/*
 * A gRPC server for tests, on net/io.h: it runs on a real socket and in the simulated world.
 *
 * It knows HTTP/2 and gRPC, not what is said over them: a table of handlers does. By default it
 * behaves as etcd's own server does, PING policy included; everything a broken or hostile
 * server may do has to be asked for.
 *
 * Handlers run on the loop. In them, and at any other time, every function of this file may be
 * called, except that yr_fake_server_free() is not allowed inside a handler. What is sent
 * leaves at the end of the turn. Out of memory aborts; allocation does not go through
 * base/mem.h, so that a sweep of allocation failures hits only what is under test.
 */
#ifndef YR_FAKE_GRPC_SERVER_H
#define YR_FAKE_GRPC_SERVER_H

#include "net/io.h"

typedef struct yr_fake_server yr_fake_server;
typedef struct yr_fake_conn yr_fake_conn; /* one accepted connection */
typedef struct yr_fake_call yr_fake_call; /* one call, until its on_close returned */

typedef struct yr_fake_handlers {
    void (*on_call)(void *context, yr_fake_call *call); /* its headers have come */
    void (*on_message)(void *context, yr_fake_call *call, yurpc_bytes message);
    void (*on_half_close)(void *context, yr_fake_call *call); /* the client sends no more */

    /*
     * The call is over, however that came about (ended, reset by the client, connection lost,
     * server freed). Exactly once for each on_call, last; the place to free its data. May be
     * NULL, as any handler.
     */
    void (*on_close)(void *context, yr_fake_call *call);

    /* A connection was accepted; nothing was said on it yet. */
    void (*on_connect)(void *context, yr_fake_conn *conn);
    void (*on_disconnect)(void *context, yr_fake_conn *conn); /* the last use of @p conn */
} yr_fake_handlers;

typedef struct yr_fake_header {
    const char *name;
    const char *value;
} yr_fake_header;

/* One HTTP/2 setting: the numbers of RFC 9113, section 6.5.2. */
typedef struct yr_fake_setting {
    int32_t id;
    uint32_t value;
} yr_fake_setting;

/* A zeroed one is a healthy etcd. Read when something happens, so it may be changed at any
 * time through yr_fake_server_options(). */
typedef struct yr_fake_options {
    bool is_silent;              /* accepts connections and says nothing (as when SIGSTOPped) */
    bool drops_new;              /* closes each new connection at once */
    const char *greeting;        /* this text instead of HTTP/2, then FIN; not copied */
    yurpc_bytes opening;         /* these bytes behind the first SETTINGS; not copied */
    bool withholds_settings;     /* never sends SETTINGS of its own */
    bool withholds_settings_ack; /* never acknowledges SETTINGS */
    bool withholds_window;       /* never sends WINDOW_UPDATE */
    bool withholds_ping_ack;     /* answers no PING */
    bool allows_any_ping;        /* false: etcd's policy, GOAWAY too_many_pings */
    size_t write_len_max;   /* bytes of one write, each in a turn of its own; 0: all at once */
    size_t message_len_max; /* larger ones are refused as grpc-go does; 0: 2 MiB */
    const yr_fake_setting *settings; /* more SETTINGS of a new connection; not copied */
    size_t setting_count;
} yr_fake_options;

/* What has happened so far. */
typedef struct yr_fake_stats {
    uint64_t connections; /* accepted since the start */
    uint64_t calls;       /* begun since the start */
    uint64_t pieces;      /* of bytes received, as the world cut them */
    uint64_t messages;    /* received, whole */
    uint64_t pings;       /* received, acks not counted */
    uint64_t ping_acks;   /* received */
    uint64_t resets;      /* RST_STREAM frames received */
    uint64_t goaways;     /* sent because of the PING policy */
    uint64_t tokens;      /* headers "token" received */
    uint64_t open_tokens; /* of them, that may go into a compression table on the way */
    size_t connections_open;
    size_t calls_open;
} yr_fake_stats;

/* ---- The server ---- */

/*
 * Listen; port 0 lets the system choose. @p handlers is copied. With @p io NULL it does not
 * listen at all: see yr_fake_server_add_conn().
 */
YURPC_NODISCARD yurpc_status yr_fake_server_new(yr_io *io, const char *host, uint16_t port,
                                                const yr_fake_handlers *handlers, void *context,
                                                yr_fake_server **ret_server);

/* Drops all connections (on_close and on_disconnect run), then frees. NULL is allowed. */
void yr_fake_server_free(yr_fake_server *server);

uint16_t yr_fake_server_port(const yr_fake_server *server);
yr_fake_options *yr_fake_server_options(yr_fake_server *server);
const yr_fake_stats *yr_fake_server_stats(const yr_fake_server *server);

/* Stop accepting (connections refused), and listen again on the same port. */
void yr_fake_server_stop_listening(yr_fake_server *server);
YURPC_NODISCARD yurpc_status yr_fake_server_listen(yr_fake_server *server);

/* Close every connection: FIN, no GOAWAY, as etcd does when killed. */
void yr_fake_server_drop_all(yr_fake_server *server);

/* Stopped or continued: old connections and new ones hear and say nothing; what comes is kept.
 */
void yr_fake_server_set_silent(yr_fake_server *server, bool is_silent);

/* All calls there are. @p visit may end them, but not drop connections. */
void yr_fake_server_each_call(yr_fake_server *server,
                              void (*visit)(void *context, yr_fake_call *call), void *context);

/* The newest connection that is open, and the one accepted before @p conn; NULL: none. */
yr_fake_conn *yr_fake_server_newest(const yr_fake_server *server);
yr_fake_conn *yr_fake_conn_older(const yr_fake_conn *conn);

/* ---- Without a byte stream: for tests of protocol code alone, which carry the bytes ---- */

/* A new connection; for a server with io NULL. */
yr_fake_conn *yr_fake_server_add_conn(yr_fake_server *server);
void yr_fake_server_set_now(yr_fake_server *server, int64_t now_ms);
void yr_fake_conn_feed(yr_fake_conn *conn, yurpc_bytes bytes);

/* All that it has to say now; borrowed until the next call. */
yurpc_bytes yr_fake_conn_output(yr_fake_conn *conn);

/* ---- A connection ---- */

/* Close at once; or send all that waits, then FIN. */
void yr_fake_conn_drop(yr_fake_conn *conn);
void yr_fake_conn_finish(yr_fake_conn *conn);

/* Stop hearing (what comes is kept) and saying anything; and go on from there. */
void yr_fake_conn_freeze(yr_fake_conn *conn);
void yr_fake_conn_thaw(yr_fake_conn *conn);

/* Bytes of any kind, behind the frames of this turn. */
void yr_fake_conn_send_raw(yr_fake_conn *conn, yurpc_bytes bytes);
void yr_fake_conn_send_ping(yr_fake_conn *conn);
void yr_fake_conn_send_settings(yr_fake_conn *conn, const yr_fake_setting *settings,
                                size_t count);

/* GOAWAY; streams up to @p last_stream_id go on. The connection is not closed. */
void yr_fake_conn_send_goaway(yr_fake_conn *conn, int32_t last_stream_id, uint32_t error,
                              const char *debug);

/* ---- A call ---- */

const char *yr_fake_call_path(const yr_fake_call *call);
const char *yr_fake_call_header(const yr_fake_call *call, const char *name); /* or NULL */
int32_t yr_fake_call_stream_id(const yr_fake_call *call);
yr_fake_conn *yr_fake_call_conn(const yr_fake_call *call);

/* The handlers' own data of this call; NULL at first. */
void yr_fake_call_set_data(yr_fake_call *call, void *data);
void *yr_fake_call_data(const yr_fake_call *call);

/* Send the response headers now; else they go with the first message or the end. */
void yr_fake_call_send_headers(yr_fake_call *call);

void yr_fake_call_send(yr_fake_call *call, yurpc_bytes message);

/* Bytes of messages that the client's windows do not let out yet. */
size_t yr_fake_call_pending(const yr_fake_call *call);

/*
 * Trailers after all that was sent: trailers only, when nothing was. @p message may be NULL;
 * it is percent-encoded. Nothing can be sent afterwards; further ends are ignored.
 */
void yr_fake_call_end(yr_fake_call *call, int code, const char *message);

/* The same, then RST_STREAM(NO_ERROR) when the client has not half closed. */
void yr_fake_call_end_early(yr_fake_call *call, int code, const char *message);

/* RST_STREAM at once; what was not sent is lost. */
void yr_fake_call_reset(yr_fake_call *call, uint32_t error);

/* ---- A call, done wrong ---- */

/* Response headers as given (":status" first, as in HTTP/2); @p is_end ends the stream. */
void yr_fake_call_send_raw_headers(yr_fake_call *call, const yr_fake_header *headers,
                                   size_t count, bool is_end);

/* Bytes in DATA without the gRPC prefix. */
void yr_fake_call_send_raw(yr_fake_call *call, yurpc_bytes bytes);

/* Trailers as given; with none (count 0) END_STREAM goes on a DATA frame. */
void yr_fake_call_end_raw(yr_fake_call *call, const yr_fake_header *trailers, size_t count);

#endif /* YR_FAKE_GRPC_SERVER_H */
