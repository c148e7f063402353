/* etcd's Auth service on auth_store.h, and what tests do to it. */
#include "auth.h"

#include "auth_store.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "grpc/call.h"
#include "service.h"
#include "support/canary.h"

#include <stdio.h>
#include <string.h>

enum { TOKEN_SIZE = 256 };

static void answer(yr_fake_turn *turn)
{
    Etcdserverpb__AuthResponse response = ETCDSERVERPB__AUTH_RESPONSE__INIT;
    response.header = yr_fake_turn_header(turn);
    yr_fake_turn_answer(turn, &response.base);
}

/* The store has changed. */
static void answer_change(yr_fake_turn *turn)
{
    yr_fake_auth_changed(&turn->fake->auth);
    answer(turn);
}

static void refuse(yr_fake_turn *turn, const char *text)
{
    yr_fake_turn_refuse(turn, YR_GRPC_FAILED_PRECONDITION, text);
}

static void set_name(char *field, const char *name)
{
    YR_ASSERT(strlen(name) < YR_FAKE_AUTH_NAME_MAX);
    (void)snprintf(field, YR_FAKE_AUTH_NAME_MAX, "%s", name);
}

static yr_fake_user *find_user(yr_fake_turn *turn, const char *name)
{
    yr_fake_user *user = *name == '\0' ? NULL : yr_fake_auth_user(&turn->fake->auth, name);
    if (user == NULL) {
        refuse(turn, "etcdserver: user name not found");
    }
    return user;
}

static yr_fake_role *find_role(yr_fake_turn *turn, const char *name)
{
    yr_fake_role *role = *name == '\0' ? NULL : yr_fake_auth_role(&turn->fake->auth, name);
    if (role == NULL) {
        refuse(turn, "etcdserver: role name not found");
    }
    return role;
}

/* ---- On and off ---- */

void yr_fake_auth_service_enable(yr_fake_turn *turn)
{
    yr_fake_auth *auth = &turn->fake->auth;
    const yr_fake_user *root = yr_fake_auth_user(auth, "root");
    const yr_fake_role *role = yr_fake_auth_role(auth, "root");
    if (root == NULL) {
        refuse(turn, "etcdserver: root user does not exist");
        return;
    }
    if (role == NULL || !root->has_role[role - auth->roles]) {
        refuse(turn, "etcdserver: root user does not have root role");
        return;
    }
    auth->is_enabled = true;
    answer(turn);
}

void yr_fake_auth_service_disable(yr_fake_turn *turn)
{
    yr_fake_auth_disable(turn->fake);
    answer(turn);
}

/* ---- Logging in ---- */

/* When a login that begins now is over; they are done one after the other. */
static int64_t book_login(yr_fake_auth *auth, int64_t now_ms, const void *conn)
{
    int64_t begin_ms = auth->busy_until_ms > now_ms ? auth->busy_until_ms : now_ms;
    auth->busy_until_ms = begin_ms + auth->options.cost_ms;
    for (size_t i = 0; i < YR_FAKE_AUTH_CONNS_MAX; i++) {
        if (auth->busy[i].conn == conn && auth->busy[i].until_ms > now_ms) {
            auth->stats.overlaps++;
        }
        if (auth->busy[i].conn == conn || auth->busy[i].until_ms <= now_ms) {
            auth->busy[i].conn = conn;
            auth->busy[i].until_ms = auth->busy_until_ms;
            break;
        }
    }
    return auth->busy_until_ms - now_ms;
}

void yr_fake_auth_service_authenticate(yr_fake_turn *turn)
{
    yr_fake_auth *auth = &turn->fake->auth;
    const Etcdserverpb__AuthenticateRequest *request = (const void *)turn->request;
    auth->stats.logins++;
    turn->delay_ms = book_login(auth, yr_io_now_ms(turn->fake->io), turn->conn);
    if (!auth->is_enabled) {
        refuse(turn, "etcdserver: authentication is not enabled");
        return;
    }
    const yr_fake_user *user =
        *request->name == '\0' ? NULL : yr_fake_auth_user(auth, request->name);
    if (user == NULL || strcmp(user->password, request->password) != 0) {
        auth->stats.refusals++;
        yr_fake_turn_refuse(turn, YR_GRPC_INVALID_ARGUMENT,
                            "etcdserver: authentication failed, invalid user ID or password");
        return;
    }
    char token[TOKEN_SIZE];
    yr_fake_auth_issue(turn->fake, user, token, sizeof(token));
    Etcdserverpb__AuthenticateResponse response;
    /* Its _INIT drops a const, which clang minds. */
    etcdserverpb__authenticate_response__init(&response);
    response.header = yr_fake_turn_header(turn);
    response.token = token;
    yr_fake_turn_answer(turn, &response.base);
}

