/**
 * @file
 * What is said to etcd and what it answers: operations, conditions, replies.
 *
 * These are plain structs. What goes in is borrowed for the call and copied where it is needed
 * longer; what comes out lives as long as the reply it is part of.
 */
#ifndef YURPC_ETCD_DATA_H
#define YURPC_ETCD_DATA_H

#include <yurpc/bytes.h>
#include <yurpc/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

YURPC_BEGIN_DECLS

/* ---- Operations on keys ---- */

/** What an operation does. */
typedef enum yurpc_etcd_op_kind {
    YURPC_ETCD_RANGE = 0,  /**< read */
    YURPC_ETCD_PUT = 1,    /**< write */
    YURPC_ETCD_DELETE = 2, /**< delete */
} yurpc_etcd_op_kind;

/** How to read, write or delete. Initialise with YURPC_ETCD_OP_OPTIONS_INIT. */
typedef struct yurpc_etcd_op_options {
    size_t size; /**< set by the initialiser; how the ABI grows */

    /* Range and delete: which keys. */
    bool is_prefix;        /**< all keys that begin with the key; an empty key: all there are */
    yurpc_bytes range_end; /**< all keys from the key to before this one; empty: only the key */

    /* Range. */
    int64_t limit;      /**< at most so many keys; 0: all */
    int64_t revision;   /**< as things were then; 0: now */
    bool is_keys_only;  /**< leave the values out */
    bool is_count_only; /**< give only the number of keys */
    bool
        is_serializable; /**< any member may answer from what it knows, even without a leader */

    /* Put. */
    int64_t lease; /**< the key goes with this lease; 0: it stays */

    /* Put and delete. */
    bool has_prev_kv; /**< give what was there before */

    /* Of the call; without meaning inside a transaction. */
    uint32_t timeout_ms; /**< 0: the client's */
    bool is_idempotent;  /**< doing it twice is as good as once: repeat it when its outcome is
                            unknown; a range always is */
} yurpc_etcd_op_options;

/** Initialiser for yurpc_etcd_op_options. */
#define YURPC_ETCD_OP_OPTIONS_INIT                                                            \
    {                                                                                         \
        sizeof(yurpc_etcd_op_options), false, {NULL, 0}, 0, 0, false, false, false, 0, false, \
            0, false                                                                          \
    }

/** One operation, alone or in a transaction. */
typedef struct yurpc_etcd_op {
    yurpc_etcd_op_kind kind;              /**< what to do */
    yurpc_bytes key;                      /**< to what */
    yurpc_bytes value;                    /**< put: the new value */
    const yurpc_etcd_op_options *options; /**< NULL: the defaults */
} yurpc_etcd_op;

/* ---- Transactions ---- */

/** What of a key a condition looks at. */
typedef enum yurpc_etcd_target {
    YURPC_ETCD_VERSION = 0, /**< changes since it was created; 0: there is no such key */
    YURPC_ETCD_CREATE_REVISION = 1, /**< when it was created; 0: there is no such key */
    YURPC_ETCD_MOD_REVISION = 2,    /**< when it was last written */
    YURPC_ETCD_VALUE = 3,           /**< its value; an absent key fulfils no condition */
    YURPC_ETCD_LEASE = 4,           /**< its lease; 0: none */
} yurpc_etcd_target;

/** How a condition compares. */
typedef enum yurpc_etcd_relation {
    YURPC_ETCD_EQUAL = 0,     /**< is the same */
    YURPC_ETCD_GREATER = 1,   /**< is greater */
    YURPC_ETCD_LESS = 2,      /**< is less */
    YURPC_ETCD_NOT_EQUAL = 3, /**< is different */
} yurpc_etcd_relation;

/** One condition of a transaction. */
typedef struct yurpc_etcd_compare {
    yurpc_bytes key;              /**< of which key */
    yurpc_etcd_target target;     /**< what of it */
    yurpc_etcd_relation relation; /**< how it has to be */
    int64_t number;               /**< compared with, unless the target is the value */
    yurpc_bytes value;            /**< compared with, if it is */
} yurpc_etcd_compare;

/**
 * A transaction: if all conditions hold the one list of operations is done, else the other.
 * etcd takes at most 128 of each. Initialise with YURPC_ETCD_TXN_INIT.
 */
