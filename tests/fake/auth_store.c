#include "auth_store.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "grpc/call.h"
#include "service.h"
#include "support/canary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const yr_fake_auth_verdict allowed = {0, NULL};
static const yr_fake_auth_verdict nobody = {YR_GRPC_INVALID_ARGUMENT,
                                            "etcdserver: user name is empty"};
static const yr_fake_auth_verdict invalid = {YR_GRPC_UNAUTHENTICATED,
                                             "etcdserver: invalid auth token"};
static const yr_fake_auth_verdict old = {YR_GRPC_INVALID_ARGUMENT,
                                         "etcdserver: revision of auth store is old"};
static const yr_fake_auth_verdict denied = {YR_GRPC_PERMISSION_DENIED,
                                            "etcdserver: permission denied"};

/* ---- Users and roles ---- */

void yr_fake_auth_clear(yr_fake_auth *auth)
{
    auth->is_enabled = false;
    auth->revision = 1;
    memset(auth->users, 0, sizeof(auth->users));
    memset(auth->roles, 0, sizeof(auth->roles));
    memset(auth->tokens, 0, sizeof(auth->tokens));
}

yr_fake_user *yr_fake_auth_user(yr_fake_auth *auth, const char *name)
{
    for (size_t i = 0; i < YR_FAKE_AUTH_USERS_MAX; i++) {
        if (strcmp(auth->users[i].name, name) == 0) {
            return &auth->users[i];
        }
    }
    return NULL;
}

yr_fake_role *yr_fake_auth_role(yr_fake_auth *auth, const char *name)
{
    for (size_t i = 0; i < YR_FAKE_AUTH_ROLES_MAX; i++) {
        if (strcmp(auth->roles[i].name, name) == 0) {
            return &auth->roles[i];
        }
    }
    return NULL;
}

void yr_fake_auth_changed(yr_fake_auth *auth)
{
    auth->revision++;
}

static bool is_root(yr_fake_auth *auth, const yr_fake_user *user)
{
    const yr_fake_role *root = yr_fake_auth_role(auth, "root");
    return root != NULL && user->has_role[root - auth->roles];
}

/* ---- Tokens ---- */

void yr_fake_auth_end_tokens(yr_fake_auth *auth, const yr_fake_user *user)
{
    for (size_t i = 0; i < YR_FAKE_AUTH_TOKENS_MAX; i++) {
        if (&auth->users[auth->tokens[i].user] == user) {
            auth->tokens[i].number = 0;
        }
    }
}

static int64_t expiry_ms(const yr_fake_etcd *fake)
{
    int64_t ttl_ms = fake->auth.options.token_ttl_ms;
    return ttl_ms == 0 ? INT64_MAX : yr_io_now_ms(fake->io) + ttl_ms;
}

void yr_fake_auth_issue(yr_fake_etcd *fake, const yr_fake_user *user, char *text, size_t size)
{
    yr_fake_auth *auth = &fake->auth;
    uint64_t number = ++auth->token_count;
    auth->tokens[number % YR_FAKE_AUTH_TOKENS_MAX] =
        (yr_fake_token){.number = number,
                        .user = (size_t)(user - auth->users),
                        .revision = auth->revision,
                        .expires_ms = expiry_ms(fake)};
    (void)snprintf(text, size, YR_CANARY_TOKEN ".%" PRIu64, number);
}

static yr_fake_token *find_token(yr_fake_etcd *fake, const char *text)
{
    yr_fake_auth *auth = &fake->auth;
    const size_t len = sizeof YR_CANARY_TOKEN - 1;
    if (strncmp(text, YR_CANARY_TOKEN ".", len + 1) != 0) {
        return NULL;
    }
    uint64_t number = strtoull(text + len + 1, NULL, 10);
    yr_fake_token *token = &auth->tokens[number % YR_FAKE_AUTH_TOKENS_MAX];
    bool is_good =
        number != 0 && token->number == number && token->expires_ms > yr_io_now_ms(fake->io);
    return is_good ? token : NULL;
}

/* ---- Permissions ---- */

/* Who asks. */
typedef struct bearer {
    yr_fake_auth *auth;
    const yr_fake_user *user; /* NULL: nobody */
    bool is_outdated;         /* the token is from before the last change */
} bearer;

