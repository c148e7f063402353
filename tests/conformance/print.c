#include "print.h"

#include "etcdserverpb.pb-c.h"
#include "kind.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum {
    LIST_MAX = 6,   /* longer lists are counted */
    BYTES_MAX = 40, /* longer bytes, too */
};

typedef struct printer {
    yr_case_scope *scope;
    yr_buf *out;
    yurpc_status status; /* the first failure */
} printer;

static void print(printer *printing, const char *text)
{
    if (printing->status == YURPC_OK) {
        printing->status = yr_buf_append_text(printing->out, text);
    }
}

#define PRINT(printing, ...)                                                       \
    ((printing)->status = (printing)->status == YURPC_OK                           \
                              ? yr_buf_append_format((printing)->out, __VA_ARGS__) \
                              : (printing)->status)

/* ---- Values ---- */

static void print_text(printer *printing, const uint8_t *data, size_t len)
{
    print(printing, "\"");
    for (size_t i = 0; i < len; i++) {
        bool is_plain = data[i] >= ' ' && data[i] < 0x7f && data[i] != '"';
        if (is_plain) {
            PRINT(printing, "%c", data[i]);
        } else {
            PRINT(printing, "\\x%02x", data[i]);
        }
    }
    print(printing, "\"");
}

static void print_bytes(printer *printing, ProtobufCBinaryData bytes)
{
    const char *prefix = printing->scope->prefix;
    size_t len = strlen(prefix);
    if (bytes.len >= len && memcmp(bytes.data, prefix, len) == 0) {
        PRINT(printing, "~%.*s", (int)(bytes.len - len), (const char *)bytes.data + len);
    } else if (bytes.len > BYTES_MAX) {
        print_text(printing, bytes.data, 1);
        PRINT(printing, "… * %zu", bytes.len);
    } else {
        print_text(printing, bytes.data, bytes.len);
    }
}

static bool does_end_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void print_revision(printer *printing, int64_t revision)
{
    int64_t distance = revision - printing->scope->revision;
    if (distance == 0) {
        print(printing, "r");
    } else {
        PRINT(printing, "r%+" PRId64, distance);
    }
}

/* Whether this field says how long a lease has left, which depends on when one asks. */
static bool is_time_left(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *message =
        &etcdserverpb__lease_time_to_live_response__descriptor;
    return field == protobuf_c_message_descriptor_get_field_by_name(message, "ttl");
}

static void print_number(printer *printing, const ProtobufCFieldDescriptor *field,
                         int64_t number)
{
    const char *name = field->name;
    if (does_end_with(name, "revision") && number != 0) {
        print_revision(printing, number);
    } else if (is_time_left(field) && number >= 0) {
        PRINT(printing, "about %" PRId64, (number + 3) / 5 * 5);
    } else if (strcmp(name, "lease") == 0 || strcmp(name, "id") == 0) {
        const yr_scope_lease *lease = yr_case_scope_lease_name(printing->scope, number);
        PRINT(printing, "%c%d", lease->name, lease->number);
    } else {
        PRINT(printing, "%" PRId64, number);
    }
}

/* ---- Messages ---- */

static void print_fields(printer *printing, const ProtobufCMessage *message);

/* A header, of which most is the same everywhere. */
static void print_header(printer *printing, const Etcdserverpb__ResponseHeader *header)
{
    yr_case_scope *scope = printing->scope;
    if (!scope->is_started) {
        scope->is_started = true;
        scope->revision = header->revision;
        scope->raft_term = header->raft_term;
        scope->cluster_id = scope->cluster_id == 0 ? header->cluster_id : scope->cluster_id;
        scope->member_id = scope->member_id == 0 ? header->member_id : scope->member_id;
    }
    bool is_ours =
        header->cluster_id == scope->cluster_id && header->member_id == scope->member_id;
    bool is_bare = header->cluster_id == 0 && header->member_id == 0 && header->raft_term == 0;
    print(printing, is_ours ? "@" : is_bare ? "bare@" : "foreign@");
    if (header->revision == 0) {
        print(printing, "0");
    } else {
        print_revision(printing, header->revision);
    }
    if (is_ours && header->raft_term != scope->raft_term) {
        PRINT(printing, " term%+" PRId64, (int64_t)(header->raft_term - scope->raft_term));
    }
}