typedef struct yurpc_etcd_txn_request {
    size_t size;                        /**< set by the initialiser; how the ABI grows */
    const yurpc_etcd_compare *compares; /**< the conditions; none always hold */
    size_t compare_count;               /**< how many */
    const yurpc_etcd_op *then_ops;      /**< done when all hold */
    size_t then_count;                  /**< how many */
    const yurpc_etcd_op *else_ops;      /**< done when not */
    size_t else_count;                  /**< how many */
    uint32_t timeout_ms;                /**< 0: the client's */
    bool is_idempotent;                 /**< repeat it when its outcome is unknown */
} yurpc_etcd_txn_request;

/** Initialiser for yurpc_etcd_txn_request. */
#define YURPC_ETCD_TXN_INIT                                                 \
    {                                                                       \
        sizeof(yurpc_etcd_txn_request), NULL, 0, NULL, 0, NULL, 0, 0, false \
    }

/* ---- What comes back ---- */

/** A key with its value and history. */
typedef struct yurpc_etcd_kv {
    yurpc_bytes key;         /**< the key */
    yurpc_bytes value;       /**< its value; empty when only keys were asked for */
    int64_t create_revision; /**< when it was created */
    int64_t mod_revision;    /**< when it was last written */
    int64_t version;         /**< writes since it was created, that one included */
    int64_t lease;           /**< the lease it goes with; 0: none */
} yurpc_etcd_kv;

/** An answer of etcd. Which fields are set depends on what was asked; the others are 0. */
typedef struct yurpc_etcd_reply yurpc_etcd_reply;

/** See the typedef. */
struct yurpc_etcd_reply {
    int64_t revision;    /**< of the store when it answered */
    uint64_t cluster_id; /**< of the cluster that answered */
    uint64_t member_id;  /**< of its member */
    uint64_t raft_term;  /**< of that member */

    const yurpc_etcd_kv *kvs; /**< range: found; put and delete: what was there before */
    size_t kv_count;          /**< how many of them */
    int64_t count;            /**< range: keys there are, whatever the limit; delete: deleted */
    bool has_more;            /**< range: the limit cut some off */

    bool is_succeeded;                      /**< txn: all conditions held */
    const yurpc_etcd_reply *const *replies; /**< txn: one for each operation that was done */
    size_t reply_count;                     /**< how many */

    int64_t lease;             /**< grant and time to live: which */
    int64_t ttl_s;             /**< grant: granted; time to live: left, -1: no such lease */
    int64_t granted_ttl_s;     /**< time to live: as granted */
    const yurpc_bytes *keys;   /**< time to live: what goes with the lease, if asked for */
    size_t key_count;          /**< how many */
    const char *version;       /**< status: the server's, for example "3.5.16"; else NULL */
    int64_t db_size;           /**< status: bytes on disk */
    uint64_t leader_id;        /**< status: 0: there is none */
    uint64_t raft_index;       /**< status: of the member's log */
    const yurpc_bytes *errors; /**< status: what the member complains about, as text */
    size_t error_count;        /**< how many */
};

/**
 * Receives the answer, or why there is none. Exactly one of @p reply and @p error is NULL;
 * both are borrowed. Runs on the client's loop; must not block.
 */
typedef void yurpc_etcd_reply_fn(void *context, const yurpc_etcd_reply *reply,
                                 const yurpc_error *error);

/* ---- Changes ---- */

/** What happened to a key. */
typedef enum yurpc_etcd_event_kind {
    YURPC_ETCD_EVENT_PUT = 0,    /**< it was written */
    YURPC_ETCD_EVENT_DELETE = 1, /**< it was deleted, or its lease ended */
} yurpc_etcd_event_kind;

/** One change of one key. */
typedef struct yurpc_etcd_event {
    yurpc_etcd_event_kind kind; /**< what happened */
    yurpc_etcd_kv kv; /**< after it; of a deleted key only the key and mod_revision are set */
    const yurpc_etcd_kv *prev_kv; /**< before it, if asked for and known; else NULL */
} yurpc_etcd_event;

/** Changes, in the order in which they were made. Those of one revision are never split. */
typedef struct yurpc_etcd_changes {
    int64_t revision;               /**< of the last; all up to it were reported */
    int64_t store_revision;         /**< of the store when it sent them: the lead it has */
    const yurpc_etcd_event *events; /**< borrowed */
    size_t count;                   /**< how many; never 0 */
} yurpc_etcd_changes;

YURPC_END_DECLS

#endif /* YURPC_ETCD_DATA_H */