static bool is_covered(const yr_fake_grant *grant, yurpc_bytes key, yurpc_bytes end)
{
    static const char zero[] = {'\0'};
    yurpc_bytes first = yr_bytes(grant->key, grant->key_len);
    yurpc_bytes last = yr_bytes(grant->end, grant->end_len);
    bool is_open = yr_bytes_equal(last, yr_bytes(zero, 1));
    if (last.len == 0) {
        return end.len == 0 && yr_bytes_equal(key, first);
    }
    if (yr_bytes_compare(key, first) < 0) {
        return false;
    }
    bool wants_all = yr_bytes_equal(end, yr_bytes(zero, 1));
    if (is_open || wants_all) {
        return is_open;
    }
    return end.len == 0 ? yr_bytes_compare(key, last) < 0 : yr_bytes_compare(end, last) <= 0;
}

static yr_fake_auth_verdict permit(const bearer *who, Etcdserverpb__AuthPermission__Type type,
                                   ProtobufCBinaryData key, ProtobufCBinaryData end)
{
    if (who->user == NULL) {
        return nobody;
    }
    if (who->is_outdated) {
        return old;
    }
    if (is_root(who->auth, who->user)) {
        return allowed;
    }
    for (size_t i = 0; i < YR_FAKE_AUTH_ROLES_MAX; i++) {
        const yr_fake_role *role = &who->auth->roles[i];
        for (size_t k = 0; who->user->has_role[i] && k < role->grant_count; k++) {
            const yr_fake_grant *grant = &role->grants[k];
            bool is_meant = grant->type == type ||
                            grant->type == ETCDSERVERPB__AUTH_PERMISSION__TYPE__READWRITE;
            if (is_meant && is_covered(grant, yr_fake_bytes(key), yr_fake_bytes(end))) {
                return allowed;
            }
        }
    }
    return denied;
}

static const Etcdserverpb__AuthPermission__Type to_read =
    ETCDSERVERPB__AUTH_PERMISSION__TYPE__READ;
static const Etcdserverpb__AuthPermission__Type to_write =
    ETCDSERVERPB__AUTH_PERMISSION__TYPE__WRITE;

static yr_fake_auth_verdict check_range(const bearer *who, const ProtobufCMessage *message)
{
    const Etcdserverpb__RangeRequest *range = (const void *)message;
    return permit(who, to_read, range->key, range->range_end);
}

static yr_fake_auth_verdict check_put(const bearer *who, const ProtobufCMessage *message)
{
    const Etcdserverpb__PutRequest *put = (const void *)message;
    return permit(who, to_write, put->key, (ProtobufCBinaryData){0});
}

static yr_fake_auth_verdict check_delete(const bearer *who, const ProtobufCMessage *message)
{
    const Etcdserverpb__DeleteRangeRequest *removal = (const void *)message;
    return permit(who, to_write, removal->key, removal->range_end);
}

static yr_fake_auth_verdict check_ops(const bearer *who, Etcdserverpb__RequestOp *const *ops,
                                      size_t count)
{
    yr_fake_auth_verdict verdict = allowed;
    for (size_t i = 0; i < count && verdict.code == 0; i++) {
        if (ops[i]->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE) {
            verdict = check_range(who, &ops[i]->request_range->base);
        } else if (ops[i]->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT) {
            verdict = check_put(who, &ops[i]->request_put->base);
        } else if (ops[i]->request_case ==
                   ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE) {
            verdict = check_delete(who, &ops[i]->request_delete_range->base);
        }
    }
    return verdict;
}

static yr_fake_auth_verdict check_txn(const bearer *who, const ProtobufCMessage *message)
{
    const Etcdserverpb__TxnRequest *txn = (const void *)message;
    yr_fake_auth_verdict verdict = allowed;
    for (size_t i = 0; i < txn->n_compare && verdict.code == 0; i++) {
        verdict = permit(who, to_read, txn->compare[i]->key, (ProtobufCBinaryData){0});
    }
    if (verdict.code == 0) {
        verdict = check_ops(who, txn->success, txn->n_success);
    }
    return verdict.code != 0 ? verdict : check_ops(who, txn->failure, txn->n_failure);
}

static yr_fake_auth_verdict check_watch(const bearer *who, const ProtobufCMessage *message)
{
    const Etcdserverpb__WatchRequest *watch = (const void *)message;
    if (watch->request_case != ETCDSERVERPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST) {
        return allowed;
    }
    return permit(who, to_read, watch->create_request->key, watch->create_request->range_end);
}

