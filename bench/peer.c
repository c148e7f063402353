#include "peer.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 64 };

const char *yr_peer_path(const char *name)
{
    static char path[PATH_MAX + NAME_MAX_LEN];
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(path, '/');
    char *at = slash != NULL ? slash + 1 : path;
    (void)snprintf(at, NAME_MAX_LEN, "yurpc_bench_%s", name);
    return path;
}

const char *yr_peer_find(void)
{
    static char text[128];
    char version[PATH_MAX + 2 * NAME_MAX_LEN];
    const char *path = yr_peer_path(YR_PEER);
    (void)snprintf(version, sizeof(version), "%s.version", path);
    FILE *file = access(path, X_OK) == 0 ? fopen(version, "re") : NULL;
    if (file == NULL || fgets(text, sizeof(text), file) == NULL) {
        text[0] = '\0';
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    text[strcspn(text, "\r\n")] = '\0';
    return text[0] != '\0' ? text : NULL;
}
