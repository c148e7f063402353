#include "registry/consumer/absence.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RETRY_MS = 200 }; /* when there was no memory to publish */

typedef struct absence {
    yr_map_node map_node;
    yr_list link; /* in one of the three lists */
    yr_absences *absences;
    const yurpc_instance *instance; /* as it was; one reference */
    int64_t since_ms;
    bool is_suspect;
    yr_probe probe;
} absence;

static void on_timer(void *context)
{
    yr_absences_update(context);
}

void yr_absences_init(yr_absences *absences, yr_core *core, yr_prober *prober)
{
    *absences = (yr_absences){.core = core, .prober = prober, .is_stale = true};
    yr_protection_init(&absences->protection, core->ttl_ms);
    yr_map_init(&absences->by_node, core->map_seed);
    yr_list_init(&absences->doubted);
    yr_list_init(&absences->suspects);
    yr_list_init(&absences->gone);
    yr_timer_init(&absences->timer, on_timer, absences);
}

static void count_suspects(yr_absences *absences, int change)
{
    _Atomic uint32_t *counter = &absences->core->counters.suspects;
    if (change > 0) {
        absences->suspect_count++;
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
        yr_count(&absences->core->counters.suspected, 1);
    } else {
        absences->suspect_count--;
        atomic_fetch_sub_explicit(counter, 1, memory_order_relaxed);
    }
}

static void absence_free(absence *ended)
{
    yr_absences *absences = ended->absences;
    if (ended->is_suspect) {
        count_suspects(absences, -1);
    }
    yr_probe_stop(&ended->probe);
    yr_list_remove(&ended->link);
    yr_map_remove(&absences->by_node, &ended->map_node);
    yr_instance_unref(ended->instance);
    yr_free(ended);
}

void yr_absences_deinit(yr_absences *absences)
{
    yr_map_node *node = NULL;
    while ((node = yr_map_next(&absences->by_node, NULL)) != NULL) {
        absence_free(YR_CONTAINER_OF(node, absence, map_node));
    }
    yr_map_deinit(&absences->by_node);
    yr_timer_stop(absences->core->io, &absences->timer);
}

static void move_to(yr_list *list, absence *moved)
{
    yr_list_remove(&moved->link);
    yr_list_append(list, &moved->link);
}

static void say_over(const yr_absences *absences, size_t count_before)
{
    if (count_before > 0 && absences->suspect_count == 0) {
        yr_log_write(&absences->core->log, YURPC_LOG_INFO, "registry",
                     "%s: no instance is suspect any more", absences->service);
    }
}

/* ---- Who vanishes, and who comes ---- */

static absence *find(const yr_absences *absences, yurpc_bytes node)
{
    yr_map_node *found = yr_map_find(&absences->by_node, node);
    return found != NULL ? YR_CONTAINER_OF(found, absence, map_node) : NULL;
}

static void on_probed(void *context, bool is_refused)
{
    absence *probed = context;
    if (is_refused) {
        move_to(&probed->absences->gone, probed);
        yr_absences_update(probed->absences);
    }
}

/* False: no memory. Then it is not protected. */
static bool doubt(yr_absences *absences, const yurpc_instance *instance)
{
    absence *made = yr_calloc(1, sizeof *made);
    if (made == NULL) {
        return false;
    }
    made->absences = absences;
    made->instance = yr_instance_ref(instance);
    made->since_ms = yr_io_now_ms(absences->core->io);
    yr_list_init(&made->link);
    yr_probe_init(&made->probe, absences->prober, on_probed, made);
    yr_list_append(&absences->doubted, &made->link);
    yr_map_insert(&absences->by_node, &made->map_node, yr_instance_node(made->instance));
    return true;
}

/* Whoever the registry names is not absent. */
static void note_named(yr_absences *absences, const yr_batch *batch)
{
    int64_t now = yr_io_now_ms(absences->core->io);
    for (size_t i = 0; i < batch->count && absences->by_node.count > 0; i++) {
        const yr_batch_item *item = &batch->items[i];
        yurpc_bytes node = yr_batch_node(item);
        bool is_overtaken =
            i + 1 < batch->count && yr_bytes_equal(node, yr_batch_node(&batch->items[i + 1]));
        absence *named = item->instance != NULL && !is_overtaken ? find(absences, node) : NULL;
        if (named != NULL) {
            yr_protection_came(&absences->protection, now, 1);
            absence_free(named);
        }
    }
}

