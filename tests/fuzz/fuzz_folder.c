#include "fuzz_folder.h"

#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

static char folder[64];
static char file[128];

void fuzz_folder_clear(void)
{
    DIR *dir = opendir(folder);
    require(dir != NULL);
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0); /* not "." and ".." */
    }
    (void)closedir(dir);
}

static void remove_folder(void)
{
    fuzz_folder_clear();
    (void)rmdir(folder);
}

const char *fuzz_folder_file(void)
{
    if (folder[0] == '\0') {
        bool has_memory = access("/dev/shm", W_OK) == 0;
        (void)snprintf(folder, sizeof folder, "%s/yurpc-fuzz-XXXXXX",
                       has_memory ? "/dev/shm" : "/tmp");
        require(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
        (void)snprintf(file, sizeof file, "%s/registry.db", folder);
    }
    return file;
}
