/**
 * @file
 * Discovery: the instances of a service, as they are now.
 *
 * yurpc_registry_discover() once per service; then, on every request, acquire the current
 * snapshot, choose an instance, release. That path takes no lock and touches no network: the
 * list is kept up to date in the background. When the registry is away the last list stays,
 * marked as stale; when it is away from the beginning, the last list that any process of the
 * user had comes from disk (yurpc_registry_config.cache_dir), marked as stale, too.
 *
 * Threads: any function may be called from any thread. A snapshot is released on the thread
 * that acquired it.
 */
#ifndef YURPC_SERVICE_H
#define YURPC_SERVICE_H

#include <yurpc/instance.h>
#include <yurpc/registry.h>

YURPC_BEGIN_DECLS

/** A service being followed. */
typedef struct yurpc_service yurpc_service;

/** How to discover. Initialise with YURPC_DISCOVER_OPTIONS_INIT. */
typedef struct yurpc_discover_options {
    size_t size;        /**< set by the initialiser; how the ABI grows */
    bool is_background; /**< return at once; the list is empty and stale until one is there */
} yurpc_discover_options;

/** Initialiser for yurpc_discover_options. */
#define YURPC_DISCOVER_OPTIONS_INIT           \
    {                                         \
        sizeof(yurpc_discover_options), false \
    }

/**
 * Follow a service. Blocks until its first list is there, at most the configured timeout. An
 * empty list is a success: instances that come later are seen at once. When the registry cannot
 * be reached and the list is on disk, that is a success, too, and a quick one: the snapshot is
 * yurpc_snapshot_is_cached() until the registry is back. Discovering a service twice shares one
 * follow.
 *
 * @param registry    The registry.
 * @param service     "name:version", or "name" for "name:1.0". Copied.
 * @param options     NULL for the defaults.
 * @param ret_service Receives the service, to be passed to yurpc_service_close(). Untouched on
 * failure.
 * @param ret_error   May be NULL; receives the details, to be freed.
 * @retval YURPC_INVALID      not a valid service name.
 * @retval YURPC_UNAVAILABLE  or YURPC_TIMEOUT: no list came within the timeout, and there is
 * none on disk; nothing is followed.
 * @retval YURPC_NO_MEMORY    nothing is followed.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_registry_discover(
    yurpc_registry *registry, const char *service, const yurpc_discover_options *options,
    yurpc_service **ret_service, yurpc_error **ret_error);

/**
 * Stop following, and free @p service; NULL is allowed. Its watches must have been stopped and
 * its snapshots released.
 */
YURPC_API void yurpc_service_close(yurpc_service *service);

/* ---- Snapshots ---- */

/** The instances of a service at one moment, ordered by address. Immutable. */
typedef struct yurpc_snapshot yurpc_snapshot;

/**
 * The current snapshot. Wait-free; never NULL. Hold it briefly (a request, not a minute): while
 * any thread holds one, memory of older ones is not reclaimed. May be nested.
 */
YURPC_API YURPC_NOPLT const yurpc_snapshot *yurpc_service_acquire(const yurpc_service *service);

/** Give back what yurpc_service_acquire() returned, on the same thread. */
YURPC_API YURPC_NOPLT void yurpc_service_release(const yurpc_service *service,
                                                 const yurpc_snapshot *snapshot);

/**
 * The current snapshot of a service by its name, for whoever has no yurpc_service at hand.
 * Wait-free; a good deal dearer than yurpc_service_acquire(), and as brief to be held.
 *
 * @param registry  Must not be closed while the snapshot is held.
 * @param service   "name:version", or "name" for "name:1.0".
 * @return The snapshot, to be passed to yurpc_snapshot_release(); empty and stale while
 * yurpc_registry_discover() still waits for the first list. NULL: this handle does not follow
 * the service: it was not discovered, or was closed.
 */
YURPC_API YURPC_NOPLT const yurpc_snapshot *yurpc_registry_acquire(
    const yurpc_registry *registry, const char *service);

/** Give back a snapshot, however it was acquired, on the same thread; NULL is allowed. */
YURPC_API YURPC_NOPLT void yurpc_snapshot_release(const yurpc_snapshot *snapshot);

/** How many instances there are. */
YURPC_API size_t yurpc_snapshot_count(const yurpc_snapshot *snapshot);

/** Instance @p index; NULL past the end. Borrowed until the release. */
YURPC_API const yurpc_instance *yurpc_snapshot_at(const yurpc_snapshot *snapshot, size_t index);

/** Whether the registry was out of reach when this snapshot was current, so that it may be out
 * of date. */
YURPC_API bool yurpc_snapshot_is_stale(const yurpc_snapshot *snapshot);

/** Whether it was read from disk: this process has not had a list from the registry yet. Such a
 * snapshot is stale. */
YURPC_API bool yurpc_snapshot_is_cached(const yurpc_snapshot *snapshot);

