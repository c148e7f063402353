#include "dispatch.h"

#include "alloc.h"
#include "base/bytes.h"
#include "deferred.h"
#include "grpc/call.h"
#include "raft.h"
#include "spoil.h"
#include "watch.h"

#include <stdio.h>
#include <string.h>

/* ---- Methods ---- */

typedef struct method {
    const char *path;
    const char *name; /* in rules */
    const ProtobufCMessageDescriptor *request;
    yr_fake_apply_fn *apply; /* NULL: Watch, which answers by itself */
    bool is_unary;
} method;

static void answer_status(yr_fake_turn *turn)
{
    static char newer[] = "3.5.16";
    static char older[] = "3.4.23";
    Etcdserverpb__StatusResponse response;
    etcdserverpb__status_response__init(&response);
    response.header = yr_fake_turn_header(turn);
    response.version = turn->fake->options.is_34 ? older : newer;
    const yr_fake_etcd *fake = turn->fake;
    bool has_leader = !turn->member->is_cut && !yr_timer_is_running(&fake->election);
    response.leader = has_leader ? fake->members[fake->leader].id : 0;
    response.raft_term = turn->fake->raft_term;
    yr_fake_turn_answer(turn, &response.base);
}

/* Only NOSPACE, and only of the whole (member id 0). */
static void answer_alarm(yr_fake_turn *turn)
{
    const Etcdserverpb__AlarmRequest *request = (const void *)turn->request;
    yr_fake_etcd *fake = turn->fake;
    Etcdserverpb__AlarmMember member = ETCDSERVERPB__ALARM_MEMBER__INIT;
    Etcdserverpb__AlarmMember *members[] = {&member};
    Etcdserverpb__AlarmResponse response = ETCDSERVERPB__ALARM_RESPONSE__INIT;
    bool was_full = fake->is_full;
    bool is_named = request->alarm == ETCDSERVERPB__ALARM_TYPE__NOSPACE;
    if (is_named && request->action == ETCDSERVERPB__ALARM_REQUEST__ALARM_ACTION__ACTIVATE) {
        fake->is_full = true;
    }
    if (is_named && request->action == ETCDSERVERPB__ALARM_REQUEST__ALARM_ACTION__DEACTIVATE) {
        fake->is_full = false;
    }
    member.alarm = ETCDSERVERPB__ALARM_TYPE__NOSPACE;
    response.header = fake->options.is_34 ? NULL : yr_fake_turn_header(turn);
    response.alarms = members;
    response.n_alarms = was_full || fake->is_full;
    yr_fake_turn_answer(turn, &response.base);
}

#define PACKAGE "/etcdserverpb."

