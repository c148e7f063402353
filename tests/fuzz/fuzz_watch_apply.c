/*
 * A sequence of lists and watch responses, in parts, repeated, old and out of order, on their
 * way into a snapshot: watch_parts, batch and snapshot do what a naive model does.
 *
 * The input is operations, one behind the other; see run().
 */
#include "base/mem.h"
#include "etcd/watch_parts.h"
#include "fuzz.h"
#include "registry/batch.h"
#include "registry/instance.h"

#include <stdio.h>
#include <string.h>

enum { NODES = 100, VALUES = 5, EVENTS_MAX = 600, STEPS_MAX = 2000 };

/* What a put may hold; the last is no instance, so that the node is gone with it. */
static const char *const values[VALUES] = {
    "{\"serviceHost\":\"h\",\"servicePort\":1,\"weight\":1}",
    "{\"serviceHost\":\"h\",\"servicePort\":1,\"weight\":2}",
    "{\"serviceHost\":\"other\",\"servicePort\":9}",
    "{\"serviceHost\":\"h\",\"servicePort\":1,\"draining\":true}",
    "not an instance",
};

typedef struct change {
    unsigned node;
    unsigned value; /* VALUES: deleted */
    int64_t revision;
} change;

/* A node as the model has it. */
typedef struct model_node {
    bool is_there;
    unsigned value;
    int64_t revision;
} model_node;

typedef struct world {
    yr_watch_parts parts;
    yr_batch batch;
    yurpc_snapshot *snapshot;
    change events[EVENTS_MAX]; /* of the message that is made */
    size_t event_count;
    int64_t last_revision; /* the input's; it may go back a little */
    int64_t next_revision; /* the watch's */

    change arrived[EVENTS_MAX]; /* all parts of a revision */
    size_t arrived_count;
    change pending[EVENTS_MAX]; /* in the batch */
    size_t pending_count;
    model_node nodes[NODES];
} world;

static yurpc_bytes name_of(unsigned node, char text[16])
{
    return yr_bytes(text, (size_t)snprintf(text, 16, "h:%u", node + 1));
}

/* ---- What arrives ---- */

static void fill_event(yr_arena *arena, const change *from, yurpc_etcd_event *event)
{
    char text[16];
    yurpc_bytes name = name_of(from->node, text);
    const char *value = from->value < VALUES ? values[from->value] : "";
    *event = (yurpc_etcd_event){
        .kind = from->value < VALUES ? YURPC_ETCD_EVENT_PUT : YURPC_ETCD_EVENT_DELETE,
        .kv = {.key = yr_bytes(yr_arena_dup0(arena, name), name.len),
               .value = yr_bytes_of_text(value),
               .mod_revision = from->revision},
    };
}

/* One message with the events so far. */
static void end_message(world *w)
{
    yr_watch_message *message = yr_calloc(1, sizeof *message);
    require(message != NULL);
    yr_arena_init(&message->arena, 1U << 20U);
    message->events =
        yr_arena_alloc_array(&message->arena, w->event_count, sizeof *message->events);
    require(message->events != NULL);
    message->event_count = w->event_count;
    for (size_t i = 0; i < w->event_count; i++) {
        fill_event(&message->arena, &w->events[i], &message->events[i]);
        w->arrived[w->arrived_count++] = w->events[i];
    }
    w->event_count = 0;
    require(yr_watch_parts_take(&w->parts, message) == YURPC_OK);
}

/* As the directory takes a put: what cannot be read is not there any more. */
static void take_put(world *w, yurpc_bytes node, yurpc_bytes value, int64_t revision)
{
    yurpc_instance *instance = NULL;
    yurpc_status status =
        yr_instance_decode(yr_bytes_of_text("s:1.0"), node, value, revision, &instance, NULL);
    status = status == YURPC_OK ? yr_batch_take_put(&w->batch, instance)
                                : yr_batch_delete(&w->batch, node);
    require(status == YURPC_OK);
}

