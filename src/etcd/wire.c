#include "etcd/wire.h"

#include "base/bytes.h"

#include <limits.h>

enum { VARINT_LEN_MAX = 10, SHORT_LEN_MAX = 5, FIXED64_LEN = 8, FIXED32_LEN = 4 };

/*
 * A varint of at most @p len_max bytes. Bits that 64 do not hold are lost, as in protobuf-c.
 * @p ret_size: how many bytes it has, or needs at least.
 */
static inline yr_wire_verdict read_varint(yurpc_bytes in, size_t len_max, uint64_t *ret_number,
                                          size_t *ret_size)
{
    const uint8_t *at = in.data;
    if (in.len > 0 && at[0] < 0x80) { /* as most are */
        *ret_number = at[0];
        *ret_size = 1;
        return YR_WIRE_WHOLE;
    }
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
static inline yr_wire_verdict read_bytes(yurpc_bytes in, yr_wire_field *field)
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

static inline yr_wire_verdict read_field(yurpc_bytes in, yr_wire_field *ret_field)
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

yr_wire_verdict yr_wire_read(yurpc_bytes in, yr_wire_field *ret_field)
{
    return read_field(in, ret_field);
}

/* ---- Messages ---- */

/* The next field of @p rest, a whole message, which goes behind it. */
static inline bool take_field(yurpc_bytes *rest, yr_wire_field *ret_field)
{
    if (read_field(*rest, ret_field) != YR_WIRE_WHOLE) {
        return false;
    }
    *rest = yr_bytes_after(*rest, ret_field->size);
    return true;
}

enum { KEY = 1, CREATE_REVISION, MOD_REVISION, VERSION, VALUE, LEASE }; /* of a KeyValue */

/* False: no such field has that type. */
static bool set_in_kv(yurpc_etcd_kv *kv, const yr_wire_field *field)
{
    bool is_bytes = field->type == YR_WIRE_BYTES;
    bool is_number = field->type == YR_WIRE_VARINT;
    switch (field->id) {
    case KEY:
        kv->key = field->bytes;
        return is_bytes;
    case CREATE_REVISION:
        kv->create_revision = (int64_t)field->number;
        return is_number;
    case MOD_REVISION:
        kv->mod_revision = (int64_t)field->number;
        return is_number;
    case VERSION:
        kv->version = (int64_t)field->number;
        return is_number;
    case VALUE:
        kv->value = field->bytes;
        return is_bytes;
    case LEASE:
        kv->lease = (int64_t)field->number;
        return is_number;
    default:
        return true; /* of a later version */
    }
}

/* A varint of one or two bytes, of which there are @p end - *@p at; false: another one. */
static inline bool read_short(const uint8_t **at, const uint8_t *end, size_t *ret_number)
{
    const uint8_t *byte = *at;
    if (end - byte >= 1 && byte[0] < 0x80) {
        *ret_number = byte[0];
        *at += 1;
        return true;
    }
    if (end - byte >= 2 && byte[1] < 0x80) {
        *ret_number = (size_t)(byte[0] & 0x7f) | (size_t)byte[1] << 7;
        *at += 2;
        return true;
    }
    return false;
}

static inline bool read_short_bytes(const uint8_t **at, const uint8_t *end,
                                    yurpc_bytes *ret_bytes)
{
    size_t len = 0;
    if (!read_short(at, end, &len) || len > (size_t)(end - *at)) {
        return false;
    }
    *ret_bytes = yr_bytes(*at, len);
    *at += len;
    return true;
}

/* A number that ends before @p end. */
static inline bool read_number(const uint8_t **at, const uint8_t *end, int64_t *ret_number)
{
    uint64_t number = 0;
    const uint8_t *byte = *at;
    for (unsigned shift = 0; byte < end && shift < 64; shift += 7) {
        number |= (uint64_t)(*byte & 0x7f) << shift;
        if (*byte++ < 0x80) {
            *ret_number = (int64_t)number;
            *at = byte;
            return true;
        }
    }
    return false;
}

/* The fields that every etcd writes, of lengths that instances have: a hundred thousand make a
 * list. False: it is to be read with more care. */
static bool read_usual_kv(yurpc_bytes in, yurpc_etcd_kv *ret_kv)
{
    yurpc_etcd_kv kv = {.lease = 0};
    const uint8_t *at = in.data;
    const uint8_t *end = at + in.len;
    bool is_usual = true;
    while (is_usual && at < end) {
        switch (*at++) { /* id and type */
        case KEY << 3 | YR_WIRE_BYTES:
            is_usual = read_short_bytes(&at, end, &kv.key);
            break;
        case CREATE_REVISION << 3 | YR_WIRE_VARINT:
            is_usual = read_number(&at, end, &kv.create_revision);
            break;
        case MOD_REVISION << 3 | YR_WIRE_VARINT:
            is_usual = read_number(&at, end, &kv.mod_revision);
            break;
        case VERSION << 3 | YR_WIRE_VARINT:
            is_usual = read_number(&at, end, &kv.version);
            break;
        case VALUE << 3 | YR_WIRE_BYTES:
            is_usual = read_short_bytes(&at, end, &kv.value);
            break;
        case LEASE << 3 | YR_WIRE_VARINT:
            is_usual = read_number(&at, end, &kv.lease);
            break;
        default:
            is_usual = false;
        }
    }
    *ret_kv = kv;
    return is_usual;
}

bool yr_wire_read_kv(yurpc_bytes in, yurpc_etcd_kv *ret_kv)
{
    yurpc_etcd_kv kv = {.lease = 0};
    if (in.len > 0 && read_usual_kv(in, &kv)) {
        *ret_kv = kv;
        return true;
    }
    kv = (yurpc_etcd_kv){.lease = 0};
    while (in.len > 0) {
        yr_wire_field field = {.id = 0};
        if (!take_field(&in, &field) || !set_in_kv(&kv, &field)) {
            return false;
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
        yr_wire_field field = {.id = 0};
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
    yr_wire_field field = {.id = 0};
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