static const method methods[] = {
    {PACKAGE "KV/Range", "Range", &etcdserverpb__range_request__descriptor, yr_fake_kv_range,
     true},
    {PACKAGE "KV/Put", "Put", &etcdserverpb__put_request__descriptor, yr_fake_kv_put, true},
    {PACKAGE "KV/DeleteRange", "DeleteRange", &etcdserverpb__delete_range_request__descriptor,
     yr_fake_kv_delete_range, true},
    {PACKAGE "KV/Txn", "Txn", &etcdserverpb__txn_request__descriptor, yr_fake_kv_txn, true},
    {PACKAGE "KV/Compact", "Compact", &etcdserverpb__compaction_request__descriptor,
     yr_fake_kv_compact, true},
    {PACKAGE "Lease/LeaseGrant", "LeaseGrant", &etcdserverpb__lease_grant_request__descriptor,
     yr_fake_lease_service_grant, true},
    {PACKAGE "Lease/LeaseRevoke", "LeaseRevoke",
     &etcdserverpb__lease_revoke_request__descriptor, yr_fake_lease_service_revoke, true},
    {PACKAGE "Lease/LeaseKeepAlive", "LeaseKeepAlive",
     &etcdserverpb__lease_keep_alive_request__descriptor, yr_fake_lease_service_keep_alive,
     false},
    {PACKAGE "Lease/LeaseTimeToLive", "LeaseTimeToLive",
     &etcdserverpb__lease_time_to_live_request__descriptor, yr_fake_lease_service_time_to_live,
     true},
    {PACKAGE "Lease/LeaseLeases", "LeaseLeases",
     &etcdserverpb__lease_leases_request__descriptor, yr_fake_lease_service_leases, true},
    {PACKAGE "Watch/Watch", "Watch", &etcdserverpb__watch_request__descriptor, NULL, false},
    {PACKAGE "Maintenance/Alarm", "Alarm", &etcdserverpb__alarm_request__descriptor,
     answer_alarm, true},
    {PACKAGE "Maintenance/Status", "Status", &etcdserverpb__status_request__descriptor,
     answer_status, true},
    {PACKAGE "Auth/Authenticate", "Authenticate",
     &etcdserverpb__authenticate_request__descriptor, yr_fake_auth_service_authenticate, true},
    {PACKAGE "Auth/AuthEnable", "AuthEnable", &etcdserverpb__auth_enable_request__descriptor,
     yr_fake_auth_service_enable, true},
    {PACKAGE "Auth/AuthDisable", "AuthDisable", &etcdserverpb__auth_disable_request__descriptor,
     yr_fake_auth_service_disable, true},
    {PACKAGE "Auth/UserAdd", "UserAdd", &etcdserverpb__auth_user_add_request__descriptor,
     yr_fake_auth_service_user_add, true},
    {PACKAGE "Auth/UserDelete", "UserDelete",
     &etcdserverpb__auth_user_delete_request__descriptor, yr_fake_auth_service_user_delete,
     true},
    {PACKAGE "Auth/UserChangePassword", "UserChangePassword",
     &etcdserverpb__auth_user_change_password_request__descriptor,
     yr_fake_auth_service_user_change_password, true},
    {PACKAGE "Auth/UserGrantRole", "UserGrantRole",
     &etcdserverpb__auth_user_grant_role_request__descriptor,
     yr_fake_auth_service_user_grant_role, true},
    {PACKAGE "Auth/UserRevokeRole", "UserRevokeRole",
     &etcdserverpb__auth_user_revoke_role_request__descriptor,
     yr_fake_auth_service_user_revoke_role, true},
    {PACKAGE "Auth/RoleAdd", "RoleAdd", &etcdserverpb__auth_role_add_request__descriptor,
     yr_fake_auth_service_role_add, true},
    {PACKAGE "Auth/RoleGrantPermission", "RoleGrantPermission",
     &etcdserverpb__auth_role_grant_permission_request__descriptor,
     yr_fake_auth_service_role_grant_permission, true},
    {PACKAGE "Auth/RoleRevokePermission", "RoleRevokePermission",
     &etcdserverpb__auth_role_revoke_permission_request__descriptor,
     yr_fake_auth_service_role_revoke_permission, true},
};

static const method *find_method(const char *path)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].path, path) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

/* ---- Calls ---- */

/* What we keep of a call. */
typedef struct call_data {
    const method *method;
    yr_fake_watch_stream *stream; /* of a Watch */
} call_data;

/* One request on its way through the rules. */
typedef struct passage {
    const yr_fake_member *member;
    yr_fake_call *call; /* NULL: over */
    const method *method;
    const char *name; /* of the request, in rules */
    yurpc_bytes message;
    ProtobufCMessage *decoded;
    yr_fake_auth_verdict verdict; /* whether the client may ask that */
} passage;

/* Give a call its answer. */
static void deliver(yr_fake_call *call, const method *asked, int code, const char *text,
                    yurpc_bytes message)
{
    if (call == NULL) {
        return;
    }
    if (code != 0) {
        yr_fake_call_end(call, code, text);
        return;
    }
    yr_fake_call_send(call, message);
    if (asked->is_unary) {
        yr_fake_call_end(call, YR_GRPC_OK, NULL);
    }
}

static void on_answer_due(yr_fake_deferred *deferred)
{
    deliver(deferred->call, deferred->method, deferred->code, deferred->text,
            deferred->message);
}

static void on_drop_due(yr_fake_deferred *deferred)
{
    if (deferred->conn != NULL) {
        yr_fake_conn_drop(deferred->conn);
    }
}

