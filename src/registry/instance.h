/*
 * One instance: its key and its value, written exactly as Yu-RPC does and read leniently.
 *
 * The key ("node", host:port as registered) is the identity; the value's host and port are the
 * address that consumers use, as in Java. Contract: shared values are read by Java nodes too,
 * so nothing is ever written that they cannot parse.
 */
#ifndef YR_REGISTRY_INSTANCE_H
#define YR_REGISTRY_INSTANCE_H

#include "base/buf.h"
#include "registry/instance_record.h" /* yr_instance_node() */
#include "registry/slab.h"

#include <yurpc/bytes.h>
#include <yurpc/error.h>
#include <yurpc/instance.h>

#define YR_GROUP_DEFAULT "default"

enum {
    YR_SERVICE_LEN_MAX = 512, /* "name:version" */
    YR_HOST_LEN_MAX = 255,
    YR_INSTANCE_VALUE_MAX = 65536, /* a longer value is not read */
    YR_WEIGHT_DEFAULT = 100,
    YR_WEIGHT_MAX = 1000,
    YR_METADATA_MAX = 64, /* entries written; more are read, up to the value's limit */
};

/*
 * "name:version" from "name:version" or "name" (then ":1.0"); to be freed. The version follows
 * the last colon. Refused (YURPC_INVALID, one line that says what to do): empty name or
 * version, '/', control characters, blanks, invalid UTF-8, too long.
 */
YURPC_NODISCARD yurpc_status yr_service_parse(const char *text, char **ret_service,
                                              yurpc_error **ret_error);

/* Check every field of @p spec, the service included. YURPC_INVALID. */
YURPC_NODISCARD yurpc_status yr_instance_spec_check(const yurpc_instance_spec *spec,
                                                    yurpc_error **ret_error);

/* "host:port", raw as Java writes it (IPv6 without brackets); to be freed. NULL: no memory. */
char *yr_node_new(const char *host, uint16_t port);

/* Append the value of a checked @p spec: compact JSON, the contract's order. */
YURPC_NODISCARD yurpc_status yr_instance_encode(const yurpc_instance_spec *spec,
                                                bool is_draining, yr_buf *out);

/*
 * Read a value found under @p service ("name:version") and @p node. The instance begins with
 * one reference. YURPC_INVALID: cannot be read (the text says why); YURPC_TOO_LARGE;
 * YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_instance_decode(yurpc_bytes service, yurpc_bytes node,
                                                yurpc_bytes value, int64_t revision,
                                                yurpc_instance **ret_instance,
                                                yurpc_error **ret_error);

/* The same; the record lies in *@p slab (slab.h) where it can. */
typedef struct yr_instance_source {
    yurpc_bytes service;
    yurpc_bytes node;
    yurpc_bytes value;
    int64_t revision;
} yr_instance_source;

YURPC_NODISCARD yurpc_status yr_instance_decode_in(yr_slab **slab,
                                                   const yr_instance_source *source,
                                                   yurpc_instance **ret_instance,
                                                   yurpc_error **ret_error);

/* Whether the value named another address, name or version than the key. The address is then
 * the value's, name and version are the key's. */
bool yr_instance_is_mismatch(const yurpc_instance *instance);

/* A copy that is suspect, with one reference. NULL: no memory. */
yurpc_instance *yr_instance_new_suspect(const yurpc_instance *instance);

/* Whether the two say the same; revisions and mismatches are not compared. */
bool yr_instance_is_equal(const yurpc_instance *a, const yurpc_instance *b);

/* Atomic reference count: instances are shared by snapshots, threads and events. */
yurpc_instance *yr_instance_ref(const yurpc_instance *instance);
void yr_instance_unref(const yurpc_instance *instance);

#endif /* YR_REGISTRY_INSTANCE_H */
