/*
 * A RangeResponse, read as its bytes come: keys and values are handed out from where they lie,
 * and only a field that two pieces share is kept until its rest has come. So a list of 17 MB
 * never exists as a message.
 *
 * What is no such message is found out at the end, at the latest, when some of it was handed
 * out already. Reads what protobuf-c would: that is fuzzed.
 */
#ifndef YR_ETCD_RANGE_READER_H
#define YR_ETCD_RANGE_READER_H

#include "base/buf.h"
#include "etcd/decode.h"
#include "etcd/etcd.h"
#include "grpc/call.h"

enum { YR_RANGE_KVS_MAX = 64 }; /* handed out at once */

typedef struct yr_range_reader {
    yr_etcd_kvs_fn *on_kvs;
    void *context;
    bool has_begun; /* the first part has come */
    bool is_whole;
    size_t coming; /* bytes of the message that have not come */
    yr_buf kept;   /* the beginning of a field that was cut off */
    yr_header header;
    int64_t count;
    bool has_more;
    size_t kv_count; /* in kvs */
    yurpc_etcd_kv kvs[YR_RANGE_KVS_MAX];
} yr_range_reader;

/* Allocates nothing and cannot fail. */
void yr_range_reader_init(yr_range_reader *reader, yr_etcd_kvs_fn *on_kvs, void *context);
void yr_range_reader_deinit(yr_range_reader *reader);

/*
 * Take a part, and hand out the keys in it, before this returns. YURPC_PROTOCOL (this is no
 * RangeResponse, or there are two), YURPC_NO_MEMORY; after a failure nothing more may be added.
 */
YURPC_NODISCARD yurpc_status yr_range_reader_add(yr_range_reader *reader,
                                                 const yr_grpc_part *part);

/* All has come: the reply, without the keys. YURPC_PROTOCOL (it has not), YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_range_reader_finish(const yr_range_reader *reader,
                                                    yr_reply **ret_reply);

#endif /* YR_ETCD_RANGE_READER_H */
