#include "etcd/watch_parts.h"

#include "base/mem.h"
#include "etcd/watch_hub.h"

#include <string.h>

void yr_watch_parts_init(yr_watch_parts *parts)
{
    memset(parts, 0, sizeof *parts);
}

void yr_watch_parts_deinit(yr_watch_parts *parts)
{
    while (parts->first != NULL) {
        yr_watch_message *message = parts->first;
        parts->first = message->next;
        yr_watch_message_free(message);
    }
    yr_free(parts->joined);
    yr_watch_parts_init(parts);
}

bool yr_watch_parts_is_empty(const yr_watch_parts *parts)
{
    return parts->first == NULL;
}

yurpc_status yr_watch_parts_take(yr_watch_parts *parts, yr_watch_message *message)
{
    size_t size = message->arena.size;
    if (parts->first != NULL && size > YR_WATCH_FRAGMENTS_MAX - parts->size) {
        yr_watch_message_free(message);
        return YURPC_TOO_LARGE;
    }
    message->next = NULL;
    if (parts->last == NULL) {
        parts->first = message;
    } else {
        parts->last->next = message;
    }
    parts->last = message;
    parts->size += size;
    parts->event_count += message->event_count;
    return YURPC_OK;
}

void yr_watch_filter(yurpc_etcd_event *events, size_t count, int64_t next_revision,
                     yurpc_etcd_changes *ret_changes)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (events[i].kv.mod_revision < next_revision) {
            continue;
        }
        next_revision = events[i].kv.mod_revision;
        if (kept != i) {
            events[kept] = events[i];
        }
        kept++;
    }
    ret_changes->events = events;
    ret_changes->count = kept;
    ret_changes->revision = kept == 0 ? 0 : next_revision;
}

static yurpc_etcd_event *join(yr_watch_parts *parts)
{
    if (parts->first == parts->last) {
        return parts->first->events;
    }
    size_t size = sizeof *parts->joined;
    parts->joined = yr_calloc(parts->event_count == 0 ? 1 : parts->event_count, size);
    if (parts->joined == NULL) {
        return NULL;
    }
    size_t count = 0;
    for (const yr_watch_message *part = parts->first; part != NULL; part = part->next) {
        memcpy(parts->joined + count, part->events, part->event_count * size);
        count += part->event_count;
    }
    return parts->joined;
}

yurpc_status yr_watch_parts_join(yr_watch_parts *parts, int64_t next_revision,
                                 yurpc_etcd_changes *ret)
{
    yurpc_etcd_event *events = join(parts);
    if (events == NULL) {
        return YURPC_NO_MEMORY;
    }
    yr_watch_filter(events, parts->event_count, next_revision, ret);
    return YURPC_OK;
}
