/*
 * What the list of a service is on disk: bytes from a snapshot, and back. Pure.
 *
 * A head of fixed length, then texts, each with its length before it: which registry, which
 * service, then node and value of each instance. Numbers are little-endian. The seal in the
 * head is a checksum over everything else, so that two files whose heads are equal hold the
 * same list, and no byte that fell over is believed. It keeps nobody out: that is the
 * directory's job. It is made block by block, so that a file never needs to be in memory.
 *
 * Values are what Yu-RPC nodes write, made anew from what was understood of them, and read
 * again with the same reader as those from the registry: a file that lies can say no more than
 * a registry that lies.
 */
#ifndef YR_REGISTRY_CACHE_FORMAT_H
#define YR_REGISTRY_CACHE_FORMAT_H

#include "base/buf.h"
#include "registry/batch.h"

#include <yurpc/error.h>

enum {
    YR_CACHE_HEAD_LEN = 32,
    YR_CACHE_LEN_MAX = 256 * 1024 * 1024, /* of a file */
};

/* Whose list it is. Borrowed. */
typedef struct yr_cache_key {
    const char *registry; /* "etcd 10.0.0.1:2379": where, with nothing secret */
    const char *service;  /* "name:version" */
} yr_cache_key;

/* Takes the next bytes of a file, borrowed. A failure ends the writing. */
typedef yurpc_status yr_cache_sink_fn(void *context, yurpc_bytes bytes);

/*
 * Give the file of @p snapshot, all but its head, to @p sink (NULL: to nobody), in pieces of
 * which none is long; then the head, which stands before them. An instance whose value cannot
 * be written within YR_INSTANCE_VALUE_MAX is left out. The sink's failure; YURPC_NO_MEMORY;
 * YURPC_TOO_LARGE.
 */
YURPC_NODISCARD yurpc_status yr_cache_write(const yr_cache_key *key,
                                            const yurpc_snapshot *snapshot,
                                            yr_cache_sink_fn *sink, void *context,
                                            uint8_t ret_head[YR_CACHE_HEAD_LEN]);

/* The same, appended to @p file, which is empty, and remains so on failure. */
YURPC_NODISCARD yurpc_status yr_cache_encode(const yr_cache_key *key,
                                             const yurpc_snapshot *snapshot, yr_buf *file);

/* What @p head says: how many instances there are, and how long the file is. */
uint32_t yr_cache_count(const uint8_t head[YR_CACHE_HEAD_LEN]);
uint64_t yr_cache_len(const uint8_t head[YR_CACHE_HEAD_LEN]);

/* Set length and seal in the head of @p file to what its contents want: for whoever makes one
 * up. */
void yr_cache_seal(yr_buf *file);

/*
 * Put what @p file lists into @p batch, which is empty, as a list. What cannot be read of one
 * instance leaves that one out. YURPC_INVALID: damaged, of another version, or another list's
 * (the text says which); YURPC_TOO_LARGE: too many; YURPC_NO_MEMORY. On failure the batch is
 * empty again.
 */
YURPC_NODISCARD yurpc_status yr_cache_decode(const yr_cache_key *key, yurpc_bytes file,
                                             yr_batch *batch, yurpc_error **ret_error);

#endif /* YR_REGISTRY_CACHE_FORMAT_H */
