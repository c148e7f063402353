#include "registry/instance.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "registry/instance_value.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    PORT_LEN_MAX = 5,
    NODE_LEN_MAX = YR_HOST_LEN_MAX + 2 + 1 + PORT_LEN_MAX, /* with brackets and colon */
};

/* The key of an instance, taken apart. */
typedef struct node_key {
    yurpc_bytes name;
    yurpc_bytes version;
    yurpc_bytes node;
    yurpc_bytes host; /* without brackets */
    uint32_t port;
    bool is_same_host; /* as the value's */
} node_key;

/* ---- Reading keys ---- */

/* Split at the last colon; false when there is none. */
static bool split_last_colon(yurpc_bytes text, yurpc_bytes *ret_before, yurpc_bytes *ret_after)
{
    const char *data = text.data;
    const char *colon = text.len > 0 ? memrchr(data, ':', text.len) : NULL;
    if (colon == NULL) {
        return false;
    }
    size_t before = (size_t)(colon - data);
    *ret_before = yr_bytes(data, before);
    *ret_after = yr_bytes(colon + 1, text.len - before - 1);
    return true;
}

static yurpc_bytes without_brackets(yurpc_bytes host)
{
    const char *data = host.data;
    bool is_bracketed = host.len >= 2 && data[0] == '[' && data[host.len - 1] == ']';
    return is_bracketed ? yr_bytes(data + 1, host.len - 2) : host;
}

/* A port as one writes a number: no sign, no leading zero. 0: anything else. */
static uint32_t port_of_key(yurpc_bytes text)
{
    const char *data = text.data;
    if (text.len == 0 || text.len > PORT_LEN_MAX || data[0] == '0') {
        return 0;
    }
    uint32_t port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (data[i] < '0' || data[i] > '9') {
            return 0;
        }
        port = port * 10 + (uint32_t)(data[i] - '0');
    }
    return port <= UINT16_MAX ? port : 0;
}

/* Whether @p host can stand in a key and in a connect call: nothing more is known of hosts. */
static bool is_host(yurpc_bytes host)
{
    return host.len > 0 && host.len <= YR_HOST_LEN_MAX &&
           memchr(host.data, '/', host.len) == NULL &&
           memchr(host.data, ' ', host.len) == NULL && yr_utf8_is_plain(host);
}

static yurpc_status read_identity(yurpc_bytes service, yurpc_bytes node, node_key *ret_key,
                                  yurpc_error **ret_error)
{
    node_key key = {.node = node};
    if (service.len > YR_SERVICE_LEN_MAX || !yr_utf8_is_plain(service) ||
        !split_last_colon(service, &key.name, &key.version)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "its service is not name:version");
    }
    yurpc_bytes port;
    if (!split_last_colon(node, &key.host, &port)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "its key is not host:port");
    }
    key.host = without_brackets(key.host);
    key.port = port_of_key(port);
    if (!is_host(key.host)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "the host in its key is not valid");
    }
    if (key.port == 0) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the port in its key is not a number from 1 to 65535");
    }
    *ret_key = key;
    return YURPC_OK;
}

/* ---- Making records ---- */

/* Texts being laid one behind the other; without storage they are only measured. */
typedef struct text_packer {
    char *texts; /* NULL: measure */
    size_t len;
} text_packer;

static size_t pack(text_packer *packer, yurpc_bytes text)
{
    size_t at = packer->len;
    if (packer->texts != NULL && text.len > 0) {
        memcpy(packer->texts + at, text.data, text.len);
    }
    packer->len += text.len + 1; /* the NUL is there: records begin as zeros */
    return at;
}

static char *texts_of(yurpc_instance *instance)
{
    return (char *)(instance->metadata_at + instance->metadata_count);
}

/* The metadata, once into @p packer, with its places unless @p instance is NULL. */
static uint16_t pack_metadata(text_packer *packer, const yr_json *metadata,
                              yurpc_instance *instance)
{
    uint16_t count = 0; /* a value of 64 KiB holds no more than 16 bits count */
    const yr_json_cursor *cursor = yr_instance_next_metadata(metadata, NULL);
    for (; cursor != NULL; cursor = yr_instance_next_metadata(metadata, cursor)) {
        size_t at = pack(packer, yr_json_cursor_name(cursor));
        (void)pack(packer, yr_json_text(yr_json_cursor_value(cursor)));
        if (instance != NULL) {
            instance->metadata_at[count] = (uint32_t)at;
        }
        count++;
    }
    return count;
}

/* What pack_all() takes: without an address, that is the node. */
static size_t len_of_all(const node_key *key, const yr_instance_view *view, yurpc_bytes address)
{
    enum { TEXTS = 5 }; /* each has a NUL */
    return key->name.len + key->version.len + key->node.len + view->host.len + view->group.len +
           TEXTS + (address.data != NULL ? address.len + 1 : 0);
}

