/**
 * @file
 * The registry: register instances and keep them registered.
 *
 * A yurpc_registry is one connection to one registry, with one lease under which everything
 * registered through it lives. What was registered stays registered, whatever happens to the
 * connection, the lease or the registry's data, until it is unregistered or the handle is
 * closed. Discovery is in service.h.
 *
 * Threads: any function may be called from any thread and from callbacks. In the callbacks of a
 * host-driven handle a blocking call returns YURPC_WOULD_DEADLOCK. In a child of fork()
 * each call returns YURPC_FORKED, and closing only forgets.
 */
#ifndef YURPC_REGISTRY_H
#define YURPC_REGISTRY_H

#include <yurpc/error.h>
#include <yurpc/instance.h>
#include <yurpc/log.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

YURPC_BEGIN_DECLS

/** A connection to a registry. */
typedef struct yurpc_registry yurpc_registry;

/**
 * How to reach a registry. Initialise with YURPC_REGISTRY_CONFIG_INIT. What is NULL, 0 or
 * false is taken from the environment (YURPC_REGISTRY, YURPC_ADDRESS, YURPC_USERNAME,
 * YURPC_PASSWORD, YURPC_PASSWORD_FILE, YURPC_TLS_CA_FILE, YURPC_TLS_CERT_FILE,
 * YURPC_TLS_KEY_FILE, YURPC_TLS_INSECURE, YURPC_CACHE_DIR, YURPC_PROTECTION,
 * YURPC_ALLOWED_HOSTS, YURPC_TIMEOUT in ms, YURPC_TTL in seconds), then from @c file, then from
 * the defaults.
 */
typedef struct yurpc_registry_config {
    size_t size;          /**< set by the initialiser; how the ABI grows */
    const char *registry; /**< "etcd" (default) or "local" */
    const char *address;  /**< etcd: "http://host:2379[,…]"; local: the path of its file */
    const char *username; /**< for the registry's own authentication */
    const char *password; /**< never logged */
    uint32_t timeout_ms;  /**< of blocking calls and attempts: 100 … 600000; default 10000 */
    uint32_t ttl_s;       /**< of the lease: 5 … 86400 seconds; default 30 */
    const char *file;     /**< an application.properties; NULL: YURPC_CONFIG, or none */
    bool is_host_driven;  /**< no thread: the program calls yurpc_registry_step() */
    yurpc_log_fn *log;    /**< NULL: silent; see log.h for its thread */
    void *log_context;    /**< given to @c log */
    yurpc_log_level log_level; /**< messages above it are not made; YURPC_LOG_ERROR is 0 */
    const char *password_file; /**< instead of a password: read anew at each login */
    const char *tls_ca_file;   /**< PEM: whom to trust; default: whom the system trusts */
    const char *tls_cert_file; /**< PEM: our certificate, where the registry asks for one */
    const char *tls_key_file;  /**< PEM: its key */
    bool is_tls_insecure;      /**< verify no certificate: for tests; refused with a password */
    const char *cache_dir;     /**< where lists are kept for bad days, a folder of ours alone;
                                    default: yurpc in the user's cache folder; "none": nowhere */
    bool is_unprotected;       /**< believe at once that most instances vanished together */
    const char *allowed_hosts; /**< consumers see only these: "10.0.0.0/8,.acme.com" */
} yurpc_registry_config;

/** Initialiser for yurpc_registry_config. */
#define YURPC_REGISTRY_CONFIG_INIT                                                            \
    {                                                                                         \
        sizeof(yurpc_registry_config), NULL, NULL, NULL, NULL, 0, 0, NULL, false, NULL, NULL, \
            YURPC_LOG_WARN, NULL, NULL, NULL, NULL, false, NULL, false, NULL                  \
    }

/**
 * Open a registry. Checks the configuration, begins to connect, and waits for nothing: a
 * registry that cannot be reached is not an error here.
 *
 * @param config       NULL for the defaults. Copied.
 * @param ret_registry Receives the handle, to be passed to yurpc_registry_close().
 *                     Untouched on failure.
 * @param ret_error    May be NULL; receives the details, to be freed.
 * @retval YURPC_INVALID    a wrong value; the text names where it came from (file and line).
 * @retval YURPC_IO         the file cannot be read, or no thread can be made.
 * @retval YURPC_NO_MEMORY  nothing was opened.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_registry_open(const yurpc_registry_config *config,
                                                           yurpc_registry **ret_registry,
                                                           yurpc_error **ret_error);

/**
 * Unregister everything, end the lease, and free @p registry with all registrations, services
 * and watches that came from it. Takes at most 3 s, also when the registry cannot be reached
 * or a callback hangs; less what unregistering has just waited for in vain. NULL is allowed.
 * When it returns no callback is running nor will run, except one that has been running all the
 * time, which is the last. Called from a callback of the handle it returns at once and the rest
 * is done later. Calls that wait in other threads return YURPC_CLOSED or YURPC_CANCELED; none
 * may be begun any more.
 */