/* Whether @p instance, which the registry names no more, is held back from now on. */
static bool begin_holding(yr_absences *absences, const yurpc_instance *instance,
                          bool has_drained, bool may_be_mass)
{
    if (has_drained) {
        return false;
    }
    yr_protection_vanished(&absences->protection, yr_io_now_ms(absences->core->io), 1);
    return may_be_mass && doubt(absences, instance);
}

void yr_absences_screen(yr_absences *absences, const yr_batch *batch, yr_batch_result *result)
{
    if (absences->core->is_unprotected) {
        return;
    }
    size_t suspects_before = absences->suspect_count;
    int64_t now = yr_io_now_ms(absences->core->io);
    const yurpc_snapshot *current = yr_snapshot_cell_current(absences->cell);
    note_named(absences, batch);
    size_t present = yurpc_snapshot_count(current) - absences->by_node.count;
    bool may_be_mass = yr_protection_may_be_mass(&absences->protection, now, present);
    size_t kept = 0;
    size_t came = 0;
    for (size_t i = 0; i < result->count; i++) {
        const yr_snapshot_change *change = &result->changes[i];
        came += change->before == NULL;
        if (change->instance == NULL && find(absences, change->node) != NULL) {
            continue; /* that is known */
        }
        if (change->instance == NULL &&
            begin_holding(absences, change->before, change->has_drained, may_be_mass)) {
            result->held++;
            continue;
        }
        result->changes[kept++] = *change;
    }
    result->count = kept;
    yr_protection_came(&absences->protection, now, came);
    say_over(absences, suspects_before);
}

/* ---- What becomes of them ---- */

typedef struct verdict {
    yr_snapshot_change *changes;
    size_t count;
} verdict;

static int by_node(const void *a, const void *b)
{
    const yr_snapshot_change *left = a;
    const yr_snapshot_change *right = b;
    return yr_bytes_compare(left->node, right->node);
}

/* All who are doubted become suspect, for the snapshot. Copies belong to the verdict. */
static yurpc_status suspect_all(yr_absences *absences, verdict *found)
{
    yr_list *link = absences->doubted.next;
    while (link != &absences->doubted) {
        absence *doubted = YR_CONTAINER_OF(link, absence, link);
        const yurpc_instance *copy = yr_instance_new_suspect(doubted->instance);
        link = link->next;
        if (copy == NULL) {
            return YURPC_NO_MEMORY;
        }
        found->changes[found->count++] =
            (yr_snapshot_change){.node = yr_instance_node(doubted->instance), .instance = copy};
    }
    return YURPC_OK;
}

static int64_t since_of_first(const yr_list *list)
{
    return YR_CONTAINER_OF(list->next, absence, link)->since_ms;
}

static bool is_due(const yr_absences *absences, const yr_list *list, int64_t after_ms)
{
    return !yr_list_is_empty(list) &&
           since_of_first(list) + after_ms <= yr_io_now_ms(absences->core->io);
}

static void add_gone(const yr_absences *absences, verdict *found)
{
    for (yr_list *link = absences->gone.next; link != &absences->gone; link = link->next) {
        const absence *gone = YR_CONTAINER_OF(link, absence, link);
        found->changes[found->count++] =
            (yr_snapshot_change){.node = yr_instance_node(gone->instance)};
    }
}

static size_t count_of(const yr_list *list)
{
    size_t count = 0;
    for (const yr_list *link = list->next; link != list; link = link->next) {
        count++;
    }
    return count;
}

/* Publish the verdict; nothing has changed on failure. */
static yurpc_status pronounce(yr_absences *absences, bool is_mass)
{
    bool is_suspecting = is_mass && !yr_list_is_empty(&absences->doubted);
    if (!is_suspecting && yr_list_is_empty(&absences->gone)) {
        return YURPC_OK;
    }
    size_t most =
        count_of(&absences->gone) + (is_suspecting ? count_of(&absences->doubted) : 0);
    verdict found = {.changes = yr_calloc(most, sizeof *found.changes)};
    if (found.changes == NULL) {
        return YURPC_NO_MEMORY;
    }
    yurpc_status status = is_suspecting ? suspect_all(absences, &found) : YURPC_OK;
    add_gone(absences, &found);
    if (status == YURPC_OK) {
        qsort(found.changes, found.count, sizeof *found.changes, by_node);
        status = absences->publish(absences->context, found.changes, found.count);
    }
    for (size_t i = 0; i < found.count; i++) {
        yr_instance_unref(found.changes[i].instance);
    }
    yr_free(found.changes);
    return status;
}