/* All parts are there: they go into the batch; the model filters what went back by itself. */
static void end_revision(world *w)
{
    yurpc_etcd_changes changes = {.count = 0};
    end_message(w);
    require(!yr_watch_parts_is_empty(&w->parts));
    if (w->parts.first != w->parts.last) {
        yr_mem_fail_after(0);
        yurpc_status status = yr_watch_parts_join(&w->parts, w->next_revision, &changes);
        yr_mem_fail_after(-1);
        require(status == YURPC_NO_MEMORY && changes.count == 0);
    }
    require(yr_watch_parts_join(&w->parts, w->next_revision, &changes) == YURPC_OK);
    size_t told = 0;
    for (size_t i = 0; i < w->arrived_count; i++) {
        if (w->arrived[i].revision < w->next_revision) {
            continue;
        }
        w->next_revision = w->arrived[i].revision;
        require(told < changes.count);
        const yurpc_etcd_event *event = &changes.events[told++];
        require(event->kv.mod_revision == w->arrived[i].revision);
        w->pending[w->pending_count++] = w->arrived[i];
        if (event->kind == YURPC_ETCD_EVENT_PUT) {
            take_put(w, event->kv.key, event->kv.value, event->kv.mod_revision);
        } else {
            require(yr_batch_delete(&w->batch, event->kv.key) == YURPC_OK);
        }
    }
    require(told == changes.count);
    require(changes.revision == (told > 0 ? w->next_revision : 0));
    w->next_revision += told > 0 ? 1 : 0;
    w->arrived_count = 0;
    yr_watch_parts_deinit(&w->parts);
}

/* ---- What is published ---- */

typedef struct told_view {
    unsigned weights[NODES]; /* 0: not there; 1000 and more: draining */
} told_view;

static unsigned number_of(const yurpc_instance *instance)
{
    yurpc_bytes node = yr_instance_node(instance);
    return (unsigned)strtoul((const char *)node.data + 2, NULL, 10) - 1;
}

static unsigned mark_of(const yurpc_instance *instance)
{
    return yurpc_instance_weight(instance) + (yurpc_instance_is_draining(instance) ? 1000U : 0);
}

static void on_up(void *context, const yurpc_instance *instance)
{
    told_view *view = context;
    require(view->weights[number_of(instance)] == 0);
    view->weights[number_of(instance)] = mark_of(instance);
}

static void on_down(void *context, const yurpc_instance *instance)
{
    told_view *view = context;
    require(view->weights[number_of(instance)] == mark_of(instance));
    view->weights[number_of(instance)] = 0;
}

static void on_changed(void *context, const yurpc_instance *instance)
{
    told_view *view = context;
    require(view->weights[number_of(instance)] != 0);
    view->weights[number_of(instance)] = mark_of(instance);
}

static void view_of(const yurpc_snapshot *snapshot, told_view *view)
{
    memset(view, 0, sizeof *view);
    for (size_t i = 0; i < yurpc_snapshot_count(snapshot); i++) {
        const yurpc_instance *instance = yurpc_snapshot_at(snapshot, i);
        view->weights[number_of(instance)] = mark_of(instance);
    }
}

static void check_told(const yurpc_snapshot *old, const yurpc_snapshot *now)
{
    static const yr_snapshot_visitor visitor = {on_up, on_down, on_changed};
    told_view told;
    told_view wanted;
    view_of(old, &told);
    yr_snapshot_diff(old, now, &visitor, &told);
    view_of(now, &wanted);
    require(memcmp(&told, &wanted, sizeof told) == 0);
}

static void model_settle(world *w)
{
    model_node before[NODES];
    memcpy(before, w->nodes, sizeof before);
    const change *last[NODES] = {NULL};
    for (size_t i = 0; i < w->pending_count; i++) {
        last[w->pending[i].node] = &w->pending[i];
    }
    for (unsigned i = 0; i < NODES; i++) {
        model_node *node = &w->nodes[i];
        const change *is = last[i];
        if (is == NULL) {
            node->is_there = node->is_there && !w->batch.is_list;
            continue;
        }
        bool is_put = is->value < VALUES - 1;
        bool is_old =
            before[i].is_there && !w->batch.is_list && is->revision < before[i].revision;
        bool is_same = before[i].is_there && is_put && is->value == before[i].value;
        bool is_renewed = w->batch.is_list && is->revision < before[i].revision;
        if (is_put && (is_old || (is_same && !is_renewed))) {
            continue; /* what is published keeps its revision, unless a list has a lower one */
        }
        *node = (model_node){is_put, is->value, is->revision};
    }
    w->pending_count = 0;
}