/* Do the request, and answer it unless @p rule says otherwise; it is done in each case. */
static void apply(const passage *passing, const yr_fake_rule *rule)
{
    yr_fake_etcd *fake = passing->member->fake;
    yr_fake_turn turn = {
        .fake = fake,
        .member = passing->member,
        .conn = passing->call != NULL ? yr_fake_call_conn(passing->call) : NULL,
        .request = passing->decoded,
        .request_len = passing->message.len,
    };
    passing->method->apply(&turn);
    yr_fake_action action = rule != NULL ? rule->action : YR_FAKE_DELAY;
    int64_t delay_ms = turn.delay_ms + (action == YR_FAKE_DELAY_ANSWER ? rule->number : 0);
    if (action == YR_FAKE_STATUS_AFTER_APPLY) {
        yr_fake_turn_refuse(&turn, rule->code, rule->text);
    }
    if (delay_ms > 0) {
        yr_fake_defer(fake, delay_ms, on_answer_due,
                      &(yr_fake_deferred){
                          .call = passing->call,
                          .method = passing->method,
                          .code = turn.code,
                          .message = turn.message,
                          .text = turn.text,
                      });
    } else if (action == YR_FAKE_DROP_AFTER_APPLY) {
        yr_fake_conn_drop(yr_fake_call_conn(passing->call));
    } else if (rule == NULL || turn.code != 0 ||
               !yr_fake_spoil_answer(fake, passing->call, rule, turn.message,
                                     passing->method->is_unary)) {
        deliver(passing->call, passing->method, turn.code, turn.text, turn.message);
    }
    yr_fake_turn_deinit(&turn);
}

/* A request of a Watch stream, which answers by itself. */
static void apply_watch(const passage *passing, const yr_fake_rule *rule)
{
    if (passing->call == NULL) {
        return;
    }
    const call_data *data = yr_fake_call_data(passing->call);
    yr_fake_watch_stream_request(data->stream, (const void *)passing->decoded, rule);
    if (rule != NULL && rule->action == YR_FAKE_DROP_AFTER_APPLY) {
        yr_fake_conn_drop(yr_fake_call_conn(passing->call));
    } else if (rule != NULL && rule->action == YR_FAKE_STATUS_AFTER_APPLY) {
        yr_fake_call_end(passing->call, rule->code, rule->text);
    }
}

/* The client has no right to ask that. */
static void deny(const passage *passing)
{
    const call_data *data = yr_fake_call_data(passing->call);
    if (data->stream == NULL) {
        yr_fake_call_end(passing->call, passing->verdict.code, passing->verdict.text);
        return;
    }
    char reason[256];
    yr_fake_auth_reason(passing->member->fake, &passing->verdict, reason, sizeof(reason));
    yr_fake_watch_stream_refuse(data->stream, reason);
}

static void on_apply_due(yr_fake_deferred *deferred);

static void apply_any(const passage *passing, const yr_fake_rule *rule)
{
    if (passing->verdict.code != 0) {
        deny(passing);
        return;
    }
    const yr_fake_deferred request = {
        .member = passing->member,
        .call = passing->call,
        .method = passing->method,
        .message = passing->message,
        .redo = on_apply_due,
    };
    if (yr_fake_raft_hold(passing->member, passing->method->name, passing->decoded, &request)) {
        return;
    }
    if (passing->method->apply != NULL) {
        apply(passing, rule);
    } else {
        apply_watch(passing, rule);
    }
}

static void on_apply_due(yr_fake_deferred *deferred)
{
    const method *asked = deferred->method;
    passage passing = {
        .member = deferred->member,
        .call = deferred->call,
        .method = asked,
        .message = deferred->message,
        .decoded = protobuf_c_message_unpack(asked->request, NULL, deferred->message.len,
                                             deferred->message.data),
    };
    apply_any(&passing, NULL);
    protobuf_c_message_free_unpacked(passing.decoded, NULL);
}

