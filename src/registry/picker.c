#include "registry/picker.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

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

/* ---- Cursors ---- */

_Thread_local yr_picker_cursors *yr_picker_own;
static pthread_key_t key_of_own; /* only so that it is freed with its thread */
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool has_key;

static void free_own(void *memory)
{
    yr_picker_own = NULL; /* another destructor may pick, too, and begin anew */
    yr_free(memory);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key_of_own, free_own) == 0;
}

_Static_assert(sizeof(yr_picker_cursor) == YR_CACHE_LINE, "a cursor fills a cache line");

/* NULL: this thread has none, now. */
static yr_picker_cursors *make_own(void)
{
    if (pthread_once(&key_once, make_key) != 0 || !has_key) {
        return NULL;
    }
    char *memory = yr_calloc(1, sizeof(yr_picker_cursors) + YR_CACHE_LINE);
    if (memory == NULL) {
        return NULL;
    }
    if (pthread_setspecific(key_of_own, memory) != 0) {
        yr_free(memory);
        return NULL;
    }
    yr_picker_own = (yr_picker_cursors *)(void *)(memory + (YR_CACHE_LINE -
                                                            (uintptr_t)memory % YR_CACHE_LINE));
    return yr_picker_own;
}

/* The cursor of @p picker in the service of @p snapshot: one that begins anywhere if it is new.
 * NULL: there is no memory for cursors. */
static yr_picker_cursor *find_cursor(const yurpc_picker *picker, const yurpc_snapshot *snapshot)
{
    yr_picker_cursors *all = yr_picker_own != NULL ? yr_picker_own : make_own();
    if (all == NULL) {
        return NULL;
    }
    size_t first = yr_picker_slot(picker, snapshot);
    yr_picker_cursor *oldest = &all->slots[first];
    for (size_t way = 0; way < YR_PICKER_WAYS; way++) {
        yr_picker_cursor *at = &all->slots[first ^ way];
        if (at->picker == picker->id && at->lineage == snapshot->lineage) {
            at->used = ++all->now;
            return at;
        }
        oldest = at->used < oldest->used ? at : oldest;
    }
    /* Not 0: else the first request of every consumer would go to the same instance. */
    *oldest = (yr_picker_cursor){.picker = picker->id,
                                 .lineage = snapshot->lineage,
                                 .turn = random_number(),
                                 .used = ++all->now};
    return oldest;
}

/* ---- Picking ---- */

yurpc_status yurpc_picker_new(yurpc_picker_kind kind, yurpc_picker **ret_picker)
{
    static _Atomic uint64_t last_id;
    if ((kind != YURPC_PICK_ROUND_ROBIN && kind != YURPC_PICK_RANDOM) || ret_picker == NULL) {
        return YURPC_INVALID;
    }
    yurpc_picker *picker = yr_calloc(1, sizeof *picker);
    if (picker == NULL) {
        return YURPC_NO_MEMORY;
    }
    picker->kind = kind;
    picker->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    picker->place = random_number();
    atomic_init(&picker->turn, random_number());
    *ret_picker = picker;
    return YURPC_OK;
}

void yurpc_picker_free(yurpc_picker *picker)
{
    yr_free(picker);
}

/* The best kind of which there is one, and how many: the draining only when there is no better
 * one, suspects only when there is nothing else. */
static yr_roster_kind choose_kind(const yurpc_snapshot *snapshot, size_t *ret_count)
{
    size_t ordinary = snapshot->count - snapshot->draining - snapshot->suspects;
    size_t best = ordinary > 0 ? ordinary : snapshot->draining;
    best = best > 0 ? best : snapshot->suspects;
    *ret_count = best;
    if (best == snapshot->count) {
        return YR_ROSTER_ALL;
    }
    return ordinary > 0 ? YR_ROSTER_ORDINARY : YR_ROSTER_DRAINING;
}

/* Whoever comes after what @p mine has passed. */
static const yurpc_instance *pick_in_turn(const yurpc_snapshot *snapshot,
                                          yr_picker_cursor *mine)
{
    size_t count = 0;
    yr_roster_kind kind = choose_kind(snapshot, &count);
    uint64_t turn = mine->turn - (uint64_t)(mine->run.end - mine->run.next);
    turn = turn < count ? turn : turn % count;
    yr_roster_run run = yr_roster_seek(snapshot->roster, kind, (size_t)turn);
    const yurpc_instance *one = *run.next++;
    if (kind != YR_ROSTER_ALL) {
        run.end = run.next; /* who stands beside it may be of another kind */
    }
    mine->snapshot = snapshot->id;
    mine->run = run;
    mine->turn = turn + 1 + (uint64_t)(run.end - run.next);
    return one;
}

static const yurpc_instance *pick_at_random(const yurpc_snapshot *snapshot)
{
    size_t count = 0;
    yr_roster_kind kind = choose_kind(snapshot, &count);
    size_t index = (size_t)((uint64_t)random_number() * count >> 32);
    return *yr_roster_seek(snapshot->roster, kind, index).next;
}

const yurpc_instance *yr_picker_pick_slowly(yurpc_picker *picker,
                                            const yurpc_snapshot *snapshot)
{
    if (snapshot->count == 0) {
        return NULL;
    }
    if (picker->kind == YURPC_PICK_RANDOM) {
        return pick_at_random(snapshot);
    }
    yr_picker_cursor *mine = find_cursor(picker, snapshot);
    if (mine != NULL && mine->snapshot == snapshot->id && mine->run.next < mine->run.end) {
        return *mine->run.next++; /* only not in its first slot */
    }
    if (mine != NULL) {
        return pick_in_turn(snapshot, mine);
    }
    yr_picker_cursor common = {
        .turn = atomic_fetch_add_explicit(&picker->turn, 1, memory_order_relaxed)};
    return pick_in_turn(snapshot, &common);
}

const yurpc_instance *yurpc_snapshot_pick(const yurpc_snapshot *snapshot, yurpc_picker *picker)
{
    return yr_picker_pick(picker, snapshot);
}
