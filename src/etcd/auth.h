/*
 * Who we are to etcd: the token, and how it is got.
 *
 * A user has a token as long as etcd takes it; calls wait for one within their deadlines, and
 * carry it as metadata. When etcd refuses it, whoever was refused says so, another one is asked
 * for, and he tries again. At most one Authenticate is under way. It costs the server 0.14 s of
 * computing (bcrypt), so:
 *  - many clients whose tokens end together wait a random moment first;
 *  - a user that was refused is tried again after 10 s at the soonest, then ever less often up
 *    to 60 s, but when the password file was written anew, as soon as those 10 s are over;
 *  - one that was not answered in time is repeated as seldom, for the server is busy with
 * others, and does not forget those that nobody waits for any more;
 *  - three tokens within 10 s that are refused before any call was accepted with one count as
 *    such a refusal. Fewer do not: whoever asks seldom has tokens that expire unused.
 * While the user is refused, calls fail at once, with the reason.
 *
 * Without a user, calls go out without a token. When etcd wants one, they fail, and for a
 * second so do all others, without being sent; then one call is let through to see.
 *
 * The password is read anew for each Authenticate, when it is in a file. Whatever holds it or
 * the token is private memory (base/mem.h). They are part of no log and no error.
 */
#ifndef YR_ETCD_AUTH_H
#define YR_ETCD_AUTH_H

#include "base/backoff.h"
#include "base/secret.h"
#include "etcd/etcd.h"
#include "etcd/gather.h"
#include "grpc/channel.h"

enum {
    YR_AUTH_SPREAD_MS = 500,        /* over which clients spread that ask again */
    YR_AUTH_TIMEOUT_MS = 30000,     /* of an Authenticate: 200 clients take a server 28 s */
    YR_AUTH_REFUSED_MS = 10000,     /* the least time between two that were refused … */
    YR_AUTH_REFUSED_MAX_MS = 60000, /* … and the most */
    YR_AUTH_TROUBLE_MS = 1000,      /* backoff after one that met a passing trouble */
    YR_AUTH_TROUBLE_MAX_MS = 10000,
    YR_AUTH_LOST_MS = 200, /* after one that was not done, or lost with its connection */
    YR_AUTH_LOST_MAX_MS = 5000,
    YR_AUTH_LOOK_MS = 1000,   /* how often the password file is looked at meanwhile */
    YR_AUTH_NOBODY_MS = 1000, /* between calls that etcd refuses for want of a user */
    YR_AUTH_UNPROVEN_MAX = 3, /* tokens within 10 s with which no call was accepted */
    YR_AUTH_YOUNG_MS = 10000, /* a younger token is not at fault when a watch is denied */
};

typedef struct yr_auth_events {
    void (*on_ready)(void *context); /* calls may go out, with another token than before */
    void (*on_refused)(void *context, const yurpc_error *error); /* calls fail from now on */
} yr_auth_events;

typedef struct yr_auth {
    yr_etcd *client;
    yr_auth_events events;
    char *username; /* NULL: nobody */
    char *password; /* NULL: in the file */
    char *password_file;
    yr_secret_stamp stamp; /* of the file when it was read last */

    char *token;               /* NULL: none, or none is needed */
    uint64_t generation;       /* of the token: what calls are sent with */
    bool is_ready;             /* calls may go out */
    bool is_proven;            /* one was accepted with this token */
    unsigned unproven;         /* tokens in a row with which none was … */
    int64_t unproven_since_ms; /* … when the first of them was refused */
    int64_t got_ms;

    yr_grpc_call *grpc; /* the Authenticate under way; NULL: none is */
    const yr_grpc_channel *channel;
    yr_gather answer;
    int64_t asked_ms; /* when the last one was sent */
    yr_timer timer;   /* until the next one */
    int64_t not_before_ms;
    yr_backoff refused;
    yr_backoff troubled;
    yr_backoff lost;
    yr_backoff userless;  /* etcd said that it has no users, and then asked for one */
    yurpc_error *refusal; /* why calls fail; NULL: they do not */
    yurpc_error *trouble; /* why they still wait; NULL: nothing is known */
    bool is_logged;       /* the refusal was, and there was no success since */
    yr_task refused_task; /* to tell of the refusal */
} yr_auth;

/*
 * Checks and copies what @p options say of the user. YURPC_INVALID with what is wrong (a user
 * without a password, and the other way round; a password file that others may read);
 * YURPC_IO: that file cannot be read; YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_auth_init(yr_auth *auth, yr_etcd *client,
                                          const yr_etcd_options *options,
                                          const yr_auth_events *events,
                                          yurpc_error **ret_error);

/* Silent. One that was zeroed is allowed. */
void yr_auth_deinit(yr_auth *auth);

/* There is a channel. Whether calls may go out on it; else one of the events will say. */
bool yr_auth_on_up(yr_auth *auth);

/* @p channel was closed, and the calls on it ended silently. */
void yr_auth_on_closed(yr_auth *auth, const yr_grpc_channel *channel);

bool yr_auth_is_ready(const yr_auth *auth);

/* Why a call that would begin now fails; NULL: it does not. Borrowed. */
const yurpc_error *yr_auth_admit(yr_auth *auth);

/* Put the token behind @p count headers, which have room for it, if there is one; how many. */
size_t yr_auth_add_header(const yr_auth *auth, yr_grpc_header *headers, size_t count);

/*
 * A call that was sent with the token of @p generation was refused because of that: for
 * certain, or perhaps. True: another token is there, or is being got; try again when calls may
 * go out. False: it is no use, and yr_auth_admit() may say why.
 */
bool yr_auth_renew(yr_auth *auth, uint64_t generation, bool is_certain);

/* A call that was sent with the token of @p generation was accepted. */
void yr_auth_accepted(yr_auth *auth, uint64_t generation);

#endif /* YR_ETCD_AUTH_H */
