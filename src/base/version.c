#include <yurpc/version.h>

const char *yurpc_version(void)
{
    return YURPC_VERSION;
}
