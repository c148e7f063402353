/* The few kinds of fields that etcd's messages have. */
#ifndef YR_CONFORMANCE_KIND_H
#define YR_CONFORMANCE_KIND_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

typedef enum yr_field_kind {
    YR_KIND_NONE, /* not among them */
    YR_KIND_NUMBER,
    YR_KIND_BOOL,
    YR_KIND_ENUM,
    YR_KIND_TEXT,
    YR_KIND_BYTES,
    YR_KIND_MESSAGE,
} yr_field_kind;

static inline yr_field_kind yr_field_kind_of(const ProtobufCFieldDescriptor *field)
{
    static const yr_field_kind kinds[] = {
        [PROTOBUF_C_TYPE_INT64] = YR_KIND_NUMBER,    [PROTOBUF_C_TYPE_UINT64] = YR_KIND_NUMBER,
        [PROTOBUF_C_TYPE_BOOL] = YR_KIND_BOOL,       [PROTOBUF_C_TYPE_ENUM] = YR_KIND_ENUM,
        [PROTOBUF_C_TYPE_STRING] = YR_KIND_TEXT,     [PROTOBUF_C_TYPE_BYTES] = YR_KIND_BYTES,
        [PROTOBUF_C_TYPE_MESSAGE] = YR_KIND_MESSAGE,
    };
    size_t type = field->type;
    return type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[type] : YR_KIND_NONE;
}

#endif /* YR_CONFORMANCE_KIND_H */
