#include "store.h"

#include "alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

struct yr_fake_store {
    const yr_fake_version **keys; /* the newest version of each key ever written, in order */
    size_t key_count;
    yr_fake_version **writes;
    size_t write_count;
    size_t committed_count; /* writes that belong to ended transactions */
    int64_t revision;
    int64_t compacted;
    bool forgets_deletions_at_border;
};

/* ---- Spans ---- */

static bool has_no_end(const yr_fake_span *span)
{
    return span->end.len == 1 && *(const char *)span->end.data == '\0';
}

bool yr_fake_span_has(const yr_fake_span *span, yurpc_bytes key)
{
    if (span->end.len == 0) {
        return yr_bytes_equal(span->key, key);
    }
    return yr_bytes_compare(key, span->key) >= 0 &&
           (has_no_end(span) || yr_bytes_compare(key, span->end) < 0);
}

/* ---- Life ---- */

yr_fake_store *yr_fake_store_new(void)
{
    yr_fake_store *store = yr_fake_alloc(sizeof(*store));
    store->revision = 1;
    return store;
}

void yr_fake_store_free(yr_fake_store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < store->write_count; i++) {
        yr_fake_version *version = store->writes[i];
        if (version->before == NULL) {
            yr_fake_release(version->key.data); /* shared by all versions of the key */
        }
        yr_fake_release(version->value.data);
    }
    for (size_t i = 0; i < store->write_count; i++) {
        yr_fake_release(store->writes[i]);
    }
    yr_fake_release(store->writes);
    yr_fake_release(store->keys);
    yr_fake_release(store);
}

int64_t yr_fake_store_revision(const yr_fake_store *store)
{
    return store->revision;
}

int64_t yr_fake_store_compacted(const yr_fake_store *store)
{
    return store->compacted;
}

/* ---- Reading ---- */

