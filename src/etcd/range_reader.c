#include "etcd/range_reader.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "etcd/wire.h"
#include "grpc/conn.h"

enum { KEPT_MAX = 64 * 1024 }; /* a larger buffer is given back */

void yr_range_reader_init(yr_range_reader *reader, yr_etcd_kvs_fn *on_kvs, void *context)
{
    reader->on_kvs = on_kvs;
    reader->context = context;
    reader->has_begun = false;
    reader->is_whole = false;
    reader->coming = 0;
    yr_buf_init(&reader->kept, YR_GRPC_MESSAGE_MAX);
    reader->header = (yr_header){0};
    reader->count = 0;
    reader->has_more = false;
    reader->kv_count = 0;
}

void yr_range_reader_deinit(yr_range_reader *reader)
{
    yr_buf_deinit(&reader->kept);
}

static void hand_out(yr_range_reader *reader)
{
    size_t count = reader->kv_count;
    reader->kv_count = 0;
    if (count > 0) {
        reader->on_kvs(reader->context, reader->kvs, count);
    }
}

static bool take_kv(yr_range_reader *reader, yurpc_bytes in)
{
    if (!yr_wire_read_kv(in, &reader->kvs[reader->kv_count])) {
        return false;
    }
    reader->kv_count++;
    if (reader->kv_count == YR_RANGE_KVS_MAX) {
        hand_out(reader);
    }
    return true;
}

static bool take_field(yr_range_reader *reader, const yr_wire_field *field)
{
    enum { HEADER = 1, KVS, MORE, COUNT };
    switch (field->id) {
    case HEADER:
        return field->type == YR_WIRE_BYTES &&
               yr_wire_read_header(field->bytes, &reader->header);
    case KVS:
        return field->type == YR_WIRE_BYTES && take_kv(reader, field->bytes);
    case MORE:
        reader->has_more = field->number != 0;
        return field->type == YR_WIRE_VARINT;
    case COUNT:
        reader->count = (int64_t)field->number;
        return field->type == YR_WIRE_VARINT;
    default:
        return true; /* of a later version */
    }
}

/* Move bytes from the front of @p in behind those that are kept, until there are @p len. */
static yurpc_status keep(yr_range_reader *reader, yurpc_bytes *in, size_t len)
{
    size_t missing = len - reader->kept.len;
    size_t taken = missing < in->len ? missing : in->len;
    yurpc_status status = yr_buf_append(&reader->kept, in->data, taken);
    if (status == YURPC_OK) {
        *in = yr_bytes_after(*in, taken);
    }
    return status;
}

/* Complete the field whose beginning is kept from the front of @p in, as far as that goes. */
static yurpc_status complete_kept(yr_range_reader *reader, yurpc_bytes *in)
{
    yr_buf *kept = &reader->kept;
    while (kept->len > 0) {
        yr_wire_field field;
        yr_wire_verdict verdict = yr_wire_read(yr_bytes(kept->data, kept->len), &field);
        if (verdict == YR_WIRE_WHOLE) {
            bool is_good = take_field(reader, &field);
            hand_out(reader); /* it is not there any longer */
            yr_buf_clear(kept);
            if (kept->cap > KEPT_MAX) {
                yr_buf_deinit(kept);
            }
            return is_good ? YURPC_OK : YURPC_PROTOCOL;
        }
        if (verdict == YR_WIRE_BAD || field.size > kept->len + in->len + reader->coming) {
            return YURPC_PROTOCOL;
        }
        if (in->len == 0) {
            return YURPC_OK;
        }
        yurpc_status status = keep(reader, in, field.size);
        if (status != YURPC_OK) {
            return status;
        }
    }
    return YURPC_OK;
}

static yurpc_status take_bytes(yr_range_reader *reader, yurpc_bytes in)
{
    yurpc_status status = complete_kept(reader, &in);
    yr_wire_verdict verdict = YR_WIRE_WHOLE;
    while (status == YURPC_OK && in.len > 0 && verdict == YR_WIRE_WHOLE) {
        yr_wire_field field;
        verdict = yr_wire_read(in, &field);
        if (verdict == YR_WIRE_BAD || field.size > in.len + reader->coming) {
            status = YURPC_PROTOCOL;
        } else if (verdict == YR_WIRE_WHOLE) {
            in = yr_bytes_after(in, field.size);
            status = take_field(reader, &field) ? YURPC_OK : YURPC_PROTOCOL;
        }
    }
    hand_out(reader); /* also what came before that which is wrong */
    if (status == YURPC_OK && in.len > 0) {
        status = yr_buf_append(&reader->kept, in.data, in.len);
    }
    return status;
}

yurpc_status yr_range_reader_add(yr_range_reader *reader, const yr_grpc_part *part)
{
    if (part->is_first) {
        if (reader->has_begun) {
            return YURPC_PROTOCOL; /* there is but one answer */
        }
        reader->has_begun = true;
        reader->coming = part->message_len;
    }
    YR_ASSERT(part->bytes.len <= reader->coming);
    reader->coming -= part->bytes.len;
    yurpc_status status = take_bytes(reader, part->bytes);
    if (status == YURPC_OK && part->is_last) {
        reader->is_whole = reader->kept.len == 0;
        status = reader->is_whole ? YURPC_OK : YURPC_PROTOCOL;
    }
    return status;
}

yurpc_status yr_range_reader_finish(const yr_range_reader *reader, yr_reply **ret_reply)
{
    if (!reader->is_whole) {
        return YURPC_PROTOCOL;
    }
    yr_reply *reply = yr_reply_new(0);
    if (reply == NULL) {
        return YURPC_NO_MEMORY;
    }
    reply->reply.revision = reader->header.revision;
    reply->reply.cluster_id = reader->header.cluster_id;
    reply->reply.member_id = reader->header.member_id;
    reply->reply.raft_term = reader->header.raft_term;
    reply->reply.count = reader->count;
    reply->reply.has_more = reader->has_more;
    *ret_reply = reply;
    return YURPC_OK;
}
