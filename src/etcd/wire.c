#include "etcd/wire.h"

#include "base/bytes.h"

#include <limits.h>

enum { VARINT_LEN_MAX = 10, SHORT_LEN_MAX = 5, FIXED64_LEN = 8, FIXED32_LEN = 4 };

/*
 * A varint of at most @p len_max bytes. Bits that 64 do not hold are lost, as in protobuf-c.
 * @p ret_size: how many bytes it has, or needs at least.
 */
static yr_wire_verdict read_varint(yurpc_bytes in, size_t len_max, uint64_t *ret_number,
                                   size_t *ret_size)
{
    const uint8_t *at = in.data;
    uint64_t number = 0;
    size_t len = in.len < len_max ? in.len : len_max;
    for (size_t i = 0; i < len; i++) {
        number |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (at[i] < 0x80) {
            *ret_number = number;
            *ret_size = i + 1;
            return YR_WIRE_WHOLE;
        }
    }
    *ret_size = len + 1;
    return len == len_max ? YR_WIRE_BAD : YR_WIRE_CUT;
}

/* What follows the tag of a field of BYTES. */
static yr_wire_verdict read_bytes(yurpc_bytes in, yr_wire_field *field)
{
    uint64_t len = 0;
    size_t size = 0;
    yr_wire_verdict verdict = read_varint(in, SHORT_LEN_MAX, &len, &size);
    field->size += size;
    if (verdict != YR_WIRE_WHOLE) {
        return verdict;
    }
    if (len > INT_MAX) {
        return YR_WIRE_BAD;
    }
    field->size += (size_t)len;
    if (len > in.len - size) {
        return YR_WIRE_CUT;
    }
    field->bytes = yr_bytes((const char *)in.data + size, (size_t)len);
    return YR_WIRE_WHOLE;
}

static yr_wire_verdict read_fixed(yurpc_bytes in, size_t len, yr_wire_field *field)
{
    field->size += len;
    return in.len < len ? YR_WIRE_CUT : YR_WIRE_WHOLE;
}

yr_wire_verdict yr_wire_read(yurpc_bytes in, yr_wire_field *ret_field)
{
    const uint8_t *at = in.data;
    uint64_t tag = 0;
    size_t size = 0;
    if ((at[0] & 0xf8) == 0) {
        return YR_WIRE_BAD; /* no field has the id 0 */
    }
    yr_wire_verdict verdict = read_varint(in, SHORT_LEN_MAX, &tag, &size);
    ret_field->size = size;
    if (verdict != YR_WIRE_WHOLE) {
        return verdict;
    }
    ret_field->id = (uint32_t)(tag >> 3);
    ret_field->type = (yr_wire_type)(at[0] & 7);
    yurpc_bytes rest = yr_bytes_after(in, size);
    switch (ret_field->type) {
    case YR_WIRE_VARINT:
        verdict = read_varint(rest, VARINT_LEN_MAX, &ret_field->number, &size);
        ret_field->size += size;
        return verdict;
    case YR_WIRE_BYTES:
        return read_bytes(rest, ret_field);
    case YR_WIRE_FIXED64:
        return read_fixed(rest, FIXED64_LEN, ret_field);
    case YR_WIRE_FIXED32:
        return read_fixed(rest, FIXED32_LEN, ret_field);
    }
    return YR_WIRE_BAD; /* groups, and what never was */
}

/* ---- Messages ---- */

/* The next field of @p rest, a whole message, which goes behind it. */
static bool take_field(yurpc_bytes *rest, yr_wire_field *ret_field)
{
    if (yr_wire_read(*rest, ret_field) != YR_WIRE_WHOLE) {
        return false;
    }
    *rest = yr_bytes_after(*rest, ret_field->size);
    return true;
}

bool yr_wire_read_kv(yurpc_bytes in, yurpc_etcd_kv *ret_kv)
{
    enum { KEY = 1, CREATE_REVISION, MOD_REVISION, VERSION, VALUE, LEASE };
    yurpc_etcd_kv kv = {.lease = 0};
    while (in.len > 0) {
        yr_wire_field field;
        if (!take_field(&in, &field)) {
            return false;
        }
        int64_t *number = NULL;
        yurpc_bytes *bytes = NULL;
        switch (field.id) {
        case KEY:
            bytes = &kv.key;
            break;
        case CREATE_REVISION:
            number = &kv.create_revision;
            break;
        case MOD_REVISION:
            number = &kv.mod_revision;
            break;
        case VERSION:
            number = &kv.version;
            break;
        case VALUE:
            bytes = &kv.value;
            break;
        case LEASE:
            number = &kv.lease;
            break;
        default:
            continue; /* of a later version */
        }
        if (field.type != (bytes != NULL ? YR_WIRE_BYTES : YR_WIRE_VARINT)) {
            return false;
        }
        if (bytes != NULL) {
            *bytes = field.bytes;
        } else {
            *number = (int64_t)field.number;
        }
    }
    *ret_kv = kv;
    return true;
}

bool yr_wire_read_header(yurpc_bytes in, yr_header *ret_header)
{
    enum { CLUSTER_ID = 1, MEMBER_ID, REVISION, RAFT_TERM };
    yr_header header = {0};
    while (in.len > 0) {
        yr_wire_field field;
        if (!take_field(&in, &field)) {
            return false;
        }
        if (field.id < CLUSTER_ID || field.id > RAFT_TERM) {
            continue; /* of a later version */
        }
        if (field.type != YR_WIRE_VARINT) {
            return false;
        }
        switch (field.id) {
        case CLUSTER_ID:
            header.cluster_id = field.number;
            break;
        case MEMBER_ID:
            header.member_id = field.number;
            break;
        case REVISION:
            header.revision = (int64_t)field.number;
            break;
        default:
            header.raft_term = field.number;
            break;
        }
    }
    *ret_header = header;
    return true;
}

bool yr_wire_read_event(yurpc_bytes in, yurpc_etcd_event *ret_event)
{
    enum { TYPE = 1, KV, DELETE = 1 };
    yr_wire_field field;
    yurpc_etcd_event event = {.kind = YURPC_ETCD_EVENT_PUT};
    if (in.len == 0 || !take_field(&in, &field)) {
        return false;
    }
    if (field.id == TYPE) {
        if (field.type != YR_WIRE_VARINT || field.number != DELETE || in.len == 0 ||
            !take_field(&in, &field)) {
            return false;
        }
        event.kind = YURPC_ETCD_EVENT_DELETE;
    }
    if (field.id != KV || field.type != YR_WIRE_BYTES || in.len > 0 ||
        !yr_wire_read_kv(field.bytes, &event.kv) || event.kv.mod_revision <= 0) {
        return false;
    }
    *ret_event = event;
    return true;
}
