#include "etcd/auth.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "etcd/client.h"
#include "etcd/decode.h"
#include "etcd/encode.h"
#include "etcd/status_table.h"
#include "grpc/conn.h"

#include <string.h>

static void on_timer(void *context);
static void on_refused_task(void *context);

/* ---- Beginning and ending ---- */

static yurpc_status check_options(const yr_etcd_options *options, yurpc_error **ret_error)
{
    const char *wrong = NULL;
    if (options->password != NULL && options->password_file != NULL) {
        wrong = "a password and a password file are given for etcd: give one of them";
    } else if (options->username != NULL && options->username[0] == '\0') {
        wrong = "the name of the user for etcd is empty";
    } else if (options->username != NULL && strchr(options->username, ':') != NULL) {
        wrong = "the name of the user for etcd holds a colon: a password does not belong there";
    } else if (options->username == NULL &&
               (options->password != NULL || options->password_file != NULL)) {
        wrong = "a password for etcd is given, but no user: give the user, too";
    } else if (options->username != NULL && options->password == NULL &&
               options->password_file == NULL) {
        wrong = "a user for etcd is given, but no password: give a password or a password file";
    } else if (options->password != NULL && strlen(options->password) > YR_SECRET_LEN_MAX) {
        wrong = "the password for etcd has more than 4096 bytes";
    }
    return wrong == NULL ? YURPC_OK : yr_error_set(ret_error, YURPC_INVALID, -1, "%s", wrong);
}

typedef char *copy_fn(const char *text);

static yurpc_status copy_text(copy_fn *copy_of, const char *text, char **ret_copy)
{
    if (text == NULL) {
        return YURPC_OK;
    }
    char *copy = copy_of(text);
    if (copy == NULL) {
        return YURPC_NO_MEMORY;
    }
    *ret_copy = copy;
    return YURPC_OK;
}

/* That the file is there and private is better known at once than at the first login. */
static yurpc_status try_file(yr_auth *auth, yurpc_error **ret_error)
{
    char *password = NULL;
    if (auth->password_file == NULL) {
        return YURPC_OK;
    }
    yurpc_status status =
        yr_secret_read(auth->password_file, &password, &auth->stamp, ret_error);
    yr_secret_free(password);
    return status;
}

