#include "etcd/gather.h"

#include "base/bytes.h"
#include "grpc/conn.h"

enum { KEPT_MAX = 64 * 1024 }; /* a larger buffer is not kept for the next message */

void yr_gather_init(yr_gather *gather)
{
    yr_buf_init(&gather->message, YR_GRPC_MESSAGE_MAX);
    gather->is_whole = false;
}

void yr_gather_deinit(yr_gather *gather)
{
    yr_buf_deinit(&gather->message);
    gather->is_whole = false;
}

yurpc_status yr_gather_add(yr_gather *gather, const yr_grpc_part *part)
{
    gather->is_whole = false;
    if (part->is_first) {
        if (gather->message.cap > KEPT_MAX) {
            yr_buf_deinit(&gather->message);
        }
        yr_buf_clear(&gather->message);
    }
    yurpc_status status = yr_buf_append(&gather->message, part->bytes.data, part->bytes.len);
    gather->is_whole = status == YURPC_OK && part->is_last;
    return status;
}

yurpc_bytes yr_gather_message(const yr_gather *gather)
{
    return yr_bytes(gather->message.data, gather->message.len);
}
