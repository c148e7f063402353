/**
 * @file
 * Watching keys in etcd.
 *
 * A watch reports every change from a revision on, in order, each revision whole, through lost
 * connections. Only when etcd has forgotten the changes it needs (compaction, or a data
 * directory that was wiped) it ends, with YURPC_COMPACTED: then read again, and watch from
 * there. All watches of a client share one stream.
 */
#ifndef YURPC_ETCD_WATCH_H
#define YURPC_ETCD_WATCH_H

#include <yurpc/etcd_client.h>

YURPC_BEGIN_DECLS

/** A subscription to changes. */
typedef struct yurpc_etcd_watch yurpc_etcd_watch;

/** What to watch. Initialise with YURPC_ETCD_WATCH_OPTIONS_INIT. */
typedef struct yurpc_etcd_watch_options {
    size_t size;           /**< set by the initialiser; how the ABI grows */
    yurpc_bytes key;       /**< the key, or the first, or with is_prefix how they begin */
    yurpc_bytes range_end; /**< all keys to before this one; empty: only the key */
    bool is_prefix;        /**< all keys that begin with the key; an empty key: all there are */
    int64_t start_revision; /**< the first to be reported, as a rule that of a range plus 1; 0:
                               from now */
    bool has_prev_kv;       /**< report what was there before, too */
    bool is_put_ignored;    /**< leave out writes */
    bool is_delete_ignored; /**< leave out deletions */
} yurpc_etcd_watch_options;

/** Initialiser for yurpc_etcd_watch_options. */
#define YURPC_ETCD_WATCH_OPTIONS_INIT                                                         \
    {                                                                                         \
        sizeof(yurpc_etcd_watch_options), {NULL, 0}, {NULL, 0}, false, 0, false, false, false \
    }

/** What a watch reports. Runs on the client's loop; must not block. */
typedef struct yurpc_etcd_watch_events {
    size_t size; /**< set by the caller to sizeof(yurpc_etcd_watch_events) */

    /** etcd has accepted the watch, being at @p revision. Once. NULL: not reported. */
    void (*on_created)(void *context, int64_t revision);

    /** These changes were made. Not NULL. */
    void (*on_changes)(void *context, const yurpc_etcd_changes *changes);

    /** Nothing was changed up to @p revision that was not reported. NULL: not reported. */
    void (*on_progress)(void *context, int64_t revision);

    /**
     * The watch is cut off (@p error says why), or has caught up. It begins as stale; only
     * changes are reported. NULL: not reported.
     */
    void (*on_stale)(void *context, bool is_stale, const yurpc_error *error);

    /**
     * Last: the watch cannot go on. When @p error says YURPC_COMPACTED, @p compact_revision is
     * the oldest revision that can still be had, or 0 when the store's data went back. NULL:
     * not reported.
     */
    void (*on_canceled)(void *context, const yurpc_error *error, int64_t compact_revision);
} yurpc_etcd_watch_events;

/**
 * Report changes.
 *
 * @param client    The client.
 * @param options   Copied.
 * @param events    Copied.
 * @param context   Passed back; never dereferenced.
 * @param ret_watch Receives the watch, to be passed to yurpc_etcd_watch_stop(), also when it
 *                  has ended by itself. Untouched on failure.
 * @retval YURPC_INVALID    the options make no sense.
 * @retval YURPC_TOO_LARGE  there are 10000 watches already.
 * @retval YURPC_NO_MEMORY  nothing was started.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_watch_start(
    yurpc_etcd *client, const yurpc_etcd_watch_options *options,
    const yurpc_etcd_watch_events *events, void *context, yurpc_etcd_watch **ret_watch);

/**
 * Stop and free @p watch; NULL is allowed. When it returns no callback is running nor will run,
 * except when called inside one, which is then the last.
 */
YURPC_API void yurpc_etcd_watch_stop(yurpc_etcd_watch *watch);

/**
 * Ask etcd to report progress to all watches of the client. Servers before 3.4.25 and 3.5.8
 * give no answer that could be relied on: with those nothing is reported.
 */
YURPC_API void yurpc_etcd_request_progress(yurpc_etcd *client);

YURPC_END_DECLS

#endif /* YURPC_ETCD_WATCH_H */
