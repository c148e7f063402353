#include "history.h"

#include "measure.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "/rpc/"
#define MARK   PREFIX "~mark"

enum { CALL_MS = 3000, READ_MS = 5000 };

typedef struct reading {
    pthread_mutex_t mutex;
    history *into;
    int64_t until;
    bool is_done;
    bool is_broken;
} reading;

static yurpc_bytes bytes(const char *text)
{
    return (yurpc_bytes){text, strlen(text)};
}

/* Write a mark behind all that has happened; its revision, or 0. */
static int64_t mark(yurpc_etcd *etcd)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    yurpc_etcd_reply *reply = NULL;
    options.timeout_ms = CALL_MS;
    options.is_idempotent = true;
    if (yurpc_etcd_put(etcd, bytes(MARK), bytes("x"), &options, &reply, NULL) != YURPC_OK) {
        return 0;
    }
    int64_t revision = reply->revision;
    yurpc_etcd_reply_free(reply);
    return revision;
}

static void note(history *self, const yurpc_etcd_event *event)
{
    const char *key = event->kv.key.data;
    size_t len = event->kv.key.len;
    size_t slash = len;
    while (slash > 0 && key[slash - 1] != '/') {
        slash--;
    }
    if (self->count == HISTORY_MAX) {
        return; /* the caller sees that it is full */
    }
    history_event *one = &self->events[self->count++];
    one->revision = event->kv.mod_revision;
    one->is_delete = event->kind == YURPC_ETCD_EVENT_DELETE;
    one->lease = event->kv.lease;
    (void)snprintf(one->address, sizeof one->address, "%.*s", (int)(len - slash), key + slash);
}

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    reading *self = context;
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; i < changes->count; i++) {
        int64_t revision = changes->events[i].kv.mod_revision;
        if (revision >= self->into->next && revision <= self->until) {
            note(self->into, &changes->events[i]);
        }
    }
    if (changes->revision >= self->until) {
        self->is_done = true;
        self->into->next = self->until + 1;
    }
    pthread_mutex_unlock(&self->mutex);
}

static void on_canceled(void *context, const yurpc_error *error, int64_t compact_revision)
{
    reading *self = context;
    (void)error;
    (void)compact_revision;
    pthread_mutex_lock(&self->mutex);
    self->is_broken = true;
    pthread_mutex_unlock(&self->mutex);
}

static bool has_ended(reading *self)
{
    pthread_mutex_lock(&self->mutex);
    bool has_ended = self->is_done || self->is_broken;
    pthread_mutex_unlock(&self->mutex);
    return has_ended;
}

bool history_begin(history *self, yurpc_etcd *etcd)
{
    self->count = 0;
    self->next = mark(etcd) + 1;
    return self->next > 1;
}

bool history_read(history *self, yurpc_etcd *etcd, bool is_compacting)
{
    size_t count = self->count;
    reading now = {.into = self, .until = mark(etcd)};
    if (now.until == 0) {
        return false;
    }
    pthread_mutex_init(&now.mutex, NULL);
    yurpc_etcd_watch *watch = NULL;
    yurpc_etcd_watch_options options = YURPC_ETCD_WATCH_OPTIONS_INIT;
    yurpc_etcd_watch_events events = {
        .size = sizeof events, .on_changes = on_changes, .on_canceled = on_canceled};
    options.key = bytes(PREFIX);
    options.is_prefix = true;
    options.start_revision = self->next;
    if (yurpc_etcd_watch_start(etcd, &options, &events, &now, &watch) != YURPC_OK) {
        return false;
    }
    int64_t end_ms = measure_now_ms() + READ_MS;
    while (!has_ended(&now) && measure_now_ms() < end_ms) {
        measure_pause_ms(5);
    }
    yurpc_etcd_watch_stop(watch);
    if (!now.is_done) {
        self->count = count; /* what came in part is read again */
        return false;
    }
    return !is_compacting || yurpc_etcd_compact(etcd, now.until, NULL) == YURPC_OK;
}

bool history_has_put(const history *self, const char *address, int64_t revision)
{
    for (size_t i = 0; i < self->count; i++) {
        const history_event *one = &self->events[i];
        if (one->revision == revision && !one->is_delete &&
            strcmp(one->address, address) == 0) {
            return true;
        }
    }
    return false;
}

bool history_has_delete_after(const history *self, const char *address, int64_t revision)
{
    for (size_t i = 0; i < self->count; i++) {
        const history_event *one = &self->events[i];
        if (one->revision > revision && one->is_delete && strcmp(one->address, address) == 0) {
            return true;
        }
    }
    return false;
}