static void check_snapshot(const world *w)
{
    size_t count = 0;
    for (unsigned i = 0; i < NODES; i++) {
        char text[16];
        const yurpc_instance *instance = yr_snapshot_find(w->snapshot, name_of(i, text));
        require((instance != NULL) == w->nodes[i].is_there);
        if (instance == NULL) {
            continue;
        }
        count++;
        require(yurpc_instance_revision(instance) == w->nodes[i].revision);
        require(yurpc_instance_is_draining(instance) == (w->nodes[i].value == 3));
        require(yurpc_instance_port(instance) == (w->nodes[i].value == 2 ? 9 : 1));
    }
    require(count == yurpc_snapshot_count(w->snapshot));
    for (size_t i = 1; i < count; i++) {
        require(yr_bytes_compare(yr_instance_node(yurpc_snapshot_at(w->snapshot, i - 1)),
                                 yr_instance_node(yurpc_snapshot_at(w->snapshot, i))) < 0);
    }
}

static void settle(world *w)
{
    yr_batch_result result;
    yurpc_snapshot *next = NULL;
    model_settle(w);
    require(yr_batch_settle(&w->batch, w->snapshot, NULL, &result) == YURPC_OK);
    require(yr_snapshot_apply(w->snapshot, result.changes, result.count, false, &next) ==
            YURPC_OK);
    check_told(w->snapshot, next);
    yr_snapshot_unref(w->snapshot);
    w->snapshot = next;
    yr_free(result.changes);
    yr_batch_clear(&w->batch);
    check_snapshot(w);
}

/* ---- The input ---- */

static change read_change(world *w, fuzz_input *in)
{
    change c = {.node = fuzz_byte(in) % NODES};
    uint8_t what = fuzz_byte(in);
    c.value = what % (VALUES + 1);
    int64_t revision = w->last_revision + what / (VALUES + 1) % 8 - 2;
    c.revision = revision > 0 ? revision : 1;
    w->last_revision = c.revision;
    return c;
}

static void begin_list(world *w, fuzz_input *in)
{
    char text[16];
    yr_watch_parts_deinit(&w->parts);
    w->arrived_count = 0;
    w->event_count = 0;
    w->pending_count = 0;
    yr_batch_clear(&w->batch);
    w->batch.is_list = true;
    for (unsigned left = fuzz_byte(in); left > 0; left--) {
        change c = read_change(w, in);
        c.value %= VALUES;
        w->pending[w->pending_count++] = c;
        take_put(w, name_of(c.node, text), yr_bytes_of_text(values[c.value]), c.revision);
    }
    w->next_revision = w->last_revision + 1;
}

static void run(world *w, fuzz_input *in)
{
    for (int i = 0; i < STEPS_MAX && in->left > 0; i++) {
        bool is_full = w->pending_count + w->arrived_count + w->event_count + 1 >= EVENTS_MAX;
        uint8_t what = fuzz_byte(in) % 8;
        if (what < 4 && !is_full) {
            w->events[w->event_count++] = read_change(w, in);
        } else if (what == 4 && !is_full) {
            end_message(w);
        } else if (what == 5) {
            end_revision(w);
        } else if (what == 6) {
            begin_list(w, in);
        } else {
            end_revision(w);
            settle(w);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    fuzz_input in = {data, size};
    memset(&w, 0, sizeof w);
    w.last_revision = 10;
    w.next_revision = 1;
    yr_watch_parts_init(&w.parts);
    yr_batch_init(&w.batch);
    require(yr_snapshot_apply(NULL, NULL, 0, true, &w.snapshot) == YURPC_OK);
    run(&w, &in);
    end_revision(&w);
    settle(&w);
    yr_watch_parts_deinit(&w.parts);
    yr_batch_deinit(&w.batch);
    yr_snapshot_unref(w.snapshot);
    return 0;
}