yurpc_status yr_auth_init(yr_auth *auth, yr_etcd *client, const yr_etcd_options *options,
                          const yr_auth_events *events, yurpc_error **ret_error)
{
    auth->client = client;
    auth->events = *events;
    yr_gather_init(&auth->answer);
    yr_buf_init_private(&auth->answer.message, YR_GRPC_MESSAGE_MAX);
    yr_timer_init(&auth->timer, on_timer, auth);
    yr_task_init(&auth->refused_task, on_refused_task, auth);
    yr_backoff_init(&auth->refused, YR_AUTH_REFUSED_MS, YR_AUTH_REFUSED_MAX_MS);
    auth->refused.floor_ms = YR_AUTH_REFUSED_MS;
    yr_backoff_init(&auth->troubled, YR_AUTH_TROUBLE_MS, YR_AUTH_TROUBLE_MAX_MS);
    auth->troubled.floor_ms = YR_AUTH_TROUBLE_MS / 2;
    yr_backoff_init(&auth->lost, YR_AUTH_LOST_MS, YR_AUTH_LOST_MAX_MS);
    auth->lost.floor_ms = YR_AUTH_LOST_MS / 2;
    yr_backoff_init(&auth->userless, YR_AUTH_SPREAD_MS, YR_AUTH_LOST_MAX_MS);
    yurpc_status status = check_options(options, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    if (copy_text(yr_strdup, options->username, &auth->username) != YURPC_OK ||
        copy_text(yr_secret_copy, options->password, &auth->password) != YURPC_OK ||
        copy_text(yr_strdup, options->password_file, &auth->password_file) != YURPC_OK) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    auth->is_ready = auth->username == NULL;
    return try_file(auth, ret_error);
}

void yr_auth_deinit(yr_auth *auth)
{
    if (auth->client == NULL) {
        return;
    }
    yr_timer_stop(auth->client->io, &auth->timer);
    if (yr_io_unpost(auth->client->io, &auth->refused_task)) {
        /* It will not be told any more. */
    }
    if (auth->grpc != NULL) {
        yr_grpc_call_cancel(auth->grpc);
        auth->grpc = NULL;
    }
    yr_buf_deinit(&auth->answer.message);
    yr_free(auth->username);
    yr_secret_free(auth->password);
    yr_free(auth->password_file);
    yr_secret_free(auth->token);
    yurpc_error_free(auth->refusal);
    yurpc_error_free(auth->trouble);
    *auth = (yr_auth){.client = NULL};
}

/* ---- What comes of it ---- */

static int64_t now_ms(const yr_auth *auth)
{
    return yr_io_now_ms(auth->client->io);
}

static uint64_t random_of(const yr_auth *auth)
{
    return yr_io_random(auth->client->io);
}

/* Takes @p error, which may be NULL. */
static void set_error(yurpc_error **place, yurpc_error *error)
{
    yurpc_error_free(*place);
    *place = error;
}

static void ask_after(yr_auth *auth, int64_t delay_ms)
{
    auth->not_before_ms = now_ms(auth) + delay_ms;
    bool is_looking = auth->refusal != NULL && auth->password_file != NULL;
    yr_timer_start(auth->client->io, &auth->timer,
                   is_looking && delay_ms > YR_AUTH_LOOK_MS ? YR_AUTH_LOOK_MS : delay_ms);
}

/* Takes @p token, which may be NULL: none is needed. */
static void become_ready(yr_auth *auth, char *token)
{
    yr_secret_free(auth->token);
    auth->token = token;
    auth->generation++;
    auth->is_ready = true;
    auth->is_proven = false;
    auth->got_ms = now_ms(auth);
    auth->is_logged = false;
    set_error(&auth->refusal, NULL);
    set_error(&auth->trouble, NULL);
    yr_backoff_reset(&auth->troubled);
    yr_backoff_reset(&auth->lost);
    yr_log_write(&auth->client->log, YURPC_LOG_DEBUG, "etcd",
                 token == NULL ? "etcd does not ask for users" : "logged in as %s",
                 auth->username);
    auth->events.on_ready(auth->client);
}

/* Takes @p error. */
static void become_refused(yr_auth *auth, yurpc_error *error, int64_t delay_ms)
{
    auth->is_ready = false;
    yr_secret_free(auth->token);
    auth->token = NULL;
    set_error(&auth->refusal, error);
    yr_log_write(&auth->client->log, auth->is_logged ? YURPC_LOG_DEBUG : YURPC_LOG_ERROR,
                 "etcd", "%s", yurpc_error_text(error));
    auth->is_logged = true;
    ask_after(auth, delay_ms);
    /* Later, for whoever is told may do away with the call because of which we are here. */
    if (!yr_io_post(auth->client->io, &auth->refused_task)) {
        return; /* it is about to be told */
    }
}

static void on_refused_task(void *context)
{
    yr_auth *auth = context;
    if (auth->refusal != NULL) {
        auth->events.on_refused(auth->client, auth->refusal);
    }
}

/* It may pass. Takes @p error. */
static void have_trouble(yr_auth *auth, yurpc_error *error, int64_t delay_ms)
{
    set_error(&auth->trouble, error);
    ask_after(auth, delay_ms);
}

static int64_t refused_ms(yr_auth *auth)
{
    return yr_backoff_next_ms(&auth->refused, random_of(auth));
}

static int64_t troubled_ms(yr_auth *auth)
{
    return yr_backoff_next_ms(&auth->troubled, random_of(auth));
}

/* It was not sent, or nobody knows what came of it. Takes @p error. */
static void lose_channel(yr_auth *auth, yurpc_error *error)
{
    have_trouble(auth, error, yr_backoff_next_ms(&auth->lost, random_of(auth)));
}

static void login_answered(yr_auth *auth)
{
    char *token = NULL;
    yurpc_status status = auth->answer.is_whole
                              ? yr_decode_authenticate(yr_gather_message(&auth->answer), &token)
                              : YURPC_PROTOCOL;
    yr_buf_deinit(&auth->answer.message);
    if (status == YURPC_OK) {
        become_ready(auth, token);
    } else {
        have_trouble(auth,
                     yr_error_new(status, -1, "etcd's answer to the login of user %s: %s",
                                  auth->username, yurpc_status_text(status)),
                     troubled_ms(auth));
    }
}

static void login_failed(yr_auth *auth, const yr_grpc_end *end)
{
    yr_link *link = &auth->client->link;
    yr_etcd_verdict verdict = yr_etcd_verdict_of_end(end->code, end->message);
    int code = end->is_remote ? end->code : -1;
    if (end->is_remote && verdict.status == YURPC_UNSUPPORTED) {
        become_ready(auth, NULL); /* authentication is not enabled */
        return;
    }
    if (verdict.remedy != YR_REMEDY_RETRY && end->is_remote) {
        become_refused(
            auth,
            yr_error_new(verdict.status == YURPC_DENIED ? YURPC_DENIED : YURPC_UNAUTHENTICATED,
                         code, "etcd refuses user %s: %s", auth->username, end->message),
            refused_ms(auth));
        return;
    }
    yurpc_error *error = yr_error_new(verdict.status, code, "cannot log in to etcd as %s: %s",
                                      auth->username, end->message);
    if (end->is_transport || end->is_unprocessed) {
        lose_channel(auth, error);
        return;
    }
    have_trouble(auth, error, end->is_remote ? troubled_ms(auth) : refused_ms(auth));
    /* That it takes long is no reason to leave a server: it is busy with others' passwords. */
    if (end->is_remote && auth->channel == yr_link_channel(link)) {
        yr_link_suspect(link, false);
    }
}

/* ---- Logging in ---- */

static void on_part(void *context, const yr_grpc_part *part)
{
    yr_auth *auth = context;
    if (yr_gather_add(&auth->answer, part) != YURPC_OK) {
        return; /* then the answer never becomes whole */
    }
}

static void on_end(void *context, const yr_grpc_end *end)
{
    yr_auth *auth = context;
    auth->grpc = NULL;
    if (end->code == YR_GRPC_OK) {
        login_answered(auth);
    } else {
        login_failed(auth, end);
    }
}

static yurpc_status send_login(yr_auth *auth, yr_grpc_channel *channel, const char *password)
{
    static const yr_grpc_events events = {on_part, on_end};
    yr_buf message;
    yr_buf_init_private(&message, YR_ETCD_REQUEST_MAX);
    auth->answer.is_whole = false;
    yurpc_status status = yr_encode_authenticate(auth->username, password, &message);
    if (status == YURPC_OK) {
        yr_grpc_request request = {.path = "/etcdserverpb.Auth/Authenticate",
                                   .deadline_ms = YR_AUTH_TIMEOUT_MS,
                                   .message = yr_bytes(message.data, message.len),
                                   .is_half_closed = true,
                                   .is_secret = true};
        status = yr_grpc_channel_call(channel, &request, &events, auth, &auth->grpc);
        auth->channel = channel;
        auth->asked_ms = now_ms(auth);
    }
    yr_buf_deinit(&message);
    return status;
}

static void log_in(yr_auth *auth)
{
    yr_grpc_channel *channel = yr_link_channel(&auth->client->link);
    if (channel == NULL || auth->grpc != NULL || auth->is_ready) {
        return; /* again when there is a channel */
    }
    char *password = NULL;
    yurpc_error *error = NULL;
    if (auth->password_file != NULL &&
        yr_secret_read(auth->password_file, &password, &auth->stamp, &error) != YURPC_OK) {
        become_refused(auth, error, YR_AUTH_LOOK_MS);
        return;
    }
    yurpc_status status =
        send_login(auth, channel, password != NULL ? password : auth->password);
    yr_secret_free(password);
    if (status != YURPC_OK) {
        have_trouble(auth,
                     yr_error_new(status, -1, "cannot log in to etcd as %s: %s", auth->username,
                                  yurpc_status_text(status)),
                     troubled_ms(auth));
    }
}

static void on_timer(void *context)
{
    yr_auth *auth = context;
    int64_t now = now_ms(auth);
    bool is_new = auth->refusal != NULL && auth->password_file != NULL &&
                  now - auth->asked_ms >= YR_AUTH_REFUSED_MS &&
                  yr_secret_has_changed(auth->password_file, &auth->stamp);
    if (is_new) {
        yr_backoff_reset(&auth->refused);
    }
    if (is_new || now >= auth->not_before_ms) {
        log_in(auth);
    } else {
        ask_after(auth, auth->not_before_ms - now);
    }
}

/* ---- The link ---- */

bool yr_auth_on_up(yr_auth *auth)
{
    if (auth->grpc != NULL && auth->channel != yr_link_channel(&auth->client->link)) {
        yr_grpc_call_cancel(auth->grpc); /* there was a reason to leave that channel */
        auth->grpc = NULL;
    }
    if (!auth->is_ready && auth->refusal == NULL && !yr_timer_is_running(&auth->timer)) {
        log_in(auth);
    } else if (!auth->is_ready && !yr_timer_is_running(&auth->timer)) {
        int64_t left_ms = auth->not_before_ms - now_ms(auth);
        ask_after(auth, left_ms > 0 ? left_ms : 0);
    }
    return auth->is_ready;
}

void yr_auth_on_closed(yr_auth *auth, const yr_grpc_channel *channel)
{
    if (auth->grpc != NULL && auth->channel == channel) {
        auth->grpc = NULL;
        lose_channel(auth, yr_error_new(YURPC_UNAVAILABLE, -1, "the connection was given up"));
    }
}

/* ---- For calls and streams ---- */

bool yr_auth_is_ready(const yr_auth *auth)
{
    return auth->is_ready;
}

const yurpc_error *yr_auth_admit(yr_auth *auth)
{
    if (auth->refusal == NULL || auth->username != NULL) {
        return auth->refusal;
    }
    if (now_ms(auth) < auth->not_before_ms) {
        return auth->refusal;
    }
    auth->not_before_ms = now_ms(auth) + YR_AUTH_NOBODY_MS;
    return NULL;
}

size_t yr_auth_add_header(const yr_auth *auth, yr_grpc_header *headers, size_t count)
{
    if (auth->token != NULL) {
        headers[count++] = (yr_grpc_header){"token", auth->token, true};
    }
    return count;
}

static void want_a_user(yr_auth *auth)
{
    set_error(&auth->refusal, yr_error_new(YURPC_UNAUTHENTICATED, YR_GRPC_INVALID_ARGUMENT,
                                           "etcd wants a user, and none is configured: "
                                           "give a username and a password"));
    auth->not_before_ms = now_ms(auth) + YR_AUTH_NOBODY_MS;
    yr_log_write(&auth->client->log, auth->is_logged ? YURPC_LOG_DEBUG : YURPC_LOG_ERROR,
                 "etcd", "%s", yurpc_error_text(auth->refusal));
    auth->is_logged = true;
}

/* Whether this is one too many of the tokens that etcd gave and never took. Those that came to
 * nothing over a longer time may have expired before anybody needed them. */
static bool is_one_too_many(yr_auth *auth)
{
    int64_t now = now_ms(auth);
    if (auth->is_proven || now - auth->unproven_since_ms >= YR_AUTH_REFUSED_MS) {
        auth->unproven = 0;
    }
    if (auth->is_proven) {
        return false;
    }
    if (auth->unproven == 0) {
        auth->unproven_since_ms = now;
    }
    auth->unproven++;
    return auth->unproven >= YR_AUTH_UNPROVEN_MAX;
}

bool yr_auth_renew(yr_auth *auth, uint64_t generation, bool is_certain)
{
    if (auth->username == NULL) {
        if (is_certain) {
            want_a_user(auth);
        }
        return false;
    }
    if (generation != auth->generation || !auth->is_ready) {
        return auth->refusal == NULL;
    }
    if (!is_certain && now_ms(auth) - auth->got_ms < YR_AUTH_YOUNG_MS) {
        return false;
    }
    if (auth->token == NULL) {
        /* It gave none that it could have taken: perhaps it has users since then. */
        auth->is_ready = false;
        ask_after(auth, yr_backoff_next_ms(&auth->userless, random_of(auth)));
        return true;
    }
    if (is_one_too_many(auth)) {
        auth->unproven = 0;
        become_refused(auth,
                       yr_error_new(YURPC_UNAUTHENTICATED, -1,
                                    "etcd gives user %s tokens that it does not take",
                                    auth->username),
                       refused_ms(auth));
        return false;
    }
    auth->is_ready = false;
    yr_secret_free(auth->token);
    auth->token = NULL;
    ask_after(auth, (int64_t)(random_of(auth) % YR_AUTH_SPREAD_MS));
    return true;
}

void yr_auth_accepted(yr_auth *auth, uint64_t generation)
{
    if (generation != auth->generation) {
        return;
    }
    auth->is_proven = true;
    auth->unproven = 0;
    yr_backoff_reset(&auth->refused);
    yr_backoff_reset(&auth->userless);
    if (auth->username == NULL && auth->refusal != NULL) {
        set_error(&auth->refusal, NULL);
        auth->is_logged = false;
    }
}
