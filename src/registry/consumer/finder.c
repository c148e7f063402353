#include "registry/consumer/finder.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "registry/instance.h"
#include "registry/reclaimer.h"
#include "registry/snapshot_reading.h"

#include <stdatomic.h>
#include <string.h>

#define VERSION_DEFAULT ":1.0"

enum { SLOTS_MIN = 16 };

struct yr_finder_item {
    yr_retired retired;
    uint64_t hash;
    const yr_snapshot_cell *cell;
    size_t len;
    char name[];
};

/*
 * Open addressing. A slot that was taken is never emptied, so that whoever walks over it comes
 * to the slots behind it; it is won back with the next table.
 */
struct yr_finder_table {
    yr_retired retired;
    size_t mask; /* slots - 1: a power of two */
    size_t used; /* slots that are not empty */
    size_t live; /* of these, those that hold an item */
    _Atomic(const yr_finder_item *) slots[];
};

/* Stands where an item was taken out: nothing is called so. */
static const yr_finder_item nobody = {.cell = NULL};

void yr_finder_init(yr_finder *finder, const uint64_t seed[2])
{
    atomic_init(&finder->table, NULL);
    finder->seed[0] = seed[0];
    finder->seed[1] = seed[1];
}

void yr_finder_deinit(yr_finder *finder)
{
    yr_free(atomic_load_explicit(&finder->table, memory_order_relaxed));
    atomic_init(&finder->table, NULL);
}

/* ---- Hashing ---- */

#if defined(__SIZEOF_INT128__)

/* Both halves of the product, folded. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t word_at(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

/*
 * A keyed hash for what is looked up at every request: SipHash would take half of the time. To
 * make it collide one would have to choose the names that this process follows, and know the
 * seed. Source: Wang, "wyhash", 2019: the way it takes 16 bytes in one multiplication.
 */
static uint64_t hash_of(const uint64_t seed[2], yurpc_bytes name)
{
    const char *text = name.data;
    size_t len = name.len;
    uint64_t hash = seed[0] ^ len;
    for (; len > 16; len -= 16, text += 16) {
        hash = mix(word_at(text) ^ seed[1], word_at(text + 8) ^ hash);
    }
    uint64_t first = 0;
    uint64_t last = 0;
    if (len >= 8) {
        first = word_at(text);
        last = word_at(text + len - 8);
    } else {
        memcpy(&first, text, len);
    }
    return mix(mix(first ^ seed[1], last ^ hash), seed[0] ^ UINT64_C(0x9e3779b97f4a7c15));
}

#else

static uint64_t hash_of(const uint64_t seed[2], yurpc_bytes name)
{
    return yr_siphash(seed, name);
}

#endif

/* ---- Writing: the loop ---- */

static const yr_finder_item *item_at(const yr_finder_table *table, size_t at)
{
    return atomic_load_explicit(&table->slots[at & table->mask], memory_order_acquire);
}

static void release_table(yr_retired *retired)
{
    YR_TSAN_ACQUIRE(&yr_read_sections);
    yr_free(YR_CONTAINER_OF(retired, yr_finder_table, retired));
}

static void release_item(yr_retired *retired)
{
    YR_TSAN_ACQUIRE(&yr_read_sections);
    yr_free(YR_CONTAINER_OF(retired, yr_finder_item, retired));
}

static void put(yr_finder_table *table, const yr_finder_item *item)
{
    size_t at = item->hash;
    while (item_at(table, at) != NULL) {
        at++;
    }
    atomic_store_explicit(&table->slots[at & table->mask], item, memory_order_release);
    table->used++;
    table->live++;
}

/* Have room for one more, with half of the slots empty at least. */
static yurpc_status reserve(yr_finder *finder)
{
    yr_finder_table *old = atomic_load_explicit(&finder->table, memory_order_relaxed);
    if (old != NULL && (old->used + 1) * 2 <= old->mask + 1) {
        return YURPC_OK;
    }
    size_t count = SLOTS_MIN;
    while (old != NULL && count < (old->live + 1) * 4) {
        count *= 2;
    }
    yr_finder_table *table =
        yr_calloc(1, sizeof *table + count * sizeof(const yr_finder_item *));
    if (table == NULL) {
        return YURPC_NO_MEMORY;
    }
    table->mask = count - 1;
    for (size_t at = 0; old != NULL && at <= old->mask; at++) {
        const yr_finder_item *item = item_at(old, at);
        if (item != NULL && item != &nobody) {
            put(table, item);
        }
    }
    atomic_store_explicit(&finder->table, table, memory_order_release);
    if (old != NULL) {
        old->retired.release = release_table;
        yr_reclaimer_retire(&old->retired);
    }
    return YURPC_OK;
}

yurpc_status yr_finder_add(yr_finder *finder, const char *name, const yr_snapshot_cell *cell,
                           yr_finder_item **ret_item)
{
    yurpc_bytes text = yr_bytes_of_text(name);
    yurpc_status status = reserve(finder);
    if (status != YURPC_OK) {
        return status;
    }
    yr_finder_item *item = yr_calloc(1, sizeof *item + text.len);
    if (item == NULL) {
        return YURPC_NO_MEMORY;
    }
    item->hash = hash_of(finder->seed, text);
    item->cell = cell;
    item->len = text.len;
    memcpy(item->name, text.data, text.len);
    put(atomic_load_explicit(&finder->table, memory_order_relaxed), item);
    *ret_item = item;
    return YURPC_OK;
}

void yr_finder_remove(yr_finder *finder, yr_finder_item *item)
{
    if (item == NULL) {
        return;
    }
    yr_finder_table *table = atomic_load_explicit(&finder->table, memory_order_relaxed);
    size_t at = item->hash;
    while (item_at(table, at) != item) {
        at++;
    }
    atomic_store_explicit(&table->slots[at & table->mask], &nobody, memory_order_release);
    table->live--;
    item->retired.release = release_item;
    yr_reclaimer_retire(&item->retired);
}

/* ---- Reading: any thread ---- */

static const yr_snapshot_cell *find(const yr_finder *finder, yurpc_bytes name)
{
    const yr_finder_table *table = atomic_load_explicit(&finder->table, memory_order_acquire);
    if (table == NULL) {
        return NULL;
    }
    uint64_t hash = hash_of(finder->seed, name);
    const yr_finder_item *item = NULL;
    for (size_t at = hash; (item = item_at(table, at)) != NULL; at++) {
        if (item->hash == hash && item->len == name.len && item->cell != NULL &&
            memcmp(item->name, name.data, name.len) == 0) {
            return item->cell;
        }
    }
    return NULL;
}

const yr_snapshot_cell *yr_finder_find(const yr_finder *finder, const char *name)
{
    enum { VERSION_LEN = sizeof(VERSION_DEFAULT) - 1 };
    size_t len = strlen(name);
    const yr_snapshot_cell *cell = find(finder, yr_bytes(name, len));
    if (cell != NULL || len + VERSION_LEN > YR_SERVICE_LEN_MAX ||
        memchr(name, ':', len) != NULL) {
        return cell;
    }
    char whole[YR_SERVICE_LEN_MAX];
    memcpy(whole, name, len);
    memcpy(whole + len, VERSION_DEFAULT, VERSION_LEN);
    return find(finder, yr_bytes(whole, len + VERSION_LEN));
}
