/*
 * Where the registry's file is, and whether that is a safe place.
 *
 * Everybody who can write the file can register anything in it, and everybody who can write
 * its directory can replace it: both must be this user's alone.
 */
#ifndef YR_LOCAL_PATH_H
#define YR_LOCAL_PATH_H

#include <yurpc/error.h>

#include <stdint.h>

enum { YR_LOCAL_PATH_MAX = 1024 }; /* of every name, the companions' included */

/*
 * The absolute path that @p address (NULL: the default) means; to be freed. Looks, but makes
 * nothing. YURPC_INVALID: not the path of a file; the text says what would be.
 */
YURPC_NODISCARD yurpc_status yr_local_path_resolve(const char *address, char **ret_file,
                                                   yurpc_error **ret_error);

/*
 * Make the directory of @p file (0700) if it is missing, and check it, and the file when
 * there is one. YURPC_DENIED: others could tamper with it, or it is not ours; YURPC_INVALID:
 * not a plain file; YURPC_IO.
 */
YURPC_NODISCARD yurpc_status yr_local_path_prepare(const char *file, yurpc_error **ret_error);

/* What a failed system call on a path means to the user. */
yurpc_status yr_local_path_status(int code);

/* A companion of @p file: "FILE-SUFFIX". A resolved path is short enough for ours. */
void yr_local_path_companion(const char *file, const char *suffix, char out[YR_LOCAL_PATH_MAX]);

#endif /* YR_LOCAL_PATH_H */
