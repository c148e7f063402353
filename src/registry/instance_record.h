/*
 * How an instance lies in memory: for instance.c, and so that its node can be read without a
 * call, since lists are ordered by it.
 */
#ifndef YR_REGISTRY_INSTANCE_RECORD_H
#define YR_REGISTRY_INSTANCE_RECORD_H

#include "base/bytes.h"

#include <yurpc/instance.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One piece of memory: this, the places of the metadata, then all texts, each with its NUL. A
 * hundred thousand of these are kept, so places are 16 bits where the texts' limits allow it.
 * From `size` on it is a function of what the instance says, so that it can be compared as
 * bytes: there is no padding that is not zero.
 */
struct yurpc_instance {
    int64_t revision;
    _Atomic uint32_t refs;
    bool is_mismatch;
    uint16_t slab_at; /* its place in its slab; 0: it is an allocation of its own */
    uint32_t size;    /* of the whole record */
    uint16_t metadata_count;
    uint16_t port;
    uint16_t weight;
    uint16_t node_len;
    uint16_t version_at; /* places in the texts; the name is at 0 */
    uint16_t node_at;
    uint16_t host_at;
    uint16_t address_at; /* often the node's */
    uint16_t group_at;
    bool is_draining;
    bool is_suspect;        /* no record says so: we do */
    uint32_t metadata_at[]; /* of each key; its value follows it */
};

static inline const char *yr_instance_text_at(const yurpc_instance *instance, size_t at)
{
    return (const char *)(instance->metadata_at + instance->metadata_count) + at;
}

/* The identity: the key's "host:port". Borrowed. */
static inline yurpc_bytes yr_instance_node(const yurpc_instance *instance)
{
    return yr_bytes(yr_instance_text_at(instance, instance->node_at), instance->node_len);
}

#endif /* YR_REGISTRY_INSTANCE_RECORD_H */
