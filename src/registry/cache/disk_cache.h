/*
 * The lists of followed services on disk, so that a program can start while the registry is
 * away.
 *
 * One yr_disk_cache per handle, one yr_cached per followed service. A list is loaded once, when
 * following begins, and saved some seconds after it changed; only what the registry has
 * confirmed is saved. Files are read and written off the loop (cache_file.h); closing waits for
 * what is being written, and for one last save of each list that changed, which takes as long
 * as the disk takes for that.
 *
 * The cache is a help, never a condition: whatever fails here is logged, and tried again when
 * there is something new to save.
 *
 * Loop-only.
 */
#ifndef YR_REGISTRY_DISK_CACHE_H
#define YR_REGISTRY_DISK_CACHE_H

#include "base/log.h"
#include "net/io.h"
#include "registry/batch.h"

typedef struct yr_disk_cache yr_disk_cache;
typedef struct yr_cached yr_cached;

typedef struct yr_disk_cache_options {
    yr_io *io;
    yr_log log;
    const char *dir;      /* where; copied */
    const char *registry; /* whose lists: "etcd 10.0.0.1:2379"; copied */
} yr_disk_cache_options;

/* YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_disk_cache_new(const yr_disk_cache_options *options,
                                               yr_disk_cache **ret_cache);

/*
 * Free @p cache (NULL is allowed) when the last of its services, all of which were closed, has
 * been saved. @p on_closed is the last callback, perhaps inside the call.
 */
void yr_disk_cache_close(yr_disk_cache *cache, void (*on_closed)(void *context), void *context);

/* What loading brought. */
typedef struct yr_cached_list {
    yr_batch *batch;     /* lent until it is dropped; NULL: there is none that can be used */
    int64_t right_at_ms; /* yr_io_boot_ms() when it was last known to be right, perhaps before
                            the boot; YR_RIGHT_AT_UNKNOWN: the clocks do not agree */
} yr_cached_list;

/*
 * Begin to load the list of @p service; @p on_loaded, which may ask yr_cached_get(), is called
 * once, never inside this call, and not after closing. What is saved is the current snapshot of
 * @p cell. YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_cached_open(yr_disk_cache *cache, const char *service,
                                            const yr_snapshot_cell *cell,
                                            void (*on_loaded)(void *context), void *context,
                                            yr_cached **ret_cached);

/* Save what is not saved yet, and free. NULL is allowed. The cell is not looked at any more. */
void yr_cached_close(yr_cached *cached);

/* What was loaded, unless it was dropped. */
yr_cached_list yr_cached_get(yr_cached *cached);

/* Free what was loaded: it is used, or not needed any more. */
void yr_cached_drop(yr_cached *cached);

/* The registry has just told that the current snapshot is right: keep it. */
void yr_cached_confirm(yr_cached *cached);

#endif /* YR_REGISTRY_DISK_CACHE_H */