/**
 * For how long a stale snapshot has not been known to be right, in ms; it grows. For one from
 * disk this counts from when it was last confirmed, by whichever process. 0: it is up to date.
 * -1: unknown: there has never been a list, or it is from disk and the machine's clock was set
 * back since.
 */
YURPC_API int64_t yurpc_snapshot_age_ms(const yurpc_snapshot *snapshot);

/* ---- Choosing ---- */

/** How a picker chooses. */
typedef enum yurpc_picker_kind {
    YURPC_PICK_ROUND_ROBIN = 0, /**< each in turn */
    YURPC_PICK_RANDOM = 1,      /**< uniformly at random */
} yurpc_picker_kind;

/**
 * A way of choosing. One may serve many threads and services: in turn means that each thread
 * goes round each service by itself, beginning anywhere. So threads do not slow each other
 * down, and all instances get the same share from each. (A thread remembers its turns for some
 * 100 services at a time, in 8 KiB; among more, or without memory, shares are even only on
 * average.)
 */
typedef struct yurpc_picker yurpc_picker;

/** A new picker, to be freed. YURPC_INVALID: no such kind; YURPC_NO_MEMORY. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_picker_new(yurpc_picker_kind kind,
                                                        yurpc_picker **ret_picker);

/** Free @p picker; NULL is allowed. */
YURPC_API void yurpc_picker_free(yurpc_picker *picker);

/**
 * Choose an instance: one that is draining only when there is no better one, one that is
 * suspect only when all are; NULL when there is none.
 * Wait-free. Borrowed until the snapshot is released.
 */
YURPC_API YURPC_NOPLT const yurpc_instance *yurpc_snapshot_pick(const yurpc_snapshot *snapshot,
                                                                yurpc_picker *picker);

/**
 * yurpc_service_acquire() and yurpc_snapshot_pick() in one step.
 *
 * @param service      The service.
 * @param picker       Chooses.
 * @param ret_snapshot Receives the snapshot, to be passed to yurpc_snapshot_release(), also
 * when it is empty.
 * @return The instance, borrowed until the release; NULL when there is none.
 */
YURPC_API YURPC_NOPLT const yurpc_instance *yurpc_service_pick(
    const yurpc_service *service, yurpc_picker *picker, const yurpc_snapshot **ret_snapshot);

/* ---- Watching ---- */

/** What an event reports. */
typedef enum yurpc_event_kind {
    YURPC_EVENT_UP = 0, /**< these instances are new; at the start of a watch, all there are */
    YURPC_EVENT_DOWN = 1,    /**< these instances are gone */
    YURPC_EVENT_CHANGED = 2, /**< these instances have a new value: it is given */
    YURPC_EVENT_STALE = 3,   /**< the registry is out of reach; the list stays as it was */
    YURPC_EVENT_FRESH =
        4, /**< the list is up to date again; its changes were reported before */
} yurpc_event_kind;

/** The kind's name, for example "up". Never NULL. */
YURPC_API const char *yurpc_event_kind_name(yurpc_event_kind kind);

/** A change to a service. Valid, with all it points to, only during the callback. */
typedef struct yurpc_event {
    yurpc_event_kind kind; /**< what happened */
    const yurpc_instance *const
        *instances; /**< borrowed; @c count of them, ordered by address */
    size_t count;   /**< 0 for STALE and FRESH */
} yurpc_event;

/** A subscription to the changes of a service. */
typedef struct yurpc_watch yurpc_watch;

/**
 * Called for each event. What happens between two calls is put together: an instance that
 * came and went again in between is not reported. What changes is reported at once, but when
 * instances come and go all the time, at most 10 times a second. When memory is short, what
 * belongs together comes in several events of a kind. Runs on the handle's callback thread (in
 * a host-driven handle inside yurpc_registry_step()); may take its time: nothing else waits for
 * it.
 */
typedef void yurpc_event_fn(void *context, const yurpc_event *event);

/**
 * Report changes from now on, beginning with one UP for the instances there are (none: no
 * call), and one STALE when the list is stale.
 *
 * @param service   The service.
 * @param on_event  Not NULL.
 * @param context   Passed back; never dereferenced.
 * @param ret_watch Receives the watch, to be passed to yurpc_watch_stop(). Untouched on
 * failure.
 * @retval YURPC_NO_MEMORY  nothing was started.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_service_watch(yurpc_service *service,
                                                           yurpc_event_fn *on_event,
                                                           void *context,
                                                           yurpc_watch **ret_watch);

/**
 * Stop and free @p watch; NULL is allowed. When it returns no callback is running nor will run,
 * except when called from the watch's own callback, which is then the last.
 */
YURPC_API void yurpc_watch_stop(yurpc_watch *watch);

YURPC_END_DECLS

#endif /* YURPC_SERVICE_H */