static void print_value(printer *printing, const ProtobufCFieldDescriptor *field,
                        const void *value)
{
    switch (yr_field_kind_of(field)) {
    case YR_KIND_MESSAGE: {
        const ProtobufCMessage *inner = *(ProtobufCMessage *const *)value;
        print(printing, "{");
        print_fields(printing, inner);
        print(printing, "}");
        break;
    }
    case YR_KIND_BYTES:
        print_bytes(printing, *(const ProtobufCBinaryData *)value);
        break;
    case YR_KIND_TEXT: {
        const char *text = *(const char *const *)value;
        print_text(printing, (const uint8_t *)text, strlen(text));
        break;
    }
    case YR_KIND_NUMBER:
        print_number(printing, field, *(const int64_t *)value);
        break;
    case YR_KIND_ENUM:
        print(
            printing,
            protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)value)->name);
        break;
    case YR_KIND_BOOL:
        print(printing, *(const protobuf_c_boolean *)value != 0 ? "true" : "false");
        break;
    case YR_KIND_NONE:
        print(printing, "?");
        break;
    }
}

static bool is_default(const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (yr_field_kind_of(field)) {
    case YR_KIND_MESSAGE:
        return *(ProtobufCMessage *const *)value == NULL;
    case YR_KIND_BYTES:
        return ((const ProtobufCBinaryData *)value)->len == 0;
    case YR_KIND_TEXT:
        return **(const char *const *)value == '\0';
    case YR_KIND_NUMBER:
        return *(const int64_t *)value == 0;
    case YR_KIND_ENUM:
        return false; /* a PUT is worth saying */
    case YR_KIND_BOOL:
        return *(const protobuf_c_boolean *)value == 0;
    case YR_KIND_NONE:
        break;
    }
    return true;
}

static void print_list(printer *printing, const ProtobufCFieldDescriptor *field,
                       const char *message)
{
    size_t count = *(const size_t *)(const void *)(message + field->quantifier_offset);
    const char *array = *(const char *const *)(const void *)(message + field->offset);
    size_t size = yr_field_kind_of(field) == YR_KIND_BYTES ? sizeof(ProtobufCBinaryData)
                                                           : sizeof(ProtobufCMessage *);
    if (count == 0) {
        return;
    }
    PRINT(printing, " %s:", field->name);
    if (count > LIST_MAX) {
        PRINT(printing, " %zu of them", count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        print(printing, " ");
        print_value(printing, field, array + i * size);
    }
}

static void print_field(printer *printing, const ProtobufCFieldDescriptor *field,
                        const char *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        print_list(printing, field, message);
        return;
    }
    bool is_oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (is_oneof &&
        *(const uint32_t *)(const void *)(message + field->quantifier_offset) != field->id) {
        return;
    }
    const void *value = message + field->offset;
    if (is_default(field, value)) {
        return;
    }
    if (strcmp(field->name, "header") == 0) {
        print(printing, " ");
        print_header(printing, *(const Etcdserverpb__ResponseHeader *const *)value);
        return;
    }
    PRINT(printing, " %s: ", field->name);
    print_value(printing, field, value);
}

static void print_fields(printer *printing, const ProtobufCMessage *message)
{
    size_t start = printing->out->len;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        print_field(printing, &message->descriptor->fields[i], (const char *)message);
    }
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        PRINT(printing, " field %u", message->unknown_fields[i].tag);
    }
    /* Each field began with a space. */
    size_t len = printing->out->len - start;
    if (printing->status == YURPC_OK && len > 0) {
        memmove(printing->out->data + start, printing->out->data + start + 1, len - 1);
        printing->out->len--;
    }
}

yurpc_status yr_print_message(yr_case_scope *scope, const ProtobufCMessage *message,
                              yr_buf *out)
{
    printer printing = {.scope = scope, .out = out};
    print_fields(&printing, message);
    return printing.status;
}
