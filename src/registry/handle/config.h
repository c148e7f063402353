/*
 * The settings of a registry handle, from four places: call, environment, file, default.
 *
 * The only file of the library that reads the environment is config.c; when the process runs
 * with raised privileges (secure_getenv) it is ignored.
 */
#ifndef YR_REGISTRY_CONFIG_H
#define YR_REGISTRY_CONFIG_H

#include "base/log.h"
#include "net/io.h"

#include <yurpc/registry.h>

enum {
    YR_TIMEOUT_DEFAULT_MS = 10000,
    YR_TIMEOUT_MIN_MS = 100,
    YR_TIMEOUT_MAX_MS = 600000,
    YR_TTL_DEFAULT_S = 30,
    YR_TTL_MIN_S = 5,
    YR_TTL_MAX_S = 86400,
};

typedef struct yr_config {
    char *registry;      /* never NULL */
    char *address;       /* NULL: the driver's default */
    char *username;      /* NULL: none */
    char *password;      /* NULL: none; wiped when freed */
    char *password_file; /* NULL: none, or the password is given itself */
    yr_tls_options tls;
    char *cache_dir;     /* an absolute path; NULL: no cache */
    char *allowed_hosts; /* yr_allow_list_new() takes it; NULL: all */
    bool is_unprotected; /* instances that vanish in a mass are gone at once */
    int64_t timeout_ms;
    int64_t ttl_ms;
    bool is_host_driven;
    yr_log log;
} yr_config;

/* Settle every field. A wrong value is YURPC_INVALID, naming the file and line, variable or
 * field, and the key. */
YURPC_NODISCARD yurpc_status yr_config_load(const yurpc_registry_config *given,
                                            yr_config **ret_config, yurpc_error **ret_error);

void yr_config_free(yr_config *config);

#endif /* YR_REGISTRY_CONFIG_H */
