#include <yurpc/service.h>

const char *yurpc_event_kind_name(yurpc_event_kind kind)
{
    switch (kind) {
    case YURPC_EVENT_UP:
        return "up";
    case YURPC_EVENT_DOWN:
        return "down";
    case YURPC_EVENT_CHANGED:
        return "changed";
    case YURPC_EVENT_STALE:
        return "stale";
    case YURPC_EVENT_FRESH:
        return "fresh";
    }
    return "unknown";
}
