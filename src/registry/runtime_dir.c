#include "registry/runtime_dir.h"

#include "base/buf.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_LEN_MAX = 4096 };

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

char *yr_cache_dir_new(void)
{
    const char *cache = absolute_path_in("XDG_CACHE_HOME");
    const char *home = absolute_path_in("HOME");
    yr_buf path;
    yr_buf_init(&path, PATH_LEN_MAX);
    yurpc_status status = YURPC_OK;
    if (cache != NULL) {
        status = yr_buf_append_format(&path, "%s/yurpc", cache);
    } else if (home != NULL) {
        status = yr_buf_append_format(&path, "%s/.cache/yurpc", home);
    } else {
        status = yr_buf_append_format(&path, "%s/yurpc-%lu/cache", yr_temporary_dir(),
                                      (unsigned long)geteuid());
    }
    char *dir = status == YURPC_OK ? yr_buf_detach_text(&path) : NULL;
    yr_buf_deinit(&path);
    return dir;
}

char *yr_absolute_path_new(const char *path)
{
    char folder[PATH_LEN_MAX];
    if (getcwd(folder, sizeof folder) == NULL) {
        return NULL;
    }
    yr_buf whole;
    yr_buf_init(&whole, PATH_LEN_MAX);
    char *absolute = NULL;
    if (yr_buf_append_format(&whole, "%s/%s", folder, path) == YURPC_OK) {
        absolute = yr_buf_detach_text(&whole);
    }
    yr_buf_deinit(&whole);
    return absolute;
}
