/*
 * The files of the disk cache, and the directory they are in.
 *
 * A file is made under another name and renamed, so that whoever reads, without any lock, sees
 * the old one or the new one; of two writers the last wins. The file's modification time is
 * when its list was last known to be right, so that a list which did not change is only
 * touched.
 *
 * A directory is used when it is ours and nobody else can write it, nor replace it; it is made
 * (0700) when it is missing, with the one above it. A file in it that is not a plain one of
 * ours, or does not hold what it should, is set aside: renamed to YR_CACHE_ASIDE, of which
 * there is one.
 *
 * These functions block. Any thread, and any number of processes.
 */
#ifndef YR_REGISTRY_CACHE_FILE_H
#define YR_REGISTRY_CACHE_FILE_H

#include "registry/cache/cache_format.h"

#define YR_CACHE_ASIDE "set-aside.bad"

enum { YR_CACHE_NAME_SIZE = 96 };

/* The name of the file of @p key: a part that people can read, and a hash of the whole. */
void yr_cache_file_name(const yr_cache_key *key, char ret_name[YR_CACHE_NAME_SIZE]);

/*
 * Read the list of @p key into @p batch, which is empty. YURPC_NOT_FOUND: there is none;
 * YURPC_PROTOCOL: it could not be believed, and was set aside; YURPC_DENIED, YURPC_IO,
 * YURPC_EXHAUSTED: the text says what is wrong and what to do; YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_cache_file_load(const char *dir, const yr_cache_key *key,
                                                yr_batch *batch, int64_t *ret_time_ms,
                                                yurpc_error **ret_error);

typedef struct yr_cache_save {
    int64_t time_ms; /* when the list was right, as milliseconds since 1970 */
    uint64_t random; /* for a name that no other writer has */
    bool is_tidied;  /* also remove from the directory what was left there long ago */
    bool
        is_synced; /* wait until the disk has it: a power loss leaves the old list or the new */
} yr_cache_save;

/*
 * Write @p snapshot as the list of @p key, or, when the same list is there, only its time. As
 * for loading; also YURPC_TOO_LARGE. On failure the file is what it was.
 */
YURPC_NODISCARD yurpc_status yr_cache_file_save(const char *dir, const yr_cache_key *key,
                                                const yurpc_snapshot *snapshot,
                                                const yr_cache_save *options,
                                                yurpc_error **ret_error);

#endif /* YR_REGISTRY_CACHE_FILE_H */