YURPC_API void yurpc_registry_close(yurpc_registry *registry);

/** Which kind of registry it is, for example "etcd". Never NULL. */
YURPC_API const char *yurpc_registry_kind(const yurpc_registry *registry);

/** Where it is, as it was configured; NULL: at its default. Lives as long as @p registry. */
YURPC_API const char *yurpc_registry_address(const yurpc_registry *registry);

/** YURPC_OK while the registry can be reached; else why not, or YURPC_UNAVAILABLE when nothing
 * was tried yet. @p ret_error may be NULL; receives the details, to be freed. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_registry_get_connection(yurpc_registry *registry,
                                                                     yurpc_error **ret_error);

/* ---- Providers ---- */

/** One instance that this process wants to be registered. */
typedef struct yurpc_registration yurpc_registration;

/** Where a registration stands. */
typedef enum yurpc_registration_state {
    YURPC_REGISTERING = 0, /**< not in the registry yet */
    YURPC_REGISTERED = 1,  /**< in the registry, under a living lease */
    YURPC_LOST = 2,        /**< was registered, is not now; being put back */
    YURPC_CONFLICT_STATE =
        3,              /**< another process took the address; comes back when it is free */
    YURPC_DRAINING = 4, /**< unregistering has begun */
    YURPC_GONE = 5,     /**< unregistered */
} yurpc_registration_state;

/** The state's name, for example "REGISTERED". Never NULL. */
YURPC_API const char *yurpc_registration_state_name(yurpc_registration_state state);

/**
 * Reports that a registration's state changed.
 *
 * Runs on the handle's callback thread, one at a time, and may take its time: nothing else
 * waits for it, but what happened meanwhile is told later, and of more than eight changes only
 * the first ones and the last; whatever takes longer than a second is named in the log. (In a
 * host-driven handle it runs inside yurpc_registry_step(), and must not block.) @p error says
 * why when the state is LOST or CONFLICT, or when an attempt to register failed (then the state
 * is still REGISTERING; told at most once a minute); else it is NULL. Borrowed.
 */
typedef void yurpc_registration_fn(void *context, yurpc_registration_state state,
                                   const yurpc_error *error);

/** How to register. Initialise with YURPC_REGISTER_OPTIONS_INIT. */
typedef struct yurpc_register_options {
    size_t size;                     /**< set by the initialiser; how the ABI grows */
    bool is_background;              /**< return at once, and keep trying for ever */
    yurpc_registration_fn *on_state; /**< NULL: not reported */
    void *context;                   /**< given to @c on_state */
} yurpc_register_options;

/** Initialiser for yurpc_register_options. */
#define YURPC_REGISTER_OPTIONS_INIT                       \
    {                                                     \
        sizeof(yurpc_register_options), false, NULL, NULL \
    }

/**
 * Register an instance, and keep it registered until it is unregistered.
 *
 * Takes over the address when another process has it registered. Blocks until the instance is
 * in the registry, at most the configured timeout; on failure nothing is left behind, in the
 * registry or pending. With @c is_background it returns at once and keeps trying.
 *
 * @param registry         The registry.
 * @param spec             The instance. Copied.
 * @param options          NULL for the defaults. Copied.
 * @param ret_registration Receives the registration; valid until
 * yurpc_registration_unregister() or until the registry is closed. Untouched on failure.
 * @param ret_error        May be NULL; receives the details, to be freed.
 * @retval YURPC_INVALID      the spec is wrong; the text says what.
 * @retval YURPC_EXISTS       this handle has the same service and address registered already.
 * @retval YURPC_UNAVAILABLE  the registry could not be reached within the timeout.
 * @retval YURPC_TIMEOUT      it did not answer within the timeout.
 * @retval YURPC_NO_MEMORY    out of memory.
 */
YURPC_API YURPC_NODISCARD yurpc_status
yurpc_registry_register(yurpc_registry *registry, const yurpc_instance_spec *spec,
                        const yurpc_register_options *options,
                        yurpc_registration **ret_registration, yurpc_error **ret_error);

/**
 * Register @p count instances at once: the same as one after the other, in as few requests as
 * possible. All or nothing: on failure none is left behind.
 *
 * @param registry          The registry.
 * @param specs             The instances. Copied.
 * @param count             How many.
 * @param options           NULL for the defaults. Copied.
 * @param ret_registrations An array of @p count that receives the registrations.
 * @param ret_error         May be NULL; receives the details of the first failure, to be freed.
 * @return As yurpc_registry_register().
 */
YURPC_API YURPC_NODISCARD yurpc_status
yurpc_registry_register_many(yurpc_registry *registry, const yurpc_instance_spec *specs,
                             size_t count, const yurpc_register_options *options,
                             yurpc_registration **ret_registrations, yurpc_error **ret_error);

