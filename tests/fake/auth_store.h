/* Inside the fake etcd: who may do what. For the files of the fake only. */
#ifndef YR_FAKE_AUTH_STORE_H
#define YR_FAKE_AUTH_STORE_H

#include "etcdserverpb.pb-c.h"
#include "fake/auth.h"

enum {
    YR_FAKE_AUTH_NAME_MAX = 64,
    YR_FAKE_AUTH_USERS_MAX = 16,
    YR_FAKE_AUTH_ROLES_MAX = 16,
    YR_FAKE_AUTH_GRANTS_MAX = 8, /* of a role */
    YR_FAKE_AUTH_KEY_MAX = 256,
    YR_FAKE_AUTH_TOKENS_MAX = 4096, /* then the oldest is forgotten */
    YR_FAKE_AUTH_CONNS_MAX = 512,
};

typedef struct yr_fake_grant {
    Etcdserverpb__AuthPermission__Type type;
    char key[YR_FAKE_AUTH_KEY_MAX];
    char end[YR_FAKE_AUTH_KEY_MAX];
    size_t key_len;
    size_t end_len; /* 0: one key; a zero byte: all from the key on */
} yr_fake_grant;

typedef struct yr_fake_role {
    char name[YR_FAKE_AUTH_NAME_MAX]; /* empty: a free slot */
    yr_fake_grant grants[YR_FAKE_AUTH_GRANTS_MAX];
    size_t grant_count;
} yr_fake_role;

typedef struct yr_fake_user {
    char name[YR_FAKE_AUTH_NAME_MAX]; /* empty: a free slot */
    char password[YR_FAKE_AUTH_NAME_MAX];
    bool has_role[YR_FAKE_AUTH_ROLES_MAX];
} yr_fake_user;

typedef struct yr_fake_token {
    uint64_t number; /* in its text; 0: a free slot */
    size_t user;
    uint64_t revision;
    int64_t expires_ms;
} yr_fake_token;

typedef struct yr_fake_auth {
    yr_fake_auth_options options;
    yr_fake_auth_stats stats;
    bool is_enabled;
    uint64_t revision;
    yr_fake_user users[YR_FAKE_AUTH_USERS_MAX];
    yr_fake_role roles[YR_FAKE_AUTH_ROLES_MAX];
    yr_fake_token tokens[YR_FAKE_AUTH_TOKENS_MAX];
    uint64_t token_count;
    int64_t busy_until_ms; /* with passwords */
    struct {
        const void *conn;
        int64_t until_ms;
    } busy[YR_FAKE_AUTH_CONNS_MAX]; /* with a login of that connection */
} yr_fake_auth;

/* As it is with empty data. Options and statistics stay. */
void yr_fake_auth_clear(yr_fake_auth *auth);

/* An answer: code 0 is yes. */
typedef struct yr_fake_auth_verdict {
    int code;
    const char *text; /* static */
} yr_fake_auth_verdict;

/* Whether the bearer of @p token (NULL: none) may ask @p request. */
yr_fake_auth_verdict yr_fake_auth_check(yr_fake_etcd *fake, const char *token,
                                        const ProtobufCMessage *request);

/* What etcd says in the cancel_reason of a watch; into @p text. */
void yr_fake_auth_reason(const yr_fake_etcd *fake, const yr_fake_auth_verdict *verdict,
                         char *text, size_t size);

/* The user of that name; NULL: none. An empty name finds a free slot. */
yr_fake_user *yr_fake_auth_user(yr_fake_auth *auth, const char *name);
yr_fake_role *yr_fake_auth_role(yr_fake_auth *auth, const char *name);

/* Users, roles or permissions have changed. */
void yr_fake_auth_changed(yr_fake_auth *auth);

/* The tokens of a user end. */
void yr_fake_auth_end_tokens(yr_fake_auth *auth, const yr_fake_user *user);

/* A new token; its text into @p text. */
void yr_fake_auth_issue(yr_fake_etcd *fake, const yr_fake_user *user, char *text, size_t size);

#endif /* YR_FAKE_AUTH_STORE_H */
