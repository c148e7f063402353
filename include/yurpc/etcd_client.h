/**
 * @file
 * The connection to an etcd cluster.
 *
 * A client is on one endpoint at a time. When that fails it goes to the next one by itself;
 * calls wait for a connection within their time, and what may be repeated is repeated. A call
 * that may or may not have been done, and must not be done twice, ends with
 * YURPC_UNKNOWN_OUTCOME, or YURPC_TIMEOUT.
 *
 * An endpoint of https, or one without a scheme when certificate files are given, is talked to
 * in TLS 1.2 or newer; its certificate has to be of a trusted chain and for that very host.
 *
 * The plain names block; those with _async take a callback, which runs exactly once if the
 * call returns YURPC_OK, on the client's loop, and never inside the call.
 *
 * Threads: any function may be called from any thread, and inside callbacks unless it blocks;
 * there a blocking call returns YURPC_WOULD_DEADLOCK. In a child of fork() each call returns
 * YURPC_FORKED, and closing only forgets.
 */
#ifndef YURPC_ETCD_CLIENT_H
#define YURPC_ETCD_CLIENT_H

#include <yurpc/etcd_data.h>
#include <yurpc/log.h>

YURPC_BEGIN_DECLS

/** A client of an etcd cluster. */
typedef struct yurpc_etcd yurpc_etcd;

/**
 * The connection came (@p error is NULL) or went; only changes are reported. A user whom etcd
 * refuses has no connection; then @p error is YURPC_UNAUTHENTICATED. Runs on the loop; must not
 * block.
 */
typedef void yurpc_etcd_connection_fn(void *context, bool is_connected,
                                      const yurpc_error *error);

/** How to reach etcd. Initialise with YURPC_ETCD_CONFIG_INIT. */
typedef struct yurpc_etcd_config {
    size_t size;           /**< set by the initialiser; how the ABI grows */
    const char *endpoints; /**< "http://host:port[,…]", or https; NULL: localhost:2379 */
    uint32_t connect_timeout_ms; /**< of one attempt; 0: 2000 */
    uint32_t timeout_ms;         /**< of calls that name none, and of each attempt; 0: 3000 */
    bool is_host_driven;         /**< no thread: the program calls yurpc_etcd_step() */
    yurpc_etcd_connection_fn *on_connection; /**< NULL: not reported */
    void *context;                           /**< given to @c on_connection */
    yurpc_log_fn *log;                       /**< NULL: silent */
    void *log_context;                       /**< given to @c log */
    yurpc_log_level log_level;               /**< messages above it are not made */
    const char *tls_ca_file;   /**< PEM: whom to trust; NULL: whom the system trusts */
    const char *tls_cert_file; /**< PEM: our certificate with its chain; NULL: none */
    const char *tls_key_file;  /**< PEM: its key; read anew for each connection, as all three */
    bool is_tls_insecure;      /**< verify no certificate: for tests; refused with a password */

    /**
     * The user; NULL: nobody. With it goes one of the next two. It holds no colon, and
     * endpoints of https are not mixed with others that are not on this machine
     * (YURPC_INVALID). The client logs in by itself, and again whenever etcd wants it; calls
     * wait for that within their time. While etcd refuses the user (YURPC_UNAUTHENTICATED),
     * calls fail at once, and it is tried again after 10 s, then less often, at least every 60
     * s.
     */
    const char *username;
    const char
        *password; /**< copied, and overwritten when the client is closed; never logged */

    /**
     * A file with the password: one line, at most 4096 bytes, which only its owner may read
     * (mode 0600; a file of root's may be readable by its group). It is read at each login:
     * what was corrected there counts within 10 s.
     */
    const char *password_file;
} yurpc_etcd_config;

/** Initialiser for yurpc_etcd_config. */
#define YURPC_ETCD_CONFIG_INIT                                                                \
    {                                                                                         \
        sizeof(yurpc_etcd_config), NULL, 0, 0, false, NULL, NULL, NULL, NULL, YURPC_LOG_WARN, \
            NULL, NULL, NULL, false, NULL, NULL, NULL                                         \
    }

/**
 * Open a client. Begins to connect, and waits for nothing: that etcd cannot be reached is not
 * an error here.
 *
 * @param config     NULL for the defaults. Copied.
 * @param ret_client Receives the client, to be passed to yurpc_etcd_close(). Untouched on
 * failure.
 * @param ret_error  May be NULL; receives the details, to be freed.
 * @retval YURPC_INVALID      an endpoint cannot be understood, the user has no password, or the
 *                            password no user, or others may read the password file; the text
 *                            says which and why.
 * @retval YURPC_IO           no thread or descriptor could be had, or a file not be read.
 * @retval YURPC_TLS          a certificate or key file cannot be used.
 * @retval YURPC_NO_MEMORY    nothing was opened.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_open(const yurpc_etcd_config *config,
                                                       yurpc_etcd **ret_client,
                                                       yurpc_error **ret_error);

/**
 * Close and free @p client, with its keepalives and watches, whose handles must not be used
 * any more. Open calls end with YURPC_CANCELED before it returns. NULL is allowed. Inside a
 * callback it returns at once, and the rest is done later.
 */
YURPC_API void yurpc_etcd_close(yurpc_etcd *client);

/* ---- Replies ---- */

/**
 * Keep a reply that a callback was given: it is the caller's now, to be passed to
 * yurpc_etcd_reply_free(). Only inside that callback, once, and not for a part of a reply.
 */
YURPC_API yurpc_etcd_reply *yurpc_etcd_reply_detach(const yurpc_etcd_reply *reply);

/** Free a reply with all it points to; NULL is allowed. */
YURPC_API void yurpc_etcd_reply_free(yurpc_etcd_reply *reply);

/* ---- The server ---- */

/**
 * The state of the member that the client is on.
 *
 * @param client    The client.
 * @param ret_reply Receives the reply, to be freed. Untouched on failure.
 * @param ret_error May be NULL; receives the details, to be freed.
 * @retval YURPC_UNAVAILABLE  or YURPC_TIMEOUT: etcd could not be reached.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_status(yurpc_etcd *client,
                                                         yurpc_etcd_reply **ret_reply,
                                                         yurpc_error **ret_error);

/** yurpc_etcd_status() without waiting. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_status_async(yurpc_etcd *client,
                                                               yurpc_etcd_reply_fn *callback,
                                                               void *context);

/* ---- For programs with an event loop of their own (config.is_host_driven) ---- */

/** A descriptor that becomes readable when yurpc_etcd_step() has something to do; -1: none. */
YURPC_API int yurpc_etcd_fd(const yurpc_etcd *client);

/** How long poll(2) may wait before the next step, in ms; -1: until the descriptor is readable.
 */
YURPC_API int yurpc_etcd_timeout_ms(const yurpc_etcd *client);

/**
 * Do what is due, without waiting. Callbacks run inside. Always on the same thread.
 *
 * @param client  The client.
 * @retval YURPC_INVALID         the client has a thread of its own.
 * @retval YURPC_WOULD_DEADLOCK  inside a callback.
 * @retval YURPC_FORKED          in a child of fork().
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_step(yurpc_etcd *client);

YURPC_END_DECLS

#endif /* YURPC_ETCD_CLIENT_H */
