#include "service.h"

#include "alloc.h"

typedef struct block {
    struct block *next;
    _Alignas(max_align_t) char memory[];
} block;

void *yr_fake_turn_alloc(yr_fake_turn *turn, size_t size)
{
    block *made = yr_fake_alloc(sizeof(*made) + size);
    made->next = turn->blocks;
    turn->blocks = made;
    return made->memory;
}

void yr_fake_turn_answer(yr_fake_turn *turn, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = yr_fake_turn_alloc(turn, len + 1);
    (void)protobuf_c_message_pack(message, packed);
    turn->code = 0;
    turn->message = (yurpc_bytes){packed, len};
}

void yr_fake_turn_refuse(yr_fake_turn *turn, int code, const char *text)
{
    turn->code = code;
    turn->text = text;
}

void yr_fake_turn_deinit(yr_fake_turn *turn)
{
    while (turn->blocks != NULL) {
        block *first = turn->blocks;
        turn->blocks = first->next;
        yr_fake_release(first);
    }
}

void yr_fake_fill_header(const yr_fake_etcd *fake, const yr_fake_member *member,
                         Etcdserverpb__ResponseHeader *header)
{
    header->cluster_id = fake->options.cluster_id;
    header->member_id = member->id;
    header->revision = member->behind_revision != 0 ? member->behind_revision
                                                    : yr_fake_store_revision(fake->store);
    header->raft_term = fake->raft_term;
}

Etcdserverpb__ResponseHeader *yr_fake_turn_header(yr_fake_turn *turn)
{
    Etcdserverpb__ResponseHeader *header = yr_fake_turn_alloc(turn, sizeof(*header));
    etcdserverpb__response_header__init(header);
    yr_fake_fill_header(turn->fake, turn->member, header);
    return header;
}

ProtobufCBinaryData yr_fake_binary(yurpc_bytes bytes)
{
    union {
        const void *borrowed;
        uint8_t *writable;
    } data = {.borrowed = bytes.data};
    return (ProtobufCBinaryData){.len = bytes.len, .data = data.writable};
}

void yr_fake_fill_kv(Mvccpb__KeyValue *kv, const yr_fake_version *version, bool is_key_only)
{
    mvccpb__key_value__init(kv);
    kv->key = yr_fake_binary(version->key);
    kv->mod_revision = version->mod_revision;
    kv->create_revision = version->create_revision;
    kv->version = version->version;
    kv->lease = version->lease;
    if (!is_key_only) {
        kv->value = yr_fake_binary(version->value);
    }
}
