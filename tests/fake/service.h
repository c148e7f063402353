/*
 * Inside the fake etcd: its state, and how a method is served. For the files of the fake only.
 */
#ifndef YR_FAKE_SERVICE_H
#define YR_FAKE_SERVICE_H

#include "etcdserverpb.pb-c.h"
#include "fake/auth_store.h"
#include "fake/conditions.h"
#include "fake/requests.h"
#include "fake/script.h"

typedef struct yr_fake_member {
    yr_fake_etcd *fake;
    uint64_t id;
    yr_fake_server *server;
    bool is_silent;          /* stopped, while the others run */
    bool is_down;            /* killed, while the others run */
    bool is_isolated;        /* from the other members, not from clients */
    bool is_cut;             /* isolated, or there is no majority at all */
    int64_t cut_ms;          /* since when */
    int64_t behind_revision; /* it knows nothing newer; 0: it knows all */
    yr_timer no_leader;
} yr_fake_member;

struct yr_fake_etcd {
    yr_io *io;
    yr_fake_etcd_options options;
    bool is_running;
    uint64_t raft_term;
    yr_fake_member members[YR_FAKE_MEMBERS_MAX];
    size_t member_count;
    size_t leader;
    bool has_quorum;
    bool is_leader_killed; /* the last one that was lost; else it was stopped */
    yr_timer election;
    uint64_t doomed_writes; /* that were on their way through a lost leader */
    bool is_full;           /* NOSPACE */
    char address[1024];
    yr_fake_store *store;
    yr_fake_leases leases;
    int64_t last_lease_id; /* that we chose */
    int64_t started_at_ms; /* the server looks for expired leases in steps from here */
    yr_timer expiry;
    yr_list watch_streams;
    yr_fake_script script;
    yr_fake_requests requests;
    yr_list deferred; /* what rules have delayed */
    bool has_condition[YR_FAKE_CONDITIONS_MAX];
    yr_fake_auth auth;
};

/* ---- One request, from its message to its answer ---- */

typedef struct yr_fake_turn {
    yr_fake_etcd *fake;
    const yr_fake_member *member;
    const void *conn; /* NULL: it is lost meanwhile */
    const ProtobufCMessage *request;
    size_t request_len;
    void *blocks; /* memory that lives as long as the turn */
    int code;     /* the answer: a status, or when it is 0 a message */
    const char *text;
    yurpc_bytes message;
    int64_t delay_ms; /* how long the answer takes */
} yr_fake_turn;

/* Zeroed memory that goes with the turn. */
void *yr_fake_turn_alloc(yr_fake_turn *turn, size_t size);

/* Answer with a message, or with a status (@p text is static). The last one counts. */
void yr_fake_turn_answer(yr_fake_turn *turn, const ProtobufCMessage *message);
void yr_fake_turn_refuse(yr_fake_turn *turn, int code, const char *text);

/* Frees what the turn holds. */
void yr_fake_turn_deinit(yr_fake_turn *turn);

/* A header that says where the store is now; lives as long as the turn. */
Etcdserverpb__ResponseHeader *yr_fake_turn_header(yr_fake_turn *turn);

/* The same for what is not an answer. */
void yr_fake_fill_header(const yr_fake_etcd *fake, const yr_fake_member *member,
                         Etcdserverpb__ResponseHeader *header);

/* ---- Between protobuf-c's bytes and ours ---- */

static inline yurpc_bytes yr_fake_bytes(ProtobufCBinaryData data)
{
    return (yurpc_bytes){data.data, data.len};
}

/* protobuf-c wants to be able to write; it does not, when it packs. */
ProtobufCBinaryData yr_fake_binary(yurpc_bytes bytes);

/* A key with or without its value; a deleted one has only key and revision. Borrows. */
void yr_fake_fill_kv(Mvccpb__KeyValue *kv, const yr_fake_version *version, bool is_key_only);

/* ---- Services: each answers its turn ---- */

typedef void yr_fake_apply_fn(yr_fake_turn *turn);

yr_fake_apply_fn yr_fake_kv_range;
yr_fake_apply_fn yr_fake_kv_put;
yr_fake_apply_fn yr_fake_kv_delete_range;
yr_fake_apply_fn yr_fake_kv_txn;
yr_fake_apply_fn yr_fake_kv_compact;
yr_fake_apply_fn yr_fake_lease_service_grant;
yr_fake_apply_fn yr_fake_lease_service_revoke;
yr_fake_apply_fn yr_fake_lease_service_keep_alive;
yr_fake_apply_fn yr_fake_lease_service_time_to_live;
yr_fake_apply_fn yr_fake_lease_service_leases;
yr_fake_apply_fn yr_fake_auth_service_enable;
yr_fake_apply_fn yr_fake_auth_service_disable;
yr_fake_apply_fn yr_fake_auth_service_authenticate;
yr_fake_apply_fn yr_fake_auth_service_user_add;
yr_fake_apply_fn yr_fake_auth_service_user_delete;
yr_fake_apply_fn yr_fake_auth_service_user_change_password;
yr_fake_apply_fn yr_fake_auth_service_user_grant_role;
yr_fake_apply_fn yr_fake_auth_service_user_revoke_role;
yr_fake_apply_fn yr_fake_auth_service_role_add;
yr_fake_apply_fn yr_fake_auth_service_role_grant_permission;
yr_fake_apply_fn yr_fake_auth_service_role_revoke_permission;

/* ---- What services do to the whole ---- */

/* End the store's transaction, and tell watches and witness. */
void yr_fake_etcd_commit(yr_fake_etcd *fake);

/* End a lease, and delete its keys in one transaction. */
void yr_fake_etcd_end_lease(yr_fake_etcd *fake, yr_fake_lease *lease);

/* The leases have changed: look for expired ones at the right time. */
void yr_fake_etcd_plan_expiry(yr_fake_etcd *fake);

#endif /* YR_FAKE_SERVICE_H */
