#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *parent_dir(void)
{
    return access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

/* Call @p fn for each entry of @p dir but itself and its parent. */
static void for_each_entry(const char *dir, void (*fn)(const char *path, const char *context),
                           const char *context)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, NULL, NULL);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH_MAX];
        int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && len < (int)sizeof(path)) {
            fn(path, context);
        }
        free(entries[i]);
    }
    free(entries);
}

static void remove_one(const char *path, const char *context)
{
    (void)context;
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        for_each_entry(path, remove_one, NULL);
    }
    (void)remove(path);
}

void yr_scratch_remove(const char *path)
{
    remove_one(path, NULL);
}

static int open_lock(const char *dir, int flags)
{
    char path[PATH_MAX + 8];
    (void)snprintf(path, sizeof(path), "%s/lock", dir);
    return open(path, O_RDWR | O_CLOEXEC | flags, 0600);
}

/* A directory with our prefix whose lock nobody holds was left by a test that was killed. */
static void sweep(const char *path, const char *prefix)
{
    const char *name = strrchr(path, '/') + 1;
    int lock = strncmp(name, prefix, strlen(prefix)) == 0 ? open_lock(path, 0) : -1;
    if (lock < 0) {
        return;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
        yr_scratch_remove(path);
    }
    close(lock);
}

yurpc_status yr_scratch_init(yr_scratch *scratch, const char *prefix)
{
    scratch->path[0] = '\0';
    scratch->lock = -1;
    for_each_entry(parent_dir(), sweep, prefix);

    char path[sizeof(scratch->path)];
    int len = snprintf(path, sizeof(path), "%s/%sXXXXXX", parent_dir(), prefix);
    if (len >= (int)sizeof(path) || mkdtemp(path) == NULL) {
        return YURPC_IO;
    }
    memcpy(scratch->path, path, sizeof(path));
    scratch->lock = open_lock(path, O_CREAT);
    if (scratch->lock < 0 || flock(scratch->lock, LOCK_EX | LOCK_NB) != 0) {
        yr_scratch_deinit(scratch);
        return YURPC_IO;
    }
    return YURPC_OK;
}

void yr_scratch_deinit(yr_scratch *scratch)
{
    if (scratch->path[0] != '\0') {
        yr_scratch_remove(scratch->path);
        scratch->path[0] = '\0';
    }
    if (scratch->lock >= 0) {
        close(scratch->lock);
        scratch->lock = -1;
    }
}