static void say_incident(const yr_absences *absences, size_t count)
{
    yr_log_write(&absences->core->log, YURPC_LOG_WARN, "registry",
                 "%s: more than half of the instances vanished together: the last %zu stay as "
                 "suspect until their hosts refuse connections, or for %" PRId64 " s",
                 absences->service, count, absences->core->ttl_ms / 1000);
}

static void begin_suspecting(yr_absences *absences)
{
    size_t before = absences->suspect_count;
    int64_t now = yr_io_now_ms(absences->core->io);
    while (!yr_list_is_empty(&absences->doubted)) {
        absence *suspect = YR_CONTAINER_OF(absences->doubted.next, absence, link);
        const yurpc_instance *instance = suspect->instance;
        suspect->is_suspect = true;
        suspect->since_ms = now;
        move_to(&absences->suspects, suspect);
        count_suspects(absences, 1);
        yr_probe_begin(&suspect->probe, yurpc_instance_host(instance),
                       yurpc_instance_port(instance));
    }
    if (before == 0 && absences->suspect_count > 0) {
        say_incident(absences, absences->suspect_count);
    }
}

static void free_gone(yr_absences *absences)
{
    while (!yr_list_is_empty(&absences->gone)) {
        absence_free(YR_CONTAINER_OF(absences->gone.next, absence, link));
    }
}

static void schedule(yr_absences *absences)
{
    yr_io *io = absences->core->io;
    int64_t now = yr_io_now_ms(io);
    int64_t next_ms = yr_list_is_empty(&absences->gone) ? INT64_MAX : now + RETRY_MS;
    if (!yr_list_is_empty(&absences->doubted)) {
        int64_t due_ms = since_of_first(&absences->doubted) + YR_DOUBT_MS;
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    if (!yr_list_is_empty(&absences->suspects) && !absences->is_stale) {
        int64_t due_ms = since_of_first(&absences->suspects) + absences->core->ttl_ms;
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    if (next_ms == INT64_MAX) {
        yr_timer_stop(io, &absences->timer);
    } else {
        yr_timer_start(io, &absences->timer, next_ms > now ? next_ms - now : RETRY_MS);
    }
}

void yr_absences_update(yr_absences *absences)
{
    if (absences->by_node.count == 0) {
        return;
    }
    size_t suspects_before = absences->suspect_count;
    size_t present = yurpc_snapshot_count(yr_snapshot_cell_current(absences->cell)) -
                     absences->by_node.count;
    bool is_mass =
        yr_protection_is_mass(&absences->protection, yr_io_now_ms(absences->core->io), present);
    while (!is_mass && is_due(absences, &absences->doubted, YR_DOUBT_MS)) {
        move_to(&absences->gone, YR_CONTAINER_OF(absences->doubted.next, absence, link));
    }
    while (!absences->is_stale &&
           is_due(absences, &absences->suspects, absences->core->ttl_ms)) {
        move_to(&absences->gone, YR_CONTAINER_OF(absences->suspects.next, absence, link));
    }
    if (pronounce(absences, is_mass) != YURPC_OK) {
        schedule(absences);
        return;
    }
    if (is_mass) {
        begin_suspecting(absences);
    }
    free_gone(absences);
    schedule(absences);
    say_over(absences, suspects_before);
}

void yr_absences_set_stale(yr_absences *absences, bool is_stale)
{
    if (absences->is_stale == is_stale) {
        return;
    }
    absences->is_stale = is_stale;
    if (!is_stale) {
        int64_t now = yr_io_now_ms(absences->core->io);
        for (yr_list *link = absences->suspects.next; link != &absences->suspects;
             link = link->next) {
            YR_CONTAINER_OF(link, absence, link)->since_ms = now;
        }
    }
    schedule(absences);
}