/* Say a keepalive's answer that is not true. */
static void lie_about_ttl(const passage *passing, int64_t ttl_s)
{
    yr_fake_turn turn = {.fake = passing->member->fake, .member = passing->member};
    const Etcdserverpb__LeaseKeepAliveRequest *request = (const void *)passing->decoded;
    Etcdserverpb__LeaseKeepAliveResponse response =
        ETCDSERVERPB__LEASE_KEEP_ALIVE_RESPONSE__INIT;
    response.header = yr_fake_turn_header(&turn);
    response.id = request->id;
    response.ttl = ttl_s;
    yr_fake_turn_answer(&turn, &response.base);
    deliver(passing->call, passing->method, 0, NULL, turn.message);
    yr_fake_turn_deinit(&turn);
}

/* What is done with a request: what it asks, or what the rule says. */
static void pass(const passage *passing, const yr_fake_rule *rule)
{
    yr_fake_etcd *fake = passing->member->fake;
    yr_fake_conn *conn = yr_fake_call_conn(passing->call);
    switch (rule->action) {
    case YR_FAKE_STATUS:
        yr_fake_call_end(passing->call, rule->code, rule->text);
        break;
    case YR_FAKE_SILENT:
        break;
    case YR_FAKE_DROP_BEFORE_APPLY:
        yr_fake_conn_drop(conn);
        break;
    case YR_FAKE_DELAY:
        if (passing->verdict.code != 0) {
            deny(passing);
            break;
        }
        yr_fake_defer(fake, rule->number, on_apply_due,
                      &(yr_fake_deferred){
                          .member = passing->member,
                          .call = passing->call,
                          .method = passing->method,
                          .message = passing->message,
                      });
        break;
    case YR_FAKE_DROP_AFTER_ANSWER:
        yr_fake_defer(fake, rule->number, on_drop_due, &(yr_fake_deferred){.conn = conn});
        apply_any(passing, NULL);
        break;
    case YR_FAKE_TTL:
        lie_about_ttl(passing, rule->number);
        break;
    case YR_FAKE_RESET:
    case YR_FAKE_GOAWAY_ABOVE:
    case YR_FAKE_PAGE:
    case YR_FAKE_HUGE_HEADERS:
    case YR_FAKE_RAW_DATA:
    case YR_FAKE_RAW_MESSAGE:
    case YR_FAKE_RAW_FRAMES:
    case YR_FAKE_RAW_STATUS:
        yr_fake_spoil_request(fake, passing->call, rule);
        if (rule->action == YR_FAKE_RAW_MESSAGE && passing->method->is_unary) {
            yr_fake_call_end(passing->call, YR_GRPC_OK, NULL);
        }
        break;
    case YR_FAKE_RESET_AFTER_APPLY:
    case YR_FAKE_DROP_IN_ANSWER:
    case YR_FAKE_DUP_ANSWER:
    case YR_FAKE_FOREIGN_ANSWER:
    case YR_FAKE_GOAWAY_BELOW:
    case YR_FAKE_SETTINGS:
    case YR_FAKE_REFUSE_WATCH:
    case YR_FAKE_CREATED_THEN_CUT:
    case YR_FAKE_EVENTS_FIRST:
    case YR_FAKE_OWN_NUMBER:
    case YR_FAKE_OLD_EVENTS:
    case YR_FAKE_EARLY_PROGRESS:
    case YR_FAKE_STATUS_AFTER_APPLY:
    case YR_FAKE_DELAY_ANSWER:
    case YR_FAKE_DROP_AFTER_APPLY:
    case YR_FAKE_CANCEL:
    case YR_FAKE_DUP_EVENTS:
    case YR_FAKE_DROP_EVENTS:
    case YR_FAKE_FRAGMENT:
        apply_any(passing, rule);
        break;
    }
}

static void remember(const passage *passing)
{
    yr_fake_etcd *fake = passing->member->fake;
    const char *leader = yr_fake_call_header(passing->call, "hasleader");
    yr_fake_requests_add(&fake->requests,
                         &(yr_fake_request){
                             .at_ms = yr_io_now_ms(fake->io),
                             .member = (size_t)(passing->member - fake->members),
                             .method = passing->name,
                             .conn = yr_fake_call_conn(passing->call),
                             .stream_id = yr_fake_call_stream_id(passing->call),
                             .has_leader = leader != NULL && strcmp(leader, "true") == 0,
                             .message = passing->message,
                         },
                         passing->decoded);
}