static void pack_all(text_packer *packer, const node_key *key, const yr_instance_view *view,
                     yurpc_bytes address, yurpc_instance *instance)
{
    /* All but the group are short, and the group is the last of those that 16 bits place. */
    (void)pack(packer, key->name);
    instance->version_at = (uint16_t)pack(packer, key->version);
    instance->node_at = (uint16_t)pack(packer, key->node);
    instance->host_at = (uint16_t)pack(packer, view->host);
    instance->address_at =
        address.data != NULL ? (uint16_t)pack(packer, address) : instance->node_at;
    instance->group_at = (uint16_t)pack(packer, view->group);
}

/* Whether the value says something else than the key: what it leaves out agrees. */
static bool is_mismatch(const node_key *key, const yr_instance_view *view)
{
    return !key->is_same_host || view->port != key->port ||
           (view->name.data != NULL && !yr_bytes_equal(view->name, key->name)) ||
           (view->version.data != NULL && !yr_bytes_equal(view->version, key->version));
}

/* "host:port" of the value, IPv6 in brackets, written to @p out; no data: it is the node. */
static yurpc_bytes address_of(const node_key *key, const yr_instance_view *view,
                              char out[NODE_LEN_MAX + 1])
{
    static const yurpc_bytes the_node = {NULL, 0};
    bool is_ipv6 = memchr(view->host.data, ':', view->host.len) != NULL;
    if (!is_ipv6 && key->host.data == key->node.data && view->port == key->port &&
        key->is_same_host) {
        return the_node;
    }
    int len = snprintf(out, NODE_LEN_MAX + 1, is_ipv6 ? "[%.*s]:%u" : "%.*s:%u",
                       (int)view->host.len, (const char *)view->host.data, view->port);
    YR_ASSERT(len > 0 && len <= NODE_LEN_MAX);
    yurpc_bytes address = yr_bytes(out, (size_t)len);
    return yr_bytes_equal(address, key->node) ? the_node : address;
}

/* A list's records lie together, except those that would not fit. */
static yurpc_instance *record_new(yr_slab **slab, size_t size)
{
    uint16_t at = 0;
    bool is_alone = slab == NULL || size > YR_SLAB_PIECE_MAX;
    yurpc_instance *record = is_alone ? yr_calloc(1, size) : yr_slab_take(slab, size, &at);
    if (record != NULL) {
        record->slab_at = at;
    }
    return record;
}

/* @p view's host has no brackets, and its group is there. */
static yurpc_instance *instance_new(yr_slab **slab, const node_key *key,
                                    const yr_instance_view *view, int64_t revision)
{
    char storage[NODE_LEN_MAX + 1];
    yurpc_bytes address = address_of(key, view, storage);

    text_packer packer = {NULL, len_of_all(key, view, address)};
    uint16_t count = view->metadata != NULL ? pack_metadata(&packer, view->metadata, NULL) : 0;

    yurpc_instance *instance = NULL;
    size_t size = sizeof *instance + count * sizeof *instance->metadata_at + packer.len;
    instance = record_new(slab, size);
    if (instance == NULL) {
        return NULL;
    }
    instance->revision = revision;
    atomic_init(&instance->refs, 1);
    instance->size = (uint32_t)size;
    instance->metadata_count = count;
    instance->port = view->port;
    instance->weight = view->weight;
    instance->node_len = (uint16_t)key->node.len;
    instance->is_draining = view->is_draining;
    instance->is_mismatch = is_mismatch(key, view);
    packer.texts = texts_of(instance);
    packer.len = 0;
    pack_all(&packer, key, view, address, instance);
    if (count > 0) {
        (void)pack_metadata(&packer, view->metadata, instance);
    }
    return instance;
}

/* The rest of decoding, once the value is a view. */
static yurpc_status instance_of_view(yr_slab **slab, node_key *key, yr_instance_view *view,
                                     int64_t revision, yurpc_instance **ret_instance,
                                     yurpc_error **ret_error)
{
    view->host = without_brackets(view->host);
    key->is_same_host = yr_bytes_equal(view->host, key->host);
    if (!key->is_same_host && !is_host(view->host)) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "serviceHost is empty, too long, or holds a character that no "
                            "host has");
    }
    if (view->group.data == NULL) {
        view->group = yr_bytes_of_text(YR_GROUP_DEFAULT);
    }
    yurpc_instance *instance = instance_new(slab, key, view, revision);
    if (instance == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    *ret_instance = instance;
    return YURPC_OK;
}