/* ---- Users ---- */

void yr_fake_auth_service_user_add(yr_fake_turn *turn)
{
    const Etcdserverpb__AuthUserAddRequest *request = (const void *)turn->request;
    yr_fake_auth *auth = &turn->fake->auth;
    if (yr_fake_auth_user(auth, request->name) != NULL) {
        refuse(turn, "etcdserver: user name already exists");
        return;
    }
    yr_fake_user *user = yr_fake_auth_user(auth, "");
    YR_ASSERT(user != NULL);
    set_name(user->name, request->name);
    set_name(user->password, request->password);
    answer_change(turn);
}

void yr_fake_auth_service_user_delete(yr_fake_turn *turn)
{
    const Etcdserverpb__AuthUserDeleteRequest *request = (const void *)turn->request;
    yr_fake_user *user = find_user(turn, request->name);
    if (user != NULL) {
        yr_fake_auth_end_tokens(&turn->fake->auth, user);
        memset(user, 0, sizeof(*user));
        answer_change(turn);
    }
}

void yr_fake_auth_service_user_change_password(yr_fake_turn *turn)
{
    const Etcdserverpb__AuthUserChangePasswordRequest *request = (const void *)turn->request;
    yr_fake_user *user = find_user(turn, request->name);
    if (user != NULL) {
        yr_fake_auth_end_tokens(&turn->fake->auth, user);
        set_name(user->password, request->password);
        answer_change(turn);
    }
}

static void set_role(yr_fake_turn *turn, const char *user_name, const char *role_name,
                     bool has_it)
{
    yr_fake_user *user = find_user(turn, user_name);
    const yr_fake_role *role = user == NULL ? NULL : find_role(turn, role_name);
    if (role != NULL) {
        user->has_role[role - turn->fake->auth.roles] = has_it;
        answer_change(turn);
    }
}

void yr_fake_auth_service_user_grant_role(yr_fake_turn *turn)
{
    const Etcdserverpb__AuthUserGrantRoleRequest *request = (const void *)turn->request;
    set_role(turn, request->user, request->role, true);
}

void yr_fake_auth_service_user_revoke_role(yr_fake_turn *turn)
{
    const Etcdserverpb__AuthUserRevokeRoleRequest *request = (const void *)turn->request;
    set_role(turn, request->name, request->role, false);
}

/* ---- Roles ---- */

void yr_fake_auth_service_role_add(yr_fake_turn *turn)
{
    const Etcdserverpb__AuthRoleAddRequest *request = (const void *)turn->request;
    yr_fake_auth *auth = &turn->fake->auth;
    if (yr_fake_auth_role(auth, request->name) != NULL) {
        refuse(turn, "etcdserver: role name already exists");
        return;
    }
    yr_fake_role *role = yr_fake_auth_role(auth, "");
    YR_ASSERT(role != NULL);
    set_name(role->name, request->name);
    answer_change(turn);
}

static void add_grant(yr_fake_role *role, Etcdserverpb__AuthPermission__Type type,
                      yurpc_bytes key, yurpc_bytes end)
{
    YR_ASSERT(role->grant_count < YR_FAKE_AUTH_GRANTS_MAX);
    YR_ASSERT(key.len <= YR_FAKE_AUTH_KEY_MAX && end.len <= YR_FAKE_AUTH_KEY_MAX);
    yr_fake_grant *grant = &role->grants[role->grant_count++];
    *grant = (yr_fake_grant){.type = type, .key_len = key.len, .end_len = end.len};
    if (key.len > 0) {
        memcpy(grant->key, key.data, key.len);
    }
    if (end.len > 0) {
        memcpy(grant->end, end.data, end.len);
    }
}

void yr_fake_auth_service_role_grant_permission(yr_fake_turn *turn)
{
    const Etcdserverpb__AuthRoleGrantPermissionRequest *request = (const void *)turn->request;
    yr_fake_role *role = find_role(turn, request->name);
    if (role != NULL) {
        add_grant(role, request->perm->permtype, yr_fake_bytes(request->perm->key),
                  yr_fake_bytes(request->perm->range_end));
        answer_change(turn);
    }
}

