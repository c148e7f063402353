/*
 * Records and their history in the registry's file: what is there, what changed since.
 *
 * Each change has the next revision. A deletion leaves a tombstone; old ones are pruned, and
 * the horizon says up to where. A row whose seal is wrong is skipped and counted.
 *
 * Everything here happens inside a transaction of the store.
 */
#ifndef YR_LOCAL_RECORD_H
#define YR_LOCAL_RECORD_H

#include "drivers/local/facts.h"
#include "drivers/local/store.h"

enum {
    YR_LOCAL_TOMBSTONES_MAX = 16384, /* kept when old ones are pruned */
    YR_LOCAL_PRUNE_EVERY = 1024,     /* revisions: so many more may be there */
    YR_LOCAL_KEY_MAX = 1024,
};

/* The registry's revision, and the one up to which its history is forgotten. */
typedef struct yr_local_state {
    int64_t revision;
    int64_t horizon;
} yr_local_state;

/* A key that is checked and built: "/rpc/SERVICE/NODE". */
typedef struct yr_local_key {
    char text[YR_LOCAL_KEY_MAX];
    size_t len;
} yr_local_key;

/* YURPC_INVALID: not something that a key can be made of; the text says why. */
YURPC_NODISCARD yurpc_status yr_local_key_make(yurpc_bytes service, yurpc_bytes node,
                                               yr_local_key *ret_key, yurpc_error **ret_error);

/* What is found under a key; value is borrowed until the next use of the store. */
typedef struct yr_local_found {
    bool is_there;
    bool is_damaged; /* there, but nothing of it can be believed */
    int64_t owner;
} yr_local_found;

YURPC_NODISCARD yurpc_status yr_local_state_get(yr_local_store *store,
                                                yr_local_state *ret_state,
                                                yurpc_error **ret_error);

/*
 * A transaction that changes records. A damaged state is replaced by one that makes every
 * follower list anew. The end writes the state if it has advanced, and commits; or, when
 * @p status says that something failed, rolls back and returns it.
 */
YURPC_NODISCARD yurpc_status yr_local_change_begin(yr_local_store *store,
                                                   yr_local_state *ret_state,
                                                   yurpc_error **ret_error);
YURPC_NODISCARD yurpc_status yr_local_change_end(yr_local_store *store, yr_local_state *state,
                                                 int64_t revision_before, yurpc_status status,
                                                 yurpc_error **ret_error);

YURPC_NODISCARD yurpc_status yr_local_record_find(yr_local_store *store,
                                                  const yr_local_key *key,
                                                  yr_local_found *ret_found,
                                                  yurpc_error **ret_error);

YURPC_NODISCARD yurpc_status yr_local_record_put(yr_local_store *store, yr_local_state *state,
                                                 const yr_local_key *key, yurpc_bytes value,
                                                 int64_t owner, yurpc_error **ret_error);

YURPC_NODISCARD yurpc_status yr_local_record_delete(yr_local_store *store,
                                                    yr_local_state *state,
                                                    const yr_local_key *key,
                                                    yurpc_error **ret_error);

/* Delete all that @p owner holds. */
YURPC_NODISCARD yurpc_status yr_local_record_delete_owned(yr_local_store *store,
                                                          yr_local_state *state, int64_t owner,
                                                          yurpc_error **ret_error);

/* What a list wants to see. */
typedef struct yr_local_span {
    const yr_local_key *first; /* NULL: everything there is */
    const yr_local_key *last;
    const int64_t *dead; /* owners whose records are not to be named, ascending */
    size_t dead_count;
} yr_local_span;

/* Append the records in @p span, in the order of keys. */
YURPC_NODISCARD yurpc_status yr_local_record_list(yr_local_store *store,
                                                  const yr_local_span *span,
                                                  yr_local_facts *facts,
                                                  yurpc_error **ret_error);

/*
 * Append what changed after @p revision, unsorted. *@p ret_is_gap: that cannot be told (it is
 * forgotten, of another history, or damaged): list anew.
 */
YURPC_NODISCARD yurpc_status yr_local_record_changes(yr_local_store *store,
                                                     const yr_local_state *state,
                                                     int64_t revision, yr_local_facts *facts,
                                                     bool *ret_is_gap, yurpc_error **ret_error);

#endif /* YR_LOCAL_RECORD_H */
