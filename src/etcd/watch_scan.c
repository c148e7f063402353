#include "etcd/watch_scan.h"

#include "base/bytes.h"
#include "etcd/wire.h"

bool yr_watch_scan(yurpc_bytes message, yr_watch_scanned *ret_scanned)
{
    enum { HEADER = 1, WATCH_ID = 2, EVENTS = 11 };
    uint32_t last_id = 0;
    ret_scanned->header = (yr_header){0};
    ret_scanned->watch_id = 0;
    ret_scanned->event_count = 0;
    while (message.len > 0) {
        yr_wire_field field;
        if (yr_wire_read(message, &field) != YR_WIRE_WHOLE ||
            (field.id <= last_id && field.id != EVENTS)) {
            return false;
        }
        last_id = field.id;
        message = yr_bytes_after(message, field.size);
        if (field.id == WATCH_ID && field.type == YR_WIRE_VARINT) {
            ret_scanned->watch_id = (int64_t)field.number;
            continue;
        }
        size_t count = ret_scanned->event_count;
        bool is_good = field.type == YR_WIRE_BYTES;
        if (field.id == HEADER) {
            is_good = is_good && yr_wire_read_header(field.bytes, &ret_scanned->header);
        } else {
            is_good = is_good && field.id == EVENTS && count < YR_WATCH_SCAN_MAX &&
                      yr_wire_read_event(field.bytes, &ret_scanned->events[count]);
            ret_scanned->event_count++;
        }
        if (!is_good) {
            return false;
        }
    }
    return ret_scanned->event_count > 0;
}