/* The index of the first key that is not before @p key; *@p ret_is_equal: it is @p key. */
static size_t find_place(const yr_fake_store *store, yurpc_bytes key, bool *ret_is_equal)
{
    size_t low = 0;
    size_t high = store->key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (yr_bytes_compare(store->keys[middle]->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_is_equal = low < store->key_count && yr_bytes_equal(store->keys[low]->key, key);
    return low;
}

/* The version of a key at a revision, given its newest one; NULL when it did not exist. */
static const yr_fake_version *at_revision(const yr_fake_version *newest, int64_t revision)
{
    const yr_fake_version *version = newest;
    while (version != NULL && revision != 0 && version->mod_revision > revision) {
        version = version->before;
    }
    return version != NULL && version->version > 0 ? version : NULL;
}

const yr_fake_version *yr_fake_store_next(const yr_fake_store *store, const yr_fake_span *span,
                                          int64_t revision, const yr_fake_version *previous)
{
    bool is_equal = false;
    size_t i = find_place(store, previous != NULL ? previous->key : span->key, &is_equal);
    if (previous != NULL && is_equal) {
        i++;
    }
    for (; i < store->key_count && yr_fake_span_has(span, store->keys[i]->key); i++) {
        const yr_fake_version *version = at_revision(store->keys[i], revision);
        if (version != NULL) {
            return version;
        }
    }
    return NULL;
}

const yr_fake_version *yr_fake_store_find(const yr_fake_store *store, yurpc_bytes key,
                                          int64_t revision)
{
    bool is_equal = false;
    size_t i = find_place(store, key, &is_equal);
    return is_equal ? at_revision(store->keys[i], revision) : NULL;
}

const yr_fake_version *yr_fake_store_before(const yr_fake_store *store,
                                            const yr_fake_version *version)
{
    const yr_fake_version *before = version->before;
    bool is_there =
        before != NULL && before->version > 0 && version->mod_revision - 1 >= store->compacted;
    return is_there ? before : NULL;
}

size_t yr_fake_store_write_count(const yr_fake_store *store)
{
    return store->write_count;
}

const yr_fake_version *yr_fake_store_write(const yr_fake_store *store, size_t index)
{
    YR_ASSERT(index < store->write_count);
    return store->writes[index];
}

size_t yr_fake_store_write_from(const yr_fake_store *store, int64_t revision)
{
    size_t low = 0;
    size_t high = store->write_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (store->writes[middle]->mod_revision < revision) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool yr_fake_store_is_visible(const yr_fake_store *store, const yr_fake_version *version)
{
    bool is_border = version->mod_revision == store->compacted;
    bool is_forgotten = version->version == 0 && store->forgets_deletions_at_border;
    return version->mod_revision > store->compacted || (is_border && !is_forgotten);
}

void yr_fake_store_forget_deletions_at_border(yr_fake_store *store)
{
    store->forgets_deletions_at_border = true;
}

/* ---- Writing ---- */

/* Append a version whose key and fields are set, as the newest one at @p place. */
static void append(yr_fake_store *store, size_t place, const yr_fake_version *fields)
{
    yr_fake_version *version = yr_fake_alloc(sizeof(*version));
    *version = *fields;
    version->mod_revision = store->revision + 1;
    store->writes = yr_fake_grow(store->writes, store->write_count, sizeof(yr_fake_version *));
    store->writes[store->write_count++] = version;
    store->keys[place] = version;
}

void yr_fake_store_put(yr_fake_store *store, yurpc_bytes key, yurpc_bytes value, int64_t lease)
{
    bool is_equal = false;
    size_t place = find_place(store, key, &is_equal);
    const yr_fake_version *before = is_equal ? store->keys[place] : NULL;
    if (!is_equal) {
        store->keys =
            yr_fake_grow(store->keys, store->key_count, sizeof(const yr_fake_version *));
        memmove(&store->keys[place + 1], &store->keys[place],
                (store->key_count - place) * sizeof(const yr_fake_version *));
        store->key_count++;
    }
    bool is_new = before == NULL || before->version == 0;
    append(store, place,
           &(yr_fake_version){
               .key = before != NULL ? before->key : yr_fake_copy(key),
               .value = yr_fake_copy(value),
               .create_revision = is_new ? store->revision + 1 : before->create_revision,
               .version = is_new ? 1 : before->version + 1,
               .lease = lease,
               .before = before,
           });
}

int64_t yr_fake_store_delete(yr_fake_store *store, const yr_fake_span *span)
{
    int64_t count = 0;
    bool is_equal = false;
    size_t i = find_place(store, span->key, &is_equal);
    for (; i < store->key_count && yr_fake_span_has(span, store->keys[i]->key); i++) {
        const yr_fake_version *before = store->keys[i];
        if (before->version == 0) {
            continue;
        }
        append(store, i,
               &(yr_fake_version){
                   .key = before->key,
                   .value = yr_fake_copy((yurpc_bytes){0}),
                   .before = before,
               });
        count++;
    }
    return count;
}

bool yr_fake_store_is_dirty(const yr_fake_store *store)
{
    return store->write_count > store->committed_count;
}

size_t yr_fake_store_commit(yr_fake_store *store)
{
    size_t first = store->committed_count;
    if (yr_fake_store_is_dirty(store)) {
        store->revision++;
        store->committed_count = store->write_count;
    }
    return first;
}

void yr_fake_store_compact(yr_fake_store *store, int64_t revision)
{
    YR_ASSERT(revision > store->compacted && revision <= store->revision);
    store->compacted = revision;
}

static void free_write(const yr_fake_version *version)
{
    if (version->before == NULL) {
        yr_fake_release(version->key.data); /* shared by all versions of the key */
    }
    yr_fake_release(version->value.data);
    yr_fake_release(version);
}

void yr_fake_store_restore(yr_fake_store *store, int64_t revision)
{
    YR_ASSERT(revision >= store->compacted && revision <= store->revision && revision > 0);
    while (store->write_count > 0 &&
           store->writes[store->write_count - 1]->mod_revision > revision) {
        yr_fake_version *undone = store->writes[--store->write_count];
        bool is_equal = false;
        size_t place = find_place(store, undone->key, &is_equal);
        if (undone->before != NULL) {
            store->keys[place] = undone->before;
        } else {
            store->key_count--;
            memmove(&store->keys[place], &store->keys[place + 1],
                    (store->key_count - place) * sizeof(const yr_fake_version *));
        }
        free_write(undone);
    }
    store->committed_count = store->write_count;
    store->revision = revision;
}