void yr_fake_auth_service_role_revoke_permission(yr_fake_turn *turn)
{
    const Etcdserverpb__AuthRoleRevokePermissionRequest *request = (const void *)turn->request;
    yr_fake_role *role = find_role(turn, request->role);
    if (role == NULL) {
        return;
    }
    for (size_t i = 0; i < role->grant_count; i++) {
        const yr_fake_grant *grant = &role->grants[i];
        if (yr_bytes_equal(yr_bytes(grant->key, grant->key_len), yr_fake_bytes(request->key)) &&
            yr_bytes_equal(yr_bytes(grant->end, grant->end_len),
                           yr_fake_bytes(request->range_end))) {
            role->grants[i] = role->grants[--role->grant_count];
            answer_change(turn);
            return;
        }
    }
    refuse(turn, "etcdserver: permission not granted to the role");
}

/* ---- What tests do ---- */

yr_fake_auth_options *yr_fake_auth_options_of(yr_fake_etcd *fake)
{
    return &fake->auth.options;
}

const yr_fake_auth_stats *yr_fake_auth_stats_of(const yr_fake_etcd *fake)
{
    return &fake->auth.stats;
}

void yr_fake_auth_set_user(yr_fake_etcd *fake, const char *name, const char *password)
{
    yr_fake_auth *auth = &fake->auth;
    yr_fake_user *user = yr_fake_auth_user(auth, name);
    if (user == NULL) {
        user = yr_fake_auth_user(auth, "");
    }
    YR_ASSERT(user != NULL);
    set_name(user->name, name);
    set_name(user->password, password);
    yr_fake_auth_end_tokens(auth, user);
    yr_fake_auth_changed(auth);
}

/* The role of that name, which the user has from now on. */
static yr_fake_role *give_role(yr_fake_auth *auth, const char *user_name, const char *role_name)
{
    yr_fake_user *user = yr_fake_auth_user(auth, user_name);
    yr_fake_role *role = yr_fake_auth_role(auth, role_name);
    if (role == NULL) {
        role = yr_fake_auth_role(auth, "");
    }
    YR_ASSERT(user != NULL && role != NULL);
    set_name(role->name, role_name);
    user->has_role[role - auth->roles] = true;
    yr_fake_auth_changed(auth);
    return role;
}

void yr_fake_auth_enable(yr_fake_etcd *fake)
{
    yr_fake_auth *auth = &fake->auth;
    if (yr_fake_auth_user(auth, "root") == NULL) {
        yr_fake_auth_set_user(fake, "root", YR_CANARY_PASSWORD);
        (void)give_role(auth, "root", "root");
    }
    auth->is_enabled = true;
}

void yr_fake_auth_disable(yr_fake_etcd *fake)
{
    fake->auth.is_enabled = false;
    yr_fake_auth_expire_tokens(fake);
}

void yr_fake_auth_permit(yr_fake_etcd *fake, const char *name, const char *prefix)
{
    static const char zero[] = {'\0'};
    yr_fake_role *role = give_role(&fake->auth, name, name);
    yurpc_bytes key = yr_bytes_of_text(prefix);
    char end[YR_FAKE_AUTH_KEY_MAX];
    YR_ASSERT(key.len < sizeof(end));
    if (key.len == 0) {
        add_grant(role, ETCDSERVERPB__AUTH_PERMISSION__TYPE__READWRITE, yr_bytes(zero, 1),
                  yr_bytes(zero, 1));
        return;
    }
    memcpy(end, key.data, key.len);
    end[key.len - 1]++;
    add_grant(role, ETCDSERVERPB__AUTH_PERMISSION__TYPE__READWRITE, key,
              yr_bytes(end, key.len));
}

void yr_fake_auth_forbid(yr_fake_etcd *fake, const char *name)
{
    yr_fake_user *user = yr_fake_auth_user(&fake->auth, name);
    YR_ASSERT(user != NULL);
    memset(user->has_role, 0, sizeof(user->has_role));
    yr_fake_auth_changed(&fake->auth);
}

void yr_fake_auth_expire_tokens(yr_fake_etcd *fake)
{
    memset(fake->auth.tokens, 0, sizeof(fake->auth.tokens));
}
