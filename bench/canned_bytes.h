/*
 * What the canned server has prepared: the messages of its answers.
 */
#ifndef YR_CANNED_BYTES_H
#define YR_CANNED_BYTES_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    YR_CANNED_REVISION = 1000000, /* of the list; a change each later */
    YR_CANNED_HEAD_SIZE = 64,     /* room for what stands before or behind the bulk */
};

/* All instances as RangeResponse.kvs, ordered by key. */
typedef struct yr_canned_list {
    uint8_t *bytes;
    size_t *ends; /* of each instance, in bytes */
    size_t count;
} yr_canned_list;

/* False: out of memory. To be freed either way. */
bool yr_canned_list_init(yr_canned_list *list, size_t count);
void yr_canned_list_deinit(yr_canned_list *list);

/* A gRPC message in three parts: bytes of its own, of the list, of its own. */
typedef struct yr_canned_message {
    size_t head_len;
    size_t tail_len;
    yurpc_bytes bulk;
    uint8_t head[YR_CANNED_HEAD_SIZE];
    uint8_t tail[YR_CANNED_HEAD_SIZE];
} yr_canned_message;

/* What the methods answer; @p request is a message without its gRPC head. */
yr_canned_message yr_canned_range(const yr_canned_list *list, yurpc_bytes request);
yr_canned_message yr_canned_status(void);
yr_canned_message yr_canned_txn(void);
yr_canned_message yr_canned_lease(yurpc_bytes request);
yr_canned_message yr_canned_header(void);

/* A watch was asked for, or how far one is; gives the id that the client chose. */
bool yr_canned_is_watch_create(yurpc_bytes request, int64_t *ret_id);
yr_canned_message yr_canned_watch_created(int64_t id);
yr_canned_message yr_canned_watch_progress(int64_t revision);

/*
 * @p changes DATA frames of @p stream with a change each, to be freed; NULL: out of memory.
 * Change i is one of instance i % list->count, and gives it the weight 1 + i / list->count.
 */
uint8_t *yr_canned_storm(const yr_canned_list *list, size_t changes, uint32_t stream,
                         int64_t watch_id, size_t *ret_len);

#endif /* YR_CANNED_BYTES_H */
