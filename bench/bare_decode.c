#include "bare_decode.h"

#include "names.h"

#include <stdlib.h>
#include <string.h>

enum {
    GRPC_HEAD_LEN = 5,
    CARRY_STEP = 1024, /* how much is added at once to what was cut off */
    LIST_SIZE_FIRST = 1024,

    /* Tags of protobuf: number and kind of a field. */
    TAG_KVS = 2 << 3 | 2,
    TAG_EVENTS = 11 << 3 | 2,
    TAG_EVENT_TYPE = 1 << 3,
    TAG_EVENT_KV = 2 << 3 | 2,
    TAG_KEY = 1 << 3 | 2,
    TAG_VALUE = 5 << 3 | 2,
};

/* ---- Protobuf ---- */

typedef struct reader {
    const uint8_t *at;
    const uint8_t *end;
} reader;

/* A field. False: it is not complete, or none. */
typedef struct field {
    uint64_t tag;
    uint64_t number;
    reader bytes;
} field;

static bool read_number(reader *in, uint64_t *ret_number)
{
    uint64_t number = 0;
    unsigned shift = 0;
    for (const uint8_t *at = in->at; at < in->end && shift < 64; shift += 7) {
        uint8_t byte = *at++;
        number |= (uint64_t)(byte & 127U) << shift;
        if (byte < 128) {
            in->at = at;
            *ret_number = number;
            return true;
        }
    }
    return false;
}

static bool read_field(reader *in, field *ret_field)
{
    reader at = *in;
    if (!read_number(&at, &ret_field->tag) || !read_number(&at, &ret_field->number)) {
        return false;
    }
    if ((ret_field->tag & 7U) == 2) {
        if (ret_field->number > (uint64_t)(at.end - at.at)) {
            return false;
        }
        ret_field->bytes = (reader){at.at, at.at + ret_field->number};
        at.at = ret_field->bytes.end;
    }
    *in = at;
    return true;
}

/* ---- The canonical JSON of an instance ---- */

static bool skip(reader *in, const char *text, size_t len)
{
    if ((size_t)(in->end - in->at) < len || memcmp(in->at, text, len) != 0) {
        return false;
    }
    in->at += len;
    return true;
}
#define SKIP(in, text) skip((in), text, sizeof(text) - 1)

/* Up to the quote behind it. */
static bool read_text(reader *in, yurpc_bytes *ret_text)
{
    const uint8_t *at = in->at;
    while (at < in->end && *at != '"' && *at != '\\' && *at >= ' ') {
        at++;
    }
    if (at == in->end || *at != '"') {
        return false;
    }
    *ret_text = (yurpc_bytes){in->at, (size_t)(at - in->at)};
    in->at = at + 1;
    return true;
}

static bool read_decimal(reader *in, uint16_t *ret_number)
{
    uint32_t number = 0;
    const uint8_t *at = in->at;
    while (at < in->end && *at >= '0' && *at <= '9' && number <= UINT16_MAX) {
        number = number * 10 + (uint32_t)(*at++ - '0');
    }
    bool is_fine = at > in->at && number <= UINT16_MAX;
    in->at = at;
    *ret_number = (uint16_t)number;
    return is_fine;
}

static bool read_value(reader in, yr_bare_instance *instance)
{
    yurpc_bytes name;
    yurpc_bytes version;
    yurpc_bytes host;
    yurpc_bytes group;
    bool is_fine = SKIP(&in, "{\"serviceName\":\"") && read_text(&in, &name) &&
                   SKIP(&in, ",\"serviceVersion\":\"") && read_text(&in, &version) &&
                   SKIP(&in, ",\"serviceHost\":\"") && read_text(&in, &host) &&
                   SKIP(&in, ",\"servicePort\":") && read_decimal(&in, &instance->port) &&
                   SKIP(&in, ",\"serviceGroup\":\"") && read_text(&in, &group);
    instance->weight = 100;
    if (is_fine && SKIP(&in, ",\"weight\":")) {
        is_fine = read_decimal(&in, &instance->weight);
    }
    instance->host_len = (uint8_t)(is_fine ? host.len : 0);
    return is_fine && SKIP(&in, "}") && in.at == in.end;
}

static bool read_node(reader key, yr_bare_instance *instance)
{
    static const size_t prefix_len = sizeof(YR_PREFIX) - 1;
    size_t len = (size_t)(key.end - key.at);
    if (len <= prefix_len || len - prefix_len > YR_NODE_SIZE) {
        return false;
    }
    instance->node_len = (uint8_t)(len - prefix_len);
    memcpy(instance->node, key.at + prefix_len, instance->node_len);
    return true;
}

static bool read_kv(reader in, yr_bare_instance *instance)
{
    field part;
    instance->node_len = 0;
    while (in.at < in.end) {
        if (!read_field(&in, &part) ||
            (part.tag == TAG_KEY && !read_node(part.bytes, instance)) ||
            (part.tag == TAG_VALUE && !read_value(part.bytes, instance))) {
            return false;
        }
    }
    return instance->node_len > 0;
}

/* ---- The list ---- */

static uint64_t hash(const char *node, size_t len)
{
    uint64_t value = 14695981039346656037U;
    for (size_t i = 0; i < len; i++) {
        value = (value ^ (uint8_t)node[i]) * 1099511628211U;
    }
    return value ^ value >> 32;
}

