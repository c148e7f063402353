/*
 * Passwords and tokens: where they come from, and that they do not stay in memory.
 */
#ifndef YR_BASE_SECRET_H
#define YR_BASE_SECRET_H

#include "base/buf.h"

#include <yurpc/error.h>

#include <stdbool.h>
#include <stdint.h>

enum { YR_SECRET_LEN_MAX = 4096 };

/* A copy of the text in private memory (base/mem.h); NULL: out of memory. */
char *yr_secret_copy(const char *text) __attribute__((warn_unused_result));

/* Free such a copy, of which nothing is left; NULL is allowed. */
void yr_secret_free(char *text);

/* Which file it was, and when it was written: to see that there is another. */
typedef struct yr_secret_stamp {
    uint64_t device;
    uint64_t inode;
    int64_t changed_ns;
    int64_t size;
} yr_secret_stamp;

/*
 * Read a secret: what the file at @p path holds, without the line's end behind it. *@p
 * ret_secret is to be given to yr_secret_free(); @p ret_stamp may be NULL. YURPC_INVALID: it is
 * no regular file, empty, longer than YR_SECRET_LEN_MAX, not one line of text, or others may
 * read it (only a file of root's may be readable by its group); YURPC_IO: it cannot be read.
 */
YURPC_NODISCARD yurpc_status yr_secret_read(const char *path, char **ret_secret,
                                            yr_secret_stamp *ret_stamp,
                                            yurpc_error **ret_error);

/* Whether the file is another, or written anew, since it was read. */
bool yr_secret_has_changed(const char *path, const yr_secret_stamp *stamp);

#endif /* YR_BASE_SECRET_H */
