#include "registry/cache/cache_format.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "registry/instance.h"

#include <string.h>

enum {
    VERSION = 2,
    LEN_LEN = 4,
    BLOCK_LEN = 64 * 1024,      /* of the seal, and handed to a sink at once */
    INSTANCE_MAX = 1024 * 1024, /* one that is longer is left out while it is written */
};

/* Places in the head. */
enum { MAGIC_AT = 0, VERSION_AT = 8, COUNT_AT = 12, BODY_LEN_AT = 16, SEAL_AT = 24 };

static const char magic[8] = {'y', 'u', 'r', 'p', 'c', 'L', 'S', '\n'};

_Static_assert(SEAL_AT + 8 == YR_CACHE_HEAD_LEN, "the head ends with the seal");

/* ---- Numbers ---- */

static void put_number(uint8_t *at, uint64_t number, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t get_number(const uint8_t *at, size_t len)
{
    uint64_t number = 0;
    for (size_t i = 0; i < len; i++) {
        number |= (uint64_t)at[i] << (8 * i);
    }
    return number;
}

/* ---- The seal: over all of the file but itself ---- */

/* Each block of the body, then the head, with what the one before gave as a part of the seed.
 */
static uint64_t seal_add(uint64_t seal, yurpc_bytes bytes)
{
    const uint64_t seed[2] = {VERSION, seal};
    return yr_siphash(seed, bytes);
}

static uint64_t seal_of(yurpc_bytes file)
{
    uint64_t seal = 0;
    yurpc_bytes rest = yr_bytes_after(file, YR_CACHE_HEAD_LEN);
    while (rest.len > 0) {
        size_t len = rest.len < BLOCK_LEN ? rest.len : BLOCK_LEN;
        seal = seal_add(seal, yr_bytes(rest.data, len));
        rest = yr_bytes_after(rest, len);
    }
    return seal_add(seal, yr_bytes(file.data, SEAL_AT));
}

void yr_cache_seal(yr_buf *file)
{
    YR_ASSERT(file->len >= YR_CACHE_HEAD_LEN);
    put_number(file->data + BODY_LEN_AT, file->len - YR_CACHE_HEAD_LEN, 8);
    put_number(file->data + SEAL_AT, seal_of(yr_bytes(file->data, file->len)), 8);
}

uint32_t yr_cache_count(const uint8_t head[YR_CACHE_HEAD_LEN])
{
    return (uint32_t)get_number(head + COUNT_AT, 4);
}

uint64_t yr_cache_len(const uint8_t head[YR_CACHE_HEAD_LEN])
{
    return YR_CACHE_HEAD_LEN + get_number(head + BODY_LEN_AT, 8);
}

/* ---- Writing ---- */

static yurpc_status put_text(yr_buf *file, yurpc_bytes text)
{
    uint8_t len[LEN_LEN];
    put_number(len, text.len, sizeof len);
    yurpc_status status = yr_buf_append(file, len, sizeof len);
    return status == YURPC_OK ? yr_buf_append(file, text.data, text.len) : status;
}

static yurpc_status put_value(yr_buf *file, const char *service, const yurpc_instance *instance)
{
    size_t count = yurpc_instance_metadata_count(instance);
    yurpc_metadata *metadata = NULL;
    if (count > 0) {
        metadata = yr_calloc(count, sizeof *metadata);
        if (metadata == NULL) {
            return YURPC_NO_MEMORY;
        }
    }
    for (size_t i = 0; i < count; i++) {
        metadata[i] = yurpc_instance_metadata_at(instance, i);
    }
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = service;
    spec.host = yurpc_instance_host(instance);
    spec.port = yurpc_instance_port(instance);
    spec.group = yurpc_instance_group(instance);
    spec.weight = yurpc_instance_weight(instance);
    spec.metadata = metadata;
    spec.metadata_count = count;
    yurpc_status status = yr_instance_encode(&spec, yurpc_instance_is_draining(instance), file);
    yr_free(metadata);
    return status;
}

/* A file being written. */
typedef struct writer {
    const yr_cache_key *key;
    yr_cache_sink_fn *sink; /* NULL: nobody wants it */
    void *context;
    yr_buf block; /* what was not handed out yet */
    uint64_t body_len;
    uint64_t seal;
    uint32_t count;
} writer;

/* What was appended of an instance that cannot be written is taken back. */
static yurpc_status put_instance(writer *out, const yurpc_instance *instance)
{
    static const uint8_t no_len[LEN_LEN] = {0};
    yr_buf *block = &out->block;
    size_t begin = block->len;
    yurpc_status status = put_text(block, yr_instance_node(instance));
    if (status == YURPC_OK) {
        status = yr_buf_append(block, no_len, sizeof no_len);
    }
    size_t value_at = block->len;
    if (status == YURPC_OK) {
        status = put_value(block, out->key->service, instance);
    }
    size_t value_len = block->len - value_at;
    if (status == YURPC_TOO_LARGE || value_len > YR_INSTANCE_VALUE_MAX) {
        block->len = begin;
        return YURPC_OK;
    }
    if (status != YURPC_OK) {
        return status;
    }
    put_number(block->data + value_at - LEN_LEN, value_len, LEN_LEN);
    out->count++;
    return YURPC_OK;
}

/* Hand out the first @p len bytes of what there is, at most a block. */
static yurpc_status hand_out(writer *out, size_t len)
{
    yurpc_bytes bytes = yr_bytes(out->block.data, len);
    out->seal = seal_add(out->seal, bytes);
    out->body_len += len;
    if (out->body_len > YR_CACHE_LEN_MAX - YR_CACHE_HEAD_LEN) {
        return YURPC_TOO_LARGE;
    }
    yurpc_status status = out->sink != NULL ? out->sink(out->context, bytes) : YURPC_OK;
    yr_buf_consume(&out->block, len);
    return status;
}

static yurpc_status put_instances(writer *out, const yurpc_snapshot *snapshot)
{
    size_t count = yurpc_snapshot_count(snapshot);
    yurpc_status status = YURPC_OK;
    for (size_t i = 0; i < count && status == YURPC_OK; i++) {
        status = put_instance(out, yurpc_snapshot_at(snapshot, i));
        while (status == YURPC_OK && out->block.len >= BLOCK_LEN) {
            status = hand_out(out, BLOCK_LEN);
        }
    }
    return status == YURPC_OK && out->block.len > 0 ? hand_out(out, out->block.len) : status;
}

static yurpc_status put_body(writer *out, const yurpc_snapshot *snapshot)
{
    yurpc_status status = put_text(&out->block, yr_bytes_of_text(out->key->registry));
    if (status == YURPC_OK) {
        status = put_text(&out->block, yr_bytes_of_text(out->key->service));
    }
    return status == YURPC_OK ? put_instances(out, snapshot) : status;
}

yurpc_status yr_cache_write(const yr_cache_key *key, const yurpc_snapshot *snapshot,
                            yr_cache_sink_fn *sink, void *context,
                            uint8_t ret_head[YR_CACHE_HEAD_LEN])
{
    writer out = {.key = key, .sink = sink, .context = context};
    yr_buf_init(&out.block, BLOCK_LEN + INSTANCE_MAX);
    yurpc_status status = put_body(&out, snapshot);
    yr_buf_deinit(&out.block);
    if (status != YURPC_OK) {
        return status;
    }
    memcpy(ret_head + MAGIC_AT, magic, sizeof magic);
    put_number(ret_head + VERSION_AT, VERSION, 4);
    put_number(ret_head + COUNT_AT, out.count, 4);
    put_number(ret_head + BODY_LEN_AT, out.body_len, 8);
    put_number(ret_head + SEAL_AT, seal_add(out.seal, yr_bytes(ret_head, SEAL_AT)), 8);
    return YURPC_OK;
}

static yurpc_status append(void *context, yurpc_bytes bytes)
{
    return yr_buf_append(context, bytes.data, bytes.len);
}

yurpc_status yr_cache_encode(const yr_cache_key *key, const yurpc_snapshot *snapshot,
                             yr_buf *file)
{
    YR_ASSERT(file->len == 0);
    static const uint8_t blank[YR_CACHE_HEAD_LEN] = {0};
    uint8_t head[YR_CACHE_HEAD_LEN];
    yurpc_status status = yr_buf_append(file, blank, sizeof blank);
    if (status == YURPC_OK) {
        status = yr_cache_write(key, snapshot, append, file, head);
    }
    if (status != YURPC_OK) {
        yr_buf_clear(file);
        return status;
    }
    memcpy(file->data, head, sizeof head);
    return YURPC_OK;
}

/* ---- Reading ---- */

/* The next text of @p rest, which goes behind it; false: there is none. */
static bool take_text(yurpc_bytes *rest, yurpc_bytes *ret_text)
{
    if (rest->len < LEN_LEN) {
        return false;
    }
    uint64_t len = get_number(rest->data, LEN_LEN);
    yurpc_bytes behind = yr_bytes_after(*rest, LEN_LEN);
    if (len > behind.len) {
        return false;
    }
    *ret_text = yr_bytes(behind.data, (size_t)len);
    *rest = yr_bytes_after(behind, (size_t)len);
    return true;
}

/* Sealed, and still not what we write: somebody made it up. */
static const char made_up[] = "its contents do not fit together";

static const char *fault_of_head(yurpc_bytes file)
{
    const uint8_t *head = file.data;
    if (file.len < YR_CACHE_HEAD_LEN || memcmp(head + MAGIC_AT, magic, sizeof magic) != 0) {
        return "it is not a list of instances";
    }
    if (get_number(head + VERSION_AT, 4) != VERSION) {
        return "it was written by another version";
    }
    if (yr_cache_len(head) != file.len) {
        return "it is cut off, or more was added";
    }
    if (get_number(head + SEAL_AT, 8) != seal_of(file)) {
        return "its checksum is wrong";
    }
    return NULL;
}

static const char *fault_of_key(const yr_cache_key *key, yurpc_bytes *rest)
{
    yurpc_bytes registry;
    yurpc_bytes service;
    if (!take_text(rest, &registry) || !take_text(rest, &service)) {
        return "it names no registry and service";
    }
    if (!yr_bytes_equal(registry, yr_bytes_of_text(key->registry)) ||
        !yr_bytes_equal(service, yr_bytes_of_text(key->service))) {
        return "it is the list of another registry or service";
    }
    return NULL;
}

static yurpc_status take_instance(const char *service, yurpc_bytes node, yurpc_bytes value,
                                  yr_batch *batch)
{
    yurpc_instance *instance = NULL;
    const yr_instance_source source = {yr_bytes_of_text(service), node, value, 0};
    yurpc_status status = yr_instance_decode_in(&batch->slab, &source, &instance, NULL);
    if (status == YURPC_OK) {
        return yr_batch_take_put(batch, instance);
    }
    return status == YURPC_NO_MEMORY ? status : YURPC_OK;
}

static yurpc_status take_instances(const yr_cache_key *key, yurpc_bytes file, yr_batch *batch,
                                   yurpc_error **ret_error)
{
    uint32_t count = yr_cache_count(file.data);
    yurpc_bytes rest = yr_bytes_after(file, YR_CACHE_HEAD_LEN);
    const char *fault = fault_of_key(key, &rest);
    for (uint32_t i = 0; i < count && fault == NULL; i++) {
        yurpc_bytes node;
        yurpc_bytes value;
        yurpc_status status = YURPC_OK;
        if (!take_text(&rest, &node) || !take_text(&rest, &value)) {
            fault = made_up;
        } else {
            status = take_instance(key->service, node, value, batch);
        }
        if (status != YURPC_OK) {
            return yr_error_set_status(ret_error, status);
        }
    }
    if (fault == NULL && rest.len > 0) {
        fault = made_up;
    }
    return fault == NULL ? YURPC_OK : yr_error_set(ret_error, YURPC_INVALID, -1, "%s", fault);
}

yurpc_status yr_cache_decode(const yr_cache_key *key, yurpc_bytes file, yr_batch *batch,
                             yurpc_error **ret_error)
{
    YR_ASSERT(batch->count == 0);
    const char *fault = fault_of_head(file);
    if (fault != NULL) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "%s", fault);
    }
    yurpc_status status = take_instances(key, file, batch, ret_error);
    if (status != YURPC_OK) {
        yr_batch_clear(batch);
        return status;
    }
    batch->is_list = true;
    return YURPC_OK;
}
