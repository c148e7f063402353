/**
 * @file
 * One place where a service can be reached.
 *
 * A provider describes itself with a yurpc_instance_spec. A consumer gets yurpc_instance
 * objects, which never change: a change in the registry makes a new one.
 *
 * Threads: everything here may be called from any thread.
 */
#ifndef YURPC_INSTANCE_H
#define YURPC_INSTANCE_H

#include <yurpc/export.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

YURPC_BEGIN_DECLS

/** One entry of an instance's metadata. */
typedef struct yurpc_metadata {
    const char *key;   /**< UTF-8; not empty */
    const char *value; /**< UTF-8; may be empty */
} yurpc_metadata;

/**
 * What a provider says of itself. Initialise with YURPC_INSTANCE_SPEC_INIT. Everything is
 * copied by the functions that take one.
 */
typedef struct yurpc_instance_spec {
    size_t size;                    /**< set by the initialiser; how the ABI grows */
    const char *service;            /**< "name:version", or "name" for "name:1.0"; no '/' */
    const char *host;               /**< what consumers connect to; IPv6 without brackets */
    const char *group;              /**< NULL: "default" */
    const yurpc_metadata *metadata; /**< may be NULL when @c metadata_count is 0 */
    size_t metadata_count;          /**< at most 64 */
    uint32_t weight;                /**< 1 … 1000; 0: the default, 100 */
    uint16_t port;                  /**< 1 … 65535 */
} yurpc_instance_spec;

/** Initialiser for yurpc_instance_spec. */
#define YURPC_INSTANCE_SPEC_INIT                                     \
    {                                                                \
        sizeof(yurpc_instance_spec), NULL, NULL, NULL, NULL, 0, 0, 0 \
    }

/** A discovered instance. Immutable; lives as long as the snapshot or the event it came from.
 */
typedef struct yurpc_instance yurpc_instance;

/** The service's name without its version, for example "com.acme.UserService". Never NULL. */
YURPC_API const char *yurpc_instance_name(const yurpc_instance *instance);

/** The service's version, for example "1.0". Never NULL. */
YURPC_API const char *yurpc_instance_version(const yurpc_instance *instance);

/** The host to connect to, IPv6 without brackets. Never NULL. */
YURPC_API const char *yurpc_instance_host(const yurpc_instance *instance);

/** The port to connect to: 1 … 65535. */
YURPC_API uint16_t yurpc_instance_port(const yurpc_instance *instance);

/** "host:port", IPv6 in brackets: "[::1]:80". Never NULL. */
YURPC_API const char *yurpc_instance_address(const yurpc_instance *instance);

/** The group, "default" when none was given. Never NULL. */
YURPC_API const char *yurpc_instance_group(const yurpc_instance *instance);

/** The weight: 1 … 1000, 100 when none was given. */
YURPC_API uint32_t yurpc_instance_weight(const yurpc_instance *instance);

/** Whether the provider has announced that it is about to leave. */
YURPC_API bool yurpc_instance_is_draining(const yurpc_instance *instance);

/**
 * Whether the registry has lost this instance together with most of its service. It is kept for
 * a while, because such a loss is mostly the registry's and not the service's, and is chosen
 * last. It goes when its host refuses connections or the registry has not named it again after
 * one TTL; or it is an ordinary instance again.
 */
YURPC_API bool yurpc_instance_is_suspect(const yurpc_instance *instance);

/** The number of metadata entries. */
YURPC_API size_t yurpc_instance_metadata_count(const yurpc_instance *instance);

/** Entry @p index of the metadata, in the provider's order; keys NULL past the end. */
YURPC_API yurpc_metadata yurpc_instance_metadata_at(const yurpc_instance *instance,
                                                    size_t index);

/** The registry's revision of this value; 0 when the registry has none. */
YURPC_API int64_t yurpc_instance_revision(const yurpc_instance *instance);

YURPC_END_DECLS

#endif /* YURPC_INSTANCE_H */