yurpc_status yr_instance_decode(yurpc_bytes service, yurpc_bytes node, yurpc_bytes value,
                                int64_t revision, yurpc_instance **ret_instance,
                                yurpc_error **ret_error)
{
    const yr_instance_source source = {service, node, value, revision};
    return yr_instance_decode_in(NULL, &source, ret_instance, ret_error);
}

yurpc_status yr_instance_decode_in(yr_slab **slab, const yr_instance_source *source,
                                   yurpc_instance **ret_instance, yurpc_error **ret_error)
{
    yurpc_bytes value = source->value;
    if (value.len > YR_INSTANCE_VALUE_MAX) {
        return yr_error_set(ret_error, YURPC_TOO_LARGE, -1,
                            "its value has %zu bytes, at most %d are read", value.len,
                            YR_INSTANCE_VALUE_MAX);
    }
    node_key key = {.port = 0};
    yurpc_status status = read_identity(source->service, source->node, &key, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    yr_instance_view view;
    yr_json *root = NULL;
    if (!yr_instance_scan(value, &view)) {
        status = yr_instance_read_json(value, &view, &root, ret_error);
        if (status != YURPC_OK) {
            return status;
        }
    }
    status = instance_of_view(slab, &key, &view, source->revision, ret_instance, ret_error);
    yr_json_free(root);
    return status;
}

/* ---- Using records ---- */

bool yr_instance_is_mismatch(const yurpc_instance *instance)
{
    return instance->is_mismatch;
}

yurpc_instance *yr_instance_new_suspect(const yurpc_instance *instance)
{
    yurpc_instance *copy = yr_calloc(1, instance->size);
    if (copy == NULL) {
        return NULL;
    }
    size_t from = offsetof(yurpc_instance, size);
    memcpy((char *)copy + from, (const char *)instance + from, instance->size - from);
    copy->revision = instance->revision;
    atomic_init(&copy->refs, 1);
    copy->is_mismatch = instance->is_mismatch;
    copy->is_suspect = true;
    return copy;
}

bool yr_instance_is_equal(const yurpc_instance *a, const yurpc_instance *b)
{
    size_t from = offsetof(yurpc_instance, size);
    return a == b ||
           (a->size == b->size &&
            memcmp((const char *)a + from, (const char *)b + from, a->size - from) == 0);
}

/* The count is the one thing that changes in an instance, and the only one behind a const. */
static yurpc_instance *shared(const yurpc_instance *instance)
{
    union {
        const yurpc_instance *in;
        yurpc_instance *out;
    } pointer = {.in = instance};
    return pointer.out;
}

yurpc_instance *yr_instance_ref(const yurpc_instance *instance)
{
    yurpc_instance *mine = shared(instance);
    uint32_t before = atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
    YR_ASSERT(before > 0 && before < UINT32_MAX);
    return mine;
}

void yr_instance_unref(const yurpc_instance *instance)
{
    if (instance == NULL) {
        return;
    }
    yurpc_instance *mine = shared(instance);
    uint32_t before = atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel);
    YR_ASSERT(before > 0);
    if (before == 1 && mine->slab_at != 0) {
        yr_slab_give_back(mine, mine->slab_at);
    } else if (before == 1) {
        yr_free(mine);
    }
}

const char *yurpc_instance_name(const yurpc_instance *instance)
{
    return yr_instance_text_at(instance, 0);
}

const char *yurpc_instance_version(const yurpc_instance *instance)
{
    return yr_instance_text_at(instance, instance->version_at);
}

const char *yurpc_instance_host(const yurpc_instance *instance)
{
    return yr_instance_text_at(instance, instance->host_at);
}

uint16_t yurpc_instance_port(const yurpc_instance *instance)
{
    return instance->port;
}

const char *yurpc_instance_address(const yurpc_instance *instance)
{
    return yr_instance_text_at(instance, instance->address_at);
}

const char *yurpc_instance_group(const yurpc_instance *instance)
{
    return yr_instance_text_at(instance, instance->group_at);
}

uint32_t yurpc_instance_weight(const yurpc_instance *instance)
{
    return instance->weight;
}

bool yurpc_instance_is_draining(const yurpc_instance *instance)
{
    return instance->is_draining;
}

bool yurpc_instance_is_suspect(const yurpc_instance *instance)
{
    return instance->is_suspect;
}

size_t yurpc_instance_metadata_count(const yurpc_instance *instance)
{
    return instance->metadata_count;
}

yurpc_metadata yurpc_instance_metadata_at(const yurpc_instance *instance, size_t index)
{
    if (index >= instance->metadata_count) {
        return (yurpc_metadata){NULL, NULL};
    }
    const char *key = yr_instance_text_at(instance, instance->metadata_at[index]);
    return (yurpc_metadata){key, key + strlen(key) + 1};
}

int64_t yurpc_instance_revision(const yurpc_instance *instance)
{
    return instance->revision;
}
