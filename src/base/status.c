#include <yurpc/status.h>

const char *yurpc_status_name(yurpc_status status)
{
    switch (status) {
#define XX(name, value, text) \
    case YURPC_##name:        \
        return "YURPC_" #name;
        YURPC_STATUS_MAP(XX)
#undef XX
    }
    return "YURPC_UNKNOWN";
}

const char *yurpc_status_text(yurpc_status status)
{
    switch (status) {
#define XX(name, value, text) \
    case YURPC_##name:        \
        return text;
        YURPC_STATUS_MAP(XX)
#undef XX
    }
    return "unknown status";
}