/* Where the node is in the index, or would be. */
static uint32_t *find_slot(const yr_bare_list *list, const char *node, size_t len)
{
    size_t at = hash(node, len) & (list->index_size - 1);
    for (;; at = (at + 1) & (list->index_size - 1)) {
        uint32_t *slot = &list->index[at];
        const yr_bare_instance *one = *slot > 0 ? &list->instances[*slot - 1] : NULL;
        if (one == NULL || (one->node_len == len && memcmp(one->node, node, len) == 0)) {
            return slot;
        }
    }
}

yr_bare_instance *yr_bare_list_find(const yr_bare_list *list, yurpc_bytes node)
{
    uint32_t at = *find_slot(list, node.data, node.len);
    return at > 0 ? &list->instances[at - 1] : NULL;
}

bool yr_bare_list_index(yr_bare_list *list)
{
    list->index_size = 16;
    while (list->index_size < list->count * 2) {
        list->index_size *= 2;
    }
    free(list->index);
    list->index = calloc(list->index_size, sizeof(*list->index));
    for (size_t i = 0; list->index != NULL && i < list->count; i++) {
        const yr_bare_instance *one = &list->instances[i];
        *find_slot(list, one->node, one->node_len) = (uint32_t)i + 1;
    }
    return list->index != NULL;
}

void yr_bare_list_deinit(yr_bare_list *list)
{
    free(list->instances);
    free(list->index);
    *list = (yr_bare_list){.count = 0};
}

static bool append(yr_bare_list *list, reader kv)
{
    if (list->count == list->size) {
        size_t size = list->size > 0 ? list->size * 2 : LIST_SIZE_FIRST;
        yr_bare_instance *more = realloc(list->instances, size * sizeof(*more));
        if (more == NULL) {
            return false;
        }
        list->instances = more;
        list->size = size;
    }
    return read_kv(kv, &list->instances[list->count++]);
}

/* A change of an instance that is there: all that a benchmark makes happen. */
static bool apply(const yr_bare_list *list, reader event)
{
    field part;
    yr_bare_instance changed;
    bool is_put = true;
    bool is_fine = false;
    while (event.at < event.end && read_field(&event, &part)) {
        is_put = is_put && (part.tag != TAG_EVENT_TYPE || part.number == 0);
        if (part.tag == TAG_EVENT_KV) {
            is_fine = read_kv(part.bytes, &changed);
        }
    }
    yr_bare_instance *known =
        is_fine && is_put
            ? yr_bare_list_find(list, (yurpc_bytes){changed.node, changed.node_len})
            : NULL;
    if (known != NULL) {
        *known = changed;
    }
    return known != NULL;
}

/* ---- The stream ---- */

void yr_bare_decoder_init(yr_bare_decoder *decoder, yr_bare_kind kind, yr_bare_list *list)
{
    decoder->list = list;
    decoder->kind = kind;
    decoder->has_failed = false;
    decoder->left = 0;
    decoder->events = 0;
    decoder->carry_len = 0;
}

/* The next complete thing: a head or a field. False: nothing is complete. */
static bool take_next(yr_bare_decoder *decoder, reader *in)
{
    size_t len = (size_t)(in->end - in->at);
    const uint8_t *begin = in->at;
    field part;
    if (decoder->left == 0) {
        if (len < GRPC_HEAD_LEN) {
            return false;
        }
        decoder->left =
            (size_t)begin[1] << 24 | (size_t)begin[2] << 16 | (size_t)begin[3] << 8 | begin[4];
        in->at += GRPC_HEAD_LEN;
        return true;
    }
    if (!read_field(in, &part)) {
        return false;
    }
    decoder->left -= (size_t)(in->at - begin);
    if (decoder->kind == YR_BARE_WATCH && part.tag == TAG_EVENTS) {
        decoder->has_failed = !apply(decoder->list, part.bytes);
        decoder->events++;
    } else if (decoder->kind == YR_BARE_RANGE && part.tag == TAG_KVS) {
        decoder->has_failed = !append(decoder->list, part.bytes);
    }
    return true;
}

bool yr_bare_decoder_take(yr_bare_decoder *decoder, yurpc_bytes data)
{
    reader in = {data.data, (const uint8_t *)data.data + data.len};
    while (decoder->carry_len > 0 && in.at < in.end && !decoder->has_failed) {
        /* Complete what was cut off, and find back to where it ends. */
        size_t before = decoder->carry_len;
        size_t left = (size_t)(in.end - in.at);
        size_t step = left < CARRY_STEP ? left : CARRY_STEP;
        if (before + step > YR_CARRY_SIZE) {
            return false;
        }
        memcpy(decoder->carry + before, in.at, step);
        reader carried = {decoder->carry, decoder->carry + before + step};
        while (carried.at < decoder->carry + before && !decoder->has_failed &&
               take_next(decoder, &carried)) {
        }
        size_t taken = (size_t)(carried.at - decoder->carry);
        in.at += taken >= before ? taken - before : step;
        decoder->carry_len = taken >= before ? 0 : before + step - taken;
        memmove(decoder->carry, decoder->carry + taken, decoder->carry_len);
    }
    while (!decoder->has_failed && take_next(decoder, &in)) {
    }
    size_t rest = (size_t)(in.end - in.at);
    if (decoder->has_failed || rest > YR_CARRY_SIZE || (rest > 0 && decoder->carry_len > 0)) {
        return false;
    }
    if (rest > 0) {
        memcpy(decoder->carry, in.at, rest);
        decoder->carry_len = rest;
    }
    return true;
}
