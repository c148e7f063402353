/*
 * The parts of a revision that etcd sent in several messages, until all are there.
 */
#ifndef YR_ETCD_WATCH_PARTS_H
#define YR_ETCD_WATCH_PARTS_H

#include "etcd/decode.h"

typedef struct yr_watch_parts {
    yr_watch_message *first; /* in order of arrival */
    yr_watch_message *last;
    size_t event_count;
    size_t size;              /* bytes of memory */
    yurpc_etcd_event *joined; /* the events of all parts, if there are several */
} yr_watch_parts;

/* Allocates nothing and cannot fail. */
void yr_watch_parts_init(yr_watch_parts *parts);
void yr_watch_parts_deinit(yr_watch_parts *parts);

/* Keep, in place, the events from @p next_revision on that do not go back: what is to be told.
 */
void yr_watch_filter(yurpc_etcd_event *events, size_t count, int64_t next_revision,
                     yurpc_etcd_changes *ret_changes);

bool yr_watch_parts_is_empty(const yr_watch_parts *parts);

/* Takes @p message, on failure (YURPC_TOO_LARGE) too. */
YURPC_NODISCARD yurpc_status yr_watch_parts_take(yr_watch_parts *parts,
                                                 yr_watch_message *message);

/*
 * All is there: give the events from @p next_revision on; older ones, and those that go back,
 * are left out. Sets @p ret's revision, events and count (which may be 0); they live as long
 * as @p parts. YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_watch_parts_join(yr_watch_parts *parts, int64_t next_revision,
                                                 yurpc_etcd_changes *ret);

#endif /* YR_ETCD_WATCH_PARTS_H */