static yr_fake_auth_verdict check_nothing(const bearer *who, const ProtobufCMessage *message)
{
    (void)who;
    (void)message;
    return allowed;
}

static yr_fake_auth_verdict check_root(const bearer *who, const ProtobufCMessage *message)
{
    (void)message;
    if (who->user == NULL) {
        return nobody;
    }
    return is_root(who->auth, who->user) ? allowed : denied;
}

typedef yr_fake_auth_verdict check_fn(const bearer *who, const ProtobufCMessage *message);

/* Requests at whose token etcd looks, and what it asks for then. */
static const struct {
    const ProtobufCMessageDescriptor *request;
    check_fn *check;
} checks[] = {
    {&etcdserverpb__range_request__descriptor, check_range},
    {&etcdserverpb__put_request__descriptor, check_put},
    {&etcdserverpb__delete_range_request__descriptor, check_delete},
    {&etcdserverpb__txn_request__descriptor, check_txn},
    {&etcdserverpb__compaction_request__descriptor, check_nothing},
    {&etcdserverpb__lease_grant_request__descriptor, check_nothing},
    {&etcdserverpb__lease_revoke_request__descriptor, check_nothing},
    {&etcdserverpb__watch_request__descriptor, check_watch},
    {&etcdserverpb__auth_enable_request__descriptor, check_root},
    {&etcdserverpb__auth_disable_request__descriptor, check_root},
    {&etcdserverpb__auth_user_add_request__descriptor, check_root},
    {&etcdserverpb__auth_user_delete_request__descriptor, check_root},
    {&etcdserverpb__auth_user_change_password_request__descriptor, check_root},
    {&etcdserverpb__auth_user_grant_role_request__descriptor, check_root},
    {&etcdserverpb__auth_user_revoke_role_request__descriptor, check_root},
    {&etcdserverpb__auth_role_add_request__descriptor, check_root},
    {&etcdserverpb__auth_role_grant_permission_request__descriptor, check_root},
    {&etcdserverpb__auth_role_revoke_permission_request__descriptor, check_root},
};

static check_fn *find_check(const yr_fake_etcd *fake, const ProtobufCMessage *request)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i].request == request->descriptor) {
            return checks[i].check;
        }
    }
    bool is_keepalive =
        request->descriptor == &etcdserverpb__lease_keep_alive_request__descriptor;
    return is_keepalive && fake->auth.options.guards_leases ? check_nothing : NULL;
}

/* 3.5 wants to know who asks for the keys of a lease. */
static bool asks_for_keys(const yr_fake_etcd *fake, const ProtobufCMessage *request)
{
    const Etcdserverpb__LeaseTimeToLiveRequest *query = (const void *)request;
    return !fake->options.is_34 &&
           request->descriptor == &etcdserverpb__lease_time_to_live_request__descriptor &&
           query->keys;
}

yr_fake_auth_verdict yr_fake_auth_check(yr_fake_etcd *fake, const char *token,
                                        const ProtobufCMessage *request)
{
    yr_fake_auth *auth = &fake->auth;
    check_fn *check = find_check(fake, request);
    if (asks_for_keys(fake, request) && auth->is_enabled && token == NULL) {
        return nobody;
    }
    if (check == NULL || (!auth->is_enabled && (token == NULL || !fake->options.is_34))) {
        return allowed;
    }
    yr_fake_token *found = token != NULL ? find_token(fake, token) : NULL;
    if (token != NULL && found == NULL) {
        return invalid;
    }
    if (!auth->is_enabled) {
        return allowed;
    }
    bearer who = {.auth = auth};
    if (found != NULL) {
        who.user = &auth->users[found->user];
        who.is_outdated = auth->options.is_jwt && found->revision < auth->revision;
        found->expires_ms = auth->options.is_jwt ? found->expires_ms : expiry_ms(fake);
    }
    return check(&who, request);
}

void yr_fake_auth_reason(const yr_fake_etcd *fake, const yr_fake_auth_verdict *verdict,
                         char *text, size_t size)
{
    const yr_fake_auth_verdict *said =
        verdict->code == invalid.code && fake->auth.options.says_denied ? &denied : verdict;
    const char *name = said->code == invalid.code  ? "Unauthenticated"
                       : said->code == denied.code ? "PermissionDenied"
                                                   : "InvalidArgument";
    (void)snprintf(text, size, "rpc error: code = %s desc = %s", name, said->text);
}
