/*
 * Protobuf's wire format, read in place: for the messages that carry bulk, for which protobuf-c
 * makes objects of what we only look at once. Accepts what protobuf-c accepts.
 *
 * Source: protobuf.dev, "Encoding".
 */
#ifndef YR_ETCD_WIRE_H
#define YR_ETCD_WIRE_H

#include "etcd/history.h"

#include <yurpc/etcd_data.h>

typedef enum yr_wire_type {
    YR_WIRE_VARINT = 0,
    YR_WIRE_FIXED64 = 1,
    YR_WIRE_BYTES = 2,
    YR_WIRE_FIXED32 = 5,
} yr_wire_type;

typedef struct yr_wire_field {
    uint32_t id;
    yr_wire_type type;
    uint64_t number;   /* of a VARINT */
    yurpc_bytes bytes; /* of BYTES; borrowed */
    size_t size;       /* of all of it; when it is cut off: what is known to be needed */
} yr_wire_field;

typedef enum yr_wire_verdict {
    YR_WIRE_WHOLE,
    YR_WIRE_CUT, /* more bytes are needed */
    YR_WIRE_BAD, /* whatever follows, this is no field */
} yr_wire_verdict;

/* The field that @p in, which is not empty, begins with. Unless it is BAD, sets @p ret_field's
 * size; all of it when it is WHOLE. */
yr_wire_verdict yr_wire_read(yurpc_bytes in, yr_wire_field *ret_field);

/* A whole mvccpb.KeyValue; borrows from @p in. False: it is none; then *@p ret_kv is not set.
 */
bool yr_wire_read_kv(yurpc_bytes in, yurpc_etcd_kv *ret_kv);

/* A whole etcdserverpb.ResponseHeader. As above. */
bool yr_wire_read_header(yurpc_bytes in, yr_header *ret_header);

/* A mvccpb.Event as etcd sends it: its kind, unless it is a put, then its key, and no other.
 * False also for any other that may be one. Borrows from @p in. */
bool yr_wire_read_event(yurpc_bytes in, yurpc_etcd_event *ret_event);

#endif /* YR_ETCD_WIRE_H */
