/*
 * The yardstick for understanding what etcd answers: protobuf and the canonical JSON of an
 * instance scanned by hand, as the bytes come, into a plain list.
 *
 * It knows the one form in which our instances are written, and stops at anything else: there
 * is nothing here that a program could rely on.
 */
#ifndef YR_BARE_DECODE_H
#define YR_BARE_DECODE_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { YR_NODE_SIZE = 24, YR_CARRY_SIZE = 16 * 1024 };

/* What is kept of an instance. */
typedef struct yr_bare_instance {
    char node[YR_NODE_SIZE]; /* "10.0.0.1:8080" */
    uint8_t node_len;
    uint8_t host_len; /* of the node */
    uint16_t port;
    uint16_t weight;
} yr_bare_instance;

typedef struct yr_bare_list {
    yr_bare_instance *instances;
    size_t count;
    size_t size;
    uint32_t *index; /* of instances, by the hash of their nodes; 0: none; NULL: not made */
    size_t index_size;
} yr_bare_list;

typedef enum yr_bare_kind {
    YR_BARE_RANGE = 0, /* RangeResponse */
    YR_BARE_WATCH = 1, /* WatchResponse */
} yr_bare_kind;

/* What is being read: gRPC messages, of which only a field that is not complete is kept. */
typedef struct yr_bare_decoder {
    yr_bare_list *list;
    yr_bare_kind kind;
    bool has_failed;
    size_t left;     /* of the message that is being read */
    uint64_t events; /* of watches, so far */
    size_t carry_len;
    uint8_t carry[YR_CARRY_SIZE];
} yr_bare_decoder;

void yr_bare_decoder_init(yr_bare_decoder *decoder, yr_bare_kind kind, yr_bare_list *list);

/* Take the next bytes of the stream. False: they are not what is expected. */
bool yr_bare_decoder_take(yr_bare_decoder *decoder, yurpc_bytes data);

/* Make the list ready to be changed. False: out of memory. */
bool yr_bare_list_index(yr_bare_list *list);

/* NULL: there is none. The list has an index. */
yr_bare_instance *yr_bare_list_find(const yr_bare_list *list, yurpc_bytes node);

void yr_bare_list_deinit(yr_bare_list *list);

#endif /* YR_BARE_DECODE_H */
