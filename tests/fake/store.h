/*
 * The fake etcd's keys: a tiny multi-version store.
 *
 * Each write makes a new version of a key at the next revision; a deletion is a version too.
 * Writes belong together until yr_fake_store_commit() ends the transaction: they have the same
 * revision, and reads in between see them. Nothing is forgotten: compacting only moves the
 * border below which reads and watches are refused, so a test can still ask for all history.
 */
#ifndef YR_FAKE_STORE_H
#define YR_FAKE_STORE_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct yr_fake_store yr_fake_store;

/* One write of one key. */
typedef struct yr_fake_version {
    yurpc_bytes key;
    yurpc_bytes value;
    int64_t create_revision; /* 0 when deleted */
    int64_t mod_revision;
    int64_t version; /* writes since the key was created; 0: this write deleted it */
    int64_t lease;
    const struct yr_fake_version *before; /* of the same key; NULL: the first ever */
} yr_fake_version;

/* As in etcd's requests: one key, or all keys from @c key on that come before @c end. */
typedef struct yr_fake_span {
    yurpc_bytes key;
    yurpc_bytes end; /* empty: only the key; one zero byte: no end */
} yr_fake_span;

bool yr_fake_span_has(const yr_fake_span *span, yurpc_bytes key);

/* A new store is at revision 1, as an empty etcd is. */
yr_fake_store *yr_fake_store_new(void);
void yr_fake_store_free(yr_fake_store *store);

int64_t yr_fake_store_revision(const yr_fake_store *store);  /* of the last commit */
int64_t yr_fake_store_compacted(const yr_fake_store *store); /* below it is nothing; 0: never */

/* ---- Reading ---- */

/*
 * The first key in @p span after @p previous (NULL: the first of all), as it was at @p revision
 * (0: now, with what the open transaction wrote); NULL: no more. Only keys that existed then.
 */
const yr_fake_version *yr_fake_store_next(const yr_fake_store *store, const yr_fake_span *span,
                                          int64_t revision, const yr_fake_version *previous);

/* One key at @p revision (0: now); NULL when it did not exist. */
const yr_fake_version *yr_fake_store_find(const yr_fake_store *store, yurpc_bytes key,
                                          int64_t revision);

/* What was there before @p version, NULL when nothing was, or when it is compacted away. */
const yr_fake_version *yr_fake_store_before(const yr_fake_store *store,
                                            const yr_fake_version *version);

/* All writes since the start, in order: a number of them, and each. Survives compaction. */
size_t yr_fake_store_write_count(const yr_fake_store *store);
const yr_fake_version *yr_fake_store_write(const yr_fake_store *store, size_t index);

/* The index of the first write at @p revision or later. */
size_t yr_fake_store_write_from(const yr_fake_store *store, int64_t revision);

/* Whether a watch may still see this write: it is not below what was compacted. */
bool yr_fake_store_is_visible(const yr_fake_store *store, const yr_fake_version *version);

/* From now on a deletion at the very revision of a compaction is gone, too, as in etcd 3.4. */
void yr_fake_store_forget_deletions_at_border(yr_fake_store *store);

/* ---- Writing ---- */

void yr_fake_store_put(yr_fake_store *store, yurpc_bytes key, yurpc_bytes value, int64_t lease);

/* How many keys there were to delete. */
int64_t yr_fake_store_delete(yr_fake_store *store, const yr_fake_span *span);

/* Whether the open transaction wrote something. */
bool yr_fake_store_is_dirty(const yr_fake_store *store);

/* End the transaction; gives the index of its first write (the count of all when none). */
size_t yr_fake_store_commit(yr_fake_store *store);

/* All writes after @p revision, which must lie in [compacted, revision], are undone. */
void yr_fake_store_restore(yr_fake_store *store, int64_t revision);

/* @p revision must lie in (compacted, revision]. */
void yr_fake_store_compact(yr_fake_store *store, int64_t revision);

#endif /* YR_FAKE_STORE_H */