/** Where @p registration stands now. */
YURPC_API yurpc_registration_state
yurpc_registration_get_state(const yurpc_registration *registration);

/**
 * Leave: announce it (consumers see the instance draining), remove what is still ours, free
 * @p registration, whatever the outcome. Blocks, at most 3 s; then as long again for a callback
 * that takes its time. When it returns, @c on_state is not running nor will run, except one
 * that has been running all the time. Called from a callback, it is that: what it leads to is
 * not told.
 *
 * @param registration The registration; NULL is allowed.
 * @param ret_error    May be NULL; receives the details, to be freed.
 * @retval YURPC_CONFLICT  another process holds the address; it was left alone.
 * @retval YURPC_TIMEOUT   or YURPC_UNAVAILABLE: not confirmed; it disappears with the lease.
 */
YURPC_API YURPC_NODISCARD yurpc_status
yurpc_registration_unregister(yurpc_registration *registration, yurpc_error **ret_error);

/**
 * The same without waiting. @p registration must not be used any more; its @c on_state sees
 * DRAINING and GONE. NULL is allowed.
 */
YURPC_API void yurpc_registration_unregister_async(yurpc_registration *registration);

/* ---- Operators ---- */

/** Receives one service and its number of instances; @p service is borrowed. */
typedef void yurpc_service_count_fn(void *context, const char *service, uint64_t count);

/**
 * Call @p each, on this thread, for every service that has instances, in byte order.
 *
 * @retval YURPC_UNAVAILABLE  or YURPC_TIMEOUT: the registry could not be reached.
 */
YURPC_API YURPC_NODISCARD yurpc_status
yurpc_registry_list_services(yurpc_registry *registry, yurpc_service_count_fn *each,
                             void *context, yurpc_error **ret_error);

/**
 * Remove one instance, whoever registered it. A living provider will put it back.
 *
 * @param registry  The registry.
 * @param service   "name:version", or "name" for "name:1.0".
 * @param host      As registered.
 * @param port      As registered.
 * @param ret_error May be NULL; receives the details, to be freed.
 * @retval YURPC_NOT_FOUND  it is not there.
 * @retval YURPC_CONFLICT   it changed at the same moment; try again.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_registry_remove(yurpc_registry *registry,
                                                             const char *service,
                                                             const char *host, uint16_t port,
                                                             yurpc_error **ret_error);

/** What a handle has seen and done since it was opened. Counters never go back. */
typedef struct yurpc_registry_stats {
    size_t size;                /**< set by the caller to sizeof(yurpc_registry_stats) */
    bool is_connected;          /**< whether the registry answers */
    int64_t lease_id;           /**< 0: no lease now */
    uint32_t registrations;     /**< wanted now */
    uint32_t registered;        /**< of those, in state REGISTERED */
    uint32_t services;          /**< followed now */
    uint64_t connections;       /**< times the connection came */
    uint64_t leases;            /**< leases granted */
    uint64_t leases_lost;       /**< leases lost */
    uint64_t announcements;     /**< instances written */
    uint64_t repairs;           /**< own keys found missing or changed, and put back */
    uint64_t conflicts;         /**< own keys found taken by another process */
    uint64_t changes;           /**< changes of discovered instances reported by the registry */
    uint64_t unchanged;         /**< of which the value was the same as before */
    uint64_t skipped;           /**< values that could not be read */
    uint64_t mismatches;        /**< values whose address differs from their key */
    uint64_t lists;             /**< complete lists received */
    uint64_t reconcile_repairs; /**< changes that only a periodic list brought to light */
    uint32_t suspects;          /**< discovered instances that are suspect now */
    uint64_t suspected;         /**< times an instance became suspect */
    uint64_t cached_lists;      /**< lists that came from disk, the registry being away */
    uint64_t disallowed;        /**< values left out, because their hosts are not allowed */
    int64_t staleness_ms;       /**< for how long the oldest list may be wrong; 0: none may */
} yurpc_registry_stats;

/** Fill @p stats, whose @c size the caller has set. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_registry_get_stats(const yurpc_registry *registry,
                                                                yurpc_registry_stats *stats);

/* ---- For programs with an event loop of their own (config.is_host_driven) ---- */

/** A descriptor that becomes readable when yurpc_registry_step() has something to do; -1
 * otherwise. */
YURPC_API int yurpc_registry_fd(const yurpc_registry *registry);

/** How long poll(2) may wait before the next step, in ms; -1: until the descriptor is readable.
 */
YURPC_API int yurpc_registry_timeout_ms(const yurpc_registry *registry);

/**
 * Do what is due, without waiting. Callbacks run inside. Always on the same thread.
 *
 * @retval YURPC_CLOSED  a callback had closed the handle, which is freed now: it must not be
 *                       used any more. Until then, go on stepping.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_registry_step(yurpc_registry *registry);

YURPC_END_DECLS

#endif /* YURPC_REGISTRY_H */
