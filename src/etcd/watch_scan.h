/*
 * The message that a watch stream consists of, read in one pass: header, id of the watch, one
 * or more events. It borrows from the bytes, and allocates nothing. Every other message
 * (created, cancelled, in fragments, with earlier values, longer, of a later version) is for
 * yr_decode_watch(). Where both accept, both read the same: that is fuzzed.
 */
#ifndef YR_ETCD_WATCH_SCAN_H
#define YR_ETCD_WATCH_SCAN_H

#include "etcd/history.h"

#include <yurpc/etcd_data.h>

enum { YR_WATCH_SCAN_MAX = 32 }; /* events */

typedef struct yr_watch_scanned {
    yr_header header;
    int64_t watch_id;
    size_t event_count; /* at least one */
    yurpc_etcd_event events[YR_WATCH_SCAN_MAX];
} yr_watch_scanned;

/* False: @p ret_scanned says nothing. */
bool yr_watch_scan(yurpc_bytes message, yr_watch_scanned *ret_scanned);

#endif /* YR_ETCD_WATCH_SCAN_H */
