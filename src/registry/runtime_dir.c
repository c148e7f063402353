#include "registry/runtime_dir.h"

#include <stddef.h>
#include <stdlib.h>

static const char *absolute_path_in(const char *variable)
{
    const char *value = secure_getenv(variable);
    return value != NULL && value[0] == '/' ? value : NULL;
}

const char *yr_runtime_dir(void)
{
    return absolute_path_in("XDG_RUNTIME_DIR");
}

const char *yr_temporary_dir(void)
{
    const char *dir = absolute_path_in("TMPDIR");
    return dir != NULL ? dir : "/tmp";
}
