/*
 * The fake etcd's users, roles, tokens and permissions.
 *
 * As in etcd it is off until it is enabled; clients may do that themselves (the Auth service),
 * and tests by these functions. Tokens are simple ones, which live on as they are used, or as
 * JWTs are: they end with the time, and with every change of users, roles or permissions.
 */
#ifndef YR_FAKE_AUTH_H
#define YR_FAKE_AUTH_H

#include "fake/etcd.h"

/* May be changed at any time; a zeroed one is etcd's default. */
typedef struct yr_fake_auth_options {
    bool is_jwt;
    int64_t token_ttl_ms; /* 0: for ever */
    int64_t cost_ms;      /* of one Authenticate; they are done one after the other */
    bool says_denied;     /* of a watch with a bad token: etcd 3.4.25 and later */
    bool guards_leases;   /* bad tokens end keepalives, too: etcd 3.5.28 and later */
} yr_fake_auth_options;

yr_fake_auth_options *yr_fake_auth_options_of(yr_fake_etcd *fake);

/* On, with a root whose password is YR_CANARY_PASSWORD when there is none yet; and off. */
void yr_fake_auth_enable(yr_fake_etcd *fake);
void yr_fake_auth_disable(yr_fake_etcd *fake);

/* A new user, or a new password, which ends the user's tokens. */
void yr_fake_auth_set_user(yr_fake_etcd *fake, const char *name, const char *password);

/* What a user may read and write: all keys with @p prefix, and whatever was permitted before.
 */
void yr_fake_auth_permit(yr_fake_etcd *fake, const char *name, const char *prefix);

/* The user may nothing any more. */
void yr_fake_auth_forbid(yr_fake_etcd *fake, const char *name);

/* No token that was given so far is good any more. */
void yr_fake_auth_expire_tokens(yr_fake_etcd *fake);

typedef struct yr_fake_auth_stats {
    size_t logins;   /* Authenticates that came */
    size_t refusals; /* of them */
    size_t overlaps; /* that came while another of the same connection was being done */
} yr_fake_auth_stats;

const yr_fake_auth_stats *yr_fake_auth_stats_of(const yr_fake_etcd *fake);

#endif /* YR_FAKE_AUTH_H */
