/*
 * The directory of the disk cache: whoever can write in it, or replace it, can make us call any
 * address. So it must be ours alone, and the one above it ours or root's.
 */
#ifndef YR_REGISTRY_CACHE_DIR_H
#define YR_REGISTRY_CACHE_DIR_H

#include <yurpc/error.h>

#include <stdbool.h>

/*
 * Open the directory @p path, to be closed; with @p is_made it is made (0700) when it is
 * missing, with the one above it. Blocks. YURPC_NOT_FOUND: there is none; YURPC_DENIED: not
 * ours alone, or we may not; YURPC_IO, YURPC_EXHAUSTED. The text says what to do.
 */
YURPC_NODISCARD yurpc_status yr_cache_dir_open(const char *path, bool is_made, int *ret_fd,
                                               yurpc_error **ret_error);

/* What @p code of a system call on a cache's file means. */
yurpc_status yr_cache_errno_status(int code);

#endif /* YR_REGISTRY_CACHE_DIR_H */
