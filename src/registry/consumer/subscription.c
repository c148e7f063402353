#include "registry/consumer/subscription.h"

#include "base/mem.h"

/* The instances of one kind of event, as long as the snapshots they come from. */
typedef struct group {
    const yurpc_instance **instances;
    size_t count;
    size_t cap;
} group;

typedef struct difference {
    group up;
    group down;
    group changed;
    bool is_incomplete; /* memory was short */
} difference;

static void group_add(difference *found, group *to, const yurpc_instance *instance)
{
    const yurpc_instance **instances =
        yr_grow((void *)to->instances, to->count, &to->cap, sizeof(const yurpc_instance *));
    if (instances == NULL) {
        found->is_incomplete = true;
        return;
    }
    to->instances = instances;
    to->instances[to->count++] = instance;
}

static void on_up(void *context, const yurpc_instance *instance)
{
    difference *found = context;
    group_add(found, &found->up, instance);
}

static void on_down(void *context, const yurpc_instance *instance)
{
    difference *found = context;
    group_add(found, &found->down, instance);
}

static void on_changed(void *context, const yurpc_instance *instance)
{
    difference *found = context;
    group_add(found, &found->changed, instance);
}

static void say(yurpc_watch *watch, yurpc_event_kind kind, const group *instances)
{
    if (atomic_load(&watch->is_stopped) || watch->is_orphan) {
        return;
    }
    bool is_about_list = kind == YURPC_EVENT_STALE || kind == YURPC_EVENT_FRESH;
    if (!is_about_list && instances->count == 0) {
        return;
    }
    yurpc_event event = {.kind = kind};
    if (!is_about_list) {
        event.instances = instances->instances;
        event.count = instances->count;
    }
    watch->on_event(watch->context, &event);
}

/* ---- Saying it without memory: in pieces, one kind after the other ---- */

enum { PIECE_LEN = 64 };

typedef struct piece {
    yurpc_watch *watch;
    yurpc_event_kind kind;
    size_t count;
    const yurpc_instance *instances[PIECE_LEN];
} piece;

static void piece_say(piece *saying)
{
    group instances = {.instances = saying->instances, .count = saying->count};
    say(saying->watch, saying->kind, &instances);
    saying->count = 0;
}

static void on_piece(void *context, const yurpc_instance *instance)
{
    piece *saying = context;
    saying->instances[saying->count++] = instance;
    if (saying->count == PIECE_LEN) {
        piece_say(saying);
    }
}

static void on_other(void *context, const yurpc_instance *instance)
{
    (void)context;
    (void)instance;
}

static void say_in_pieces(yurpc_watch *watch, const yurpc_snapshot *seen,
                          const yurpc_snapshot *now)
{
    static const struct {
        yurpc_event_kind kind;
        yr_snapshot_visitor visitor;
    } passes[] = {
        {YURPC_EVENT_UP, {on_piece, on_other, on_other}},
        {YURPC_EVENT_CHANGED, {on_other, on_other, on_piece}},
        {YURPC_EVENT_DOWN, {on_other, on_piece, on_other}},
    };
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        piece saying = {.watch = watch, .kind = passes[i].kind};
        yr_snapshot_diff(seen, now, &passes[i].visitor, &saying);
        piece_say(&saying);
    }
}

static void say_all(yurpc_watch *watch, const difference *found, const yurpc_snapshot *seen,
                    const yurpc_snapshot *now)
{
    bool was_stale = seen != NULL && yurpc_snapshot_is_stale(seen);
    bool is_stale = yurpc_snapshot_is_stale(now);
    if (found->is_incomplete) {
        say_in_pieces(watch, seen, now);
    } else {
        say(watch, YURPC_EVENT_UP, &found->up);
        say(watch, YURPC_EVENT_CHANGED, &found->changed);
        say(watch, YURPC_EVENT_DOWN, &found->down);
    }
    if (is_stale && !was_stale) {
        say(watch, YURPC_EVENT_STALE, NULL);
    } else if (was_stale && !is_stale) {
        say(watch, YURPC_EVENT_FRESH, NULL);
    }
}

static void destroy(yurpc_watch *watch)
{
    yr_wait *freed = watch->freed;
    yr_snapshot_unref(atomic_load(&watch->next));
    yr_snapshot_unref(watch->seen);
    yr_free(watch);
    if (freed != NULL) {
        yr_wait_signal(freed);
    }
}

static void on_deliver(void *context)
{
    static const yr_snapshot_visitor visitor = {on_up, on_down, on_changed};
    yurpc_watch *watch = context;
    const yurpc_snapshot *now = atomic_exchange(&watch->next, NULL);
    if (now == NULL) {
        return;
    }
    const yurpc_snapshot *seen = watch->seen;
    difference found = {.is_incomplete = false};
    yr_snapshot_diff(seen, now, &visitor, &found);
    watch->seen = now;
    watch->is_delivering = true;
    say_all(watch, &found, seen, now);
    watch->is_delivering = false;
    yr_snapshot_unref(seen);
    yr_free((void *)found.up.instances);
    yr_free((void *)found.down.instances);
    yr_free((void *)found.changed.instances);
    if (watch->is_orphan) {
        destroy(watch);
    }
}

static void on_published(void *context)
{
    yurpc_watch *watch = context;
    const yurpc_snapshot *now = yr_snapshot_ref(yr_snapshot_cell_current(watch->cell));
    yr_snapshot_unref(atomic_exchange(&watch->next, now));
    if (!yr_executor_call(watch->executor, &watch->deliver_task)) {
        return; /* what is posted already will see this snapshot, too */
    }
}

static void on_free(void *context)
{
    yr_subscription_free(context);
}

yurpc_status yr_subscription_new(yr_entry *entry, yr_executor *executor,
                                 yurpc_event_fn *on_event, void *context,
                                 yurpc_watch **ret_watch)
{
    yurpc_watch *watch = yr_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return YURPC_NO_MEMORY;
    }
    watch->executor = executor;
    watch->cell = entry->cell;
    watch->on_event = on_event;
    watch->context = context;
    yr_list_init(&watch->link);
    yr_task_init(&watch->deliver_task, on_deliver, watch);
    yr_task_init(&watch->free_task, on_free, watch);
    watch->listener.on_published = on_published;
    watch->listener.context = watch;
    yr_list_append(&entry->listeners, &watch->listener.link);
    on_published(watch);
    *ret_watch = watch;
    return YURPC_OK;
}

void yr_subscription_detach(yurpc_watch *watch)
{
    atomic_store(&watch->is_stopped, true);
    yr_list_remove(&watch->listener.link);
    yr_list_remove(&watch->link);
}

void yr_subscription_free(yurpc_watch *watch)
{
    if (yr_executor_unpost(watch->executor, &watch->deliver_task)) {
        /* It would have delivered to nobody. */
    }
    if (watch->is_delivering) {
        watch->is_orphan = true;
        return;
    }
    destroy(watch);
}

void yr_subscription_free_later(yurpc_watch *watch, yr_wait *freed)
{
    watch->freed = freed;
    if (!yr_executor_post(watch->executor, &watch->free_task)) {
        YR_ASSERT(false); /* stopped twice */
    }
}