/* ---- What the server calls ---- */

/* "/package.Service/Method" that etcd does not have, in grpc-go's words. */
static void refuse_path(yr_fake_call *call, const char *path)
{
    char text[256];
    const char *name = strrchr(path, '/');
    int service_len = name != NULL ? (int)(name - path - 1) : 0;
    bool is_known = false;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        is_known |=
            service_len > 0 && strncmp(methods[i].path, path, (size_t)service_len + 2) == 0;
    }
    if (is_known) {
        (void)snprintf(text, sizeof(text), "unknown method %.64s for service %.*s", name + 1,
                       service_len, path + 1);
    } else {
        (void)snprintf(text, sizeof(text), "unknown service %.*s", service_len, path + 1);
    }
    yr_fake_call_end_early(call, YR_GRPC_UNIMPLEMENTED, text);
}

static void on_call(void *context, yr_fake_call *call)
{
    const yr_fake_member *member = context;
    const char *path = yr_fake_call_path(call);
    const method *found = find_method(path);
    if (found == NULL) {
        refuse_path(call, path);
        return;
    }
    if (yr_fake_raft_refuses(member, call)) {
        yr_fake_call_end(call, YR_GRPC_UNAVAILABLE, "etcdserver: no leader");
        return;
    }
    call_data *data = yr_fake_alloc(sizeof(*data));
    data->method = found;
    if (found->apply == NULL) {
        data->stream = yr_fake_watch_stream_new(member->fake, member, call);
    }
    yr_fake_call_set_data(call, data);
}

static void on_message(void *context, yr_fake_call *call, yurpc_bytes message)
{
    const yr_fake_member *member = context;
    const call_data *data = yr_fake_call_data(call);
    if (data == NULL) {
        return;
    }
    ProtobufCMessage *decoded =
        protobuf_c_message_unpack(data->method->request, NULL, message.len, message.data);
    if (decoded == NULL) {
        yr_fake_call_end(call, YR_GRPC_INTERNAL,
                         "grpc: error unmarshalling request: unexpected EOF");
        return;
    }
    if (decoded->n_unknown_fields > 0) {
        /* Better refused than silently misunderstood. */
        yr_fake_call_end(call, YR_GRPC_UNIMPLEMENTED, "fake etcd: this field is not modelled");
        protobuf_c_message_free_unpacked(decoded, NULL);
        return;
    }
    passage passing = {
        .member = member,
        .call = call,
        .method = data->method,
        .name = data->stream != NULL ? yr_fake_watch_method((const void *)decoded)
                                     : data->method->name,
        .message = message,
        .decoded = decoded,
        .verdict =
            yr_fake_auth_check(member->fake, yr_fake_call_header(call, "token"), decoded),
    };
    remember(&passing);
    const yr_fake_rule *rule = yr_fake_script_match(&member->fake->script, passing.name);
    if (rule == NULL) {
        apply_any(&passing, NULL);
    } else {
        pass(&passing, rule);
    }
    protobuf_c_message_free_unpacked(decoded, NULL);
}

static void on_half_close(void *context, yr_fake_call *call)
{
    (void)context;
    const call_data *data = yr_fake_call_data(call);
    /* A Watch stays open for its events; a unary call has its answer, or waits for a rule. */
    if (data != NULL && data->stream == NULL && !data->method->is_unary) {
        yr_fake_call_end(call, YR_GRPC_OK, NULL);
    }
}

static void on_close(void *context, yr_fake_call *call)
{
    const yr_fake_member *member = context;
    call_data *data = yr_fake_call_data(call);
    yr_fake_deferred_forget_call(member->fake, call);
    if (data != NULL) {
        yr_fake_watch_stream_free(data->stream);
    }
    yr_fake_release(data);
}

static void on_disconnect(void *context, yr_fake_conn *conn)
{
    const yr_fake_member *member = context;
    yr_fake_deferred_forget_conn(member->fake, conn);
}

const yr_fake_handlers yr_fake_dispatch_handlers = {
    .on_call = on_call,
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_close = on_close,
    .on_disconnect = on_disconnect,
};
