/* A small file with PEM in it, and what its permissions say. */
#ifndef YR_NET_UV_PEM_H
#define YR_NET_UV_PEM_H

#include "base/buf.h"

#include <yurpc/error.h>

#include <stdbool.h>

enum { YR_UV_PEM_MAX = 1024 * 1024 }; /* bytes of a file */

typedef struct yr_uv_pem {
    const char *role; /* for people: "CA file" */
    char *path;       /* NULL: none */
    yr_buf bytes;
    bool is_exposed; /* its group, or everybody, may read it */
} yr_uv_pem;

/* @p role is not copied. Fails with YURPC_NO_MEMORY; deinit is allowed then, too. */
YURPC_NODISCARD yurpc_status yr_uv_pem_init(yr_uv_pem *pem, const char *role, const char *path);
void yr_uv_pem_deinit(yr_uv_pem *pem);

/*
 * Read the file, if there is one. YURPC_IO: it cannot be read, is no file, or is too large;
 * YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_uv_pem_read(yr_uv_pem *pem, yurpc_error **ret_error);

/* Wipe and free the bytes. */
void yr_uv_pem_forget(yr_uv_pem *pem);

#endif /* YR_NET_UV_PEM_H */
