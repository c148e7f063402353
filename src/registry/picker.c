#include "base/assert.h"
#include "base/mem.h"
#include "registry/snapshot.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum {
    CACHE_LINE = 64,
    DRAWS_MAX = 8, /* before the nearest instance of the rank that is wanted is searched */
};

/* The turn, which all threads that share a picker write, has its cache line to itself. */
struct yurpc_picker {
    yurpc_picker_kind kind;
    char space_before[CACHE_LINE - sizeof(yurpc_picker_kind)];
    _Atomic uint64_t turn;
    char space_behind[CACHE_LINE - sizeof(uint64_t)];
};

/* ---- Random numbers ---- */

/* Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t splitmix(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = *state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* Where a thread's numbers begin: the kernel's random bytes for this process, told apart by
 * thread, and by process after a fork. Good enough to spread load, not for secrets. */
static uint64_t seed_of_thread(const void *thread)
{
    uint64_t seed = 0;
    unsigned long address = getauxval(AT_RANDOM);
    if (address != 0) {
        const void *bytes;
        memcpy(&bytes, &address, sizeof bytes);
        memcpy(&seed, bytes, sizeof seed);
    }
    uint64_t state = seed ^ (uint64_t)(uintptr_t)thread ^ (uint64_t)getpid() << 32;
    return splitmix(&state);
}

static uint32_t random_number(void)
{
    static _Thread_local uint64_t state;
    if (state == 0) {
        state = seed_of_thread(&state);
    }
    return (uint32_t)(splitmix(&state) >> 32);
}

/* ---- Picking ---- */

yurpc_status yurpc_picker_new(yurpc_picker_kind kind, yurpc_picker **ret_picker)
{
    if ((kind != YURPC_PICK_ROUND_ROBIN && kind != YURPC_PICK_RANDOM) || ret_picker == NULL) {
        return YURPC_INVALID;
    }
    yurpc_picker *picker = yr_calloc(1, sizeof *picker);
    if (picker == NULL) {
        return YURPC_NO_MEMORY;
    }
    /* Not 0: else the first request of every consumer would go to the same instance. */
    atomic_init(&picker->turn, random_number());
    picker->kind = kind;
    *ret_picker = picker;
    return YURPC_OK;
}

void yurpc_picker_free(yurpc_picker *picker)
{
    yr_free(picker);
}

/* A place below @p count, the next one in the picker's way of choosing. */
static size_t draw(yurpc_picker *picker, size_t count)
{
    switch (picker->kind) {
    case YURPC_PICK_ROUND_ROBIN:
        return atomic_fetch_add_explicit(&picker->turn, 1, memory_order_relaxed) % count;
    case YURPC_PICK_RANDOM:
        return (size_t)((uint64_t)random_number() * count >> 32);
    }
    return 0;
}

/* The better an instance, the less its rank. */
typedef enum rank {
    RANK_ORDINARY,
    RANK_DRAINING, /* there, and about to leave */
    RANK_SUSPECT,  /* perhaps not there */
} rank;

static rank rank_of(const yurpc_instance *instance)
{
    if (yurpc_instance_is_suspect(instance)) {
        return RANK_SUSPECT;
    }
    return yurpc_instance_is_draining(instance) ? RANK_DRAINING : RANK_ORDINARY;
}

/* Among instances only some of which have @p wanted. Drawing again keeps the shares of those
 * equal; when nearly all are others that could take long, so the last draws are a walk. */
static const yurpc_instance *pick_of_rank(const yurpc_snapshot *snapshot, yurpc_picker *picker,
                                          size_t count, rank wanted)
{
    size_t index = 0;
    for (int i = 0; i < DRAWS_MAX; i++) {
        index = draw(picker, count);
        const yurpc_instance *instance = yurpc_snapshot_at(snapshot, index);
        if (rank_of(instance) == wanted) {
            return instance;
        }
    }
    for (size_t i = 1; i < count; i++) {
        const yurpc_instance *instance = yurpc_snapshot_at(snapshot, (index + i) % count);
        if (rank_of(instance) == wanted) {
            return instance;
        }
    }
    return NULL;
}

const yurpc_instance *yurpc_snapshot_pick(const yurpc_snapshot *snapshot, yurpc_picker *picker)
{
    size_t count = yurpc_snapshot_count(snapshot);
    if (count == 0) {
        return NULL;
    }
    size_t draining = yr_snapshot_count_draining(snapshot);
    size_t suspects = yr_snapshot_count_suspects(snapshot);
    size_t ordinary = count - draining - suspects;
    if (ordinary == count || draining == count || suspects == count) {
        return yurpc_snapshot_at(snapshot, draw(picker, count));
    }
    return pick_of_rank(snapshot, picker, count, ordinary > 0 ? RANK_ORDINARY : RANK_DRAINING);
}
